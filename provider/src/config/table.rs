//! The provider's attribute table.

use crate::backend::release::Component;
use crate::config::checks;
use crate::tf::schema::{Attribute, Kind, Schema};

/// The provider's schema.
pub fn schema() -> Schema {
    Schema {
        version: 0,
        description: "Upgrades estates of Azure Multi-Factor Authentication Server over WinRM, in the vendor's order.",
        attributes: vec![
            Attribute::optional("connections", Kind::ObjectMap(connection()), CONNECTIONS),
            Attribute::optional("releases", Kind::ObjectMap(release()), RELEASES),
            Attribute::optional("on_unreachable", Kind::String, ON_UNREACHABLE).check(checks::error_or_warn),
            Attribute::optional("on_ahead", Kind::String, ON_AHEAD).check(checks::error_or_warn),
            Attribute::optional("acknowledge_retirement", Kind::Bool, ACKNOWLEDGE_RETIREMENT),
        ],
    }
}

const CONNECTIONS: &str = "Ways to the hosts, by name. A host takes the connection whose `hosts` name it exactly, else \
    the one with the longest pattern that matches, else `default`; two equal matches are an error. Without \
    `connections` there is one connection, `default = {}`. The environment variable `AZUREMFA_ALLOWED_HOSTS` (patterns \
    with commas between them) limits which hosts any configuration can reach.";
const RELEASES: &str = "Where the files of a version are and how they are run, by version. The vendor's files are not \
    part of this provider.";
const ON_UNREACHABLE: &str = "What a host that cannot be reached does to a read: `error` (the default) ends it, `warn` \
    keeps what was known of the host and goes on with the others.";
const ON_AHEAD: &str = "What a host that runs a newer version than its pin does to a plan: `warn` (the default) or \
    `error`.";
const ACKNOWLEDGE_RETIREMENT: &str = "Set to `true` when you know that Microsoft retired Azure Multi-Factor \
    Authentication Server on 2024-09-30. Otherwise each run warns once.";

fn connection() -> Vec<Attribute> {
    vec![
        Attribute::optional("hosts", Kind::strings(), HOSTS).check(checks::host_patterns),
        Attribute::optional("username", Kind::String, USERNAME).check(checks::not_empty),
        Attribute::optional("password", Kind::String, PASSWORD).check(checks::not_empty).sensitive(),
        Attribute::optional("auth", Kind::String, AUTH).check(checks::authentication),
        Attribute::optional("use_https", Kind::Bool, "Whether to connect over HTTPS. The default is `true`."),
        Attribute::optional("port", Kind::Number, PORT).check(checks::port),
        Attribute::optional("ca_certificate", Kind::String, CA_CERTIFICATE).check(checks::certificates),
        Attribute::optional("insecure_skip_verify", Kind::Bool, INSECURE_SKIP_VERIFY),
        Attribute::optional("server_name", Kind::String, SERVER_NAME).check(checks::not_empty),
        Attribute::optional("proxy", Kind::String, PROXY).check(checks::proxy),
        Attribute::optional("timeouts", Kind::Object(timeouts()), "How long to wait."),
    ]
}

const HOSTS: &str = "Host names and patterns with `*` and `?`, as an ssh configuration has them. Required for every \
    connection but `default`, which takes the hosts that no other one matches.";
const USERNAME: &str = "The account, as `DOMAIN\\\\name`, `name@realm` or a local name. When it is absent the \
    environment variable `AZUREMFA_USERNAME` is read for `default` and `AZUREMFA_<NAME>_USERNAME` for another \
    connection, with its name in capitals and `_` for `-`.";
const PASSWORD: &str = "The account's password. **Terraform writes provider settings into saved plans**, so set this \
    only from an ephemeral value, or leave it out: the environment variable `AZUREMFA_PASSWORD` is read for `default` \
    and `AZUREMFA_<NAME>_PASSWORD` for another connection.";
const AUTH: &str = "How the account proves itself: `negotiate` (the default; NTLM for now), `ntlm` or `basic`. `basic` \
    needs HTTPS.";
