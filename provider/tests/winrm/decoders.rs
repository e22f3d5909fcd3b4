//! Every decoder of bytes that come from outside, fed with a bounded number of generated and damaged inputs.
//!
//! A decoder is a plain function over bytes that checks what must hold for any of them, so that a fuzzer can call the
//! same functions. A new decoder is one more line in a table like [`WIRE`] with a few valid messages.

mod files;
mod reports;
mod tokens;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use azuremfa::backend::windows::script::ReplyReader;
use azuremfa::secret::Secret;
use azuremfa::winrm::auth::SecurityContext;
use azuremfa::winrm::auth::ntlm::Ntlm;
use azuremfa::winrm::channel_binding::tls_server_end_point;
use azuremfa::winrm::clixml::error_text;
use azuremfa::winrm::endpoint::{Authentication, Endpoint, HttpScheme, Timeouts, Transport};
use azuremfa::winrm::error::Kind;
use azuremfa::winrm::http::{Failure, Http, MAXIMUM_REPLY};
use azuremfa::winrm::limits::Limits;
use azuremfa::winrm::soap::reply::{CommandState, command_id, parse, received, shell_id};
use azuremfa::winrm::soap::sealed;
use azuremfa::winrm::transport::{self, Stream};
use bytes::Bytes;
use proptest::test_runner::{TestCaseError, TestError};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

use crate::damage::{inputs, runner};

/// One decoder: its name, itself, how many inputs it gets, and what valid inputs look like.
type Decoder = (&'static str, fn(&[u8]), u32, fn() -> Vec<Vec<u8>>);

const WIRE: &[Decoder] = &[
    ("HTTP answer", decode_http, 2_000, http_answers),
    ("answer of a proxy", decode_proxy, 300, proxy_answers),
    ("multipart/encrypted", decode_sealed, 5_000, sealed_messages),
    ("SOAP reply", decode_soap, 5_000, soap_replies),
    ("fault", decode_fault, 5_000, faults),
    ("base64 and exit codes", decode_received, 6_000, ends),
    ("CLIXML", decode_clixml, 5_000, clixml),
    ("reply lines of a script", decode_script, 5_000, script_replies),
    ("lines of a worker", decode_worker, 5_000, worker_lines),
    ("NTLM challenge", decode_challenge, 4_000, challenges),
    ("certificate", decode_certificate, 4_000, certificates),
];

fn all() -> impl Iterator<Item = &'static Decoder> {
    [WIRE, files::DECODERS, reports::DECODERS, tokens::DECODERS].into_iter().flatten()
}

/// No input of this size may take longer, on a machine that has other things to do as well.
const LONGEST: Duration = Duration::from_secs(5);

