//! The provider's attribute table.

use crate::backend::release::Component;
use crate::config::{balancers, checks, kerberos};
use crate::tf::schema::{Attribute, Kind, Schema};

/// The provider's schema.
pub fn schema() -> Schema {
    Schema {
        version: 0,
        description: DESCRIPTION,
        attributes: vec![
            Attribute::optional("connections", Kind::ObjectMap(connection()), CONNECTIONS),
            Attribute::optional("releases", Kind::ObjectMap(release()), RELEASES),
            Attribute::optional("balancers", Kind::ObjectMap(balancer()), BALANCERS),
            Attribute::optional("on_unreachable", Kind::String, ON_UNREACHABLE).check(checks::error_or_warn),
            Attribute::optional("on_ahead", Kind::String, ON_AHEAD).check(checks::error_or_warn),
            Attribute::optional("max_connections", Kind::Number, MAX_CONNECTIONS_IN_ALL)
                .check(checks::connections_in_all),
            Attribute::optional("acknowledge_retirement", Kind::Bool, ACKNOWLEDGE_RETIREMENT),
        ],
    }
}

const DESCRIPTION: &str = "Upgrades estates of Azure Multi-Factor Authentication Server over WinRM, in the vendor's order.\n\n\
    An apply takes a lease on every host that it is about to change, and gives it back when it has ended, however that was. A \
    second run that wants one of these hosts meanwhile (another pipeline, or another configuration of this provider) changes \
    nothing: its error names the account, the machine and the pipeline's job of the run that is at work. What a run that was \
    killed leaves behind ends by itself within five minutes, and the next apply waits for that. The lease is the file \
    `lease.json` in `%ProgramData%\\terraform-provider-azuremfa` on the host. Plans, refreshes and imports take none and look \
    at none.";
const CONNECTIONS: &str = "Ways to the hosts, by name. A host takes the connection whose `hosts` name it exactly, else \
    the one with the longest pattern that matches, else `default`; two equal matches are an error. Without \
    `connections` there is one connection, `default = {}`. The environment variable `AZUREMFA_ALLOWED_HOSTS` (patterns \
    with commas between them) limits which hosts any configuration can reach, be it as a host, as the `kdc` or the `proxy` \
    of a connection, as a balancer, in a health check, or for a file that this machine fetches.";
const RELEASES: &str = "Where the files of a version are and how they are run, by version. The vendor's files are not \
    part of this provider.";
const BALANCERS: &str = "Balancers that hosts are taken out of while they are changed, by name. A set names one of them in \
    its `drain`. `AZUREMFA_ALLOWED_HOSTS` counts for their addresses, and the proxies of the environment are used. See the \
    guide `traffic`.";
const ON_UNREACHABLE: &str = "What a host that cannot be reached does to a read: `error` (the default) ends it, `warn` \
    keeps what was known of the host and goes on with the others.";
const ON_AHEAD: &str = "What a host that runs a newer version than its pin does to a plan: `warn` (the default) or \
    `error`.";
const MAX_CONNECTIONS_IN_ALL: &str = "How many connections may be open to all hosts at once, used or kept, from 1 to \
    1024. The default is 256. Work beyond that waits, and hosts without a connection of their own log on again and again.";
const ACKNOWLEDGE_RETIREMENT: &str = "Set to `true` when you know that Microsoft retired Azure Multi-Factor \
    Authentication Server on 2024-09-30. Otherwise each run warns once.";

fn connection() -> Vec<Attribute> {
    vec![
        Attribute::optional("hosts", Kind::strings(), HOSTS).check(checks::host_patterns),
        Attribute::optional("username", Kind::String, USERNAME).check(checks::not_empty),
        Attribute::optional("password", Kind::String, PASSWORD).check(checks::not_empty).sensitive(),
        Attribute::optional("auth", Kind::String, AUTH).check(checks::authentication),
        Attribute::optional("client_certificate", Kind::String, CLIENT_CERTIFICATE).check(checks::certificates),
        Attribute::optional("client_key", Kind::String, CLIENT_KEY).check(checks::client_key).sensitive(),
        Attribute::optional("client_pkcs12", Kind::String, CLIENT_PKCS12).check(checks::pkcs12).sensitive(),
        Attribute::optional("client_pkcs12_password", Kind::String, CLIENT_PKCS12_PASSWORD).sensitive(),
        Attribute::optional("realm", Kind::String, REALM).check(kerberos::realm),
        Attribute::optional("kdc", Kind::String, KDC).check(kerberos::kdc),
        Attribute::optional("keytab", Kind::String, KEYTAB).check(checks::not_empty),
        Attribute::optional("credential_cache", Kind::String, CREDENTIAL_CACHE).check(kerberos::credential_cache),
        Attribute::optional("use_https", Kind::Bool, "Whether to connect over HTTPS. The default is `true`."),
        Attribute::optional("port", Kind::Number, PORT).check(checks::port),
        Attribute::optional("path", Kind::String, PATH).check(checks::url_path),
        Attribute::optional("ca_certificate", Kind::String, CA_CERTIFICATE).check(checks::certificates),
        Attribute::optional("insecure_skip_verify", Kind::Bool, INSECURE_SKIP_VERIFY),
        Attribute::optional("server_name", Kind::String, SERVER_NAME).check(checks::not_empty),
        Attribute::optional("proxy", Kind::String, PROXY).check(checks::proxy).sensitive(),
        Attribute::optional("max_connections", Kind::Number, MAX_CONNECTIONS).check(checks::connections_to_host),
        Attribute::optional("timeouts", Kind::Object(timeouts()), "How long to wait."),
    ]
}

