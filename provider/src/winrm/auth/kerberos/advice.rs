//! What an operator can do about each failure of Kerberos: full sentences, naming settings and commands.

use crate::winrm::auth::kerberos::failure::{Failure, Proof, Whose};

impl Failure {
    /// The cure.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoRealm(_)
            | Self::ClientUnknown { .. }
            | Self::WrongSecret { .. }
            | Self::Revoked { .. }
            | Self::PasswordExpired { .. }
            | Self::EncryptionType { whose: Whose::Account(_), .. }
            | Self::Keytab { .. }
            | Self::Cache { .. }
            | Self::TicketExpired { .. } => for_the_account(self),
            _ => for_the_service(self),
        }
    }
}

fn for_the_account(failure: &Failure) -> &'static str {
    match failure {
        Failure::NoRealm(_) => {
            "Set `realm` to the Active Directory domain in capitals (`CONTOSO.COM`), write the user name as \
             `name@contoso.com`, or name the realm in /etc/krb5.conf on this machine (`default_realm`)."
        }
        Failure::ClientUnknown { .. } => {
            "Check the user name and the realm (`Get-ADUser -LDAPFilter '(sAMAccountName=name)'`). A local account \
             of the host cannot use Kerberos: set auth = \"ntlm\" for it."
        }
        Failure::WrongSecret { secret: Proof::Password, .. } => {
            "Correct the password before trying again: too many wrong ones lock the account."
        }
        Failure::WrongSecret { secret: Proof::Keytab, .. } => {
            "Write the keytab anew after each change of the password (`ktpass /princ name@CONTOSO.COM /mapuser \
             name /crypto AES256-SHA1 /ptype KRB5_NT_PRINCIPAL /pass * /out name.keytab`)."
        }
        Failure::WrongSecret { secret: Proof::Ticket, .. } => {
            "Fetch a new ticket (`kinit name@CONTOSO.COM`); the KDC does not know this one."
        }
        Failure::Revoked { .. } => {
            "Enable or unlock the account (`Enable-ADAccount name`, `Unlock-ADAccount name`) and check its expiry \
             and logon hours (`Get-ADUser name -Properties AccountExpirationDate,LockedOut,Enabled`)."
        }
        Failure::PasswordExpired { .. } => {
            "Change the password, or let it not expire for this account (`Set-ADUser name -PasswordNeverExpires \
             $true`)."
        }
        Failure::EncryptionType { .. } => {
            "Allow AES for the account (`Set-ADUser name -KerberosEncryptionType AES128,AES256`) and set its \
             password once more, so that AES keys are made of it. RC4 is not used."
        }
        Failure::Keytab { .. } => {
            "Check the path and that this process may read it; `klist -k -e name.keytab` lists what it holds, and \
             `ktpass` on a domain controller writes one."
        }
        Failure::Cache { .. } => {
            "Fetch a ticket into a file (`kinit -c FILE:/path name@CONTOSO.COM`), and set `credential_cache` or \
             the environment variable `KRB5CCNAME` to it. `klist` shows what it holds."
        }
        _ => "Fetch a new ticket (`kinit name@CONTOSO.COM`, or `kinit -R` to renew it).",
    }
}

fn for_the_service(failure: &Failure) -> &'static str {
    match failure {
        Failure::Kdc { .. } => {
            "Check that the domain controller is up and that this machine reaches TCP port 88 there, or set `kdc` to \
             another one (`dc01.contoso.com`)."
        }
        Failure::NoKdc { referring: Some(_), .. } => {
            "Name the KDC of the host's realm in /etc/krb5.conf on this machine (`[realms] CHILD.CONTOSO.COM = \
             { kdc = dc01.child.contoso.com }`), let this machine ask the domain's DNS, or use an account of the host's \
             own domain."
        }
        Failure::NoKdc { .. } => {
            "Set `kdc` to a domain controller (`dc01.contoso.com`), name one in /etc/krb5.conf on this machine \
             (`[realms] CONTOSO.COM = { kdc = dc01.contoso.com }`), or let this machine ask the domain's DNS \
             (`nslookup -type=SRV _kerberos._tcp.contoso.com`). Check the spelling of `realm`."
        }
        Failure::ServiceUnknown { .. } => {
            "Name the host as its service principal names do (`setspn -L mfa01` lists them; an IP address is none), \
             or register them for the host's computer account: `setspn -S WSMAN/mfa01.contoso.com mfa01` and \
             `setspn -S HTTP/mfa01.contoso.com mfa01`."
        }
        Failure::EncryptionType { .. } => {
            "Allow AES for the account that has the host's service principal names (`Set-ADComputer mfa01 \
             -KerberosEncryptionType AES128,AES256`), and in the policy \"Network security: Configure encryption types \
             allowed for Kerberos\" of the host and of the domain controllers. RC4 is not used."
        }
        Failure::Skew { .. } => {
            "Correct the clock: `w32tm /resync` on Windows, `chronyc makestep` or `timedatectl set-ntp true` on \
             Linux. Kerberos allows five minutes between this machine, the domain controllers and the host."
        }
        Failure::WrongService { .. } => {
            "Check that no other account has the host's service principal names (`setspn -Q */mfa01.contoso.com`, \
             `setspn -X`), and that the name leads to this host and not to another one or to a load balancer."
        }
        Failure::Refused { .. } => {
            "Look at the event log of the domain controller (Security, events 4768 and 4769) or of the host \
             (System, source Kerberos) for this account and time."
        }
        Failure::Protocol { .. } => {
            "Check that what answers is a domain controller (TCP port 88 of `kdc`) and the WinRM service of Windows, and \
             that nothing in between changes what they say. `TF_LOG=DEBUG` tells the steps; auth = \"ntlm\" does without \
             Kerberos."
        }
        Failure::NoProof => {
            "Check that the answer comes from Windows itself and not from a proxy in between, and that the host's \
             WinRM service allows Kerberos (`winrm get winrm/config/service/auth`)."
        }
        _ => {
            "Check that the account has AES keys (`Get-ADUser name -Properties KerberosEncryptionType`), or use auth = \
             \"ntlm\"."
        }
    }
}
