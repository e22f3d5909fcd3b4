resource "azuremfa_mobile_app_web_service" "app" {
  name                = "app-dmz"
  version             = "7.0.0.9" # the last there is: MFA Server 8.0 and later does without it
  allow_major_upgrade = true
  hosts               = ["app01.dmz.contoso.com"]
  virtual_directory   = "MultiFactorAuthMobileAppWebService"
  after               = [azuremfa_server_group.eu.ready]
}
