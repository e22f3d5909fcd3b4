# A semicolon parts the two batches.
import {
  to = azuremfa_adfs_adapter.eu
  id = "adfs-eu=adfs01.contoso.com;adfs02.contoso.com"
}
