//! A small HTTP client that sends exactly what a test wants, and the running server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::Duration;

use serde_json::Value;

use crate::common::Home;

/// `tokmeter serve`, ended when dropped.
pub struct Served {
    child: Child,
    pub client: Client,
}

impl Served {
    pub fn start(home: &Home) -> Self {
        Self::with(home, &["--listen", "127.0.0.1:0"])
    }

    pub fn with(home: &Home, args: &[&str]) -> Self {
        Self::from_child(home.spawn(&[&["serve"], args].concat()))
    }

    /// Waits until it is ready.
    pub fn from_child(mut child: Child) -> Self {
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let line = line_with(&mut said, "listening on http://").expect("the server says where it listens");
        let address = line.trim().rsplit("http://").next().unwrap().replace("0.0.0.0", "127.0.0.1");
        // Nothing may wait for a full pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let client = Client { address: address.parse().unwrap() };
        // The first reading ends at once in an empty home; until then numbers may be too small.
        while client.get("/readyz").status != 200 {
            std::thread::yield_now();
        }
        Self { child, client }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end; its exit code.
    #[cfg(unix)]
    pub fn terminate(&mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines until one has this in it.
pub fn line_with(reader: &mut impl BufRead, wanted: &str) -> Option<String> {
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 {
        if line.contains(wanted) {
            return Some(line);
        }
        line.clear();
    }
    None
}

/// An answer of the server.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Sends each request on a connection of its own.
pub struct Client {
    pub address: SocketAddr,
}

impl Client {
    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(&self.head("GET", path, headers), &[])
    }

    pub fn only_head(&self, path: &str) -> Answer {
        self.send(&self.head("HEAD", path, &[]), &[])
    }

    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let head = format!("{}content-length: {}\r\n", self.head("POST", path, headers), body.len());
        self.send(&head, body)
    }

    /// As [`Client::post`]; `None` when the server is gone.
    pub fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
        let head = format!("{}content-length: {}\r\n", self.head("POST", path, headers), body.len());
        TcpStream::connect(self.address).ok().and_then(|stream| Self::exchange(stream, &head, body))
    }

    /// Sends the body in chunks of a few bytes, without its length.
    pub fn post_chunked(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let head = format!("{}transfer-encoding: chunked\r\n", self.head("POST", path, headers));
        let mut chunked = Vec::new();
        for piece in body.chunks(37) {
            write!(chunked, "{:x}\r\n", piece.len()).unwrap();
            chunked.extend_from_slice(piece);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        self.send(&head, &chunked)
    }

    /// The events from now on: id and summary.
    pub fn events(&self, last_id: &str) -> impl Iterator<Item = (String, Value)> + use<> {
        let mut stream = self.connect();
        let id = [("last-event-id", last_id)];
        let head = self.head("GET", "/api/v1/events", if last_id.is_empty() { &[] } else { &id });
        write!(stream, "{head}\r\n").unwrap();
        let mut id = String::new();
        let began = std::time::Instant::now();
        BufReader::new(stream).lines().map_while(Result::ok).filter_map(move |line| {
            assert!(began.elapsed() < Duration::from_secs(60), "no such event");
            if let Some(found) = line.strip_prefix("id: ") {
                found.clone_into(&mut id);
            }
            let data = line.strip_prefix("data: ")?;
            Some((id.clone(), serde_json::from_str(data).unwrap()))
        })
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        use std::fmt::Write as _;
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            let _ = write!(head, "host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head
    }

    fn send(&self, head: &str, body: &[u8]) -> Answer {
        Self::exchange(self.connect(), head, body).expect("an answer")
    }

    fn exchange(mut stream: TcpStream, head: &str, body: &[u8]) -> Option<Answer> {
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        write!(stream, "{head}\r\n").ok()?;
        // A server may refuse a body before it has read all of it.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut chunk) {
            bytes.extend_from_slice(&chunk[..count]);
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut body = bytes[end + 4..].to_vec();
        if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
            body = unchunked(&body);
        }
        Some(Answer { status, headers, body })
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap().trim(), 16).unwrap();
        if length == 0 {
            break;
        }
        out.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + 4 + length..];
    }
    out
}

/// One gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
