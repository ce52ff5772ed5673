//! A mail server for tests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use crate::config::{Email, Tls};

/// A mail server that does not know `nobody`, and accepts `later` from the second mail on. Returns its address as the
/// config has it, and the commands of each mail that it took.
pub(super) fn hesitant_server() -> (Email, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, taken) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let stream = stream.unwrap();
            let (mut lines, mut commands, mut answer) = (BufReader::new(&stream).lines(), Vec::new(), "220 test");
            loop {
                (&stream).write_all(format!("{answer}\r\n").as_bytes()).unwrap();
                let Some(Ok(line)) = lines.next() else { break };
                answer = match line.split(' ').next().unwrap() {
                    "RCPT" if line.contains("<nobody@") => "550 5.1.1 no such user",
                    "RCPT" if line.contains("<later@") && number == 0 => "451 4.7.1 come back later",
                    "DATA" => {
                        (&stream).write_all(b"354 go on\r\n").unwrap();
                        while lines.next().unwrap().unwrap() != "." {}
                        tell.send(commands.clone()).unwrap();
                        "250 taken"
                    }
                    "QUIT" => break,
                    _ => "250 fine",
                };
                commands.push(line);
            }
        }
    });
    let email = Email {
        server: "127.0.0.1".to_owned(),
        port,
        tls: Tls::None,
        ca_file: None,
        from: "tok@example.org".to_owned(),
        to: ["nobody@example.org", "Later <later@example.org>", "alice@example.org"].map(str::to_owned).to_vec(),
        user: None,
        password: None,
    };
    (email, taken)
}

/// The recipients whom these commands name.
pub(super) fn recipients(commands: &[String]) -> Vec<&str> {
    commands.iter().filter_map(|command| command.strip_prefix("RCPT TO:<")?.split('@').next()).collect()
}
