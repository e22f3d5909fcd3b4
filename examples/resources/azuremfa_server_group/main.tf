resource "azuremfa_server_group" "eu" {
  name                = "mfa-eu"
  version             = "7.0.0.9"
  allow_major_upgrade = true

  # In the order of the rollout. The master comes last whatever its place.
  hosts = ["mfa01.contoso.com", "mfa02.contoso.com", "mfa03.contoso.com"]

  # Who is master now. After you have promoted another server by hand, name that one.
  master = "mfa01.contoso.com"

  web_service_sdk = {
    virtual_directory = "MultiFactorAuthWebServiceSdk"
  }
}
