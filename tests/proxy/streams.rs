//! Many streams at once, and what each takes.

#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::common::Home;
use crate::dialects::{Api, Usage};
use crate::mock::{Mock, Reply, Step};
use crate::running::Running;

/// Streams at once: with their connections in this process, fewer than a usual bound of files allows.
const STREAMS: u64 = 300;
/// Most bytes of memory for one stream, in a build without optimisation. In a release a thousand take about 40 MB.
const MOST: u64 = 64 * 1024;

fn memory(proxy: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// Opens a stream and reads its first event.
fn open(proxy: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let body = Api::Chat.request(true);
    let path = Api::Chat.path();
    write!(stream, "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(&body).unwrap();
    let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("data: ") {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0);
        seen.extend_from_slice(&chunk[..count]);
    }
    stream
}

#[test]
fn an_open_stream_takes_little_memory() {
    let home = Home::new();
    let mock = Mock::start(|_, number| {
        let mut steps = Api::Chat.begin(number, Usage::Given);
        steps.push(Step::Pause(Duration::from_secs(600)));
        Reply::stream(steps)
    });
    let proxy = Running::start(&home, mock.address);
    // Whatever is set up once.
    let first: Vec<TcpStream> = (0..20).map(|_| open(&proxy)).collect();
    let before = memory(&proxy);
    let streams: Vec<TcpStream> = (0..STREAMS).map(|_| open(&proxy)).collect();
    let each = memory(&proxy).saturating_sub(before) / STREAMS;
    assert!(each < MOST, "{each} bytes a stream");
    drop((first, streams));
}
