//! The ready token: what one set tells the sets that come after it, in one strict, readable line.

use std::fmt;
use std::str::FromStr;

use crate::address::HostAddress;
use crate::plan::version::Version;

/// What a set promises once its apply has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: SetKind,
    pub name: String,
    pub pin: Version,
    /// The lowest version among the set's hosts, SDKs included.
    pub lowest: Version,
    /// 1 for a set with nothing before it.
    pub wave: u32,
    /// Whether every end-state fact holds.
    pub whole: bool,
    /// The hosts that run the pin, where packages can be fetched: so with the port at which they are reached, when the
    /// set names one.
    pub at_pin: Vec<HostAddress>,
}

/// The kinds of sets, in the vendor's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetKind {
    ServerGroup,
    UserPortal,
    MobileAppWebService,
    AdfsAdapter,
}

/// Text that is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not the `ready` attribute of an azuremfa resource; write a reference such as azuremfa_server_group.eu.ready"
)]
pub struct InvalidToken {
    text: String,
}

impl Token {
    /// Whether what comes after may go to `pin`: everything runs at least that and is whole.
    pub fn allows(&self, pin: &Version) -> bool {
        self.lowest >= *pin && self.whole
    }
}

impl SetKind {
    /// The name in tokens; with the provider's prefix, the resource type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerGroup => "server_group",
            Self::UserPortal => "user_portal",
            Self::MobileAppWebService => "mobile_app_web_service",
            Self::AdfsAdapter => "adfs_adapter",
        }
    }

    /// The product's component, as the vendor names it.
    pub fn title(self) -> &'static str {
        match self {
            Self::ServerGroup => "MFA Server",
            Self::UserPortal => "The User Portal",
            Self::MobileAppWebService => "The Mobile App Web Service",
            Self::AdfsAdapter => "The AD FS adapter",
        }
    }
}

/// Whether a text can name a set: letters, digits, dot, hyphen and underscore, at most 63, starting with a letter or digit.
pub fn is_valid_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_pin: Vec<String> = self.at_pin.iter().map(HostAddress::to_string).collect();
        write!(
            formatter,
            "{}/{} pin={} lowest={} wave={} whole={} at_pin={}",
            self.kind.as_str(),
            self.name,
            self.pin,
            self.lowest,
            self.wave,
            if self.whole { "yes" } else { "no" },
            at_pin.join(",")
        )
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        parse(text).filter(|token| token.to_string() == text).ok_or_else(|| InvalidToken { text: text.to_owned() })
    }
}

/// Reads the fields in their order; that nothing else stood there is proved by writing the token again.
fn parse(text: &str) -> Option<Token> {
    let mut fields = text.split(' ');
    let (kind, name) = fields.next()?.split_once('/')?;
    let mut field = |key: &str| fields.next()?.strip_prefix(key)?.strip_prefix('=');
    let pin = field("pin")?.parse().ok()?;
    let lowest = field("lowest")?.parse().ok()?;
    let wave = field("wave")?.parse().ok()?;
    let whole = field("whole")? == "yes";
    let at_pin = field("at_pin")?.split(',').filter(|host| !host.is_empty()).map(str::parse).collect::<Result<_, _>>();
    let at_pin = at_pin.ok()?;
    let kind = [SetKind::ServerGroup, SetKind::UserPortal, SetKind::MobileAppWebService, SetKind::AdfsAdapter]
        .into_iter()
        .find(|candidate| candidate.as_str() == kind)?;
    is_valid_name(name).then(|| Token { kind, name: name.to_owned(), pin, lowest, wave, whole, at_pin })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "server_group/mfa-eu pin=7.0.0.9 lowest=6.3.1.1 wave=1 whole=no at_pin=mfa02.contoso.com,mfa03.contoso.com";

    #[test]
    fn reads_what_it_writes() {
        let token: Token = TEXT.parse().expect("a token");
        assert_eq!(token.to_string(), TEXT);
        assert_eq!(token.at_pin, ["mfa02.contoso.com", "mfa03.contoso.com"].map(HostAddress::named));
        let with_ports = TEXT.replace("mfa03.contoso.com", "[fd00::3]:5985");
        let token: Token = with_ports.parse().expect("a token");
        assert_eq!((token.at_pin[1].name(), token.at_pin[1].port()), ("fd00::3", Some(5985)));
        assert_eq!(token.to_string(), with_ports);
        let none = TEXT.replace("mfa02.contoso.com,mfa03.contoso.com", "");
        assert!(none.parse::<Token>().expect("no host at the pin").at_pin.is_empty());
    }

    #[test]
    fn refuses_any_other_text() {
        for text in [
            "",
            "mfa-eu",
            &TEXT.replace("server_group", "server"),
            &TEXT.replace("mfa-eu", "mfa eu"),
            &TEXT.replace("whole=no", "whole=maybe"),
            &TEXT.replace("wave=1", "wave=01"),
            &format!("{TEXT} "),
            &TEXT.replace(" wave", "  wave"),
            &TEXT.replace("lowest=6.3.1.1", "lowest=6"),
            &TEXT.replace("mfa03.contoso.com", "https://mfa03.contoso.com"),
            &TEXT.replace("mfa03.contoso.com", "[FD00::3]"),
        ] {
            assert!(text.parse::<Token>().is_err(), "{text:?}");
        }
    }
}
