//! The Unix socket under all conditions: section C of the fault list.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "a panic fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokmeter::testing::domain::{CallKey, Label, Record, Usd};
use tokmeter::testing::ingest::Owner;
use tokmeter::testing::ingest::socket::{
    CONNECTION_CAP, Content, Delivery, LINE_CAP, Listener, Listening, Reply, Rules, bind,
};

/// A meter that books in a list: one thread takes deliveries and answers, unless it is held.
struct Meter {
    path: PathBuf,
    listening: Option<Listening>,
    booked: Arc<Mutex<Vec<CallKey>>>,
    users: Arc<Mutex<Vec<Option<Label>>>>,
    hold: Arc<(Mutex<bool>, Condvar)>,
    /// Milliseconds that each delivery takes.
    takes: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

fn meter() -> Meter {
    meter_of(uid(), 32)
}

fn meter_of(owner: u32, queue: usize) -> Meter {
    meter_with(owner, queue, Duration::from_secs(30))
}

fn meter_with(owner: u32, queue: usize, idle: Duration) -> Meter {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sock");
    let (deliver, mut deliveries) = mpsc::channel::<Delivery>(queue);
    let booked = Arc::new(Mutex::new(Vec::new()));
    let users = Arc::new(Mutex::new(Vec::new()));
    let hold = Arc::new((Mutex::new(false), Condvar::new()));
    let takes = Arc::new(AtomicU64::new(0));
    let (list, seen, held, slow) = (Arc::clone(&booked), Arc::clone(&users), Arc::clone(&hold), Arc::clone(&takes));
    std::thread::spawn(move || {
        while let Some(delivery) = deliveries.blocking_recv() {
            drop(held.1.wait_while(held.0.lock().unwrap(), |hold| *hold).unwrap());
            std::thread::sleep(Duration::from_millis(slow.load(Ordering::SeqCst)));
            let reply = match delivery.content {
                Content::Query(text) => Reply::Json(text),
                Content::Records(records) | Content::Kept(records) | Content::Export { records, .. } => {
                    match &records[0] {
                        Record::Call(call) if list.lock().unwrap().contains(&call.key) => Reply::Repeat,
                        Record::Call(call) => {
                            list.lock().unwrap().push(call.key);
                            seen.lock().unwrap().push(call.from.user.clone());
                            Reply::Booked { key: call.key, cost: Some(Usd::from_micro(7_000)), fidelity: call.fidelity }
                        }
                        Record::Descends { .. }
                        | Record::Bill(_)
                        | Record::Rekeyed { .. }
                        | Record::Status(_)
                        | Record::Settled(_) => Reply::Nothing,
                    }
                }
            };
            let _ = delivery.reply.send(reply);
        }
    });
    let rules = Rules {
        uid: owner,
        owner: Owner { user: Some(Label::new("alice")), ..Owner::default() },
        clock: Arc::new(|| chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap()),
        idle,
    };
    let bound = bind(&path, uid()).unwrap();
    let listening = Listener::new(bound, rules, deliver).start().unwrap();
    Meter { path, listening: Some(listening), booked, users, hold, takes, _folder: folder }
}

impl Meter {
    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn count(&self) -> usize {
        self.booked.lock().unwrap().len()
    }

    fn tally(&self, of: impl Fn(&tokmeter::testing::ingest::socket::Tally) -> u64) -> u64 {
        of(self.listening.as_ref().unwrap().tally())
    }

    fn hold(&self, on: bool) {
        *self.hold.0.lock().unwrap() = on;
        self.hold.1.notify_all();
    }