const HOSTS: &str = "Host names and patterns with `*` and `?`, as an ssh configuration has them, without ports. Required for \
    every connection but `default`, which takes the hosts that no other one matches.";
const USERNAME: &str = "The account, as `DOMAIN\\\\name`, `name@realm` or a local name. When it is absent the \
    environment variable `AZUREMFA_USERNAME` is read for `default` and `AZUREMFA_<NAME>_USERNAME` for another \
    connection, with its name in capitals and `_` for `-`.";
const PASSWORD: &str = "The account's password. **Terraform writes provider settings into saved plans**, so set this \
    only from an ephemeral value, or leave it out: the environment variable `AZUREMFA_PASSWORD` is read for `default` \
    and `AZUREMFA_<NAME>_PASSWORD` for another connection.";
const AUTH: &str = "How the account proves itself: `negotiate` (the default), `kerberos`, `ntlm`, `basic` or \
    `certificate`. `negotiate` is Kerberos with a `realm`, a `keytab` or a `credential_cache`, or when there is no password \
    and `KRB5CCNAME` names a cache with a ticket; else NTLM. `basic` and `certificate` need HTTPS.";
const CLIENT_CERTIFICATE: &str = "With `auth = \"certificate\"`: the client's certificate in PEM, as text; those between it \
    and its authority may follow. The host maps it to an account. When it is absent the environment variable \
    `AZUREMFA_CLIENT_CERTIFICATE` is read for `default` and `AZUREMFA_<NAME>_CLIENT_CERTIFICATE` for another connection.";
const CLIENT_KEY: &str = "The key of `client_certificate` in PEM, as text, not encrypted. **Terraform writes provider \
    settings into saved plans**, so set this only from an ephemeral value, or leave it out: the environment variable \
    `AZUREMFA_CLIENT_KEY` is read for `default` and `AZUREMFA_<NAME>_CLIENT_KEY` for another connection.";
const CLIENT_PKCS12: &str = "Instead of `client_certificate` and `client_key`: both in one PKCS#12 file (`.pfx`), in base64 \
    as `filebase64` reads it. Set it only from an ephemeral value, or leave it out: the environment variable \
    `AZUREMFA_CLIENT_PKCS12` is read for `default` and `AZUREMFA_<NAME>_CLIENT_PKCS12` for another connection.";
const CLIENT_PKCS12_PASSWORD: &str = "The password of `client_pkcs12`; none is an empty one. Set it only from an ephemeral \
    value, or leave it out: the environment variable `AZUREMFA_CLIENT_PKCS12_PASSWORD` is read for `default` and \
    `AZUREMFA_<NAME>_CLIENT_PKCS12_PASSWORD` for another connection.";
const REALM: &str = "The Kerberos realm of the account: its Active Directory domain, such as `CONTOSO.COM`. Not needed \
    for `name@contoso.com`, a keytab or a ticket, which tell it, nor where `default_realm` in `krb5.conf` is the one.";
const KDC: &str = "The domain controller that is asked for tickets over TCP, `host` or `host:port` (88). Without it \
    `krb5.conf` (`KRB5_CONFIG`, else `/etc/krb5.conf`) tells, else DNS (`_kerberos._tcp.<realm>`, then the realm's own name).";
const KEYTAB: &str = "The path of a keytab with the account's AES key, in place of a password. `username` chooses among \
    its accounts; without it the first one is taken.";
const CREDENTIAL_CACHE: &str = "The path of a credential cache with the account's ticket (`kinit -c`), in place of user \
    name and password. Without it, and without a keytab or a password, the environment variable `KRB5CCNAME` is read.";
const PORT: &str = "The TCP port of hosts that are named without one. The default is 5986, or 5985 with \
    `use_https = false`.";
const CA_CERTIFICATE: &str = "Certificates in PEM that are trusted instead of the system's, as text.";
const INSECURE_SKIP_VERIFY: &str = "Accept any certificate. The connection is then open to whoever can stand in \
    between; each run warns.";
