//! The components of the product and how Windows knows them.

use sha2::{Digest, Sha256};

/// What a setup program or package installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    Server,
    WebServiceSdk,
    UserPortal,
    MobileAppWebService,
    AdfsAdapter,
}

/// How a component that lives in IIS is laid out.
#[derive(Clone, Copy, Debug)]
pub struct WebLayout {
    /// What it is recognised by, besides its library.
    pub page: &'static str,
    /// The library in `bin` whose version is the component's.
    pub library: &'static str,
    /// The vendor's default virtual directory.
    pub virtual_directory: &'static str,
    /// Prefix of the setting that holds the address of the Web Service SDK; the SDK itself has none.
    pub setting_prefix: &'static str,
}

impl Component {
    pub const ALL: [Self; 5] =
        [Self::Server, Self::WebServiceSdk, Self::UserPortal, Self::MobileAppWebService, Self::AdfsAdapter];

    /// The name in packages, journals and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::WebServiceSdk => "web_service_sdk",
            Self::UserPortal => "user_portal",
            Self::MobileAppWebService => "mobile_app_web_service",
            Self::AdfsAdapter => "adfs_adapter",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|component| component.name() == name)
    }

    /// The name in Programs and Features.
    pub fn display_name(self) -> &'static str {
        match self {
            Self::Server => "Multi-Factor Authentication Server",
            Self::WebServiceSdk => "Multi-Factor Authentication Web Service SDK",
            Self::UserPortal => "Multi-Factor Authentication User Portal",
            Self::MobileAppWebService => "Multi-Factor Authentication Mobile App Web Service",
            Self::AdfsAdapter => "Multi-Factor Authentication AD FS Adapter",
        }
    }

    /// The setup program or package.
    pub fn package_file(self) -> &'static str {
        match self {
            Self::Server => "MultiFactorAuthenticationServerSetup.exe",
            Self::WebServiceSdk => "MultiFactorAuthenticationWebServiceSdkSetup64.msi",
            Self::UserPortal => "MultiFactorAuthenticationUserPortalSetup64.msi",
            Self::MobileAppWebService => "MultiFactorAuthenticationMobileAppWebServiceSetup64.msi",
            Self::AdfsAdapter => "MultiFactorAuthenticationAdfsAdapterSetup64.msi",
        }
    }

    /// How it lies in IIS; none for what does not.
    pub fn web(self) -> Option<WebLayout> {
        match self {
            Self::WebServiceSdk => Some(WebLayout {
                page: "PfWsSdk.asmx",
                library: "PfWsSdk.dll",
                virtual_directory: "MultiFactorAuthWebServiceSdk",
                setting_prefix: "",
            }),
            Self::UserPortal => Some(WebLayout {
                page: "default.aspx",
                library: "pfup.dll",
                virtual_directory: "MultiFactorAuth",
                setting_prefix: "pfup",
            }),
            Self::MobileAppWebService => Some(WebLayout {
                page: "PfPaWs.asmx",
                library: "PfPaWs.dll",
                virtual_directory: "MultiFactorAuthMobileAppWebService",
                setting_prefix: "pfpaws",
            }),
            Self::Server | Self::AdfsAdapter => None,
        }
    }

    /// The key of its uninstall entry, a product code: each version has another one.
    pub fn product_code(self, version: &str) -> String {
        let digest = Sha256::digest(format!("{} {version}", self.name()));
        let hex: String = digest[..16].iter().map(|byte| format!("{byte:02X}")).collect();
        format!("{{{}-{}-{}-{}-{}}}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
    }
}

/// The numbers of a version, for comparing. What is no number counts as 0.
pub fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}

/// Whether a version is built on .NET 4.5, as all are from 7.0 on.
pub fn is_new_generation(version: &str) -> bool {
    numbers(version).first().is_some_and(|major| *major >= 7)
}

/// Whether a version of the server has a package for the component: 8.0 dropped the mobile app's web service.
pub fn ships(version: &str, component: Component) -> bool {
    let major = numbers(version).first().copied().unwrap_or_default();
    component != Component::MobileAppWebService || major < 8
}
