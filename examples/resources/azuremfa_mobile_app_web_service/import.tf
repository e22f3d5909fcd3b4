import {
  to = azuremfa_mobile_app_web_service.app
  id = "app-dmz=app01.dmz.contoso.com"
}
