//! How much the program writes while calls arrive fast, and while none do.

use std::time::{Duration, Instant};

use crate::LOG;
use crate::common::pty::Pty;
use crate::common::{Home, append, native, now};

/// Begins every picture.
const PICTURE: &[u8] = b"\x1b[?2026h";

fn pictures(bytes: &[u8]) -> usize {
    bytes.windows(PICTURE.len()).filter(|bytes| *bytes == PICTURE).count()
}

#[test]
fn h9_over_ssh_no_more_than_ten_pictures_a_second_are_written() {
    for (vars, config, each) in [
        (&[("SSH_TTY", "/dev/pts/9")][..], "", Duration::from_millis(100)),
        (&[], "frame_rate = 5\n", Duration::from_millis(200)),
    ] {
        let home = Home::new();
        home.config(config);
        home.write(LOG, &native("first", &now(), "claude-opus-5", 1, 0));
        let start = Instant::now();
        let mut pty = Pty::start_with(&home, &["logs"], 120, 36, vars);
        pty.wait_for("Tokens: 1");
        let mut log = home.append(LOG);
        for nth in 0..60 {
            append(&mut log, &native(&format!("n{nth}"), &now(), "claude-opus-5", 1_000, 0));
            pty.settle(Duration::from_millis(5));
        }
        pty.wait_for("Tokens: 60,001");
        // The first picture, and one for each time that has passed since: as slow as the machine may be.
        let most = 1 + start.elapsed().as_millis() / each.as_millis();
        let drawn = pictures(&pty.bytes());
        assert!(u128::try_from(drawn).unwrap() <= most, "{drawn} pictures where {most} may be: {vars:?} {config}");
        pty.send("q");
        assert_eq!(pty.ended(), 0);
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test may look at the clock")]
fn h8_a_quarter_of_an_hour_after_the_last_call_not_a_byte_is_written() {
    let home = Home::new();
    let ago = chrono::Utc::now() - chrono::Duration::minutes(16);
    let at = ago.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    home.write(LOG, &native("one", &at, "claude-opus-5", 1_000, 0));
    let mut pty = Pty::start(&home, &["logs"], 200, 60);
    pty.wait_for("Tokens: ");
    pty.settle(Duration::from_secs(4));
    let bytes = pty.written();
    pty.settle(Duration::from_secs(8));
    assert_eq!(pty.written() - bytes, 0, "{}", pty.screen());
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}
