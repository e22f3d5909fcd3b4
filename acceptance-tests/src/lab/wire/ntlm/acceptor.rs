//! One NTLM logon as a server sees it: challenge, then the check of the answer.

use crate::lab::wire::machine::{Account, Machine};
use crate::lab::wire::ntlm::keys;
use crate::lab::wire::ntlm::messages::{
    self, Authenticate, INTEGRITY_OFFSET, Malformed, Negotiate, TargetNames, av, flags,
};
use crate::lab::wire::ntlm::session::Session;

/// How the channel binding of a logon is judged (`CbtHardeningLevel`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    /// A logon over TLS must name this server's certificate.
    #[default]
    Strict,
    /// A binding that is sent must be right; none is accepted (the default of Windows).
    Relaxed,
    /// Not looked at.
    None,
}

/// What a logon has to bring besides the proof of the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rigour {
    /// What Windows asks for by default: 128-bit keys (`NtlmMinServerSec` is 0x20000000 since Windows 7 and Server
    /// 2008 R2; MS-NLMP 3.2.5.2.2, ServerRequire128bitEncryption), and a message integrity code that is right where
    /// the client's target information says that there is one (same section). Clients such as Azure/go-ntlmssp, and so
    /// masterzen/winrm over HTTPS, never send a code and log on to Windows all the same.
    ///
    /// Whether the session can seal is not the logon's business: over plain HTTP Windows logs a client on that cannot,
    /// and then answers 500 to what it sends in clear.
    #[default]
    Windows,
    /// The integrity code as well, and over plain HTTP keys that can seal. A client that has all of it and leaves it
    /// out is noticed only here.
    Strict,
}

/// What a host's policy says about NTLM logons.
#[derive(Clone, Copy, Debug)]
pub struct Demands<'a> {
    /// Hash of the TLS server certificate; absent over plain HTTP.
    pub certificate_hash: Option<&'a [u8]>,
    pub channel_binding: ChannelBinding,
    pub rigour: Rigour,
}

/// Why a logon was refused. Clients never see it; the lab's record does.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("message out of order")]
    OutOfOrder,
    #[error("no account {domain}\\{user}")]
    UnknownAccount { domain: String, user: String },
    #[error("wrong password for {user}")]
    WrongPassword { user: String },
    #[error("the message integrity code is wrong or missing")]
    Integrity,
    #[error("the channel binding is missing or names another certificate")]
    ChannelBinding,
    #[error("128-bit keys were not negotiated")]
    WeakKeys,
    #[error("sealing, key exchange or extended session security were not negotiated")]
    WeakSession,
    #[error("the signature of the mechanism list is wrong or missing")]
    MechanismList,
    #[error("the client certificate is missing or belongs to no account")]
    Certificate,
}

/// A logon in which the challenge was sent.
pub struct Challenged {
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    server_challenge: [u8; 8],
}

/// A logon that succeeded.
pub struct LoggedOn {
    pub account: Account,
    pub session: Session,
}

/// Answers Type 1 with Type 2 (found in [`Challenged::message`]).
pub fn challenge(negotiate: &[u8], machine: &dyn Machine) -> Result<Challenged, Refusal> {
    if messages::message_type(negotiate)? != 1 {
        return Err(Refusal::OutOfOrder);
    }
    let asked = Negotiate::parse(negotiate)?.flags;
    let offered = flags::UNICODE
        | flags::SIGN
        | flags::SEAL
        | flags::EXTENDED_SESSION_SECURITY
        | flags::KEY_128
        | flags::KEY_56
        | flags::KEY_EXCHANGE;
    let always = flags::NTLM
        | flags::ALWAYS_SIGN
        | flags::REQUEST_TARGET
        | flags::TARGET_TYPE_DOMAIN
        | flags::TARGET_INFO
        | flags::VERSION;
    let server_challenge = uuid::Uuid::new_v4().as_bytes()[8..].try_into().map_err(|_| Malformed("challenge"))?;
    let challenge = messages::challenge((asked & offered) | always, &server_challenge, &names(machine.name()));
    Ok(Challenged { negotiate: negotiate.to_vec(), challenge, server_challenge })
}

/// NetBIOS and DNS names of a host called `mfa01.contoso.com`.
fn names(host: &str) -> TargetNames<'_> {
    let (computer, dns_domain) = host.split_once('.').unwrap_or((host, ""));
    let domain = dns_domain.split('.').next().filter(|label| !label.is_empty()).unwrap_or(computer);
    TargetNames { computer, domain, dns_computer: host, dns_domain }
}

impl Challenged {
    /// Type 2, to send to the client.
    pub fn message(&self) -> &[u8] {
        &self.challenge
    }

