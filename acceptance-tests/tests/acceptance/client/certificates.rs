//! A host that refuses the client's certificate. Within TLS 1.3 it does so after the client's handshake.

use std::time::Duration;

use acceptance_tests::lab::wire::host::Settings;
use azuremfa::secret::Secret;
use azuremfa::winrm::client_certificate::ClientCertificate;
use azuremfa::winrm::endpoint::{Authentication, Endpoint};
use azuremfa::winrm::error::Kind;
use azuremfa::winrm::session::Session;

use super::{SCALED, endpoint, lab_with};
use crate::support::certificate;

/// However long the connection waits for its first request.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_after_the_handshake_is_named() {
    let mut settings = certificate::mapped("operator");
    settings.client_certificates.only_mapped = true;
    let server = lab_with(Settings { tls12: false, ..settings }).await;
    let key = Secret::new(certificate::OTHER_KEY);
    let shown = ClientCertificate::from_pem(certificate::OTHER_CERTIFICATE, &key).expect("a certificate");
    for wait in [0, 1, 5, 50, 400] {
        let authentication = Authentication::Certificate(shown.clone());
        let session = Session::new(Endpoint { authentication, ..endpoint(&server, true, SCALED) });
        session.connect().await.expect("the handshake");
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let error = session.open().await.expect_err("a refusal");
        assert!(matches!(error.kind, Kind::Tls(_)), "after {wait} ms: {error:?}");
    }
}