const SERVER_NAME: &str = "The name that the host's certificate carries, when it is not the host's name.";
const PATH: &str = "The path of the service's URL. The default is `/wsman`.";
const PROXY: &str = "An HTTP proxy that is asked to CONNECT to the host, `http://host:port`, or \
    `http://user:password@host:port` for one that asks for Basic; an empty text for none. Without it the environment \
    decides: `https_proxy` for HTTPS and `http_proxy` for HTTP, then `all_proxy`, each in small letters or in capitals, \
    unless `no_proxy` holds the host: its name or that of a domain above it, `.domain` for those below alone, an address, \
    a network such as `10.0.0.0/8`, or `*`; names and addresses with `:port` where only that is meant. Names are not \
    resolved for it.";
const MAX_CONNECTIONS: &str = "How many connections may be open to one host at once, from 1 to 16. The default is 4. With \
    few, a step may wait until the host's answer to another one, at most `timeouts.operation`.";

fn timeouts() -> Vec<Attribute> {
    vec![
        Attribute::optional("connect", Kind::String, CONNECT_TIMEOUT).check(checks::duration),
        Attribute::optional("operation", Kind::String, OPERATION_TIMEOUT).check(checks::duration),
        Attribute::optional("overall", Kind::String, OVERALL_TIMEOUT).check(checks::duration),
    ]
}

const CONNECT_TIMEOUT: &str = "For name, TCP, proxy and TLS together, such as `30s`. The default is 15 seconds.";
const OPERATION_TIMEOUT: &str = "How long one request may take, from its beginning to the whole answer; then the \
    connection counts as lost, and is replaced where that is safe. Hosts are asked to answer \"nothing yet\" earlier, by a \
    third of it and 20 seconds at most, so long work is not bounded by it. The default is 60 seconds.";

const OVERALL_TIMEOUT: &str = "How long one script may take on a host, from logging on to its end. By default 5 minutes for \
    a question, 30 minutes for a change, and 3 hours for what copies files; a longer time than these does not extend \
    them.";

fn balancer() -> Vec<Attribute> {
    vec![
        Attribute::required("type", Kind::String, "`http`: it takes orders over HTTP.").check(balancers::check_type),
        Attribute::required("take_out", Kind::Object(order()), TAKE_OUT),
        Attribute::required("put_back", Kind::Object(order()), PUT_BACK),
        Attribute::optional("headers", Kind::string_map(), HEADERS).check(balancers::check_headers).sensitive(),
        Attribute::optional("ca_certificate", Kind::String, CA_CERTIFICATE).check(checks::certificates),
        Attribute::optional("timeout", Kind::String, ANSWER_TIMEOUT).check(checks::duration),
        Attribute::optional("drain_wait", Kind::String, DRAIN_WAIT).check(balancers::check_wait),
    ]
}

const TAKE_OUT: &str = "What is asked for to take a host out: no new connections for it. Given again by every run that goes \
    on with the host, so it has to be an order that may be repeated.";
const PUT_BACK: &str = "What is asked for to put a host back. It may be repeated, too.";
const HEADERS: &str = "Headers of both orders, such as `Authorization`. **Terraform writes provider settings into saved \
    plans**, so set this only from an ephemeral value, or leave it out: the environment variable \
    `AZUREMFA_BALANCER_<NAME>_TOKEN` is sent as `Authorization: Bearer`, unless `headers` has an `Authorization`. `{}` with \
    no such variable for a balancer that asks for nothing.";
const ANSWER_TIMEOUT: &str = "How long one answer may take. The default is `10s`. An order without an answer, or with a status \
    408, 429 or from 500 on, is given three times.";
const DRAIN_WAIT: &str = "How long the connections of a host may go on after it was taken out, before it is changed. The \
    default is `30s`; `0s` for no wait.";

fn order() -> Vec<Attribute> {
    vec![
        Attribute::required("url", Kind::String, ORDER_URL).check(balancers::check_url),
        Attribute::required("method", Kind::String, "`GET`, `POST`, `PUT`, `PATCH` or `DELETE`.")
            .check(balancers::check_method),
        Attribute::optional("body", Kind::String, ORDER_BODY).check(balancers::check_body).sensitive(),
        Attribute::optional("expected_status", Kind::List(Box::new(Kind::Number)), EXPECTED_STATUS)
            .check(balancers::check_statuses),
    ]
}

const ORDER_URL: &str = "The address, with `{host}` for the host's name as the set has it, or `{short_host}` for its first \
    label. It is https; http only to this machine itself, or where there are no headers, no `body` and nothing after `?`. No \
    user name or password; what stands after `?` is sent and not shown. Redirects are not followed.";
const ORDER_BODY: &str = "What is sent, with the same placeholders, which have to stand inside of a text in JSON. It goes as \
    `application/json` unless `headers` has a `Content-Type`.";
const EXPECTED_STATUS: &str = "The statuses of an answer that mean that it was done. The default is `[200, 204]`. The body of \
    an answer is not looked at.";

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
    (the machine that runs Terraform, through the proxy of its environment if there is one, and from hosts that \
    `AZUREMFA_ALLOWED_HOSTS` allows, redirects included). At most 2 GiB are taken, and the host keeps only a file with the stated hash.";

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
