//! Listeners: Server-Sent Events and web sockets give the same events, and alerts at once.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

use crate::client::{Client, Served};
use crate::common::{self, Home, now};

/// A WebSocket to this path.
fn socket(client: &Client, path: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(client.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!("ws://{}{path}", client.address).into_client_request().unwrap();
    tungstenite::client(request, stream).unwrap().0
}

/// The next event: its name, its id and its data.
fn event(socket: &mut WebSocket<TcpStream>) -> (String, String, Value) {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            let event: Value = serde_json::from_str(&text).unwrap();
            let name = |key: &str| event[key].as_str().unwrap().to_owned();
            return (name("event"), name("id"), event["data"].clone());
        }
    }
}

fn book(client: &Client, id: &str, input: u64) {
    let line = common::native(id, &now(), "claude-opus-5", input, 1);
    let marked = client.post("/api/v1/calls", &[], format!("\u{feff}{line}").as_bytes());
    assert!(marked.status == 200 && marked.text().contains("\"ok\":true"), "{}", marked.text());
}

#[test]
fn a_websocket_gives_what_the_event_stream_gives_and_resumes() {
    let home = Home::new();
    let served = Served::start(&home);
    let mut socket = socket(&served.client, "/api/v1/ws");
    let (name, _, summary) = event(&mut socket);
    assert_eq!((name.as_str(), &summary["today"]["calls"]), ("summary", &0.into()));
    book(&served.client, "a", 7);
    let (_, id, summary) =
        std::iter::repeat_with(|| event(&mut socket)).find(|(_, _, summary)| summary["today"]["calls"] == 1).unwrap();
    assert_eq!(served.client.events("").next().unwrap().1["today"], summary["today"]);
    let mut resumed = self::socket(&served.client, &format!("/api/v1/ws?last_event_id={id}"));
    book(&served.client, "b", 7);
    let (_, next, _) = event(&mut resumed);
    assert_ne!(next, id, "the client has this one");
}

#[test]
fn an_alert_is_heard_at_once_over_both() {
    let home = Home::new();
    home.config("[limits]\nday = { tokens = 1000 }\n[alerts]\nnotify = \"off\"\n");
    let served = Served::start(&home);
    let mut socket = socket(&served.client, "/api/v1/ws");
    event(&mut socket);
    let mut events = served.client.events("");
    events.next().unwrap();
    book(&served.client, "a", 899);
    let alert = |threshold: u64| move |data: &Value| data["threshold"] == threshold;
    let (id, near) = events.find(|(_, data)| alert(80)(data)).unwrap();
    assert_eq!(near["limit"]["limit"], "day");
    assert!(near["title"].as_str().unwrap().starts_with("90% of daily limit used"), "{near}");
    let heard = std::iter::repeat_with(|| event(&mut socket)).find(|(name, _, _)| name == "alert").unwrap();
    assert_eq!(heard.2, near);
    book(&served.client, "b", 200);
    assert!(events.any(|(_, data)| alert(100)(&data)));
    // A client that was away gets the alerts raised meanwhile, once.
    let missed = served.client.events(&id).find(|(_, data)| data["threshold"].is_u64()).unwrap();
    assert!(alert(100)(&missed.1), "{missed:?}");
}

#[cfg(unix)]
#[test]
fn an_alert_that_an_earlier_run_delivered_is_no_event_again() {
    let home = Home::new();
    home.config("[limits]\nday = { tokens = 1000 }\nweek = { tokens = 5000 }\n[alerts]\nnotify = \"off\"\n");
    let mut served = Served::start(&home);
    let mut events = served.client.events("");
    events.next().unwrap();
    book(&served.client, "a", 1_200);
    events.find(|(_, data)| data["threshold"] == 100).unwrap();
    assert_eq!(served.terminate(), Some(0));
    let served = Served::start(&home);
    let mut events = served.client.events("");
    book(&served.client, "b", 4_000);
    let (id, alert) = events.find(|(_, data)| data["threshold"].is_u64()).unwrap();
    assert_eq!(alert["limit"]["limit"], "week");
    // The last number counts the alerts of the run.
    assert!(id.ends_with("-1"), "{id}");
}

#[cfg(unix)]
#[test]
fn open_streams_do_not_hold_up_the_end() {
    let home = Home::new();
    let mut served = Served::start(&home);
    let mut socket = socket(&served.client, "/api/v1/ws");
    event(&mut socket);
    let mut events = served.client.events("");
    events.next().unwrap();
    let began = std::time::Instant::now();
    assert_eq!(served.terminate(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(events.next().is_none_or(|(_, data)| data["today"]["calls"] == 0));
    let last =
        std::iter::repeat_with(|| socket.read()).find(|read| !matches!(read, Ok(Message::Text(_) | Message::Ping(_))));
    assert!(matches!(last, Some(Ok(Message::Close(_)) | Err(_))), "{last:?}");
}

#[test]
fn a_websocket_is_closed_with_a_frame_when_the_client_closes_it_or_breaks_the_rules() {
    let home = Home::new();
    let served = Served::start(&home);
    let last = |socket: &mut WebSocket<TcpStream>| {
        std::iter::repeat_with(|| socket.read()).find(|read| !matches!(read, Ok(Message::Text(_) | Message::Ping(_))))
    };
    let mut polite = socket(&served.client, "/api/v1/ws");
    event(&mut polite);
    polite.close(None).unwrap();
    assert!(matches!(last(&mut polite), Some(Ok(Message::Close(_)))));
    let mut rude = socket(&served.client, "/api/v1/ws");
    event(&mut rude);
    // A frame with an opcode that does not exist.
    std::io::Write::write_all(rude.get_mut(), &[0x83, 0x80, 0, 0, 0, 0]).unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = last(&mut rude) else { panic!("no frame says why") };
    assert_eq!(u16::from(frame.code), 1002);
}

#[test]
fn a_websocket_of_a_page_of_another_origin_or_without_the_handshake_is_refused() {
    let home = Home::new();
    let served = Served::start(&home);
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("origin", "http://evil.example"),
    ];
    assert_eq!(served.client.get_with("/api/v1/ws", &upgrade).status, 403);
    let plain = served.client.get("/api/v1/ws");
    assert_eq!(plain.json()["ok"], false);
    assert!((400..500).contains(&plain.status), "{}", plain.status);
}
