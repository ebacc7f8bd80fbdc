//! Slow, large, many and broken connections; and how the server ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod common;

use bytes::Bytes;
use common::{Ask, Heard, Shop, exchange, read_all};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const SHORT: Duration = Duration::from_millis(60);
const PATIENCE: Duration = Duration::from_secs(10);

fn reserve_head(length: &str) -> String {
    format!(
        "POST /v1/items/lamp/reservations HTTP/1.1\r\nHost: shop\r\nX-Customer-Id: ann\r\n\
         Idempotency-Key: {}\r\nContent-Type: application/json\r\n{length}\r\n\r\n",
        common::fresh_key()
    )
}

async fn available(shop: &Shop) -> Option<u64> {
    shop.read("ann", "/v1/items/lamp").await.body.get("available")?.as_u64()
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_head_is_let_go() {
    let shop = Shop::open_with(|config| config.timeouts.header_read = SHORT).await;
    for opening in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /livez HT",
        "GET /livez HTTP/1.1\r\nA: b\r\n",
    ] {
        let begun = Instant::now();
        let heard = timeout(PATIENCE, exchange(shop.public, opening.as_bytes())).await.expect("let go");
        assert!(begun.elapsed() >= SHORT, "not at once: {opening:?}");
        assert!(!heard.starts_with(b"HTTP/1.1 2"), "{opening:?}");
    }
    let mut idle = TcpStream::connect(shop.public).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n").await.unwrap();
    let heard = timeout(PATIENCE, read_all(&mut idle)).await.expect("an idle connection is let go too");
    assert!(heard.starts_with(b"HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_body_is_told_so_and_nothing_happened() {
    let shop = Shop::open_with(|config| config.timeouts.body_read = SHORT).await;
    shop.item("lamp", 3, json!({})).await;
    for (length, part) in [("Content-Length: 14", "{\"quant"), ("Transfer-Encoding: chunked", "7\r\n{\"quant\r\n")] {
        let request = format!("{}{part}", reserve_head(length));
        let heard = timeout(PATIENCE, exchange(shop.public, request.as_bytes())).await.expect("answered");
        let heard = Heard::parse(&heard).unwrap();
        assert_eq!((heard.problem().as_str(), heard.header("connection")), ("408 request_timeout", Some("close")));
        assert_eq!(heard.body.get("retry"), Some(&json!("same-key")));
    }
    assert_eq!(available(&shop).await, Some(3));
}

#[tokio::test]
async fn a_body_of_100_mb_is_refused_before_it_is_read_and_its_sender_hears_why() {
    let shop = Shop::open().await;
    shop.item("lamp", 3, json!({})).await;
    let announced = reserve_head("Content-Length: 104857600");
    let announced = timeout(PATIENCE, exchange(shop.public, announced.as_bytes())).await.expect("at once");
    assert_eq!(Heard::parse(&announced).unwrap().problem(), "413 content_too_large");
    let expecting = reserve_head("Content-Length: 104857600\r\nExpect: 100-continue");
    let expecting = timeout(PATIENCE, exchange(shop.public, expecting.as_bytes())).await.expect("at once");
    assert_eq!(Heard::parse(&expecting).unwrap().problem(), "413 content_too_large", "and no 100 Continue");

    // A client that sends all of it before it reads: it still finds the answer.
    for chunked in [false, true] {
        let mut stream = TcpStream::connect(shop.public).await.unwrap();
        let length = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 104857600" };
        stream.write_all(reserve_head(length).as_bytes()).await.unwrap();
        let megabyte = vec![b' '; 1 << 20];
        for _ in 0..100 {
            if chunked {
                stream.write_all(b"100000\r\n").await.unwrap();
            }
            stream.write_all(&megabyte).await.unwrap();
            if chunked {
                stream.write_all(b"\r\n").await.unwrap();
            }
        }
        let heard = timeout(PATIENCE, read_all(&mut stream)).await.expect("an end");
        let heard = Heard::parse(&heard).unwrap();
        assert_eq!((heard.problem().as_str(), heard.header("connection")), ("413 content_too_large", Some("close")));
    }
    assert_eq!(available(&shop).await, Some(3));
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_also_after_a_refusal() {
    let shop = Shop::open().await;
    shop.item("lamp", 3, json!({})).await;
    let mut stream = TcpStream::connect(shop.public).await.unwrap();
    for status in ["HTTP/1.1 404 ", "HTTP/1.1 401 ", "HTTP/1.1 200 "] {
        let path = if status.contains("404") { "/nowhere" } else { "/v1/items/lamp/reservations" };
        let request = if status.contains("200") {
            "GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n".to_owned()
        } else {
            format!("POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: 14\r\n\r\n{{\"quantity\":1}}")
        };
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut heard = [0; 4_096];
        let length = stream.read(&mut heard).await.unwrap();
        let heard = String::from_utf8_lossy(heard.get(..length).unwrap()).into_owned();
        assert!(heard.starts_with(status), "{heard}");
    }
}

#[tokio::test]
async fn http_2_gets_the_same_answers() {
    let shop = Shop::open().await;
    shop.item("lamp", 3, json!({})).await;
    let stream = TokioIo::new(TcpStream::connect(shop.public).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    for (method, path, body, status) in [
        ("GET", "/v1/items/lamp", 0, 200),
        ("HEAD", "/v1/items/lamp", 0, 200),
        ("GET", "/nowhere", 0, 404),
        ("POST", "/v1/items/lamp/reservations", 1_000_000, 413),
        ("GET", "/livez", 0, 200),
    ] {
        let request = http::Request::builder().method(method).uri(format!("http://shop{path}"));
        let request = request.header("x-customer-id", "ann").header("idempotency-key", common::fresh_key());
        let request = request.body(Full::new(Bytes::from(vec![b' '; body]))).unwrap();
        let response = timeout(PATIENCE, client.send_request(request)).await.expect("answered").unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        let length = response.into_body().collect().await.unwrap().to_bytes().len();
        assert_eq!(length == 0, method == "HEAD", "{method} {path}");
    }
}

#[tokio::test]
async fn connections_over_the_limit_wait_until_one_closes() {
    let shop = Shop::open_with(|config| config.connections.public = 2).await;
    let first = TcpStream::connect(shop.public).await.unwrap();
    let mut second = TcpStream::connect(shop.public).await.unwrap();
    // The second is surely accepted once it is answered.
    second.write_all(b"GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n").await.unwrap();
    let mut heard = [0; 1_024];
    assert!(second.read(&mut heard).await.unwrap() > 0);
    let mut third = TcpStream::connect(shop.public).await.unwrap();
    third.write_all(b"GET /livez HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(timeout(SHORT, third.readable()).await.is_err(), "it waits");
    drop(first);
    let heard = timeout(PATIENCE, read_all(&mut third)).await.expect("its turn has come");
    assert!(heard.starts_with(b"HTTP/1.1 200 "));
}

#[tokio::test]
async fn garbage_gets_no_answer_worth_having_and_harms_nobody() {
    let shop = Shop::open().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/orders HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n",
    ] {
        let mut stream = TcpStream::connect(shop.public).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let heard = timeout(PATIENCE, read_all(&mut stream)).await.expect("an end");
        assert!(!heard.starts_with(b"HTTP/1.1 2"), "{garbage:?}");
    }
    assert_eq!(shop.ask(Ask::new("GET", "/livez")).await.status, 200);
}

/// Somebody who holds a lamp and waits for a change of that. Also the server's time by when they have begun to.
async fn waits(shop: &Shop) -> (TcpStream, String) {
    shop.item("lamp", 1, json!({})).await;
    let (held, id) = shop.reserve("ann", "lamp").await;
    let mut waiting = TcpStream::connect(shop.public).await.unwrap();
    let request = Ask::new("GET", &format!("/v1/reservations/{id}")).customer("ann").header("Prefer", "wait=30");
    waiting.write_all(&request.bytes()).await.unwrap();
    assert!(timeout(SHORT, waiting.readable()).await.is_err(), "nothing has changed yet");
    let later = shop.later_than(&held.text("server_time")).await;
    (waiting, later)
}

#[tokio::test]
async fn stopping_answers_those_who_wait_refuses_newcomers_and_ends_clean() {
    let mut shop = Shop::open().await;
    let _idle = TcpStream::connect(shop.public).await.unwrap();
    let (mut waiting, stopped_at) = waits(&shop).await;
    shop.stop();
    let heard = timeout(PATIENCE, read_all(&mut waiting)).await.expect("answered at once");
    let heard = Heard::parse(&heard).unwrap();
    assert_eq!(heard.text("state"), "held");
    assert!(heard.text("server_time") >= stopped_at, "as of its answer, not of its question");
    let at = shop.public;
    assert_eq!(timeout(PATIENCE, shop.stopped()).await.expect("an end").cut_off, 0);
    assert!(TcpStream::connect(at).await.is_err());
}

#[tokio::test]
async fn whoever_waits_when_the_engine_stops_too_is_told_what_was_known_as_of_now() {
    let mut shop = Shop::open().await;
    let (mut waiting, stopped_at) = waits(&shop).await;
    shop.engine.drain();
    shop.stop();
    let heard = timeout(PATIENCE, read_all(&mut waiting)).await.expect("answered at once");
    let heard = Heard::parse(&heard).unwrap();
    assert_eq!((heard.status, heard.text("state")), (200, "held".to_owned()));
    assert!(heard.text("server_time") >= stopped_at, "as of its answer, not of its question");
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_at_the_drain_timeout() {
    let shop = Shop::open_with(|config| config.timeouts.drain = SHORT).await;
    let mut stuck = TcpStream::connect(shop.public).await.unwrap();
    shop.item("lamp", 1, json!({})).await;
    stuck.write_all(reserve_head("Content-Length: 14").as_bytes()).await.unwrap();
    assert!(timeout(SHORT, stuck.readable()).await.is_err(), "its body is awaited");
    assert_eq!(timeout(PATIENCE, shop.stopped()).await.expect("an end").cut_off, 1);
}
