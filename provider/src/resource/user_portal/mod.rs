//! `azuremfa_user_portal`: User Portals behind one address.

use crate::backend::facts::WebKind;
use crate::resource::web::WebResource;

/// The kind of set.
pub const USER_PORTAL: WebResource = WebResource {
    kind: WebKind::UserPortal,
    type_name: "azuremfa_user_portal",
    description: DESCRIPTION,
    validate: |_, _| {},
};

const DESCRIPTION: &str = "\
User Portals behind one address, upgraded one host after the other: the virtual directory is backed up with its \
web.config and themes, the package runs in the same virtual directory, web.config is put back or its values are carried \
into the new one, the application pool moves to CLR v4.0 where that is needed, and the theme is compared with its backup.

Portals come after their server group: name its `ready` in `after`. The package is taken from the install folder of an \
MFA Server of that group, on the host itself or from another one.";
