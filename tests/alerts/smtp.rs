//! A mail server on this machine, for one test: takes what it is told, and refuses what it is asked to refuse.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

/// A mail as it came.
#[derive(Debug)]
pub struct Mail {
    /// The commands before the text.
    pub commands: Vec<String>,
    pub text: String,
}

/// A running server.
pub struct Server {
    pub port: u16,
    mails: mpsc::Receiver<Mail>,
}

impl Server {
    /// Starts one that answers the text of a mail with this line.
    pub fn start(verdict: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, mails) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let tell = tell.clone();
                // A client that leaves early has sent no mail.
                std::thread::spawn(move || serve(&stream.unwrap(), verdict).map(|mail| tell.send(mail)));
            }
        });
        Self { port, mails }
    }

    /// The next mail.
    pub fn mail(&self) -> Mail {
        self.mails.recv_timeout(std::time::Duration::from_secs(30)).expect("a mail")
    }

    /// True when no further mail has come.
    pub fn is_quiet(&self) -> bool {
        self.mails.try_recv().is_err()
    }
}

fn serve(stream: &TcpStream, verdict: &str) -> Option<Mail> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let mut say = |line: &str| writer.write_all(format!("{line}\r\n").as_bytes()).ok();
    let (mut mail, mut taken) = (Mail { commands: Vec::new(), text: String::new() }, false);
    say("220 test")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return taken.then_some(mail);
        }
        let command = line.trim_end().to_owned();
        let verb = command.split(' ').next().unwrap_or_default().to_uppercase();
        mail.commands.push(command);
        match verb.as_str() {
            "EHLO" => say("250-test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME")?,
            "AUTH" => say("235 fine")?,
            "DATA" => {
                say("354 go on")?;
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).ok()?;
                    if line == ".\r\n" {
                        break;
                    }
                    mail.text.push_str(&line);
                }
                taken = verdict.starts_with("250");
                say(verdict)?;
            }
            "QUIT" => {
                say("221 bye")?;
                return taken.then_some(mail);
            }
            _ => say("250 fine")?,
        }
    }
}
