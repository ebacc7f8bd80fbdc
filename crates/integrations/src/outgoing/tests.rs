//! What a receiver sees of a message, what its answers mean, and where messages are never sent. Receivers run on
//! loopback; no other network is touched.

use super::*;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode as Answer};
use axum::response::Redirect;
use axum::routing::{any, post};
use domain::time::Timestamp;
use engine::ports::EndpointSecret;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};

const BODY: &str = r#"{"type":"order.paid","data":{"name":"Ä"}}"#;

type Seen = Arc<Mutex<Vec<(Method, HeaderMap, String)>>>;

async fn record(State(seen): State<Seen>, method: Method, headers: HeaderMap, body: String) {
    seen.lock().expect("no panic elsewhere").push((method, headers, body));
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A receiver that waits for a request, answers with these bytes, and then keeps or closes the connection.
async fn answer(bytes: &'static [u8], keep: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut kept: Vec<TcpStream> = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            let request = stream.async_io(Interest::READABLE, || stream.try_read(&mut [0; 4_096])).await;
            assert_ne!(request.expect("a connection"), 0, "a request");
            let answered = stream.async_io(Interest::WRITABLE, || stream.try_write(bytes)).await;
            assert_eq!(answered.expect("a connection"), bytes.len(), "few bytes fit at once");
            if keep {
                kept.push(stream);
            }
        }
    });
    address
}

fn sender(allow_private: bool) -> WebhookSender {
    WebhookSender::new(SenderConfig { allow_private }).expect("a sender")
}

fn delivery(url: impl Into<String>) -> Delivery {
    Delivery {
        url: url.into(),
        secrets: vec![EndpointSecret(vec![2; 32]), EndpointSecret(vec![1; 32])],
        id: "evt_1".to_owned(),
        at: Timestamp::from_millis(1_614_265_330_999),
        body: BODY.to_owned(),
    }
}

fn words(delivered: Delivered) -> String {
    match delivered {
        Delivered::Failed(words) => words,
        other @ (Delivered::Taken | Delivered::Gone | Delivered::Forbidden(_)) => panic!("not a failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_receiver_sees_a_message_as_standard_webhooks_has_it() {
    let seen = Seen::default();
    let address = serve(Router::new().route("/hooks", any(record)).with_state(Arc::clone(&seen))).await;
    let message = delivery(format!("http://{address}/hooks?shop=1"));
    assert_eq!(sender(true).deliver(&message).await, Delivered::Taken);
    let seen = seen.lock().expect("no panic elsewhere");
    let [(method, headers, body)] = seen.as_slice() else { panic!("one request: {seen:?}") };
    assert_eq!((method, body.as_str()), (&Method::POST, BODY));
    let signature = sign(&message.secrets, "evt_1", 1_614_265_330, BODY.as_bytes());
    assert_eq!(signature.split(' ').count(), 2, "both secrets sign");
    for (name, value) in [
        ("webhook-id", "evt_1"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", signature.as_str()),
        ("content-type", "application/json"),
        ("user-agent", concat!("holdfast/", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(headers.get(name).map(|value| value.as_bytes()), Some(value.as_bytes()), "{name}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_apart_from_one_that_fails() {
    let sender = sender(true);
    for status in [200, 201, 202, 204, 299, 304, 400, 401, 404, 408, 410, 429, 500, 503] {
        let answer = Answer::from_u16(status).expect("a status");
        let address = serve(Router::new().route("/", post(move || async move { answer }))).await;
        let delivered = sender.deliver(&delivery(format!("http://{address}/"))).await;
        match status {
            200..=299 => assert_eq!(delivered, Delivered::Taken, "{status}"),
            410 => assert_eq!(delivered, Delivered::Gone),
            _ => assert!(words(delivered).contains(&status.to_string()), "{status}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_nobody_goes_there() {
    let seen = Seen::default();
    let router = Router::new()
        .route("/moved", post(|| async { Redirect::permanent("/new") }))
        .route("/new", any(record))
        .with_state(Arc::clone(&seen));
    let address = serve(router).await;
    let words = words(sender(true).deliver(&delivery(format!("http://{address}/moved"))).await);
    assert!(words.contains("308") && words.contains("not followed"), "{words}");
    assert!(seen.lock().expect("no panic elsewhere").is_empty());
}

#[tokio::test]
async fn a_receiver_that_hangs_up_or_talks_nonsense_fails() {
    for bytes in [b"".as_slice(), b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200"] {
        let address = answer(bytes, false).await;
        let words = words(sender(true).deliver(&delivery(format!("http://{address}/?token=t0k3n"))).await);
        assert!(words.contains("could not be reached") && !words.contains("t0k3n"), "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_answers_fails_in_time() {
    let address = answer(b"", true).await;
    let begun = tokio::time::Instant::now();
    let words = words(sender(true).deliver(&delivery(format!("http://{address}/"))).await);
    assert!(words.contains("too long"), "{words}");
    // The clock is paused: it jumps to the next deadline whenever nobody has anything to do.
    assert!(begun.elapsed() <= ATTEMPT_TIMEOUT + Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_counts_before_its_body_ends() {
    let address = answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\nand so on", true).await;
    assert_eq!(sender(true).deliver(&delivery(format!("http://{address}/"))).await, Delivered::Taken);
}

#[tokio::test]
async fn private_addresses_are_forbidden_however_they_are_written() {
    let sender = sender(false);
    // The last two are names: it is what they are looked up as that is forbidden.
    for host in ["127.0.0.1", "2130706433", "10.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST"] {
        let delivered = sender.deliver(&delivery(format!("https://{host}:9/"))).await;
        let Delivered::Forbidden(words) = delivered else { panic!("{host}: {delivered:?}") };
        assert!(words.contains("public Internet"), "{host}: {words}");
    }
}

#[tokio::test]
async fn what_is_no_address_and_what_cannot_be_signed_is_forbidden() {
    for (allow_private, url) in [(true, "nonsense"), (true, "ftp://127.0.0.1/"), (false, "http://localhost:9/")] {
        let delivered = sender(allow_private).deliver(&delivery(url)).await;
        assert!(matches!(delivered, Delivered::Forbidden(_)), "{url}: {delivered:?}");
    }
    let unsigned = Delivery { secrets: Vec::new(), ..delivery("http://127.0.0.1:9/") };
    let delivered = sender(true).deliver(&unsigned).await;
    assert!(matches!(delivered, Delivered::Forbidden(_)), "{delivered:?}");
}
