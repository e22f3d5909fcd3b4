//! The `web.config` files that the vendor's packages bring, and what an administrator writes into them.

use crate::lab::host::product::component::{Component, WebLayout, is_new_generation};

/// The address that portals come with.
pub const LOCAL_PLACEHOLDER: &str = "http://localhost:4898/PfWsSdk.asmx";
/// The address that mobile app web services come with.
pub const REMOTE_PLACEHOLDER: &str = "https://www.contoso.com/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx";

/// What a component is configured with.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Portals only: whether they ask the Web Service SDK, or the server on the same host.
    pub use_web_service_sdk: bool,
    pub username: String,
    pub password: String,
    pub web_service_sdk_url: String,
}

impl Settings {
    /// What a package brings: placeholders.
    pub fn shipped(component: Component) -> Self {
        let url = if component == Component::MobileAppWebService { REMOTE_PLACEHOLDER } else { LOCAL_PLACEHOLDER };
        Self {
            use_web_service_sdk: false,
            username: String::new(),
            password: String::new(),
            web_service_sdk_url: url.to_owned(),
        }
    }

    /// What an administrator wrote.
    pub fn configured(username: &str, password: &str, web_service_sdk_url: &str) -> Self {
        Self {
            use_web_service_sdk: true,
            username: username.to_owned(),
            password: password.to_owned(),
            web_service_sdk_url: web_service_sdk_url.to_owned(),
        }
    }
}

/// The text of a component's `web.config` of a version.
pub fn text(component: Component, version: &str, settings: &Settings) -> String {
    let Some(layout) = component.web() else { return String::new() };
    let is_new = is_new_generation(version);
    let framework = if is_new { "4.0.0.0" } else { "2.0.0.0" };
    let compilation = if is_new {
        "    <compilation debug=\"false\" targetFramework=\"4.5\" />\n    <httpRuntime targetFramework=\"4.5\" />\n"
    } else {
        "    <compilation debug=\"false\" />\n"
    };
    let (sections, settings) = match component {
        Component::WebServiceSdk => (String::new(), String::new()),
        _ => (sections(&layout, framework), entries(component, &layout, is_new, settings)),
    };
    let lines = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<configuration>\n{sections}{settings}  <system.web>\n\
         {compilation}    <authentication mode=\"{}\" />\n  </system.web>\n</configuration>\n",
        if component == Component::UserPortal { "Forms" } else { "None" }
    );
    lines.replace('\n', "\r\n")
}

fn sections(layout: &WebLayout, framework: &str) -> String {
    let system = format!("System, Version={framework}, Culture=neutral, PublicKeyToken=b77a5c561934e089");
    format!(
        "  <configSections>\n    <sectionGroup name=\"applicationSettings\" \
         type=\"System.Configuration.ApplicationSettingsGroup, {system}\">\n      <section \
         name=\"{}.Properties.Settings\" type=\"System.Configuration.ClientSettingsSection, {system}\" \
         requirePermission=\"false\" />\n    </sectionGroup>\n  </configSections>\n",
        layout.setting_prefix
    )
}

fn entries(component: Component, layout: &WebLayout, is_new: bool, settings: &Settings) -> String {
    let mut keys = Vec::new();
    if component == Component::UserPortal {
        keys.push(("USE_WEB_SERVICE_SDK", settings.use_web_service_sdk.to_string()));
    }
    keys.push(("WEB_SERVICE_SDK_AUTHENTICATION_USERNAME", settings.username.clone()));
    keys.push(("WEB_SERVICE_SDK_AUTHENTICATION_PASSWORD", settings.password.clone()));
    if is_new {
        keys.push(("WEB_SERVICE_SDK_AUTHENTICATION_CLIENT_CERTIFICATE_THUMBPRINT", String::new()));
    }
    let line = |(key, value): (&str, String)| format!("    <add key=\"{key}\" value=\"{}\" />\n", escape(&value));
    let keys: String = keys.into_iter().map(line).collect();
    let prefix = layout.setting_prefix;
    format!(
        "  <appSettings>\n{keys}  </appSettings>\n  <applicationSettings>\n    <{prefix}.Properties.Settings>\n      \
         <setting name=\"{prefix}_pfwssdk_PfWsSdk\" serializeAs=\"String\">\n        <value>{}</value>\n      \
         </setting>\n    </{prefix}.Properties.Settings>\n  </applicationSettings>\n",
        escape(&settings.web_service_sdk_url)
    )
}

/// A text as attribute or element of XML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_well_formed_and_has_the_keys_of_its_generation() {
        for component in [Component::WebServiceSdk, Component::UserPortal, Component::MobileAppWebService] {
            let count = |version: &str| {
                let settings = Settings::configured("CONTOSO\\sdk", "a<b>&\"c", REMOTE_PLACEHOLDER);
                let text = text(component, version, &settings);
                let document = roxmltree::Document::parse(&text).expect("well-formed");
                document.descendants().filter(|node| node.has_tag_name("add") || node.has_tag_name("setting")).count()
            };
            let more = usize::from(component != Component::WebServiceSdk);
            assert_eq!(count("7.0.0.9"), count("6.3.1.1") + more, "{component:?}");
            assert_eq!(count("7.0.0.9"), count("8.0.1.1"));
        }
    }
}
