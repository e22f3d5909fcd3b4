# After a host was changed it has to answer, before the next one is touched. Asked by the machine that runs Terraform.

variable "ca_certificate" {
  description = "Certificates in PEM by which the web sites are trusted, when they are not the system's."
  type        = string
  default     = null
}

resource "azuremfa_server_group" "eu" {
  name                = "mfa-eu"
  version             = "7.0.0.9"
  allow_major_upgrade = true
  hosts               = ["mfa01.contoso.com", "mfa02.contoso.com", "mfa03.contoso.com"]
  master              = "mfa01.contoso.com"
  web_service_sdk     = {}
}

resource "azuremfa_user_portal" "dmz" {
  name                = "portal-dmz"
  version             = "7.0.0.9"
  allow_major_upgrade = true
  hosts               = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"]
  after               = [azuremfa_server_group.eu.ready]

  # Each host itself, not the address of the balancer in front of them.
  health_check = {
    url            = "https://{host}/MultiFactorAuth/"
    contains       = "User Portal"
    timeout        = "10m"
    ca_certificate = var.ca_certificate
  }
}

resource "azuremfa_adfs_adapter" "eu" {
  name                = "adfs-eu"
  version             = "7.0.0.9"
  allow_major_upgrade = true
  batches             = [["adfs01.contoso.com"], ["adfs02.contoso.com"]]
  after               = [azuremfa_server_group.eu.ready]

  # Where AD FS answers balancers: http on port 80. A proxy in front of it (WAP) answers by itself, so ask the AD FS server.
  health_check = {
    url      = "http://{host}/adfs/probe"
    interval = "10s"
  }

  acknowledge = [
    { check = "adfs_mfa_gap", reason = "CHG-1042, Sunday 02:00" },
  ]
}

import {
  to = azuremfa_server_group.eu
  id = "mfa-eu=mfa01.contoso.com,mfa02.contoso.com,mfa03.contoso.com"
}

import {
  to = azuremfa_user_portal.dmz
  id = "portal-dmz=portal01.dmz.contoso.com,portal02.dmz.contoso.com"
}

import {
  to = azuremfa_adfs_adapter.eu
  id = "adfs-eu=adfs01.contoso.com;adfs02.contoso.com"
}
