import {
  to = azuremfa_user_portal.dmz
  id = "portal-dmz=portal01.dmz.contoso.com,portal02.dmz.contoso.com"
}

# Where a host has several portals, the id says which one is meant:
# "portal-dmz@MultiFactorAuth=portal01.dmz.contoso.com,portal02.dmz.contoso.com"
