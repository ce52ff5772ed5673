//! A made-up model service, the proxy before it, and requests to both.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use crate::common::Home;

/// Answers every request with the same document, once its gate is open.
pub struct Service {
    pub address: SocketAddr,
    /// Requests that have come.
    pub requests: Arc<AtomicUsize>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

/// Tokens of every answer: 60 of input and 40 of output.
const CHAT: &str = r#"{"object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":60,"completion_tokens":40,"total_tokens":100}"#;
const MESSAGE: &str = r#"{"type":"message","role":"assistant","model":"claude-opus-5","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":60,"output_tokens":40}"#;

impl Service {
    pub fn start(is_open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new((Mutex::new(is_open), Condvar::new()));
        let (counted, waited) = (Arc::clone(&requests), Arc::clone(&gate));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (counted, waited) = (Arc::clone(&counted), Arc::clone(&waited));
                std::thread::spawn(move || serve(&stream, &counted, &waited));
            }
        });
        Self { address, requests, gate }
    }

    /// Lets every request be answered.
    pub fn open(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }

    pub fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: &TcpStream, counted: &AtomicUsize, gate: &(Mutex<bool>, Condvar)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some((path, headers, request)) = read(&mut reader) {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        drop(gate.1.wait_while(gate.0.lock().unwrap(), |is_open| !*is_open).unwrap());
        let (body, id) = if path.contains("/messages") { (MESSAGE, "msg_") } else { (CHAT, "chatcmpl-0123456789") };
        let body = format!("{body},\"id\":\"{id}{number:06}\"}}");
        let request = serde_json::from_slice::<Value>(&request).unwrap_or_default();
        let is_stream = request["stream"] == true;
        // Names such as `fast` are aliases; others are the names of models.
        let asked = request["model"].as_str().filter(|model| model.starts_with("gpt-4o-") || *model == "o3");
        let body = asked.map_or(body.clone(), |model| body.replace("gpt-4o", model));
        let (body, kind) = if is_stream { (events(&body), "text/event-stream") } else { (body, "application/json") };
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
        match headers.iter().find(|(name, _)| name == "x-fault").map_or("", |(_, fault)| fault) {
            "reset" => {
                let _ = stream.write_all(format!("{head}{}", &body[..60]).as_bytes());
                return;
            }
            "slow" => std::thread::sleep(std::time::Duration::from_millis(3)),
            _ => {}
        }
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

/// An answer of Anthropic's API as the events of a stream.
fn events(answer: &str) -> String {
    let mut message: Value = serde_json::from_str(answer).unwrap();
    (message["content"], message["stop_reason"]) = (Value::Array(Vec::new()), Value::Null);
    let all = [
        serde_json::json!({"type": "message_start", "message": message}),
        serde_json::json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        serde_json::json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}}),
        serde_json::json!({"type": "content_block_stop", "index": 0}),
        serde_json::json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}}),
        serde_json::json!({"type": "message_stop"}),
    ];
    let text = all.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    text.collect::<Vec<_>>().concat()
}

type Headers = Vec<(String, String)>;

/// The first line, the headers and the body of a message.
fn read(reader: &mut impl BufRead) -> Option<(String, Headers, Vec<u8>)> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0).map(|_| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        return Some((first, headers, chunks(reader)?));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some((first, headers, body))
}

/// A body in chunks; `None` if it does not come to its end.
fn chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(&chunk[..size]);
    }
}

/// `tokmeter proxy`, killed when dropped.
pub struct Proxy {
    child: Child,
    said: Arc<Mutex<String>>,
    pub address: SocketAddr,
}

impl Proxy {
    pub fn start(home: &Home, upstream: SocketAddr) -> Self {
        let upstream = format!("http://{upstream}");
        let mut child = home.spawn(&["proxy", "--listen", "127.0.0.1:0", "--upstream", &upstream]);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "the proxy ended: {said}");
            if let Some((_, address)) = line.trim().split_once("forwarding on http://") {
                break address.parse().unwrap();
            }
            said.push_str(&line);
        };
        // Nothing may wait for a full pipe.
        let all = Arc::<Mutex<String>>::default();
        let said = Arc::clone(&all);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                all.lock().unwrap().extend([&*line, "\n"]);
            }
        });
        Self { child, said, address }
    }

    /// Ends it as a supervisor does: everything is booked then.
    pub fn end(mut self) {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    /// What it has said since it started to forward, once it has said this.
    pub fn said(&self, what: &str) -> String {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !self.said.lock().unwrap().contains(what) && std::time::Instant::now() < end {
            std::thread::yield_now();
        }
        self.said.lock().unwrap().clone()
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Makes a call of a user with this path and these headers; its status, headers and body.
    pub fn call(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        // Twenty letters are five tokens: with the bound, a hundred are held.
        let body =
            r#"{"model":"gpt-4o","max_tokens":95,"messages":[{"role":"user","content":"20 letters of prompt"}]}"#;
        self.send("POST", path, headers, body)
    }

    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &(impl AsRef<[u8]> + ?Sized),
    ) -> Answer {
        let body = body.as_ref();
        let mut stream = TcpStream::connect(self.address).unwrap();
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        let (length, host) = (body.len(), self.address);
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n{headers}\r\n");
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let (first, headers, body) = read(&mut BufReader::new(stream)).expect("an answer");
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer of the proxy.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Headers,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value)
    }
}