#[test]
fn no_bytes_are_too_much_for_a_decoder() {
    let failures: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = all().map(|decoder| scope.spawn(|| feed(decoder))).collect();
        runs.into_iter().filter_map(|run| run.join().expect("failures are caught")).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Every corpus is what its decoder takes, or damage to it would prove little.
#[test]
fn the_valid_inputs_are_valid() {
    for (name, decode, _, corpus) in all() {
        assert!(!corpus().is_empty(), "{name}");
        corpus().iter().for_each(|input| decode(input));
    }
    assert!(ends().iter().all(|text| exit_code(text).is_some()));
    assert!(script_replies().iter().any(|text| script_result(text, 7)));
    assert!(worker_lines().iter().any(|text| worker_result(text, 7)));
    assert!(sealed_messages().iter().all(|body| sealed::unseal(&mut Summing, sealed::CONTENT_TYPE, body).is_ok()));
    assert!(challenges().iter().all(|token| login_goes_on(token)));
    assert!(proxy_answers().iter().any(|answer| tunnel_opens(answer)));
    files::check_corpora();
    reports::check_corpora();
    tokens::check_corpora();
}

/// What a decoder made of its inputs, when it failed.
fn feed((name, decode, cases, corpus): &Decoder) -> Option<String> {
    let outcome = runner(*cases).run(&inputs(corpus()), |input| {
        let begin = Instant::now();
        decode(&input);
        if begin.elapsed() > LONGEST {
            return Err(TestCaseError::fail(format!("it took {:?}", begin.elapsed())));
        }
        Ok(())
    });
    match outcome {
        Ok(()) => None,
        Err(TestError::Fail(reason, input)) => {
            Some(format!("{name}: {reason}: {:?} {input:?}", String::from_utf8_lossy(&input)))
        }
        Err(TestError::Abort(reason)) => Some(format!("{name}: {reason}")),
    }
}

// === The decoders ===

/// The whole way of an answer through hyper and the limits around it.
fn decode_http(bytes: &[u8]) {
    let answer = RUNTIME.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let bytes = bytes.to_vec();
        tokio::spawn(async move {
            let _ = theirs.write_all(&bytes).await;
            let _ = theirs.shutdown().await;
        });
        let stream = Stream { bytes: Box::new(ours), binding: None, showed_certificate: false };
        let mut http = Http::new(&anywhere(1), stream, None).await.expect("nothing was sent yet");
        http.post(None, "text/plain", Bytes::new()).await
    });
    match answer {
        Ok(answer) => {
            assert!(bytes.starts_with(b"HTTP/1."), "an answer of bytes that are not HTTP");
            assert!(answer.body.len() <= bytes.len().min(MAXIMUM_REPLY));
            let _ = (answer.is_soap(), answer.token(HttpScheme::Negotiate), answer.without_message().to_string());
            assert!(answer.offered().len() <= 16 && answer.content_type().chars().count() <= 200);
        }
        Err(Failure::NotSent(kind) | Failure::Sent(kind)) => assert!(!kind.to_string().is_empty()),
    }
}

/// The answer to CONNECT, over a real socket because the client opens it itself.
fn decode_proxy(bytes: &[u8]) {
    if tunnel_opens(bytes) {
        let head = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let head = String::from_utf8_lossy(head);
        assert!(head.starts_with("HTTP/1.") && head.contains(" 2"), "{head}");
        assert!(bytes.windows(4).any(|end| end == b"\r\n\r\n"), "a head without an end");
    }
}

fn tunnel_opens(answer: &[u8]) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = listener.local_addr().expect("an address");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("the client comes");
            let mut asked = [0; 1024];
            let _ = stream.read(&mut asked);
            let _ = stream.write_all(answer);
        });
        let endpoint = Endpoint { proxy: Some(crate::proxy(proxy.port())), ..anywhere(5985) };
        RUNTIME.block_on(transport::open(&endpoint, None)).is_ok()
    })
}

/// What is opened is what was sealed: nothing else, and nothing in part.
fn decode_sealed(bytes: &[u8]) {
    for content_type in [sealed::CONTENT_TYPE, "multipart/encrypted", &String::from_utf8_lossy(bytes)] {
        let _ = sealed::is_sealed(content_type);
        if let Ok(opened) = sealed::unseal(&mut Summing, content_type, bytes) {
            // Messages may come several in a row; that none is repeated is for the real context, which counts them.
            let mut rest = opened.as_slice();
            while let Some(message) = MESSAGES.iter().find(|message| rest.starts_with(message.as_bytes())) {
                rest = &rest[message.len()..];
            }
            assert!(rest.is_empty(), "opened to {:?}", String::from_utf8_lossy(&opened));
        }
    }
}

fn decode_soap(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for status in [200, 500] {
        match parse(&text, status) {
            Ok(document) => {
                assert_eq!(status, 200, "an error status was taken for success");
                assert!(!text.contains("<s:Body><s:Fault>"), "a fault was taken for success");
                let names = [shell_id(&document), command_id(&document)];
                names.iter().flatten().for_each(|name| assert!(!name.trim().is_empty() && name.len() <= 256));
            }
            Err(kind) => assert!(!kind.to_string().is_empty()),
        }
    }
}

