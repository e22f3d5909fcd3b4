//! Logins that fail, and what is said of them: the texts a person reads.

use std::net::TcpListener;
use std::time::Duration;

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::tools::kerberos::Kerberos;
use expect_test::{Expect, expect};
use regex::Regex;
use serde_json::json;

use super::domain::{Domain, Setup, over_http};
use crate::doctor::run::{Doctor, HOST};

/// The one check that failed, as text, without what differs between runs.
#[track_caller]
fn check(lab: &Lab, doctor: Doctor, expected: &Expect) {
    let (code, report) = doctor.report();
    assert_eq!(code, 1, "{report:#}");
    let checks = report["checks"].as_array().expect("checks");
    let failed: Vec<_> = checks.iter().filter(|check| check["result"] == "failed").collect();
    let [failed] = failed.as_slice() else { panic!("not one failure: {report:#}") };
    let text = |part: &str| failed[part].as_str().expect("a text").to_owned();
    assert!(text("finding").contains(HOST), "the host is not named: {failed}");
    // Ports, folders and times; a clock that was read a second later.
    let differs = r"127\.0\.0\.1:\d+|/[^ :]*/|\d{4}-\d\d-\d\dT[^ ]+Z|\b(?:59\d|60\d) s";
    let finding = Regex::new(differs).expect("a pattern").replace_all(&text("finding"), "…").into_owned();
    expected.assert_eq(&format!("{}: {finding}\n{}\n", text("check"), text("cure")));
    assert_eq!(lab.host(HOST).open_shells(), Vec::<String>::new());
}

/// With another account of the realm, whose password is the lab's.
fn account(domain: &Domain, name: &str) -> Doctor {
    Doctor { username: name.to_owned(), ..domain.doctor() }
}

