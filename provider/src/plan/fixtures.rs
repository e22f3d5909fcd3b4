//! Invented hosts for tests of planners and resources: healthy unless a test says otherwise.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::backend::facts::{
    Adfs, AuthenticationProvider, Database, HostFacts, OperatingSystem, RoleEvidence, Server, WebComponent, WebKind,
};
use crate::backend::step::Action;
use crate::plan::adfs::name_of;
use crate::plan::token::{SetKind, Token};
use crate::plan::traffic::{Drain, Out};
use crate::plan::{Decision, Desired, Installable, Policy, View, Views};
use crate::tf::diagnostic::Severity;

/// A host with every prerequisite and nothing of MFA on it.
pub fn host(name: &str) -> HostFacts {
    HostFacts {
        computer_name: name.split('.').next().unwrap_or(name).to_ascii_uppercase(),
        operating_system: OperatingSystem {
            caption: "Microsoft Windows Server 2016 Standard".to_owned(),
            version: "10.0.14393".to_owned(),
        },
        powershell_version: "5.1.14393.5582".to_owned(),
        administrator: true,
        work_folder: r"C:\ProgramData\terraform-provider-azuremfa".to_owned(),
        dotnet_release: Some(394_802),
        vc_redist_x64: Some("14.0.24215".to_owned()),
        vc_redist_x86: Some("14.0.24215".to_owned()),
        pending_reboot: Vec::new(),
        running_installation: None,
        server: None,
        web: Vec::new(),
        adfs: None,
    }
}

/// A host with an MFA Server of a version.
pub fn server(name: &str, version: &str) -> HostFacts {
    let install_path = r"C:\Program Files\Multi-Factor Authentication Server\".to_owned();
    HostFacts {
        server: Some(Server {
            data_folder: format!("{install_path}Data"),
            install_path,
            data_file_exists: true,
            product_version: Some(version.to_owned()),
            product_name: Some("Multi-Factor Authentication Server".to_owned()),
            file_version: Some(version.to_owned()),
            service_state: Some("Running".to_owned()),
            service_start_mode: Some("Auto".to_owned()),
            replication_port: None,
            packages: Vec::new(),
            role_evidence: RoleEvidence::default(),
        }),
        ..host(name)
    }
}

/// A web component of a version, whole, in a pool of its own.
pub fn web(component: WebKind, version: &str) -> WebComponent {
    let (directory, pool) = match component {
        WebKind::WebServiceSdk => ("MultiFactorAuthWebServiceSdk", "MfaSdk"),
        WebKind::UserPortal => ("MultiFactorAuth", "MfaPortal"),
        WebKind::MobileAppWebService => ("MultiFactorAuthMobileAppWebService", "MfaMobile"),
    };
    let is_old = version.starts_with("6.");
    WebComponent {
        component,
        site: "Default Web Site".to_owned(),
        site_id: 1,
        virtual_directory: directory.to_owned(),
        physical_path: format!(r"C:\inetpub\wwwroot\{directory}"),
        application_pool: pool.to_owned(),
        pool_runtime: if is_old { "v2.0" } else { "v4.0" }.to_owned(),
        pool_pipeline: "Classic".to_owned(),
        product_version: Some(version.to_owned()),
        file_version: Some(version.to_owned()),
        web_config_exists: true,
        placeholders: Vec::new(),
        web_service_sdk_url: None,
    }
}

