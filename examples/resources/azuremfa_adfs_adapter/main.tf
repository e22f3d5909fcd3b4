resource "azuremfa_adfs_adapter" "eu" {
  name                = "adfs-eu"
  version             = "7.0.0.9"
  allow_major_upgrade = true

  # The primary of the farm stands in the first batch, and the second one serves meanwhile.
  batches = [
    ["adfs01.contoso.com"],
    ["adfs02.contoso.com"],
  ]

  # Servers first, then portals, then adapters.
  after = [azuremfa_server_group.eu.ready, azuremfa_user_portal.dmz.ready]

  # While the registration is exchanged, users are not asked for the second factor.
  acknowledge = [
    {
      check  = "adfs_mfa_gap"
      reason = "CHG-1042, Sunday 02:00"
      until  = "2030-01-01T00:00:00Z"
    },
  ]
}
