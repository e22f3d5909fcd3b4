# Import and upgrade stand in one plan.
import {
  to = azuremfa_server_group.eu
  id = "mfa-eu=mfa01.contoso.com,mfa02.contoso.com,mfa03.contoso.com"
}