/// A host of a WID farm with the adapter of a version, registered and in use. The first name of `farm` is the primary.
pub fn adfs(name: &str, farm: &[&str], version: &str) -> HostFacts {
    let is_primary = farm.first() == Some(&name);
    let registered = name_of(&version.parse().expect("a version")).to_owned();
    HostFacts {
        adfs: Some(Adfs {
            service_state: Some("Running".to_owned()),
            database: Database::Wid,
            role: Some(if is_primary { "PrimaryComputer" } else { "SecondaryComputer" }.to_owned()),
            adapter_product_version: Some(version.to_owned()),
            adapter_folder: Some(r"C:\Program Files\Multi-Factor Authentication Server\".to_owned()),
            adapter_assembly: Some(assembly(version)),
            restarted_since_install: Some(true),
            restarted_since_registration: is_primary.then_some(true),
            providers: is_primary.then(|| vec![registration(version)]),
            policy: is_primary.then(|| vec![registered, "CertificateAuthentication".to_owned()]),
            rules: is_primary.then(Vec::new),
            synchronized: (!is_primary).then_some(true),
            primary: (!is_primary).then(|| farm.first().map(|host| (*host).to_owned())).flatten(),
        }),
        ..host(name)
    }
}

/// The registered provider of a version.
pub fn registration(version: &str) -> AuthenticationProvider {
    AuthenticationProvider {
        name: name_of(&version.parse().expect("a version")).to_owned(),
        type_name: format!("pfadfs.AuthenticationAdapter, {}", assembly(version)),
    }
}

/// The adapter's assembly of a version. Its own version is another one in 6.3.
pub fn assembly(version: &str) -> String {
    let version = if version == "6.3.1.1" { "6.3.0.17452" } else { version };
    format!("MultiFactorAuthAdfsAdapter, Version={version}, Culture=neutral, PublicKeyToken=31bf3856ad364e35")
}

/// The token of a server group all of whose hosts run one version.
pub fn group(pin: &str, lowest: &str, at_pin: &[&str]) -> Token {
    Token {
        kind: SetKind::ServerGroup,
        name: "mfa-eu".to_owned(),
        pin: pin.parse().expect("a version"),
        lowest: lowest.parse().expect("a version"),
        wave: 1,
        whole: pin == lowest,
        at_pin: at_pin.iter().map(|host| host.parse().expect("a host")).collect(),
    }
}

/// Changes what was seen of a host, named without the domain.
pub fn change(views: &mut Views, host: &str, change: impl FnOnce(&mut HostFacts)) {
    let mut hosts = views.iter_mut().filter(|(name, _)| name.split('.').next() == Some(host));
    match hosts.next() {
        Some((_, View::Seen(facts))) => change(facts),
        _ => panic!("{host} was not seen"),
    }
}

/// Steps, outcome and diagnostics of a decision as one text, without the domain.
pub fn text(decision: &Decision) -> String {
    let mut lines = decision.lines();
    lines.push(format!("-> {} reaches_pin={}", decision.status.as_str(), decision.reaches_pin));
    lines.extend(decision.then.iter().map(|then| format!("then {then}")));
    lines.extend(decision.diagnostics.iter().map(|found| {
        let severity = if found.severity == Severity::Error { "error" } else { "warning" };
        let path = found.path.as_ref().map(|path| format!(" ({path})")).unwrap_or_default();
        format!("{severity}: {}{path}", found.summary)
    }));
    lines.join("\n").replace(".dmz.contoso.com", "").replace(".contoso.com", "")
}

/// The backups of a run that supersede an earlier one, each as `host what`, without the domain.
pub fn fresh_backups(decision: &Decision) -> Vec<String> {
    let fresh = decision.steps.iter().filter_map(|step| match &step.action {
        Action::BackUp { what, fresh: true, .. } => Some((step.host.split('.').next()?, *what)),
        _ => None,
    });
    fresh.map(|(host, what)| format!("{host} {what}")).collect()
}

/// What was seen of hosts, by name.
pub fn views<'a>(hosts: impl IntoIterator<Item = (&'a str, HostFacts)>) -> Views {
    hosts.into_iter().map(|(name, facts)| (name.to_owned(), View::Seen(Box::new(facts)))).collect()
}

/// A set that is asked for a version for the first time after one of 6.3.1.1, major upgrades allowed.
pub fn desired(name: &str, pin: &str, hosts: &[&str]) -> Desired {
    let old: crate::plan::version::Version = "6.3.1.1".parse().expect("a version");
    Desired {
        name: name.to_owned(),
        pin: pin.parse().expect("a version"),
        last_pin: Some(old.clone()),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        last_versions: hosts.iter().map(|host| ((*host).to_owned(), old.clone())).collect(),
        after: Vec::new(),
        allow_major_upgrade: true,
        hold: None,
        acknowledged: Vec::new(),
        health_check: None,
        to_pass: BTreeSet::new(),
        drain: None,
        out: Out::new(),
        rehearsal: false,
    }
}

/// The same behind a balancer.
pub fn drained(desired: Desired) -> Desired {
    let wait = Some(Duration::from_secs(30));
    Desired { drain: Some(Drain { balancer: "lb".to_owned(), wait }), ..desired }
}

/// A host that an earlier run has left out of that balancer.
pub fn out(host: &str) -> Out {
    Out::from([(host.to_owned(), BTreeSet::from(["lb".to_owned()]))])
}

/// Settings that declare everything.
pub fn policy() -> Policy {
    Policy { ahead_is_error: false, installable: Installable::EVERYTHING }
}