/// No number of a fault is made up.
fn decode_fault(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let kind = parse(&text, 500).expect_err("an error status was taken for success");
    let said = kind.to_string();
    let code = said.split("fault ").nth(1).and_then(|rest| rest.split(|sign: char| !sign.is_ascii_digit()).next());
    if let Some(code) = code.and_then(|code| code.parse::<u32>().ok()) {
        let text = text.to_ascii_lowercase();
        let stated = [code.to_string(), format!("{code:x}")].iter().any(|form| text.contains(form));
        assert!(stated || text.contains("&#"), "the code {code} was made up");
    }
}

fn decode_received(bytes: &[u8]) {
    let Some(code) = exit_code(bytes) else { return };
    let text = String::from_utf8_lossy(bytes);
    assert!(text.contains("/CommandState/Done"), "an end was made up");
    let mut stated = text.split("ExitCode").filter_map(|part| part.split_once('>')?.1.split('<').next());
    // The wire carries a DWORD, callers get what Windows documents.
    let wire = [i64::from(code), i64::from(code.cast_unsigned())];
    let is_stated =
        |stated: &str| stated.contains('&') || stated.trim().parse().is_ok_and(|stated: i64| wire.contains(&stated));
    assert!(stated.any(is_stated), "the exit code {code} was made up");
}

fn exit_code(bytes: &[u8]) -> Option<i32> {
    let text = String::from_utf8_lossy(bytes);
    let document = parse(&text, 200).ok()?;
    match received(&document).ok()?.state {
        CommandState::Done(code) => Some(code),
        CommandState::Running => None,
    }
}

fn decode_clixml(bytes: &[u8]) {
    // A byte that is no UTF-8 becomes a sign of three bytes; nothing else grows.
    assert!(error_text(bytes).len() <= 3 * bytes.len());
}

fn decode_script(bytes: &[u8]) {
    check_result(bytes, script_result);
}

/// A result has its mark, however the output is cut.
fn check_result(bytes: &[u8], is_result: fn(&[u8], usize) -> bool) {
    let whole = is_result(bytes, bytes.len().max(1));
    for size in [1, 7] {
        assert_eq!(is_result(bytes, size), whole, "the pieces in which it comes make a difference");
    }
    if whole {
        let mark = b"AZUREMFA-REPLY:";
        assert!(bytes.windows(mark.len()).any(|window| window == mark), "a result without its mark");
    }
}

/// Whether it reads as a result when it comes in pieces of this size.
fn script_result(bytes: &[u8], size: usize) -> bool {
    let mut reader = ReplyReader::new("Get-HostFacts");
    bytes.chunks(size).for_each(|piece| drop(reader.feed(piece)));
    reader.finish(0, "").is_ok()
}

fn decode_worker(bytes: &[u8]) {
    check_result(bytes, worker_result);
    let begun = bytes.windows(BEGIN.len()).any(|window| window == BEGIN);
    let mut reader = ReplyReader::of_call("Get-HostFacts", 7);
    drop(reader.feed(bytes));
    assert!(!begun || reader.may_have_begun(), "what has begun would be made again");
    assert!(!worker_result(bytes, bytes.len().max(1)) || is_numbered(bytes), "the reply of another call");
}

const BEGIN: &[u8] = b"AZUREMFA-BEGIN:7";

fn is_numbered(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|window| window == b"\"call\":")
}

fn worker_result(bytes: &[u8], size: usize) -> bool {
    let mut reader = ReplyReader::of_call("Get-HostFacts", 7);
    bytes.chunks(size).for_each(|piece| drop(reader.feed(piece)));
    reader.finish(0, "").is_ok()
}

fn decode_challenge(bytes: &[u8]) {
    let _ = login_goes_on(bytes);
}

fn login_goes_on(challenge: &[u8]) -> bool {
    let password = Secret::new("password");
    let mut login = Ntlm::new("mfa01.contoso.com", "CONTOSO\\upgrade", &password, Some(b"binding")).expect("a login");
    login.step(None).expect("a first token");
    let answer = login.step(Some(challenge));
    // Whatever came, it must not be possible to go on with a context that has failed.
    let _ = login.unseal(&[0; 16], challenge);
    answer.is_ok()
}

