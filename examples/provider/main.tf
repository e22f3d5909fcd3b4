terraform {
  required_providers {
    azuremfa = {
      source = "azuremfa/azuremfa"
    }
  }
}

provider "azuremfa" {
  acknowledge_retirement = true

  # Credentials come from AZUREMFA_USERNAME and AZUREMFA_PASSWORD, for "dmz" from AZUREMFA_DMZ_USERNAME and
  # AZUREMFA_DMZ_PASSWORD.
  connections = {
    default = {}
    dmz = {
      hosts = ["*.dmz.contoso.com"]
      auth  = "ntlm"
    }
  }

  # The vendor's files are yours to provide, and so are the arguments with which they run silently.
  releases = {
    "7.0.0.9" = {
      server_setup = {
        source    = "https://files.contoso.com/mfa/7.0.0.9/MultiFactorAuthenticationServerSetup.exe"
        sha256    = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
        arguments = ["/quiet", "/norestart"]
      }
      web_service_sdk = {
        arguments = ["/qn", "/norestart", "TARGETVDIR={virtual_directory}", "TARGETSITE=/LM/W3SVC/{site_id}", "TARGETAPPPOOL={application_pool}"]
      }
      user_portal = {
        arguments = ["/qn", "/norestart", "TARGETVDIR={virtual_directory}", "TARGETSITE=/LM/W3SVC/{site_id}", "TARGETAPPPOOL={application_pool}"]
      }
      mobile_app_web_service = {
        arguments = ["/qn", "/norestart", "TARGETVDIR={virtual_directory}", "TARGETSITE=/LM/W3SVC/{site_id}", "TARGETAPPPOOL={application_pool}"]
      }
      adfs_adapter = {
        arguments = ["/qn", "/norestart"]
      }
    }
  }
}
