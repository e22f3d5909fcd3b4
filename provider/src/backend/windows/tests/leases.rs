//! Leases against a recorded runner: who is asked for what, what another run's lease leads to, and how one is renewed.

use expect_test::expect;
use tokio::sync::Semaphore;

use super::*;

/// Polls pass at once; the long pauses of renewals wait for a permit.
struct Gated {
    now: ManualClock,
    renewals: Semaphore,
    pauses: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Clock for Gated {
    fn now(&self) -> Duration {
        self.now.now()
    }

    async fn sleep(&self, duration: Duration) {
        if duration > Duration::from_secs(8) {
            self.renewals.acquire().await.expect("never closed").forget();
            self.pauses.lock().expect("no panic").push(duration);
        }
        self.now.sleep(duration).await;
    }
}

struct Fixture {
    recorder: Arc<Recorder>,
    clock: Arc<Gated>,
    backend: WindowsBackend,
    stop: CancellationToken,
}

const HOST: &str = "mfa01";

impl Fixture {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let recorder = Arc::new(Recorder::default());
        let key = (HOST.to_owned(), "Set-Lease".to_owned());
        recorder.answers.lock().expect("no panic").insert(key, answers.into_iter().collect());
        let now = ManualClock::default();
        let clock = Arc::new(Gated { now, renewals: Semaphore::new(0), pauses: Mutex::default() });
        let backend = WindowsBackend::over(recorder.clone(), Arc::default(), clock.clone());
        Self {
            recorder,
            clock,
            backend: backend.run_by("me@here, process 1".to_owned()),
            stop: CancellationToken::new(),
        }
    }

    fn host() -> HostAddress {
        HostAddress::named(HOST)
    }

    async fn take(&self, set: &str) -> Result<(), HostError> {
        self.backend.lease(&Self::host(), set, &self.stop).await
    }

    async fn give_back(&self, set: &str) {
        self.backend.give_back(&Self::host(), set).await;
    }

    fn lost(&self) -> Option<String> {
        self.backend.lost_lease(&Self::host()).map(|error| error.cause.to_string())
    }

