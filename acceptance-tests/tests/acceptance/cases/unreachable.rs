//! A host that does not answer: an error by default, and with `on_unreachable = "warn"` no reason to hide the rest.

use crate::support::case::Case;
use crate::support::hcl::{self, SERVERS};

fn settled_group() -> Option<Case> {
    let case = Case::demo()?;
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    case.converge();
    case.set_reachable(SERVERS[2], false);
    Some(case)
}

#[test]
fn is_an_error_by_default() {
    let Some(case) = settled_group() else { return };
    case.plan().ended(1).says("mfa03.contoso.com").says("on_unreachable = \"warn\"");
}

#[test]
fn is_a_warning_when_the_settings_say_so() {
    let Some(case) = settled_group() else { return };
    case.provider("on_unreachable = \"warn\"");
    case.plan().ended(0).says("mfa03.contoso.com");
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.plan().ended(2).does_not_say("mfa03.contoso.com: run the server setup");
    case.workspace.apply("case.tfplan").succeeded();
    let group = case.workspace.attributes("azuremfa_server_group.eu");
    assert_eq!(group["version"], "6.3.1.1");
    assert_eq!(group["versions"]["mfa02.contoso.com"], "7.0.0.9");
    assert_eq!(group["versions"]["mfa03.contoso.com"], "6.3.1.1");
    case.set_reachable(SERVERS[2], true);
    case.plan().ended(2).says("mfa03.contoso.com: run the server setup");
}