fn decode_certificate(bytes: &[u8]) {
    assert!(tls_server_end_point(bytes).len() <= 128);
}

// === What they are fed with ===

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
});

/// Nobody is there.
fn anywhere(port: u16) -> Endpoint {
    Endpoint {
        limits: Limits::default(),
        host: "mfa01.contoso.com".to_owned(),
        port,
        transport: Transport::Http,
        path: "/wsman".to_owned(),
        proxy: None,
        authentication: Authentication::Basic { username: "u".to_owned(), password: Secret::new("p") },
        timeouts: Timeouts::new(Duration::from_secs(2), Duration::from_secs(2)),
    }
}

/// Signs with the sum of the bytes, so that changed bytes are found as real sealing finds them.
struct Summing;

impl SecurityContext for Summing {
    fn step(&mut self, _token: Option<&[u8]>) -> Result<Vec<u8>, Kind> {
        Ok(Vec::new())
    }

    fn is_complete(&self) -> bool {
        true
    }

    fn seal(&mut self, message: &mut Vec<u8>) -> Result<Vec<u8>, Kind> {
        Ok(sum(message))
    }

    fn unseal(&mut self, signature: &[u8], message: &[u8]) -> Result<Vec<u8>, Kind> {
        if signature == sum(message) { Ok(message.to_vec()) } else { Err(Kind::Malformed("a wrong sum")) }
    }
}

