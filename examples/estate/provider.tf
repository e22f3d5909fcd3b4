terraform {
  required_version = ">= 1.5"

  required_providers {
    azuremfa = {
      source = "azuremfa/azuremfa"
    }
  }
}

provider "azuremfa" {
  acknowledge_retirement = true

  # Who logs on is not written here: AZUREMFA_USERNAME and AZUREMFA_PASSWORD, for "dmz" AZUREMFA_DMZ_USERNAME and
  # AZUREMFA_DMZ_PASSWORD.
  connections = {
    default = {
      proxy          = var.proxy
      ca_certificate = var.ca_certificate
    }
    dmz = {
      hosts          = ["*.dmz.contoso.com"]
      auth           = "ntlm"
      proxy          = var.proxy
      ca_certificate = var.ca_certificate
    }
  }

  releases = {
    for version, sha256 in var.server_setup_sha256 : version => {
      server_setup = {
        source    = "https://files.contoso.com/mfa/${version}/MultiFactorAuthenticationServerSetup.exe"
        sha256    = sha256
        arguments = ["/quiet", "/norestart"]
      }
      web_service_sdk        = { arguments = local.web_arguments }
      user_portal            = { arguments = local.web_arguments }
      mobile_app_web_service = { arguments = local.web_arguments }
      adfs_adapter           = { arguments = ["/qn", "/norestart"] }
    }
  }
}

locals {
  # What keeps a web component in its place. Yours to state: the vendor has not documented it.
  web_arguments = [
    "/qn",
    "/norestart",
    "TARGETVDIR={virtual_directory}",
    "TARGETSITE=/LM/W3SVC/{site_id}",
    "TARGETAPPPOOL={application_pool}",
  ]
}
