//! The measurements.

use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::common::pty::Pty;
use super::common::{Home, append, native};

/// Tokens of a call whose display is timed; all others together have fewer.
const MILLION: u64 = 1_000_000;
/// Files that grow besides.
const OTHERS: usize = 100;
/// Begins every picture.
const PICTURE: &[u8] = b"\x1b[?2026h";

/// Measures everything, or tries it briefly.
pub(super) fn measure(is_whole: bool) {
    let (appends, seconds) = if is_whole { (1_000, 30) } else { (5, 1) };
    appended(appends);
    idle("idle, last call 20 minutes ago", 20 * 60, seconds);
    idle("idle, last call 2 minutes ago", 2 * 60, seconds);
    busy("50 lines a second", &[], seconds);
    busy("50 lines a second, over ssh", &[("SSH_TTY", "/dev/pts/0")], seconds);
}

/// A call of one token, or of so many.
fn line(id: &str, seconds_ago: i64, session: &str, tokens: u64) -> String {
    let at = chrono::Utc::now() - chrono::Duration::seconds(seconds_ago);
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    native(id, &at, "claude-opus-5", tokens, 0).replace("\"s1\"", &format!("\"{session}\""))
}

/// Millions of tokens that the counter shows.
fn millions(screen: &str) -> Option<u64> {
    let rest = screen.split("Tokens: ").nth(1)?;
    let digits: String = rest.chars().take_while(|letter| letter.is_ascii_digit() || *letter == ',').collect();
    Some(digits.replace(',', "").parse::<u64>().ok()? / MILLION)
}

/// Time from an append to its picture, while other files grow by a call a second each.
fn appended(times: u64) {
    let home = Home::new();
    home.write("logs/own.jsonl", &line("first", 0, "own", 1));
    for nth in 0..OTHERS {
        home.write(&format!("logs/other-{nth}.jsonl"), &line(&format!("o{nth}"), 0, &format!("other-{nth}"), 1));
    }
    let mut pty = Pty::start(&home, &["logs"], 120, 36);
    pty.wait("the first picture", |screen| millions(screen).is_some() && !screen.contains("Reading"));
    let mut files: Vec<File> = (0..OTHERS).map(|nth| home.append(&format!("logs/other-{nth}.jsonl"))).collect();
    let ends = AtomicBool::new(false);
    let mut shown = thread::scope(|scope| {
        scope.spawn(|| {
            let mut nth = 0;
            while !ends.load(Ordering::Relaxed) {
                let at = nth % OTHERS;
                append(&mut files[at], &line(&format!("grown-{nth}"), 0, &format!("other-{at}"), 1));
                nth += 1;
                thread::sleep(Duration::from_secs(1) / u32::try_from(OTHERS).unwrap());
            }
        });
        let mut own = home.append("logs/own.jsonl");
        let mut shown = Vec::new();
        for nth in 0..times {
            // Not in step with the pictures.
            thread::sleep(Duration::from_micros(20_000 + nth * 7_919 % 33_000));
            let line = line(&format!("own-{nth}"), 0, "own", MILLION);
            let start = Instant::now();
            append(&mut own, &line);
            let end = pty.wait("the call", |screen| millions(screen) > Some(nth));
            shown.push(end.saturating_duration_since(start));
        }
        ends.store(true, Ordering::Relaxed);
        shown
    });
    shown.sort();
    let at = |part: usize| shown[(shown.len() - 1) * part / 100];
    println!(
        "append to screen, {times} times while {OTHERS} files grow: median {:.1?}, 99th {:.1?}, slowest {:.1?}",
        at(50),
        at(99),
        at(100)
    );
    pty.send("q");
    pty.ended();
}

/// Bytes and processor time of a screen on which nothing happens.
fn idle(name: &str, ago: i64, seconds: u64) {
    let home = Home::new();
    let calls: String = (0..50).map(|nth| line(&format!("c{nth}"), ago + nth * 20, "own", 1_000)).collect();
    home.write("logs/own.jsonl", &calls);
    let mut pty = Pty::start(&home, &["logs"], 200, 60);
    pty.wait_for("Tokens: ");
    pty.settle(Duration::from_secs(seconds.min(7)));
    let (bytes, before) = (pty.written(), processor_time(&pty));
    thread::sleep(Duration::from_secs(seconds));
    let used = processor_time(&pty).saturating_sub(before);
    println!("{name}: {} bytes and {used:.2?} of processor time in {seconds} s", pty.written() - bytes);
    pty.send("q");
    pty.ended();
}

/// Processor time and pictures of a screen on which a call arrives every twenty milliseconds.
fn busy(name: &str, vars: &[(&str, &str)], seconds: u64) {
    let home = Home::new();
    home.write("logs/own.jsonl", &line("first", 0, "own", 1));
    let mut pty = Pty::start_with(&home, &["logs"], 200, 60, vars);
    pty.wait_for("Tokens: ");
    pty.settle(Duration::from_millis(300));
    let (bytes, before, start) = (pty.written(), processor_time(&pty), Instant::now());
    let mut own = home.append("logs/own.jsonl");
    for nth in 0..seconds * 50 {
        append(&mut own, &line(&format!("b{nth}"), 0, "own", 1_000));
        thread::sleep((start + Duration::from_millis(20) * u32::try_from(nth + 1).unwrap()) - Instant::now());
    }
    let (used, lasted) = (processor_time(&pty).saturating_sub(before), start.elapsed());
    let pictures = pty.bytes()[bytes..].windows(PICTURE.len()).filter(|bytes| *bytes == PICTURE).count();
    println!(
        "{name}: {:.1} % of a core, {:.1} pictures and {} bytes a second",
        used.as_secs_f64() * 100.0 / lasted.as_secs_f64(),
        f64::from(u32::try_from(pictures).unwrap()) / lasted.as_secs_f64(),
        u64::try_from(pty.written() - bytes).unwrap() / seconds
    );
    pty.send("q");
    pty.ended();
}

/// Processor time of all threads so far.
fn processor_time(pty: &Pty) -> Duration {
    let folder = format!("/proc/{}/task", pty.child.process_id().unwrap());
    let tasks = fs::read_dir(folder).unwrap();
    let times = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}