    /// Lets a number of renewals come to their turn, and waits until the host was asked so often in all.
    async fn renew(&self, times: usize, asked: usize) {
        self.clock.renewals.add_permits(times);
        for _ in 0..1000 {
            if self.asked().len() >= asked {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Whatever is asked too much shows as well.
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(self.asked().len(), asked, "{:?}", self.asked());
    }

    /// What the host was asked for, with the lease that counts as ended.
    fn asked(&self) -> Vec<String> {
        let ran = self.recorder.ran.lock().expect("no panic");
        let line = |arguments: &Value| {
            let abandoned = arguments["abandoned"].as_str().map(|hash| format!(" {hash}")).unwrap_or_default();
            format!(
                "{} {}{abandoned}",
                arguments["set"].as_str().unwrap_or("?"),
                arguments["action"].as_str().unwrap_or("?")
            )
        };
        ran.iter().map(|(_, _, arguments)| line(arguments)).collect()
    }
}

fn answer(held: bool, found: &str, identity: Option<&str>) -> Answer {
    let other = json!({
        "owner": "alice@runner07, process 42", "set": "portal-eu", "taken_at": "2026-11-01T02:00:00Z",
        "renewed_at": "2026-11-01T02:10:00Z", "expires_at": "2026-11-01T02:15:00Z",
    });
    let other = if matches!(found, "other" | "ended") { other } else { Value::Null };
    let left = identity.map(|_| if found == "ended" { 0 } else { 20 });
    Ok(
        json!({"held": held, "found": found, "path": "C:\\lease.json", "other": other, "identity": identity, "seconds_left": left}),
    )
}

fn held() -> Answer {
    answer(true, "own", None)
}

fn silent() -> Answer {
    Err(Cause::Unreachable { reason: "no answer".to_owned(), advice: String::new() })
}

#[tokio::test]
async fn sets_of_one_run_share_a_lease() {
    let fixture = Fixture::new([held()]);
    fixture.take("mfa-eu").await.expect("taken");
    fixture.take("portal-eu").await.expect("shared");
    fixture.give_back("mfa-eu").await;
    assert_eq!(fixture.asked(), ["mfa-eu take"]);
    fixture.give_back("portal-eu").await;
    fixture.give_back("portal-eu").await;
    assert_eq!(fixture.asked(), ["mfa-eu take", "mfa-eu release"]);
    fixture.take("portal-eu").await.expect("taken anew");
    assert_eq!(fixture.asked().last().map(String::as_str), Some("portal-eu take"));
    let ran = fixture.recorder.ran.lock().expect("no panic");
    let runs: std::collections::BTreeSet<String> = ran.iter().map(|(_, _, ran)| ran["run"].to_string()).collect();
    assert_eq!(runs.len(), 1);
    assert_eq!(ran[0].2["owner"], "me@here, process 1");
    assert_eq!(ran[0].2["seconds"], 300);
}

/// Each configuration is a run of its own.
#[tokio::test]
async fn no_two_configurations_are_one_run() {
    let run = |fixture: &Fixture| fixture.recorder.ran.lock().expect("no panic")[0].2["run"].clone();
    let (one, other) = (Fixture::new([held()]), Fixture::new([held()]));
    one.take("mfa-eu").await.expect("taken");
    other.take("mfa-eu").await.expect("taken");
    assert_ne!(run(&one), run(&other));
}

/// A host whose lease another run has. It is given away when it counts as ended, unless it was renewed in that moment.
struct Watched {
    found: &'static str,
    renewed_at_the_end: bool,
    abandoned: Mutex<Vec<Value>>,
}

#[async_trait]
impl Runner for Watched {
    async fn run(&self, _host: &HostAddress, call: Call) -> Result<Value, Cause> {
        let abandoned = call.arguments["abandoned"].clone();
        let is_at_end = !abandoned.is_null();
        self.abandoned.lock().expect("no panic").push(abandoned);
        let identity = if is_at_end && self.renewed_at_the_end { "two" } else { "one" };
        answer(is_at_end && !self.renewed_at_the_end, self.found, Some(identity))
    }
}

/// Takes the lease from such a host, and holds that it was watched for as long as it had left.
async fn watch(found: &'static str, renewed_at_the_end: bool) -> Result<(), HostError> {
    let runner = Arc::new(Watched { found, renewed_at_the_end, abandoned: Mutex::default() });
    let clock = Arc::new(Gated { now: ManualClock::default(), renewals: Semaphore::new(0), pauses: Mutex::default() });
    let backend = WindowsBackend::over(runner.clone(), Arc::default(), clock.clone());
    let outcome = backend.lease(&Fixture::host(), "mfa-eu", &CancellationToken::new()).await;
    assert_eq!(clock.now(), Duration::from_secs(20), "as long as it had left");
    let abandoned = runner.abandoned.lock().expect("no panic").clone();
    let (last, before) = abandoned.split_last().expect("it was asked");
    assert_eq!(*last, "one");
    assert!(before.iter().all(Value::is_null), "{before:?}");
    outcome
}

#[tokio::test]
async fn a_lease_that_nobody_renews_is_waited_for_and_taken() {
    watch("other", false).await.expect("taken");
    watch("damaged", false).await.expect("taken");
    let refused = watch("other", true).await.expect_err("it was renewed in the last moment");
    assert!(matches!(refused.cause, Cause::Leased { .. }));
}

#[tokio::test]
async fn a_lease_that_is_renewed_is_refused() {
    let changes =
        [answer(false, "other", Some("one")), answer(false, "other", Some("one")), answer(false, "other", Some("two"))];
    let fixture = Fixture::new(changes);
    let error = fixture.take("mfa-eu").await.expect_err("refused");
    expect![[r#"mfa01: could not take its lease: another run is at work on it, for the set portal-eu of alice@runner07, process 42. That run took the lease on the host at 2026-11-01T02:00:00Z and renewed it while this run waited, last at 2026-11-01T02:10:00Z (by the host's clock). Wait for that run, and look for it where its owner says. Should it have ended without giving the lease back, the lease ends by itself when nobody renews it any more (as it stands, at 2026-11-01T02:15:00Z), and this run would have waited for that. Only when it has certainly ended, and as the last resort, delete C:\lease.json on the host."#]].assert_eq(&error.to_string());
    assert_eq!(fixture.asked(), ["mfa-eu take"; 3], "there is nothing to give back");
}

#[tokio::test]
async fn one_that_cannot_be_read_and_changes_is_somebodys() {
    let fixture = Fixture::new([answer(false, "damaged", Some("one")), answer(false, "damaged", Some("two"))]);
    let error = fixture.take("mfa-eu").await.expect_err("refused").to_string();
    assert!(error.contains("cannot be read and was changed while this run watched it (C:\\lease.json)"), "{error}");
}

#[tokio::test]
async fn waiting_can_be_stopped() {
    let fixture = Fixture::new([answer(false, "other", Some("one"))]);
    fixture.stop.cancel();
    assert!(matches!(fixture.take("mfa-eu").await.expect_err("stopped").cause, Cause::Stopped));
    // What nobody else has is taken all the same; the run says where it was stopped.
    let fixture = Fixture::new([held()]);
    fixture.stop.cancel();
    fixture.take("mfa-eu").await.expect("taken");
}

#[tokio::test]
async fn a_silent_host_is_asked_again_and_what_may_have_been_taken_is_given_back() {
    let fixture = Fixture::new([silent(), silent(), held()]);
    fixture.take("mfa-eu").await.expect("taken");
    let lost = || Err(Cause::Lost { reason: "cut off".to_owned() });
    let fixture = Fixture::new([lost(), lost(), lost(), lost(), held()]);
    assert!(matches!(fixture.take("mfa-eu").await.expect_err("lost").cause, Cause::Lost { .. }));
    assert_eq!(fixture.asked().last().map(String::as_str), Some("mfa-eu release"));
}

#[tokio::test]
async fn it_is_renewed_until_it_is_given_back() {
    let fixture = Fixture::new([held(), held(), silent(), held()]);
    fixture.take("mfa-eu").await.expect("taken");
    fixture.renew(3, 4).await;
    assert_eq!(fixture.asked(), ["mfa-eu take", "mfa-eu renew", "mfa-eu renew", "mfa-eu renew"]);
    let pauses: Vec<u64> = fixture.clock.pauses.lock().expect("no panic").iter().map(Duration::as_secs).collect();
    assert!((36..=54).contains(&pauses[0]) && (36..=54).contains(&pauses[1]), "{pauses:?}");
    assert!((12..=18).contains(&pauses[2]), "sooner after a failure: {pauses:?}");
    assert_eq!(fixture.lost(), None);
    fixture.give_back("mfa-eu").await;
    fixture.renew(3, 5).await;
}

#[tokio::test]
async fn a_lease_that_another_run_got_is_lost_until_it_is_given_back() {
    let fixture = Fixture::new([held(), answer(false, "other", Some("two")), held()]);
    fixture.take("mfa-eu").await.expect("taken");
    fixture.renew(1, 2).await;
    expect!["the lease of this run ended, because it could not be renewed in time, and now another run has it, for the set portal-eu of alice@runner07, process 42, since 2026-11-01T02:00:00Z. Wait until no other run is at work on the host, then plan and apply again. Look also at why the host did not answer for minutes."].assert_eq(&fixture.lost().expect("it is lost"));
    fixture.renew(2, 2).await;
    fixture.take("portal-eu").await.expect_err("no set of this run has it");
    fixture.give_back("mfa-eu").await;
    assert_eq!(fixture.lost(), None);
    fixture.take("portal-eu").await.expect("taken anew");
}

#[tokio::test]
async fn a_lease_that_is_gone_is_taken_again_while_it_lasts() {
    let gone = || answer(false, "nothing", None);
    let fixture = Fixture::new([held(), gone(), answer(true, "nothing", None), held()]);
    fixture.take("mfa-eu").await.expect("taken");
    fixture.renew(1, 3).await;
    assert_eq!(fixture.asked()[1..], ["mfa-eu renew", "mfa-eu take"]);
    assert_eq!(fixture.lost(), None);
    // After five minutes of silence another run may have had it and be gone.
    fixture.clock.now.advance(Duration::from_secs(300));
    let key = (HOST.to_owned(), "Set-Lease".to_owned());
    fixture.recorder.answers.lock().expect("no panic").insert(key, [gone()].into());
    fixture.renew(1, 4).await;
    assert!(fixture.lost().expect("it is lost").contains("it is gone: another run may have had it meanwhile"));
}

#[tokio::test]
async fn a_lease_that_ended_and_nobody_took_is_renewed() {
    let fixture = Fixture::new([held()]);
    fixture.take("mfa-eu").await.expect("taken");
    fixture.clock.now.advance(Duration::from_secs(3000));
    fixture.renew(1, 2).await;
    assert_eq!(fixture.lost(), None);
}

#[tokio::test]
async fn a_lease_that_was_damaged_is_written_again() {
    let fixture = Fixture::new([held(), answer(false, "damaged", Some("x")), held()]);
    fixture.take("mfa-eu").await.expect("taken");
    fixture.renew(1, 3).await;
    assert_eq!(fixture.asked()[1..], ["mfa-eu renew", "mfa-eu take x"]);
    assert_eq!(fixture.lost(), None);
}

#[tokio::test]
async fn the_end_of_the_process_gives_everything_back() {
    let fixture = Fixture::new([held()]);
    fixture.take("mfa-eu").await.expect("taken");
    fixture.take("portal-eu").await.expect("shared");
    fixture.backend.close().await;
    assert_eq!(fixture.asked(), ["mfa-eu take", "mfa-eu release"]);
    fixture.give_back("mfa-eu").await;
    fixture.renew(1, 2).await;
}

/// Two sets that begin together.
#[tokio::test]
async fn two_takers_of_one_run_ask_once() {
    let fixture = Fixture::new([held()]);
    let (one, other) = tokio::join!(fixture.take("mfa-eu"), fixture.take("portal-eu"));
    one.and(other).expect("both have it");
    assert_eq!(fixture.asked(), ["mfa-eu take"]);
}