    fn stop(&mut self) {
        drop(self.listening.take());
    }
}

fn line(id: &str) -> String {
    format!("{{\"id\":\"{id}\",\"model\":\"gpt-4o\",\"input_tokens\":500,\"output_tokens\":300}}\n")
}

fn answer(stream: &UnixStream) -> String {
    let mut text = String::new();
    BufReader::new(stream).read_line(&mut text).unwrap();
    text
}

fn told(stream: &UnixStream, text: &str) -> String {
    (&*stream).write_all(text.as_bytes()).unwrap();
    answer(stream)
}

/// Waits for another thread to do something.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn a_line_is_booked_answered_and_attributed_to_the_local_user() {
    let meter = meter();
    let stream = meter.connect();
    let text = told(&stream, &line("one"));
    assert!(text.starts_with("{\"ok\":true,\"key\":\"") && text.contains("\"cost_usd\":0.007"), "{text}");
    assert_eq!(*meter.users.lock().unwrap(), [Some(Label::new("alice"))]);
    let named = told(&stream, &line("two").replace("\"model\"", "\"user\":\"bob\",\"model\""));
    assert!(named.contains("\"ok\":true"), "{named}");
    assert_eq!(meter.users.lock().unwrap()[1], Some(Label::new("bob")));
    assert_eq!(std::fs::metadata(&meter.path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn questions_are_answered_from_the_books() {
    let meter = meter();
    assert_eq!(told(&meter.connect(), "{\"query\":\"gate\"}\n"), "{\"query\":\"gate\"}\n");
}

#[test]
fn c6_another_users_connection_is_refused_and_counted() {
    let meter = meter_of(uid() + 1, 32);
    let stream = meter.connect();
    let text = answer(&stream);
    assert!(text.contains("another user"), "{text}");
    assert_eq!((&stream).read(&mut [0; 8]).unwrap(), 0, "the connection stays open");
    assert_eq!((meter.tally(|tally| tally.foreign.load(Ordering::Relaxed)), meter.count()), (1, 0));
}

#[test]
fn c7_a_line_cut_off_by_the_end_is_discarded_and_counted() {
    let meter = meter();
    let stream = meter.connect();
    let (whole, half) = (line("one"), line("two"));
    (&stream).write_all(whole.as_bytes()).unwrap();
    (&stream).write_all(&half.as_bytes()[..half.len() - 9]).unwrap();
    assert!(answer(&stream).contains("\"ok\":true"));
    drop(stream);
    eventually("the partial line", || meter.tally(|tally| tally.partial.load(Ordering::Relaxed)) == 1);
    assert_eq!(meter.count(), 1);
}

#[test]
fn b6_a_byte_order_mark_and_line_ends_of_any_kind_are_accepted() {
    let meter = meter();
    let stream = meter.connect();
    for text in [format!("\u{feff}{}", line("one")), format!("\u{feff}\r\n {}", line("two").replace('\n', "\r\n"))] {
        (&stream).write_all(text.as_bytes()).unwrap();
        assert!(answer(&stream).contains("\"ok\":true"), "{text:?}");
    }
    assert_eq!(meter.count(), 2);
}

#[test]
fn b6_a_blank_line_gets_no_reply_and_every_other_line_gets_one() {
    let meter = meter();
    let stream = meter.connect();
    let lines = format!("\n \t\r\n\u{feff}\n{}\n\n{{}}\nnonsense\n\n{}", line("one"), line("one"));
    (&stream).write_all(lines.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let replies: Vec<String> = BufReader::new(&stream).lines().map(Result::unwrap).collect();
    let expected = ["\"key\":", "\"calls\":0", "\"ok\":false", "\"repeat\":true"];
    assert_eq!(replies.len(), expected.len(), "{replies:?}");
    assert!(replies.iter().zip(expected).all(|(reply, part)| reply.contains(part)), "{replies:?}");
}

#[test]
fn c7_a_whole_object_without_a_line_end_counts_when_its_writer_ends() {
    let meter = meter();
    let stream = meter.connect();
    (&stream).write_all(line("one").trim_end().as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(answer(&stream).contains("\"ok\":true"));
    let gone = meter.connect();
    (&gone).write_all(line("two").trim_end().as_bytes()).unwrap();
    drop(gone);
    eventually("the second line", || meter.count() == 2);
    assert_eq!(meter.tally(|tally| tally.partial.load(Ordering::Relaxed)), 0);
}

#[test]
fn c8_an_endless_line_gets_an_error_and_others_are_served_on() {
    let meter = meter();
    let (long, other) = (meter.connect(), meter.connect());
    let text = format!("{{\"x\":\"{}", "y".repeat(LINE_CAP + 1));
    // The meter may close before everything is written.
    let _ = (&long).write_all(text.as_bytes());
    assert!(answer(&long).contains("longer than"), "no error for the long line");
    assert!(told(&other, &line("one")).contains("\"ok\":true"));
}

/// Maximum number of connections here: a quarter of the descriptors, up to the cap.
fn most() -> usize {
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1024);
    (usize::try_from(allowed).unwrap() / 4).clamp(4, CONNECTION_CAP)
}

#[test]
fn c9_connections_beyond_the_cap_wait_until_there_is_room() {
    let meter = meter_with(uid(), 32, Duration::from_secs(3600));
    let mut crowd: Vec<UnixStream> = (0..most()).map(|_| meter.connect()).collect();
    for (n, stream) in crowd.iter().enumerate() {
        assert!(told(stream, &line(&format!("c{n}"))).contains("\"ok\":true"));
    }
    let waiting = meter.connect();
    (&waiting).write_all(line("later").as_bytes()).unwrap();
    waiting.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!((&waiting).read(&mut [0; 8]).is_err(), "it was answered though all places are taken");
    waiting.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    drop(crowd.pop());
    assert!(answer(&waiting).contains("\"ok\":true"));
    assert_eq!(meter.count(), most() + 1);
}

#[test]
fn j5_three_hundred_short_connections_one_after_the_other_lose_nothing() {
    let meter = meter();
    for n in 0..300 {
        // No answer is waited for: the next connects while the meter still books the last.
        (&meter.connect()).write_all(line(&format!("b{n}")).as_bytes()).unwrap();
    }
    eventually("all lines", || meter.count() == 300);
    assert_eq!(meter.tally(|tally| tally.crowded.load(Ordering::Relaxed)), 0);
}

#[test]
fn j5_five_hundred_clients_at_once_are_all_booked_and_answered() {
    let meter = meter();
    let start = std::sync::Barrier::new(500);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..500)
            .map(|n| {
                let (meter, start) = (&meter, &start);
                scope.spawn(move || {
                    start.wait();
                    told(&meter.connect(), &line(&format!("p{n}")))
                })
            })
            .collect();
        for client in clients {
            let text = client.join().unwrap();
            assert!(text.contains("\"ok\":true"), "{text}");
        }
    });
    assert_eq!(meter.count(), 500);
}

#[test]
fn j5_clients_that_send_a_byte_now_and_then_make_room_for_those_with_whole_lines() {
    let meter = meter_with(uid(), 32, Duration::from_millis(100));
    let slow: Vec<UnixStream> = (0..most()).map(|_| meter.connect()).collect();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for stream in &slow {
                    let _ = (&*stream).write_all(b"{");
                }
                std::thread::yield_now();
            }
        });
        for n in 0..40 {
            let stream = meter.connect();
            assert!(told(&stream, &line(&format!("w{n}"))).contains("\"ok\":true"));
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(meter.count(), 40);
}

