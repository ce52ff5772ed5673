//! Bodies whose length is not announced.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::channel;

use crate::CHAT;
use crate::common::Home;
use crate::service::{Proxy, Service};

/// A piece of a chunked body.
fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

#[test]
fn as_much_is_held_for_a_body_without_a_length_as_for_one_with_it() {
    let home = Home::new();
    home.config("[limits]\nday = { tokens = 90_000 }\n");
    let service = Service::start(false);
    let proxy = Proxy::start(&home, service.address);
    // A hundred thousand tokens each: one that is under way fills it.
    let body = format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(400_000));
    let (begin, rest) = body.split_at(100);
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut clients: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(proxy.address).unwrap()).collect();
    for client in &mut clients {
        client.write_all((head.clone() + &chunk(begin)).as_bytes()).unwrap();
    }
    let (tell, statuses) = channel();
    for mut client in clients {
        let (rest, tell) = (chunk(rest) + "0\r\n\r\n", tell.clone());
        std::thread::spawn(move || {
            client.write_all(rest.as_bytes()).unwrap();
            let mut line = String::new();
            BufReader::new(client).read_line(&mut line).unwrap();
            tell.send(line[9..12].to_owned()).unwrap();
        });
    }
    let next = || statuses.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    assert_eq!([next(), next()], ["429", "429"]);
    service.open();
    assert_eq!((next().as_str(), service.count()), ("200", 1));
}
