resource "azuremfa_user_portal" "dmz" {
  name                = "portal-dmz"
  version             = "7.0.0.9"
  allow_major_upgrade = true

  # In the order of the rollout, one host after the other.
  hosts = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"]

  # Found when there is one, and kept.
  virtual_directory = "MultiFactorAuth"

  # Servers first: the package comes from one of them.
  after = [azuremfa_server_group.eu.ready]
}
