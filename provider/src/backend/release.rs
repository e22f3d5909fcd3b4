//! What the operator states about a release: where its files are and how they are run.

use std::collections::BTreeMap;

use reqwest::Url;

use crate::backend::facts::WebKind;
use crate::backend::{version, web_address};

/// The releases of the provider's settings.
#[derive(Debug, Clone, Default)]
pub struct Releases {
    releases: BTreeMap<String, Release>,
    unknown: bool,
}

/// The files of one version.
#[derive(Debug, Clone, Default)]
pub struct Release {
    packages: BTreeMap<Component, Package>,
    /// Some components may be declared that cannot be seen yet.
    unknown: bool,
}

/// One file of a release. What is declared but not known yet is [`Stated::Unknown`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// An https URL.
    pub source: Stated<String>,
    /// Lower-case hexadecimal.
    pub sha256: Stated<String>,
    /// Words of the command line, placeholders not yet filled in.
    pub arguments: Stated<Vec<String>>,
    /// Only of the server setup; [`Delivery::Auto`] when it is not stated.
    pub delivery: Stated<Delivery>,
    pub publisher: Stated<String>,
}

/// Who fetches a release file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// The host; when it cannot reach the address, this machine, which then sends it.
    #[default]
    Auto,
    /// The host, or nobody.
    Pull,
    /// This machine, which sends it to the host.
    Push,
}

/// A setting that may be absent or not known yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Stated<T> {
    #[default]
    Absent,
    Unknown,
    Known(T),
}

/// The files a release has, in the order in which the reference lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    ServerSetup,
    VcRedistX64,
    VcRedistX86,
    WebServiceSdk,
    UserPortal,
    MobileAppWebService,
    AdfsAdapter,
}

impl Package {
    /// The server that this machine certainly asks for the file.
    pub fn asked_from_here(&self) -> Option<String> {
        let source = self.source.known().filter(|_| self.delivery.known() == Some(&Delivery::Push))?;
        Url::parse(source).ok().map(|url| web_address::host(&url))
    }
}

impl Delivery {
    /// All ways, as the settings spell them.
    pub const ALL: [(&str, Self); 3] = [("auto", Self::Auto), ("pull", Self::Pull), ("push", Self::Push)];

    /// What a setting says.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(spelt, _)| *spelt == text).map(|(_, delivery)| delivery)
    }
}

impl Releases {
    /// Releases by version, as the settings spell it.
    pub fn new(releases: BTreeMap<String, Release>) -> Self {
        Self { releases, unknown: false }
    }

    /// Releases that are not, or not all, known yet.
    pub fn with_unknown(mut self) -> Self {
        self.unknown = true;
        self
    }

    /// The release of a version, whatever the length of its text.
    pub fn find(&self, wanted: &str) -> Option<&Release> {
        self.releases.iter().find(|(text, _)| version::same(text, wanted)).map(|(_, release)| release)
    }

    /// Whether a version is declared, or may be once everything is known.
    pub fn may_have(&self, wanted: &str) -> bool {
        self.unknown || self.find(wanted).is_some()
    }

    /// Whether a component of a version can be installed with what is stated, or may be once everything is known.
    pub fn may_install(&self, wanted: &str, component: Component) -> bool {
        match self.find(wanted) {
            Some(release) => release.may_install(component),
            None => self.unknown,
        }
    }
}

impl Release {
    /// The declared files.
    pub fn new(packages: BTreeMap<Component, Package>) -> Self {
        Self { packages, unknown: false }
    }

    /// A release whose components are not known yet.
    pub fn unknown() -> Self {
        Self { packages: BTreeMap::new(), unknown: true }
    }

    /// With components that are declared but not known yet.
    pub fn with_unknown(mut self) -> Self {
        self.unknown = true;
        self
    }

    /// A component's file, when it is declared.
    pub fn package(&self, component: Component) -> Option<&Package> {
        self.packages.get(&component)
    }

    fn may_install(&self, component: Component) -> bool {
        let Some(package) = self.package(component) else { return self.unknown };
        let has_file = package.source.may_be_stated() && package.sha256.may_be_stated();
        package.arguments.may_be_stated() && (component != Component::ServerSetup || has_file)
    }
}

impl<T> Stated<T> {
    /// The known value.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unknown => None,
        }
    }

    /// Whether it is stated, or may be once everything is known.
    pub fn may_be_stated(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// Whether it is declared but not known yet.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl Component {
    /// All components.
    pub const ALL: [Self; 7] = [
        Self::ServerSetup,
        Self::VcRedistX64,
        Self::VcRedistX86,
        Self::WebServiceSdk,
        Self::UserPortal,
        Self::MobileAppWebService,
        Self::AdfsAdapter,
    ];

    /// The attribute that declares it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerSetup => "server_setup",
            Self::VcRedistX64 => "vc_redist_x64",
            Self::VcRedistX86 => "vc_redist_x86",
            Self::WebServiceSdk => "web_service_sdk",
            Self::UserPortal => "user_portal",
            Self::MobileAppWebService => "mobile_app_web_service",
            Self::AdfsAdapter => "adfs_adapter",
        }
    }

    /// Whether it lives in IIS, so that its arguments can name the place.
    pub fn is_web(self) -> bool {
        matches!(self, Self::WebServiceSdk | Self::UserPortal | Self::MobileAppWebService)
    }
}

impl From<WebKind> for Component {
    fn from(kind: WebKind) -> Self {
        match kind {
            WebKind::WebServiceSdk => Self::WebServiceSdk,
            WebKind::UserPortal => Self::UserPortal,
            WebKind::MobileAppWebService => Self::MobileAppWebService,
        }
    }
}

/// The name of the file a URL ends with, when it is one that can be stored and run on Windows.
pub fn file_name(url: &str) -> Option<&str> {
    let without_query = url.split(['?', '#']).next()?;
    let (_, path) = without_query.split_once("://")?.1.split_once('/')?;
    let name = path.rsplit('/').next()?;
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let (stem, extension) = name.rsplit_once('.')?;
    let runs = extension.eq_ignore_ascii_case("exe") || extension.eq_ignore_ascii_case("msi");
    (runs && stem.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(accepted))
        .then_some(name)
}
