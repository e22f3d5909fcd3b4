# Each server is out of the balancer while it is changed, and of the AD FS farm one batch after the other.

terraform {
  required_version = ">= 1.5"

  required_providers {
    azuremfa = {
      source = "azuremfa/azuremfa"
    }
  }
}

variable "balancer" {
  description = "Where the balancer takes orders about the members of the pool."
  type        = string
  default     = "https://lb.contoso.com/api/pools/mfa/members"
}

variable "drain_wait" {
  description = "How long a server that is out goes on with what it has begun: a code sent by SMS is answered to the server that sent it."
  type        = string
  default     = "5m"
}

variable "server_setup_sha256" {
  description = "SHA-256 of the server setup. The default is that of the simulated release."
  type        = string
  default     = "67de4995c1ef187f281073840b1330fff11ef325f328bca2b25e0ae5d3915413"
}

variable "proxy" {
  description = "An HTTP proxy on the way to the hosts, http://host:port. The simulated estate is one."
  type        = string
  default     = null
}

variable "ca_certificate" {
  description = "Certificates in PEM by which the hosts are trusted, when they are not the system's."
  type        = string
  default     = null
}

provider "azuremfa" {
  acknowledge_retirement = true

  connections = {
    default = {
      proxy          = var.proxy
      ca_certificate = var.ca_certificate
    }
  }

  # Who gives the orders is not written here: AZUREMFA_BALANCER_LB_TOKEN is sent as "Authorization: Bearer".
  balancers = {
    lb = {
      type       = "http"
      drain_wait = var.drain_wait

      take_out = {
        url    = "${var.balancer}/{host}"
        method = "PATCH"
        body   = jsonencode({ enabled = false })
      }

      put_back = {
        url    = "${var.balancer}/{host}"
        method = "PATCH"
        body   = jsonencode({ enabled = true })
      }
    }
  }

  releases = {
    "7.0.0.9" = {
      server_setup = {
        source    = "https://files.contoso.com/mfa/7.0.0.9/MultiFactorAuthenticationServerSetup.exe"
        sha256    = var.server_setup_sha256
        arguments = ["/quiet", "/norestart"]
      }
      web_service_sdk = {
        arguments = [
          "TARGETVDIR={virtual_directory}",
          "TARGETSITE=/LM/W3SVC/{site_id}",
          "TARGETAPPPOOL={application_pool}",
        ]
      }
      adfs_adapter = { arguments = ["/qn", "/norestart"] }
    }
  }
}

resource "azuremfa_server_group" "eu" {
  name                = "mfa-eu"
  version             = "7.0.0.9"
  allow_major_upgrade = true
  hosts               = ["mfa01.contoso.com", "mfa02.contoso.com", "mfa03.contoso.com"]
  master              = "mfa01.contoso.com"
  web_service_sdk     = {}
  drain               = "lb"
}

import {
  to = azuremfa_server_group.eu
  id = "mfa-eu=mfa01.contoso.com,mfa02.contoso.com,mfa03.contoso.com"
}

# Comes after the servers: until they are upgraded its plan is to wait.
resource "azuremfa_adfs_adapter" "eu" {
  name                = "adfs-eu"
  version             = "7.0.0.9"
  allow_major_upgrade = true
  batches             = [["adfs01.contoso.com"], ["adfs02.contoso.com"]]
  drain               = "lb"
  after               = [azuremfa_server_group.eu.ready]
  acknowledge         = [{ check = "adfs_mfa_gap", reason = "CHG-1042, Sunday 02:00" }]
}

import {
  to = azuremfa_adfs_adapter.eu
  id = "adfs-eu=adfs01.contoso.com;adfs02.contoso.com"
}
