//! The running proxy, a client that sends and leaves as a test wants, and what the books say afterwards.

use std::fmt::Write as _;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::common::Home;

/// `tokmeter proxy`, killed when dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    said: Arc<Mutex<Vec<u8>>>,
    listening: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub fn start(home: &Home, upstream: SocketAddr) -> Self {
        Self::with(home, &["--upstream", &format!("http://{upstream}")])
    }

    pub fn with(home: &Home, args: &[&str]) -> Self {
        let mut child = home.spawn(&[&["proxy", "--listen", "127.0.0.1:0"], args].concat());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let line = crate::line_with(&mut stderr, "forwarding on http://").expect("the proxy says where it listens");
        let address = line.trim().rsplit("http://").next().unwrap().parse().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&said);
        // Nothing may wait for a full pipe.
        let listening = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                into.lock().unwrap().extend_from_slice(&chunk[..count]);
            }
        });
        Self { child, address, said, listening: Some(listening) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and waits; what it said.
    pub fn end(mut self) -> String {
        #[cfg(unix)]
        {
            let pid = rustix::process::Pid::from_child(&self.child);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            assert_eq!(self.child.wait().unwrap().code(), Some(0));
        }
        #[cfg(not(unix))]
        self.kill();
        self.listening.take().unwrap().join().unwrap();
        String::from_utf8(self.said.lock().unwrap().clone()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The calls in the books.
pub fn booked(home: &Home) -> Vec<Value> {
    let out = home.tokmeter().args(["report", "call", "--json"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    report["rows"].as_array().unwrap().clone()
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The body came to its end.
    pub is_whole: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// Sends a request and waits for its answer.
pub fn post(proxy: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    read(sent(proxy, path, headers, body), 64 * 1024, Duration::ZERO)
}

/// Sends a request.
pub fn sent(proxy: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(proxy).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut text = format!("POST {path} HTTP/1.1\r\nhost: {proxy}\r\nconnection: close\r\n");
    for (name, value) in headers.iter().chain(&[("content-type", "application/json")]) {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let _ = write!(text, "content-length: {}\r\n\r\n", body.len());
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    stream
}

/// Reads until the text was seen, and leaves.
pub fn leave_after(mut stream: TcpStream, text: &str) {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains(text) {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "{text} never came: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..count]);
    }
}

/// Reads an answer in steps of so many bytes, with a pause before each.
pub fn read(mut stream: TcpStream, step: usize, pause: Duration) -> Answer {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; step];
    loop {
        std::thread::sleep(pause);
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => bytes.extend_from_slice(&chunk[..count]),
            Ok(0) | Err(_) => break,
        }
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    let find = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let (body, is_whole) = if find("transfer-encoding") == Some("chunked") {
        unchunked(rest)
    } else {
        let length = find("content-length").and_then(|length| length.parse().ok());
        (rest.to_vec(), length.is_none_or(|length: usize| length == rest.len()))
    };
    Answer { status, headers, body, is_whole }
}

fn unchunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap().trim(), 16).unwrap();
        if length == 0 {
            return (out, true);
        }
        let Some(data) = bytes.get(end + 2..end + 2 + length) else { break };
        out.extend_from_slice(data);
        let Some(rest) = bytes.get(end + 4 + length..) else { break };
        bytes = rest;
    }
    (out, false)
}
