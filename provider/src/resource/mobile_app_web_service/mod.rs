//! `azuremfa_mobile_app_web_service`: Mobile App Web Services behind one address.

use crate::backend::facts::WebKind;
use crate::plan::web::FIRST_WITHOUT_MOBILE_APP;
use crate::resource::set::desired;
use crate::resource::web::WebResource;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;

/// The kind of set.
pub const MOBILE_APP_WEB_SERVICE: WebResource = WebResource {
    kind: WebKind::MobileAppWebService,
    type_name: "azuremfa_mobile_app_web_service",
    description: DESCRIPTION,
    validate,
};

const DESCRIPTION: &str = "\
Mobile App Web Services behind one address, upgraded one host after the other as User Portals are, without themes.

MFA Server 8.0 and later does without this service, and ships no package of it. When its server group goes to 8.x, leave \
`version` at the last 7.x: the service stays as it is, and each plan says that it can be uninstalled by hand.";

fn validate(config: &Value, diagnostics: &mut Diagnostics) {
    let pinned = desired::version(config.attribute("version"));
    if let Some(version) = pinned.filter(|version| version.major() >= FIRST_WITHOUT_MOBILE_APP) {
        diagnostics.error_at(
            Path::of("version"),
            "No Mobile App Web Service of this version",
            format!(
                "{version} is asked for, and from 8.0 on MFA Server needs no Mobile App Web Service: there is no package of \
                 it. The service that is there stays where it is. Leave version at the last 7.x that runs, and uninstall it \
                 by hand when its servers are at {version}."
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: Value, refused: bool) {
        let mut diagnostics = Diagnostics::default();
        validate(&Value::object([("version", version)]), &mut diagnostics);
        let paths: Vec<_> = diagnostics.iter().map(|found| found.path.as_ref().map(Path::to_string)).collect();
        assert_eq!(paths, if refused { vec![Some("version".to_owned())] } else { vec![] });
    }

    #[test]
    fn versions_that_do_without_are_refused() {
        check("7.3.0.3".into(), false);
        check("8.0".into(), true);
        check("8.0.1.1".into(), true);
        check("10.1".into(), true);
        check(Value::Unknown, false);
    }
}