#[test]
fn j5_what_a_connection_has_sent_is_booked_before_it_makes_room() {
    let meter = meter_with(uid(), 32, Duration::ZERO);
    let crowd: Vec<UnixStream> = (0..most()).map(|_| meter.connect()).collect();
    meter.hold(true);
    for (n, stream) in crowd.iter().enumerate() {
        let text: String = (0..3).map(|m| line(&format!("s{n}-{m}"))).collect();
        (&*stream).write_all(text.as_bytes()).unwrap();
    }
    let later = meter.connect();
    (&later).write_all(line("later").as_bytes()).unwrap();
    meter.hold(false);
    assert!(answer(&later).contains("\"ok\":true"));
    eventually("all lines", || meter.count() == 3 * most() + 1);
}

#[test]
fn j5_a_client_that_reads_only_after_it_has_said_all_gets_every_answer() {
    let meter = meter();
    let stream = meter.connect();
    let text: String = (0..500).map(|n| line(&format!("a{n}"))).collect();
    (&stream).write_all(text.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(
        BufReader::new(&stream).lines().map_while(Result::ok).filter(|line| line.contains("\"key\"")).count(),
        500
    );
}

#[test]
fn j7_a_usage_line_with_a_field_query_is_counted() {
    let meter = meter();
    let stream = meter.connect();
    for (n, field) in
        ["\"query\":\"what is the weather\"", "\"query\":\"gate\"", "\"query\":{\"text\":\"x\"}", "\"query\":null"]
            .iter()
            .enumerate()
    {
        let text = line(&format!("q{n}")).replace("\"model\"", &format!("{field},\"model\""));
        assert!(told(&stream, &text).contains("\"key\""), "{field}");
    }
    // An API answer that repeats the query; usage that cannot be counted is not a query either.
    let chat = "{\"query\":\"gate\",\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion\",\"model\":\"gpt-4o\",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7}}\n";
    assert!(told(&stream, chat).contains("\"key\""));
    assert!(told(&stream, "{\"query\":\"gate\",\"input_tokens\":-5,\"output_tokens\":1}\n").contains("\"ok\":false"));
    assert_eq!(
        told(&stream, "{\"query\":\"gate\",\"input_tokens\":0,\"output_tokens\":0}\n"),
        "{\"ok\":true,\"calls\":0}\n"
    );
    assert_eq!(told(&stream, "{\"query\":\"gate\",\"user\":\"bob\"}\n"), "{\"query\":\"gate\",\"user\":\"bob\"}\n");
    assert_eq!(meter.count(), 5);
}

#[test]
fn c9_the_connection_that_was_silent_longest_makes_room() {
    let meter = meter_with(uid(), 32, Duration::ZERO);
    let crowd: Vec<UnixStream> = (0..most()).map(|_| meter.connect()).collect();
    for (n, stream) in crowd.iter().enumerate().rev() {
        assert!(told(stream, &line(&format!("c{n}"))).contains("\"ok\":true"));
    }
    assert!(told(&meter.connect(), &line("later")).contains("\"ok\":true"));
    let (last, others) = crowd.split_last().unwrap();
    assert_eq!((&*last).read(&mut [0; 8]).unwrap(), 0, "the connection stays open");
    assert!(told(&others[0], &line("again")).contains("\"ok\":true"));
    assert_eq!(meter.tally(|tally| tally.crowded.load(Ordering::Relaxed)), 1);
    assert_eq!(meter.count(), most() + 2);
}

#[test]
fn c10_a_flood_against_a_blocked_ledger_is_told_busy_and_loses_nothing_it_was_promised() {
    let meter = meter_of(uid(), 4);
    meter.hold(true);
    let streams: Vec<UnixStream> = (0..12).map(|_| meter.connect()).collect();
    for (n, stream) in streams.iter().enumerate() {
        (&*stream).write_all(line(&format!("flood-{n}")).as_bytes()).unwrap();
    }
    // The queue holds four and the ledger one; the others get "busy" at once.
    let busy = |stream: &UnixStream| {
        stream.set_nonblocking(true).unwrap();
        let mut text = [0; 256];
        let said =
            (&*stream).read(&mut text).is_ok_and(|count| String::from_utf8_lossy(&text[..count]).contains("busy"));
        stream.set_nonblocking(false).unwrap();
        said
    };
    let refused = Mutex::new(std::collections::BTreeSet::new());
    eventually("the busy answers", || {
        for (n, stream) in streams.iter().enumerate() {
            if busy(stream) {
                refused.lock().unwrap().insert(n);
            }
        }
        refused.lock().unwrap().len() >= 7
    });
    meter.hold(false);
    let refused = refused.into_inner().unwrap();
    // One more may have been refused before the ledger took the first; all others were accepted.
    let others = streams.iter().enumerate().filter(|(n, _)| !refused.contains(n));
    let promised = others.filter(|(_, stream)| answer(stream).contains("\"ok\":true")).count();
    assert!((4..=5).contains(&promised), "{promised} lines were taken");
    assert_eq!(meter.count(), promised);
}

#[test]
fn a_client_that_never_reads_answers_is_served_all_the_same() {
    let meter = meter();
    let mute = meter.connect();
    let text: String = (0..20_000).map(|n| line(&format!("m{n}"))).collect();
    (&mute).write_all(text.as_bytes()).unwrap();
    eventually("every line booked", || meter.count() == 20_000);
}

#[test]
fn c12_lines_before_a_writers_sudden_end_are_exact() {
    let meter = meter();
    let stream = meter.connect();
    let text: String = (0..100).map(|n| line(&format!("k{n}"))).collect();
    (&stream).write_all(text.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    eventually("a hundred lines", || meter.count() == 100);
}

#[test]
fn c13_a_line_sent_again_after_reconnecting_counts_once() {
    let meter = meter();
    assert!(told(&meter.connect(), &line("same")).contains("\"key\""));
    assert_eq!(told(&meter.connect(), &line("same")), "{\"ok\":true,\"repeat\":true}\n");
    assert_eq!(meter.count(), 1);
}

#[test]
fn c14_another_language_gets_one_error_and_the_door() {
    let meter = meter();
    for text in
        ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\n", "hello\nhello\n", "\n\r\nhello\nhello\n"]
    {
        let mut stream = meter.connect();
        stream.write_all(text.as_bytes()).unwrap();
        let mut all = String::new();
        let _ = stream.read_to_string(&mut all);
        assert_eq!(all.lines().count(), 1, "{all}");
        assert!(all.contains("\"ok\":false"), "{all}");
    }
    // A broken line in the middle of a valid connection is only reported.
    let stream = meter.connect();
    assert!(told(&stream, &line("one")).contains("\"ok\":true"));
    assert!(told(&stream, "{\"input_tokens\":-5,\"output_tokens\":1}\n").contains("\"ok\":false"));
    assert!(told(&stream, &line("two")).contains("\"ok\":true"));
}

#[test]
fn c15_a_socket_that_was_unlinked_is_made_again() {
    let meter = meter();
    std::fs::remove_file(&meter.path).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while UnixStream::connect(&meter.path).is_err() {
        assert!(Instant::now() < end, "the socket did not come back");
        std::thread::yield_now();
    }
    assert!(told(&meter.connect(), &line("again")).contains("\"ok\":true"));
    assert_eq!(meter.tally(|tally| tally.rebound.load(Ordering::Relaxed)), 1);
}

#[test]
fn c16_lines_that_have_arrived_are_booked_before_the_end() {
    let mut meter = meter();
    let stream = meter.connect();
    let text: String = (0..500).map(|n| line(&format!("q{n}"))).collect();
    (&stream).write_all(text.as_bytes()).unwrap();
    meter.stop();
    assert_eq!(meter.count(), 500);
    assert!(!meter.path.exists(), "the socket is left behind");
    // Also where that takes longer than a ledger that is stuck is waited for.
    let mut meter = self::meter();
    meter.takes.store(40, Ordering::SeqCst);
    let stream = meter.connect();
    let text: String = (0..100).map(|n| line(&format!("q{n}"))).collect();
    (&stream).write_all(text.as_bytes()).unwrap();
    meter.stop();
    assert_eq!(meter.count(), 100);
    let answers = BufReader::new(&stream).lines().map_while(Result::ok);
    assert_eq!(answers.filter(|answer| answer.contains("\"ok\":true")).count(), 100);
}