    /// Checks Type 3.
    pub fn authenticate(
        &self,
        message: &[u8],
        machine: &dyn Machine,
        demands: &Demands<'_>,
    ) -> Result<LoggedOn, Refusal> {
        if messages::message_type(message)? != 3 {
            return Err(Refusal::OutOfOrder);
        }
        let answer = Authenticate::parse(message)?;
        let Some(account) = machine.account(&answer.domain, &answer.user) else {
            return Err(Refusal::UnknownAccount { domain: answer.domain, user: answer.user });
        };
        let key = keys::response_key(&account.nt_hash, &answer.user, &answer.domain);
        if keys::hmac_md5(&key, &[&self.server_challenge, &answer.client_blob]) != answer.proof {
            return Err(Refusal::WrongPassword { user: answer.user });
        }
        check_strength(&answer, demands)?;
        let session_key = session_key(&answer, &keys::hmac_md5(&key, &[&answer.proof]))?;
        self.check_integrity(message, &answer, &session_key, demands.rigour)?;
        check_channel_binding(&answer, demands.certificate_hash, demands.channel_binding)?;
        Ok(LoggedOn { account, session: Session::new(&session_key, answer.flags) })
    }

    fn check_integrity(
        &self,
        message: &[u8],
        answer: &Authenticate,
        session_key: &[u8; 16],
        rigour: Rigour,
    ) -> Result<(), Refusal> {
        let announced = answer.target_information.get(&av::FLAGS).and_then(|value| value.as_slice().try_into().ok());
        if announced.map(u32::from_le_bytes).unwrap_or_default() & av::FLAG_INTEGRITY == 0 {
            return if rigour == Rigour::Strict { Err(Refusal::Integrity) } else { Ok(()) };
        }
        let mut cleared = message.to_vec();
        let code = cleared.get_mut(INTEGRITY_OFFSET..INTEGRITY_OFFSET + 16).ok_or(Refusal::Integrity)?;
        code.fill(0);
        let expected = keys::hmac_md5(session_key, &[&self.negotiate, &self.challenge, &cleared]);
        if expected == answer.integrity_code { Ok(()) } else { Err(Refusal::Integrity) }
    }
}

fn check_strength(answer: &Authenticate, demands: &Demands<'_>) -> Result<(), Refusal> {
    if answer.flags & flags::KEY_128 == 0 {
        return Err(Refusal::WeakKeys);
    }
    // Extended session security goes with sealing: signatures of NTLMv1 are not known here.
    let needed = match (demands.rigour, demands.certificate_hash) {
        (Rigour::Strict, None) => flags::SEAL | flags::KEY_EXCHANGE | flags::EXTENDED_SESSION_SECURITY,
        _ if answer.flags & flags::SEAL != 0 => flags::EXTENDED_SESSION_SECURITY,
        _ => 0,
    };
    if answer.flags & needed == needed { Ok(()) } else { Err(Refusal::WeakSession) }
}

/// The key both sides use from now on.
fn session_key(answer: &Authenticate, key_exchange_key: &[u8; 16]) -> Result<[u8; 16], Refusal> {
    if answer.flags & flags::KEY_EXCHANGE == 0 || answer.flags & (flags::SIGN | flags::SEAL) == 0 {
        return Ok(*key_exchange_key);
    }
    let encrypted = answer.encrypted_session_key.as_slice().try_into().map_err(|_| Malformed("session key"))?;
    Ok(keys::rc4_once(key_exchange_key, encrypted))
}

fn check_channel_binding(
    answer: &Authenticate,
    certificate_hash: Option<&[u8]>,
    policy: ChannelBinding,
) -> Result<(), Refusal> {
    let Some(hash) = certificate_hash else {
        return Ok(());
    };
    let sent = answer.target_information.get(&av::CHANNEL_BINDINGS).filter(|value| value.iter().any(|&byte| byte != 0));
    let right = match (policy, sent) {
        (ChannelBinding::None, _) | (ChannelBinding::Relaxed, None) => true,
        (ChannelBinding::Strict, None) => false,
        (_, Some(sent)) => sent.as_slice() == binding(hash),
    };
    if right { Ok(()) } else { Err(Refusal::ChannelBinding) }
}

/// MD5 of a `gss_channel_bindings_struct` that holds only `tls-server-end-point:` and the hash (RFC 5929).
fn binding(certificate_hash: &[u8]) -> [u8; 16] {
    const PREFIX: &[u8] = b"tls-server-end-point:";
    let length = u32::try_from(PREFIX.len() + certificate_hash.len()).unwrap_or(u32::MAX);
    keys::md5(&[&[0; 16], &length.to_le_bytes(), PREFIX, certificate_hash])
}
