//! Accounts, keytabs and tickets that a KDC or this side refuses.

use std::path::Path;
use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use super::{Domain, Setup, account, run};
use crate::doctor::faults::page::Line;
use crate::doctor::run::{Doctor, HOST};

pub(super) fn refused() -> Option<Vec<Line>> {
    let domain = Domain::start(&Setup::default())?;
    for name in ["locked", "gone", "stale"] {
        domain.realm.account(name, &domain.lab.password);
    }
    domain.realm.administer(&[
        "modprinc -allow_tix locked",
        "modprinc -expire yesterday gone",
        "modprinc -pwexpire yesterday stale",
    ]);
    // As of an account from before the domain knew AES.
    domain.realm.administer(&[&format!("addprinc -e arcfour-hmac:normal -pw \"{}\" old", domain.lab.password)]);
    let wrong = Doctor { password: "not-the-password".to_owned(), ..domain.doctor() };
    let mut lines = run(
        &domain.lab,
        vec![
            (
                "Neither the user name nor the connection tells the account's domain.",
                account(&domain, "CONTOSO\\Administrator").with("realm", json!(null)),
                expect![[r#"
                    authentication: connecting to mfa01.contoso.com: the Kerberos realm of `CONTOSO\Administrator` is not known
                    Set `realm` to the Active Directory domain in capitals (`CONTOSO.COM`), write the user name as `name@contoso.com`, or name the realm in /etc/krb5.conf on this machine (`default_realm`).
                "#]],
            ),
            (
                "The domain has no account of this name. A local account of the host cannot use Kerberos.",
                account(&domain, "nobody"),
                expect![[r#"
                    authentication: logging in to mfa01.contoso.com: the realm CONTOSO.COM has no account nobody (KDC_ERR_C_PRINCIPAL_UNKNOWN)
                    Check the user name and the realm (`Get-ADUser -LDAPFilter '(sAMAccountName=name)'`). A local account of the host cannot use Kerberos: set auth = "ntlm" for it.
                "#]],
            ),
            (
                "The password is not the account's.",
                wrong,
                expect![[r#"
                authentication: logging in to mfa01.contoso.com: the password of Administrator is wrong (KDC_ERR_PREAUTH_FAILED)
                Correct the password before trying again: too many wrong ones lock the account.
            "#]],
            ),
            (
                "The account may not log on now. Windows also tells which of the three it is.",
                account(&domain, "locked"),
                expect![[r#"
                    authentication: logging in to mfa01.contoso.com: the account locked is disabled, locked out or expired (KDC_ERR_CLIENT_REVOKED)
                    Enable or unlock the account (`Enable-ADAccount name`, `Unlock-ADAccount name`) and check its expiry and logon hours (`Get-ADUser name -Properties AccountExpirationDate,LockedOut,Enabled`).
                "#]],
            ),
            (
                "The account has ended.",
                account(&domain, "gone"),
                expect![[r#"
                authentication: logging in to mfa01.contoso.com: the account gone is expired (KDC_ERR_NAME_EXP)
                Enable or unlock the account (`Enable-ADAccount name`, `Unlock-ADAccount name`) and check its expiry and logon hours (`Get-ADUser name -Properties AccountExpirationDate,LockedOut,Enabled`).
            "#]],
            ),
            (
                "The password has ended, and must be changed before it is used.",
                account(&domain, "stale"),
                expect![[r#"
                authentication: logging in to mfa01.contoso.com: the password of stale has expired (KDC_ERR_KEY_EXPIRED)
                Change the password, or let it not expire for this account (`Set-ADUser name -PasswordNeverExpires $true`).
            "#]],
            ),
        ],
    );
    // A domain controller of Windows says KDC_ERR_ETYPE_NOSUPP.
    let old = "The account's password is from before the domain knew AES, or the account is set to RC4.";
    lines.extend(run(
        &domain.lab,
        vec![(
            old,
            account(&domain, "old"),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: the KDC has no AES key of old (KDC_ERR_PREAUTH_FAILED)
            Allow AES for the account (`Set-ADUser name -KerberosEncryptionType AES128,AES256`) and set its password once more, so that AES keys are made of it. RC4 is not used.
        "#]],
        )],
    ));
    // None of them was shown to the host, but for the question that is asked without an account.
    assert_eq!(domain.lab.host(HOST).record().logons, 0);
    Some(lines)
}

pub(super) fn keytabs() -> Option<Vec<Line>> {
    let domain = Domain::start(&Setup::default())?;
    let keytab = domain.realm.keytab("account.keytab", &["Administrator"]);
    let with = |keytab: &Path| domain.doctor_without_password().with("keytab", json!(keytab));
    let folder = keytab.parent().expect("a folder");
    std::fs::write(folder.join("text.keytab"), "no keytab").expect("a file");
    let other = Doctor { username: "other".to_owned(), ..with(&keytab) };
    let mut lines = run(
        &domain.lab,
        vec![
            (
                "The keytab is not there, or may not be read.",
                with(&folder.join("absent.keytab")),
                expect![[r#"
                authentication: connecting to mfa01.contoso.com: the keytab …absent.keytab: No such file or directory (os error 2)
                Check the path and that this process may read it; `klist -k -e name.keytab` lists what it holds, and `ktpass` on a domain controller writes one.
            "#]],
            ),
            (
                "The file is something else.",
                with(&folder.join("text.keytab")),
                expect![[r#"
                authentication: connecting to mfa01.contoso.com: the keytab …text.keytab: it is not a keytab of format 5.2
                Check the path and that this process may read it; `klist -k -e name.keytab` lists what it holds, and `ktpass` on a domain controller writes one.
            "#]],
            ),
            (
                "The keytab belongs to another account.",
                other,
                expect![[r#"
                authentication: connecting to mfa01.contoso.com: the keytab …account.keytab: it has no key for other@CONTOSO.COM; its first entry is for Administrator@CONTOSO.COM
                Check the path and that this process may read it; `klist -k -e name.keytab` lists what it holds, and `ktpass` on a domain controller writes one.
            "#]],
            ),
        ],
    );
    domain.realm.administer(&["cpw -pw another Administrator"]);
    let outdated = "The account's password was changed after the keytab was written.";
    lines.extend(run(&domain.lab, vec![(outdated, with(&keytab), expect![[r#"
        authentication: logging in to mfa01.contoso.com: the key in the keytab of Administrator@CONTOSO.COM is wrong (KDC_ERR_PREAUTH_FAILED)
        Write the keytab anew after each change of the password (`ktpass /princ name@CONTOSO.COM /mapuser name /crypto AES256-SHA1 /ptype KRB5_NT_PRINCIPAL /pass * /out name.keytab`).
    "#]])]));
    Some(lines)
}

pub(super) fn tickets() -> Option<Vec<Line>> {
    let domain = Domain::start(&Setup::default())?;
    let with = |cache: &Path| domain.doctor_without_password().with("credential_cache", json!(cache));
    let ticket =
        |name, arguments: &[&str]| domain.realm.ticket(name, &domain.lab.username, &domain.lab.password, arguments);
    let cache = ticket("cache", &["-l", "1s"]);
    let other = ticket("other", &[]);
    let folder = cache.parent().expect("a folder");
    std::fs::write(folder.join("text"), "no cache").expect("a file");
    std::thread::sleep(Duration::from_millis(1100));
    Some(run(
        &domain.lab,
        vec![
            (
                "There is no credential cache, or it may not be read.",
                with(&folder.join("absent")),
                expect![[r#"
                authentication: connecting to mfa01.contoso.com: the credential cache …absent: No such file or directory (os error 2)
                Fetch a ticket into a file (`kinit -c FILE:/path name@CONTOSO.COM`), and set `credential_cache` or the environment variable `KRB5CCNAME` to it. `klist` shows what it holds.
            "#]],
            ),
            (
                "The file is something else.",
                with(&folder.join("text")),
                expect![[r#"
                authentication: connecting to mfa01.contoso.com: the credential cache …text: it is not a credential cache of format 5.4
                Fetch a ticket into a file (`kinit -c FILE:/path name@CONTOSO.COM`), and set `credential_cache` or the environment variable `KRB5CCNAME` to it. `klist` shows what it holds.
            "#]],
            ),
            (
                "The ticket was valid once.",
                with(&cache),
                expect![[r#"
                authentication: connecting to mfa01.contoso.com: the ticket of Administrator@CONTOSO.COM in …cache has expired at …
                Fetch a new ticket (`kinit name@CONTOSO.COM`, or `kinit -R` to renew it).
            "#]],
            ),
            (
                "The ticket is for an account of another domain than the connection says.",
                with(&other).with("realm", json!("FABRIKAM.COM")),
                expect![[r#"
                    authentication: connecting to mfa01.contoso.com: the credential cache …other: it holds tickets of Administrator@CONTOSO.COM, and `realm` is FABRIKAM.COM
                    Fetch a ticket into a file (`kinit -c FILE:/path name@CONTOSO.COM`), and set `credential_cache` or the environment variable `KRB5CCNAME` to it. `klist` shows what it holds.
                "#]],
            ),
        ],
    ))
}