#[test]
fn accounts_that_a_kdc_refuses() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    for name in ["locked", "gone", "stale"] {
        domain.realm.account(name, &domain.lab.password);
    }
    domain.realm.administer(&[
        "modprinc -allow_tix locked",
        "modprinc -expire yesterday gone",
        "modprinc -pwexpire yesterday stale",
    ]);
    let wrong = Doctor { password: "not-the-password".to_owned(), ..domain.doctor() };
    let rows: [(Doctor, Expect); 6] = [
        (
            account(&domain, "nobody"),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: the realm CONTOSO.COM has no account nobody (KDC_ERR_C_PRINCIPAL_UNKNOWN)
            Check the user name and the realm (`Get-ADUser -LDAPFilter '(sAMAccountName=name)'`). A local account of the host cannot use Kerberos: set auth = "ntlm" for it.
        "#]],
        ),
        (
            wrong,
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: the password of Administrator is wrong (KDC_ERR_PREAUTH_FAILED)
            Correct the password before trying again: too many wrong ones lock the account.
        "#]],
        ),
        (
            account(&domain, "locked"),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: the account locked is disabled, locked out or expired (KDC_ERR_CLIENT_REVOKED)
            Enable or unlock the account (`Enable-ADAccount name`, `Unlock-ADAccount name`) and check its expiry and logon hours (`Get-ADUser name -Properties AccountExpirationDate,LockedOut,Enabled`).
        "#]],
        ),
        (
            account(&domain, "gone"),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: the account gone is expired (KDC_ERR_NAME_EXP)
            Enable or unlock the account (`Enable-ADAccount name`, `Unlock-ADAccount name`) and check its expiry and logon hours (`Get-ADUser name -Properties AccountExpirationDate,LockedOut,Enabled`).
        "#]],
        ),
        (
            account(&domain, "stale"),
            expect![[r#"
            authentication: logging in to mfa01.contoso.com: the password of stale has expired (KDC_ERR_KEY_EXPIRED)
            Change the password, or let it not expire for this account (`Set-ADUser name -PasswordNeverExpires $true`).
        "#]],
        ),
        (
            account(&domain, "CONTOSO\\Administrator").with("realm", json!(null)),
            expect![[r#"
            authentication: connecting to mfa01.contoso.com: the Kerberos realm of `CONTOSO\Administrator` is not known
            Set `realm` to the Active Directory domain in capitals (`CONTOSO.COM`), or write the user name as `name@contoso.com`.
        "#]],
        ),
    ];
    for (doctor, expected) in rows {
        check(&domain.lab, doctor, &expected);
    }
    // None of them was shown to the host, but for the question that is asked without an account.
    assert_eq!(domain.lab.host(HOST).record().logons, 0);
}

#[test]
fn names_and_ways_that_lead_nowhere() {
    let services = vec!["WSMAN/mfa02.contoso.com".to_owned()];
    let Some(domain) = Domain::start(&Setup { services, ..Setup::default() }) else { return };
    check(
        &domain.lab,
        domain.doctor(),
        &expect![[r#"
        authentication: logging in to mfa01.contoso.com: the realm CONTOSO.COM has no service WSMAN/mfa01.contoso.com and no HTTP/mfa01.contoso.com (KDC_ERR_S_PRINCIPAL_UNKNOWN)
        Name the host as its service principal names do (`setspn -L mfa01` lists them; an IP address is none), or register them for the host's computer account: `setspn -S WSMAN/mfa01.contoso.com mfa01` and `setspn -S HTTP/mfa01.contoso.com mfa01`.
    "#]],
    );
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    check(
        &domain.lab,
        domain.doctor().with("kdc", json!(closed.to_string())),
        &expect![[r#"
        authentication: logging in to mfa01.contoso.com: the KDC … of the realm CONTOSO.COM could not be asked: … refused the connection
        Check that this machine resolves the realm's name to its domain controllers and reaches TCP port 88 there, or set `kdc` to a domain controller (`dc01.contoso.com`).
    "#]],
    );
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    check(
        &domain.lab,
        domain.doctor().with("kdc", json!(address)),
        &expect![[r#"
        authentication: logging in to mfa01.contoso.com: the KDC … of the realm CONTOSO.COM could not be asked: … did not answer within 2 s
        Check that this machine resolves the realm's name to its domain controllers and reaches TCP port 88 there, or set `kdc` to a domain controller (`dc01.contoso.com`).
    "#]],
    );
    let elsewhere = domain.doctor().with("kdc", json!(null)).with("realm", json!("nowhere.invalid"));
    check(
        &domain.lab,
        elsewhere,
        &expect![[r#"
        authentication: logging in to mfa01.contoso.com: the KDC nowhere.invalid:88 of the realm NOWHERE.INVALID could not be asked: the name `nowhere.invalid` could not be resolved: failed to lookup address information: Name or service not known
        Check that this machine resolves the realm's name to its domain controllers and reaches TCP port 88 there, or set `kdc` to a domain controller (`dc01.contoso.com`).
    "#]],
    );
}

#[test]
fn clocks_that_differ() {
    let host_clock = Some("+10m");
    let Some(domain) = Domain::start(&Setup { host_clock, ..Setup::default() }) else { return };
    let host = expect![[r#"
        authentication: logging in to mfa01.contoso.com: the clocks of this machine and of the host mfa01.contoso.com differ too much: that one is … ahead (KRB_AP_ERR_SKEW)
        Correct the clock: `w32tm /resync` on Windows, `chronyc makestep` or `timedatectl set-ntp true` on Linux. Kerberos allows five minutes between this machine, the domain controllers and the host.
    "#]];
    check(&domain.lab, domain.doctor(), &host);
    check(&domain.lab, over_http(domain.doctor()), &host);
    check(&domain.lab, domain.doctor().with("auth", json!("negotiate")), &host);
    // With a ticket the KDC is asked for the host's alone, and does not tell its time before.
    let cache = domain.realm.ticket("cache", &domain.lab.username, &domain.lab.password, &[]);
    let mut slow = domain.doctor_without_password().with("credential_cache", json!(cache));
    let clock = Kerberos::find().expect("it was found before").other_clock();
    slow.environment.push(("LD_PRELOAD".to_owned(), clock.display().to_string()));
    slow.environment.push(("FAKETIME".to_owned(), "-10m".to_owned()));
    // Certificates of the lab are younger than that.
    check(
        &domain.lab,
        over_http(slow),
        &expect![[r#"
        authentication: logging in to mfa01.contoso.com: the clocks of this machine and of the KDC … differ too much: that one is … ahead (KRB_AP_ERR_SKEW)
        Correct the clock: `w32tm /resync` on Windows, `chronyc makestep` or `timedatectl set-ntp true` on Linux. Kerberos allows five minutes between this machine, the domain controllers and the host.
    "#]],
    );
}

#[test]
fn keytabs_that_cannot_be_used() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    let keytab = domain.realm.keytab("account.keytab", &["Administrator"]);
    let with = |keytab: &std::path::Path| domain.doctor_without_password().with("keytab", json!(keytab));
    let folder = keytab.parent().expect("a folder");
    std::fs::write(folder.join("text.keytab"), "no keytab").expect("a file");
    check(
        &domain.lab,
        with(&folder.join("absent.keytab")),
        &expect![[r#"
        authentication: connecting to mfa01.contoso.com: the keytab …absent.keytab: No such file or directory (os error 2)
        Check the path and that this process may read it; `klist -k -e name.keytab` lists what it holds, and `ktpass` on a domain controller writes one.
    "#]],
    );
    check(
        &domain.lab,
        with(&folder.join("text.keytab")),
        &expect![[r#"
        authentication: connecting to mfa01.contoso.com: the keytab …text.keytab: it is not a keytab of format 5.2
        Check the path and that this process may read it; `klist -k -e name.keytab` lists what it holds, and `ktpass` on a domain controller writes one.
    "#]],
    );
    check(
        &domain.lab,
        Doctor { username: "other".to_owned(), ..with(&keytab) },
        &expect![[r#"
        authentication: connecting to mfa01.contoso.com: the keytab …account.keytab: it has no key for other@CONTOSO.COM; its first entry is for Administrator@CONTOSO.COM
        Check the path and that this process may read it; `klist -k -e name.keytab` lists what it holds, and `ktpass` on a domain controller writes one.
    "#]],
    );
    domain.realm.administer(&["cpw -pw another Administrator"]);
    check(
        &domain.lab,
        with(&keytab),
        &expect![[r#"
        authentication: logging in to mfa01.contoso.com: the key in the keytab of Administrator@CONTOSO.COM is wrong (KDC_ERR_PREAUTH_FAILED)
        Write the keytab anew after each change of the password (`ktpass /princ name@CONTOSO.COM /mapuser name /crypto AES256-SHA1 /ptype KRB5_NT_PRINCIPAL /pass * /out name.keytab`).
    "#]],
    );
}

#[test]
fn tickets_that_cannot_be_used() {
    let Some(domain) = Domain::start(&Setup::default()) else { return };
    let with = |cache: &std::path::Path| domain.doctor_without_password().with("credential_cache", json!(cache));
    let cache = domain.realm.ticket("cache", &domain.lab.username, &domain.lab.password, &["-l", "1s"]);
    let folder = cache.parent().expect("a folder");
    std::fs::write(folder.join("text"), "no cache").expect("a file");
    check(
        &domain.lab,
        with(&folder.join("absent")),
        &expect![[r#"
        authentication: connecting to mfa01.contoso.com: the credential cache …absent: No such file or directory (os error 2)
        Fetch a ticket into a file (`kinit -c FILE:/path name@CONTOSO.COM`), and set `credential_cache` or the environment variable `KRB5CCNAME` to it. `klist` shows what it holds.
    "#]],
    );
    check(
        &domain.lab,
        with(&folder.join("text")),
        &expect![[r#"
        authentication: connecting to mfa01.contoso.com: the credential cache …text: it is not a credential cache of format 5.4
        Fetch a ticket into a file (`kinit -c FILE:/path name@CONTOSO.COM`), and set `credential_cache` or the environment variable `KRB5CCNAME` to it. `klist` shows what it holds.
    "#]],
    );
    std::thread::sleep(Duration::from_millis(1100));
    check(
        &domain.lab,
        with(&cache),
        &expect![[r#"
        authentication: connecting to mfa01.contoso.com: the ticket of Administrator@CONTOSO.COM in …cache has expired at …
        Fetch a new ticket (`kinit name@CONTOSO.COM`, or `kinit -R` to renew it).
    "#]],
    );
    let cache = domain.realm.ticket("other", &domain.lab.username, &domain.lab.password, &[]);
    check(
        &domain.lab,
        with(&cache).with("realm", json!("FABRIKAM.COM")),
        &expect![[r#"
        authentication: connecting to mfa01.contoso.com: the credential cache …other: it holds tickets of Administrator@CONTOSO.COM, and `realm` is FABRIKAM.COM
        Fetch a ticket into a file (`kinit -c FILE:/path name@CONTOSO.COM`), and set `credential_cache` or the environment variable `KRB5CCNAME` to it. `klist` shows what it holds.
    "#]],
    );
}

#[test]
fn hosts_that_do_not_take_the_ticket() {
    let Some(domain) = Domain::start(&Setup { new_keys: true, ..Setup::default() }) else { return };
    check(
        &domain.lab,
        domain.doctor(),
        &expect![[r#"
        authentication: logging in to mfa01.contoso.com: the host cannot open the ticket for WSMAN/mfa01.contoso.com (KRB_AP_ERR_BADKEYVER)
        Check that no other account has the host's service principal names (`setspn -Q */mfa01.contoso.com`, `setspn -X`), and that the name leads to this host and not to another one or to a load balancer.
    "#]],
    );
    let estate = demo::temporary().expect("the estate");
    let lab = Lab::start_in_background(&estate, Mode::Native).expect("the lab");
    let doctor = Doctor::of(&lab).with("auth", json!("kerberos")).with("realm", json!("CONTOSO.COM"));
    check(
        &lab,
        doctor,
        &expect![[r#"
        authentication: logging in to mfa01.contoso.com: HTTP 401, the authentication scheme is not offered (the server offers Negotiate, Basic)
        Use an authentication scheme that the host offers, or allow this one there (`winrm get winrm/config/service/auth`).
    "#]],
    );
}