fn sum(message: &[u8]) -> Vec<u8> {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let sum = message.iter().fold(start, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    sum.to_le_bytes().to_vec()
}

const MESSAGES: [&str; 4] = [
    r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="r"><s:Header/><s:Body><rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="c">aGVsbG8=</rsp:Stream><rsp:CommandState CommandId="c" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><rsp:ExitCode>3</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse></s:Body></s:Envelope>"#,
    r#"<s:Envelope xmlns:s="s"><s:Body><x:ResourceCreated xmlns:x="x"><w:Selector xmlns:w="w" Name="ShellId">AB-1</w:Selector></x:ResourceCreated></s:Body></s:Envelope>"#,
    r#"<s:Envelope xmlns:s="s"><s:Body><CommandResponse xmlns="r"><CommandId>C-1</CommandId></CommandResponse></s:Body></s:Envelope>"#,
    r#"<s:Envelope xmlns:s="s"><s:Body><s:Fault><s:Code><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code><s:Reason><s:Text>late</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="f" Code="2150858793"><f:Message>words &#228; <f:ProviderFault/></f:Message></f:WSManFault></s:Detail></s:Fault></s:Body></s:Envelope>"#,
];

fn soap_replies() -> Vec<Vec<u8>> {
    MESSAGES.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// The shapes that Windows has for faults, headers and all.
fn faults() -> Vec<Vec<u8>> {
    let envelope = |detail: &str| {
        format!(
            r#"<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer" xmlns:e="http://schemas.xmlsoap.org/ws/2004/08/eventing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"><s:Header><a:Action>http://schemas.dmtf.org/wbem/wsman/1/wsman/fault</a:Action><a:MessageID>uuid:8A2B</a:MessageID><a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To><a:RelatesTo>uuid:4C1D</a:RelatesTo></s:Header><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">Quota used up. </s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault></s:Body></s:Envelope>"#
        )
    };
    let details = [
        r#"<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150859173" Machine="mfa01"><f:Message>Too many shells. </f:Message></f:WSManFault>"#,
        r#"<w:FaultDetail>http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors</w:FaultDetail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="995" Machine="mfa01"><f:Message><f:ProviderFault provider="Shell cmd plugin" path="%systemroot%\system32\winrscmd.dll">aborted </f:ProviderFault></f:Message></f:WSManFault>"#,
        r#"<p:MSFT_WmiError b:IsCIM_Error="true" xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/microsoft/windows/management/MSFT_WmiError"><p:CIMStatusCode>27</p:CIMStatusCode><p:Message>Too many operations. </p:Message><p:MessageID>HRESULT 0x803381a6</p:MessageID><p:error_Code>2150859174</p:error_Code></p:MSFT_WmiError>"#,
        r#"<p:MSFT_WmiError xmlns:p="p"><p:MessageID>HRESULT 0x80070005</p:MessageID><p:error_Code>0</p:error_Code></p:MSFT_WmiError>"#,
    ];
    details.map(|detail| envelope(detail).into_bytes()).into_iter().chain([MESSAGES[3].as_bytes().to_vec()]).collect()
}

/// A command that ended, with the forms that an exit code has.
fn ends() -> Vec<Vec<u8>> {
    ["3", " 3221225786\n", "-1"].map(|code| MESSAGES[0].replace(">3<", &format!(">{code}<")).into_bytes()).to_vec()
}

fn sealed_messages() -> Vec<Vec<u8>> {
    MESSAGES.map(|text| sealed::seal(&mut Summing, text.as_bytes()).expect("sealed")).to_vec()
}

fn http_answers() -> Vec<Vec<u8>> {
    let texts = [
        "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml;charset=UTF-8\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate TlRMTVNTUAACAAAA\r\nWWW-Authenticate: Basic realm=\"a\", Digest\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 500 no\r\n\r\nuntil the end",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn proxy_answers() -> Vec<Vec<u8>> {
    let texts = [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 OK\r\nVia: p\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\r\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn clixml() -> Vec<Vec<u8>> {
    let texts = [
        "#< CLIXML\r\n<Objs Version=\"1.1.0.1\" xmlns=\"p\"><S S=\"Error\">a_x000D__x000A_</S><S S=\"warning\">w</S></Objs>",
        "before\n#< CLIXML\n<Objs><Obj S=\"progress\"/><S S=\"Error\">_xD83D__xDE00_ \u{e4}</S></Objs>after",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn script_replies() -> Vec<Vec<u8>> {
    let texts = [
        "AZUREMFA-LOG:{\"level\":\"info\",\"message\":\"x\"}\r\nnoise\r\nAZUREMFA-REPLY:{\"ok\":true,\"script\":\"Get-HostFacts\",\"result\":{\"a\":[1]}}\r\n",
        "AZUREMFA-DATA:aGVsbG8=\r\nAZUREMFA-REPLY:{\"ok\":false,\"script\":\"Get-HostFacts\",\"error\":{\"kind\":\"busy\",\"message\":\"m\",\"line\":1}}\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn worker_lines() -> Vec<Vec<u8>> {
    let reply = "AZUREMFA-REPLY:{\"ok\":true,\"script\":\"Get-HostFacts\",\"result\":{\"a\":1},\"call\":7}\r\n";
    let texts = [
        reply.to_owned(),
        format!("AZUREMFA-BEGIN:7\r\n{reply}{reply}"),
        "AZUREMFA-BEGIN:7\r\nAZUREMFA-END:7\r\n".to_owned(),
    ];
    texts.map(String::into_bytes).to_vec()
}

/// Type 2 messages: a name, flags, a challenge, and the information about the target with a time.
pub fn challenges() -> Vec<Vec<u8>> {
    let information = b"\x02\x00\x04\x00C\0O\0\x07\x00\x08\x00\0\0\0\0\0\x60\xdb\x01\0\0\0\0";
    let length = u8::try_from(information.len()).expect("short");
    let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
    message.extend([4, 0, 4, 0, 56, 0, 0, 0, 0x35, 0x82, 0x8a, 0xe2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    message.extend([length, 0, length, 0, 60, 0, 0, 0, 10, 0, 0x63, 0x45, 0, 0, 0, 15]);
    message.extend(b"C\0O\0");
    message.extend(information);
    vec![message]
}

fn certificates() -> Vec<Vec<u8>> {
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate =
        rcgen::CertificateParams::new(vec!["a".to_owned()]).and_then(|parameters| parameters.self_signed(&key));
    vec![certificate.expect("a certificate").der().to_vec()]
}
