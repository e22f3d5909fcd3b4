# Import and upgrade stand in one plan. Once the sets are in state these blocks do nothing.

import {
  to = azuremfa_server_group.eu
  id = "mfa-eu=mfa01.contoso.com,mfa02.contoso.com,mfa03.contoso.com"
}

import {
  to = azuremfa_user_portal.internal
  id = "portal-internal=mfa03.contoso.com"
}

import {
  to = azuremfa_user_portal.dmz
  id = "portal-dmz=portal01.dmz.contoso.com,portal02.dmz.contoso.com"
}

import {
  to = azuremfa_mobile_app_web_service.app
  id = "app-dmz=app01.dmz.contoso.com"
}

import {
  to = azuremfa_adfs_adapter.eu
  id = "adfs-eu=adfs01.contoso.com;adfs02.contoso.com"
}
