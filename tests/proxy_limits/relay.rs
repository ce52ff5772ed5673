//! Passes bytes on to the proxy, and counts the calls in them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub struct Relay {
    pub address: SocketAddr,
    /// Every byte that clients sent.
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Relay {
    pub fn start(proxy: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&sent);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (upstream, into) = (TcpStream::connect(proxy).unwrap(), Arc::clone(&into));
                let (mut back, mut to) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut back, &mut to));
                std::thread::spawn(move || pass(client, upstream, &into));
            }
        });
        Self { address, sent }
    }

    /// Calls that clients made.
    pub fn calls(&self) -> usize {
        let sent = self.sent.lock().unwrap();
        let text = String::from_utf8_lossy(&sent);
        let paths = text.split("POST /v1/").skip(1).filter_map(|rest| rest.split([' ', '?']).next());
        paths.filter(|path| ["messages", "chat/completions", "responses"].contains(path)).count()
    }
}

fn pass(mut client: TcpStream, mut upstream: TcpStream, into: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 8192];
    while let Ok(count @ 1..) = client.read(&mut chunk) {
        into.lock().unwrap().extend_from_slice(&chunk[..count]);
        if upstream.write_all(&chunk[..count]).is_err() {
            return;
        }
    }
    let _ = upstream.shutdown(std::net::Shutdown::Write);
}
