//! KDCs that do not answer, clocks that differ, and hosts that do not take a ticket.

use std::net::TcpListener;

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::tools::kerberos::Kerberos;
use expect_test::expect;
use serde_json::json;

use super::{Domain, Setup, run, said};
use crate::doctor::faults::page::Line;
use crate::doctor::faults::port_that_says;
use crate::doctor::run::Doctor;
use crate::kerberos::domain::{over_http, service_names};
use crate::kerberos::trust;

pub(super) fn kdcs() -> Option<Vec<Line>> {
    let services = vec!["WSMAN/mfa02.contoso.com".to_owned()];
    let domain = Domain::start(&Setup { services, ..Setup::default() })?;
    let kdc = |address: String| domain.doctor().with("kdc", json!(address));
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let elsewhere = domain.doctor().with("kdc", json!(null)).with("realm", json!("nowhere.invalid"));
    let elsewhere = trust::knowing(elsewhere, &domain.realm.write("no-realms.conf", ""));
    Some(run(
        &domain.lab,
        vec![
            (
                "Neither the connection nor this machine's Kerberos settings nor its DNS lead to a domain controller.",
                elsewhere,
                expect![[r#"
                    authentication: logging in to mfa01.contoso.com: no KDC of the realm NOWHERE.INVALID is known: …no-realms.conf names none, DNS has no record _kerberos._tcp.nowhere.invalid, and the name nowhere.invalid has no address
                    Set `kdc` to a domain controller (`dc01.contoso.com`), name one in /etc/krb5.conf on this machine (`[realms] CONTOSO.COM = { kdc = dc01.contoso.com }`), or let this machine ask the domain's DNS (`nslookup -type=SRV _kerberos._tcp.contoso.com`). Check the spelling of `realm`.
                "#]],
            ),
            (
                "The machine is up, and is no domain controller.",
                kdc(closed.to_string()),
                expect![[r#"
                    authentication: logging in to mfa01.contoso.com: the KDC … of the realm CONTOSO.COM could not be asked: … refused the connection
                    Check that the domain controller is up and that this machine reaches TCP port 88 there, or set `kdc` to another one (`dc01.contoso.com`).
                "#]],
            ),
            (
                "Packets to the domain controller are dropped, or it is down.",
                kdc(silent.local_addr().expect("an address").to_string()),
                expect![[r#"
                    authentication: logging in to mfa01.contoso.com: the KDC … of the realm CONTOSO.COM could not be asked: … did not answer within 5 s
                    Check that the domain controller is up and that this machine reaches TCP port 88 there, or set `kdc` to another one (`dc01.contoso.com`).
                "#]],
            ),
            (
                "The domain knows the host by none of the names that it is asked for by.",
                domain.doctor(),
                expect![[r#"
                    authentication: logging in to mfa01.contoso.com: the realm CONTOSO.COM has no service WSMAN/mfa01.contoso.com and no HTTP/mfa01.contoso.com (KDC_ERR_S_PRINCIPAL_UNKNOWN)
                    Name the host as its service principal names do (`setspn -L mfa01` lists them; an IP address is none), or register them for the host's computer account: `setspn -S WSMAN/mfa01.contoso.com mfa01` and `setspn -S HTTP/mfa01.contoso.com mfa01`.
                "#]],
            ),
        ],
    ))
}

/// The host's clock differs, which it says however it is asked.
pub(super) fn clocks() -> Option<Vec<Line>> {
    let domain = Domain::start(&Setup { host_clock: Some("+10m"), ..Setup::default() })?;
    let means = "The clock of this machine or of the host is wrong.";
    let lines = run(
        &domain.lab,
        vec![(
            means,
            domain.doctor(),
            expect![[r#"
        authentication: logging in to mfa01.contoso.com: the clocks of this machine and of the host mfa01.contoso.com differ too much: that one is … ahead (KRB_AP_ERR_SKEW)
        Correct the clock: `w32tm /resync` on Windows, `chronyc makestep` or `timedatectl set-ntp true` on Linux. Kerberos allows five minutes between this machine, the domain controllers and the host.
    "#]],
        )],
    );
    for doctor in [over_http(domain.doctor()), domain.doctor().with("auth", json!("negotiate"))] {
        assert_eq!(said(&domain.lab, means, doctor), lines[0].said);
    }
    Some(lines)
}

/// This machine's clock differs. With a ticket the KDC is asked for the host's alone, and does not tell its time before.
pub(super) fn kdc_clocks() -> Option<Vec<Line>> {
    let domain = Domain::start(&Setup::default())?;
    let cache = domain.realm.ticket("cache", &domain.lab.username, &domain.lab.password, &[]);
    let mut slow = domain.doctor_without_password().with("credential_cache", json!(cache));
    let clock = Kerberos::find().expect("it was found before").other_clock();
    slow.environment.push(("LD_PRELOAD".to_owned(), clock.display().to_string()));
    slow.environment.push(("FAKETIME".to_owned(), "-10m".to_owned()));
    let means =
        "The clock of this machine is wrong. With a password or a keytab the domain controller's time is used instead.";
    // Certificates of the lab are younger than that.
    Some(run(
        &domain.lab,
        vec![(
            means,
            over_http(slow),
            expect![[r#"
        authentication: logging in to mfa01.contoso.com: the clocks of this machine and of the KDC … differ too much: that one is … ahead (KRB_AP_ERR_SKEW)
        Correct the clock: `w32tm /resync` on Windows, `chronyc makestep` or `timedatectl set-ntp true` on Linux. Kerberos allows five minutes between this machine, the domain controllers and the host.
    "#]],
        )],
    ))
}

pub(super) fn hosts() -> Option<Vec<Line>> {
    let domain = Domain::start(&Setup { new_keys: true, ..Setup::default() })?;
    let means = "The ticket was made for another account than the one that answers under the host's name.";
    let mut lines = run(
        &domain.lab,
        vec![(
            means,
            domain.doctor(),
            expect![[r#"
        authentication: logging in to mfa01.contoso.com: the host cannot open the ticket for WSMAN/mfa01.contoso.com (KRB_AP_ERR_BADKEYVER)
        Check that no other account has the host's service principal names (`setspn -Q */mfa01.contoso.com`, `setspn -X`), and that the name leads to this host and not to another one or to a load balancer.
    "#]],
        )],
    );
    let old = Domain::start(&Setup::default())?;
    let session_keys = |service: &String| format!("setstr {service} session_enctypes arcfour-hmac");
    let queries: Vec<_> = service_names().iter().map(session_keys).collect();
    old.realm.administer(&queries.iter().map(String::as_str).collect::<Vec<_>>());
    let means = "The host's account in the domain, or the host, is set to RC4.";
    lines.extend(run(&old.lab, vec![(means, old.doctor(), expect![[r#"
        authentication: logging in to mfa01.contoso.com: the KDC has no AES key of WSMAN/mfa01.contoso.com (KDC_ERR_ETYPE_NOSUPP)
        Allow AES for the account that has the host's service principal names (`Set-ADComputer mfa01 -KerberosEncryptionType AES128,AES256`), and in the policy "Network security: Configure encryption types allowed for Kerberos" of the host and of the domain controllers. RC4 is not used.
    "#]])]));
    let estate = demo::temporary().expect("the estate");
    let lab = Lab::start_in_background(&estate, Mode::Native).expect("the lab");
    // The ticket can be had; a plan asks for it before it comes to the host.
    let Doctor { username, password, .. } = domain.doctor();
    let doctor = Doctor { username, password, ..Doctor::of(&lab) };
    let doctor = doctor.with("auth", json!("kerberos")).with("realm", json!("CONTOSO.COM"));
    let doctor = doctor.with("kdc", json!(domain.realm.kdc()));
    let means = "The WinRM service of the host does without Kerberos.";
    lines.extend(run(&lab, vec![(means, doctor, expect![[r#"
        authentication: logging in to mfa01.contoso.com: HTTP 401, the authentication scheme is not offered (the server offers Negotiate, Basic)
        Use an authentication scheme that the host offers, or allow this one there (`winrm get winrm/config/service/auth`).
    "#]])]));
    Some(lines)
}

pub(super) fn other_realms() -> Option<Vec<Line>> {
    let (domain, _child) = trust::domains()?;
    let doctor = trust::knowing(domain.doctor(), &domain.realm.configuration());
    let means = "The host is in another domain than the account, and this machine does not know where that one is.";
    Some(run(
        &domain.lab,
        vec![(
            means,
            doctor,
            expect![[r#"
                authentication: logging in to mfa01.contoso.com: the realm CONTOSO.COM refers to the realm CHILD.CONTOSO.COM, and no KDC of that one is known: …krb5.conf names none, `dns_lookup_kdc` there forbids to ask DNS, and the name child.contoso.com has no address
                Name the KDC of the host's realm in /etc/krb5.conf on this machine (`[realms] CHILD.CONTOSO.COM = { kdc = dc01.child.contoso.com }`), let this machine ask the domain's DNS, or use an account of the host's own domain.
            "#]],
        )],
    ))
}

/// Refusals without words of their own, and answers that are nobody's.
pub(super) fn strangers() -> Option<Vec<Line>> {
    let domain = Domain::start(&Setup::default())?;
    let forbidden: Vec<_> =
        service_names().iter().map(|service| format!("modprinc -allow_tgs_req {service}")).collect();
    domain.realm.administer(&forbidden.iter().map(String::as_str).collect::<Vec<_>>());
    let no_kdc = port_that_says(b"\0\0\0\x05hello");
    let mut lines = run(
        &domain.lab,
        vec![
            (
                "The domain controller has a reason of its own, such as a policy for the account or the host.",
                domain.doctor(),
                expect![[r#"
                    authentication: logging in to mfa01.contoso.com: the KDC … refused: KDC_ERR_POLICY, code 12
                    Look at the event log of the domain controller (Security, events 4768 and 4769) or of the host (System, source Kerberos) for this account and time.
                "#]],
            ),
            (
                "What listens at the address of the domain controller is something else.",
                domain.doctor().with("kdc", json!(format!("127.0.0.1:{no_kdc}"))),
                expect![[r#"
                    authentication: logging in to mfa01.contoso.com: the Kerberos login could not be carried on: the KDC's answer is not usable: InvalidToken: ASN1 DER error: Message("Message(\"Expected Application number tag 30 but got: 8\")")
                    Check that what answers is a domain controller (TCP port 88 of `kdc`) and the WinRM service of Windows, and that nothing in between changes what they say. `TF_LOG=DEBUG` tells the steps; auth = "ntlm" does without Kerberos.
                "#]],
            ),
        ],
    );
    let unproven = Domain::start(&Setup { no_proof: true, ..Setup::default() })?;
    lines.extend(run(
        &unproven.lab,
        vec![(
            "What answers took the ticket and cannot show that it could open it: it is not the host, or something in between \
             leaves the proof out.",
            unproven.doctor(),
            expect![[r#"
                authentication: logging in to mfa01.contoso.com: the host did not prove its identity
                Check that the answer comes from Windows itself and not from a proxy in between, and that the host's WinRM service allows Kerberos (`winrm get winrm/config/service/auth`).
            "#]],
        )],
    ));
    Some(lines)
}
