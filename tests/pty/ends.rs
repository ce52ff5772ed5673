//! How the screen ends when its terminal is gone or does not read.

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::common::pty::PATIENCE;
use crate::common::{Home, append, native, now};
use crate::{LOG, OWN};

/// The program in a terminal that only this test reads and closes.
struct Bare {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

impl Bare {
    fn start(home: &Home, shell: &str, columns: u16, rows: u16) -> Self {
        let program = assert_cmd::cargo::cargo_bin("tokmeter");
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", &shell.replace("PROGRAM", &program.display().to_string())]);
        command.env_clear();
        command.cwd(home.path());
        for (name, value) in home.vars() {
            command.env(name, value);
        }
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        Self { child, master: pair.master }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

fn ended(child: &mut dyn Child) -> Option<u32> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.exit_code());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    None
}

#[test]
fn f4_a_window_that_is_closed_ends_the_program_as_a_hang_up_also_where_that_is_ignored() {
    for shell in ["exec PROGRAM logs", "trap '' HUP; exec PROGRAM logs"] {
        let home = Home::new();
        home.write(LOG, &native("one", &now(), "claude-opus-5", 1_000, 0));
        let Bare { mut child, master } = Bare::start(&home, shell, 80, 24);
        let (mut reader, mut shown) = (master.try_clone_reader().unwrap(), Vec::new());
        while !String::from_utf8_lossy(&shown).contains("Models") {
            let mut chunk = [0; 4096];
            let count = reader.read(&mut chunk).unwrap();
            assert_ne!(count, 0, "it ended by itself");
            shown.extend_from_slice(&chunk[..count]);
        }
        // With the last descriptor of its other side, the terminal is gone: the system sends SIGHUP and SIGCONT.
        drop((reader, master));
        assert_eq!(ended(&mut *child), Some(129), "{shell}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn f9_a_terminal_that_reads_nothing_at_all_stops_neither_counting_nor_a_signal() {
    use rustix::process::Signal;
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::USR1, 138)] {
        let home = Home::new();
        home.write(OWN, &native("one", &now(), "claude-opus-5", 1_000, 0));
        // A frame of this size is many times what the system keeps for a terminal.
        let mut bare = Bare::start(&home, "COLORTERM=truecolor exec PROGRAM", 500, 150);
        let mut keys = bare.master.take_writer().unwrap();
        let mut log = home.append(OWN);
        let ledger = home.path().join(OWN).with_file_name("ledger.db");
        let (mut calls, end) = (1, Instant::now() + PATIENCE);
        while count(&ledger) < Some(50) {
            assert!(Instant::now() < end, "{:?} of {calls} calls are booked", count(&ledger));
            append(&mut log, &native(&format!("n{calls}"), &now(), "claude-opus-5", 10, 0));
            keys.write_all(b"1234567").unwrap();
            calls += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        bare.signal(signal);
        assert_eq!(ended(&mut *bare.child), Some(code), "{signal:?}");
        drop(keys);
        // What is left in the terminal ends with all modes as they were.
        let mut left = Vec::new();
        let _ = bare.master.try_clone_reader().unwrap().read_to_end(&mut left);
        let left = String::from_utf8_lossy(&left);
        for (on, off) in
            [("\u{1b}[?1049h", "\u{1b}[?1049l"), ("\u{1b}[?2026h", "\u{1b}[?2026l"), ("\u{1b}[?25l", "\u{1b}[?25h")]
        {
            assert!(left.rfind(off).is_some() && left.rfind(off) > left.rfind(on), "{signal:?} left {on:?} on");
        }
    }
}

/// The calls of a ledger, once there is one.
#[cfg(target_os = "linux")]
fn count(ledger: &std::path::Path) -> Option<i64> {
    use rusqlite::{Connection, OpenFlags};
    fs::metadata(ledger).ok()?;
    let ledger = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    ledger.query_row("SELECT count(*) FROM calls", [], |row| row.get(0)).ok()
}