const PORT: &str = "The TCP port. The default is 5986, or 5985 with `use_https = false`.";
const CA_CERTIFICATE: &str = "Certificates in PEM that are trusted instead of the system's, as text.";
const INSECURE_SKIP_VERIFY: &str = "Accept any certificate. The connection is then open to whoever can stand in \
    between; each run warns.";
const SERVER_NAME: &str = "The name that the host's certificate carries, when it is not the host's name.";
const PROXY: &str = "An HTTP proxy, `http://host:port`, that is asked to CONNECT to the host. Proxies of the \
    environment are not used.";

fn timeouts() -> Vec<Attribute> {
    vec![
        Attribute::optional("connect", Kind::String, CONNECT_TIMEOUT).check(checks::duration),
        Attribute::optional("operation", Kind::String, OPERATION_TIMEOUT).check(checks::duration),
    ]
}

const CONNECT_TIMEOUT: &str = "For name, TCP, proxy and TLS together, such as `30s`. The default is 15 seconds.";
const OPERATION_TIMEOUT: &str = "How long a host may hold one request before it answers that there is nothing yet. \
    Long work is not bounded by it. The default is 60 seconds.";

fn release() -> Vec<Attribute> {
    Component::ALL
        .into_iter()
        .map(|component| {
            Attribute::optional(component.as_str(), Kind::Object(package(component)), description(component))
        })
        .collect()
}

fn package(component: Component) -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::optional("source", Kind::String, source(component)).check(checks::https_source),
        Attribute::optional("sha256", Kind::String, "The file's SHA-256 in hexadecimal. Required with `source`.")
            .check(checks::sha256),
        Attribute::optional("arguments", Kind::strings(), arguments(component)),
        Attribute::optional("publisher", Kind::String, PUBLISHER).check(checks::not_empty),
    ];
    if component == Component::ServerSetup {
        attributes.push(Attribute::optional("delivery", Kind::String, DELIVERY).check(checks::delivery));
    }
    attributes
}

const DELIVERY: &str = "Who fetches the file: `auto` (the default; the host does, and when it cannot reach the address \
    the machine that runs Terraform does and sends it over WinRM, which the run says), `pull` (the host alone) or `push` \
    (the machine that runs Terraform, through the proxy of its environment if there is one). At most 2 GiB are taken, \
    and the host keeps only a file with the stated hash.";

const PUBLISHER: &str = "The publisher that signed the file. Kept for a later version; nothing checks it yet.";

fn description(component: Component) -> &'static str {
    match component {
        Component::ServerSetup => "The setup of MFA Server.",
        Component::VcRedistX64 => {
            "The Visual C++ redistributable, x64. Its presence is checked; it is not installed yet."
        }
        Component::VcRedistX86 => {
            "The Visual C++ redistributable, x86. Its presence is checked; it is not installed yet."
        }
        Component::WebServiceSdk => "The Web Service SDK.",
        Component::UserPortal => "The User Portal.",
        Component::MobileAppWebService => "The Mobile App Web Service.",
        Component::AdfsAdapter => "The AD FS adapter.",
    }
}

fn source(component: Component) -> &'static str {
    match component {
        Component::ServerSetup => "The https URL of the file. Who fetches it is said by `delivery`.",
        Component::VcRedistX64 | Component::VcRedistX86 => "The https URL from which the host itself fetches the file.",
        _ => "Not needed and not used: the package lies in the install folder of an upgraded MFA Server.",
    }
}

fn arguments(component: Component) -> &'static str {
    if component.is_web() {
        "The words of the silent command line; `/qn` and `/norestart` are added where nothing is said about them. `{virtual_directory}`, `{site}`, `{site_id}` and `{application_pool}` are \
         filled in from what is found on the host. Without it a plan that would install the component is refused."
    } else if component == Component::AdfsAdapter {
        "The words of the silent command line; `/qn` and `/norestart` are added where nothing is said about them. Without \
         it a plan that would install the adapter is refused."
    } else {
        "The words of the silent command line. Without it a plan that would install the component is refused."
    }
}
