# The vendor's order, written as references: servers, then portals and web services, then adapters.

resource "azuremfa_server_group" "eu" {
  name                = "mfa-eu"
  version             = var.mfa_version
  allow_major_upgrade = true
  hosts               = ["mfa01.contoso.com", "mfa02.contoso.com", "mfa03.contoso.com"]
  master              = var.master

  web_service_sdk = {
    virtual_directory = "MultiFactorAuthWebServiceSdk"
  }
}

# A portal beside an MFA Server, for administrators.
resource "azuremfa_user_portal" "internal" {
  name                = "portal-internal"
  version             = var.mfa_version
  allow_major_upgrade = true
  hosts               = ["mfa03.contoso.com"]
  virtual_directory   = "MultiFactorAuth"
  after               = [azuremfa_server_group.eu.ready]
}

resource "azuremfa_user_portal" "dmz" {
  name                = "portal-dmz"
  version             = var.mfa_version
  allow_major_upgrade = true
  hosts               = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"]
  virtual_directory   = "MultiFactorAuth"
  after               = [azuremfa_server_group.eu.ready]
}

# MFA Server 8.0 and later does without this service: it stays at the last 7.x until someone uninstalls it.
resource "azuremfa_mobile_app_web_service" "app" {
  name                = "app-dmz"
  version             = tonumber(split(".", var.mfa_version)[0]) < 8 ? var.mfa_version : "7.0.0.9"
  allow_major_upgrade = true
  hosts               = ["app01.dmz.contoso.com"]
  virtual_directory   = "MultiFactorAuthMobileAppWebService"
  after               = [azuremfa_server_group.eu.ready]
}

resource "azuremfa_adfs_adapter" "eu" {
  name                = "adfs-eu"
  version             = var.mfa_version
  allow_major_upgrade = true
  batches             = [["adfs01.contoso.com"], ["adfs02.contoso.com"]]

  after = [
    azuremfa_server_group.eu.ready,
    azuremfa_user_portal.internal.ready,
    azuremfa_user_portal.dmz.ready,
  ]

  acknowledge = [
    { check = "adfs_mfa_gap", reason = "CHG-1042, Sunday 02:00" },
  ]
}
