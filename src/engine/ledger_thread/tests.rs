//! Tests of the ledger thread next to other writers of its ledger: the proxy's own connection, and other processes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use tokio::sync::{broadcast, mpsc, watch};

use super::{LedgerThread, State};
use crate::config::{Env, OnError, Overrides, Paths};
use crate::domain::{Call, Filter, HoldId, Label, Record};
use crate::engine::admissions::admission_ledger::AdmissionLedger;
use crate::engine::admissions::{Admit, Admitted, Limits, Policy};
use crate::engine::alert_delivery::Deliveries;
use crate::engine::config_edits::ConfigEdits;
use crate::engine::daily::Daily;
use crate::engine::fixture::{admit_at_once, books, call, callbacks, no_prices, now, options, rules, settings};
use crate::engine::health::HealthState;
use crate::engine::inbox::{Inbox, Item, LedgerMessage};
use crate::engine::lifecycle::Lifecycle;
use crate::engine::log_reader::Control;
use crate::engine::{AnyLedger, EngineEvent, Request, Scrape, Tone};
use crate::ingest::{Content, Delivery, Event, ReadBatch, Reply, Tallies};
use crate::ledger::{Batch, Ledger, LedgerError};
use crate::meter::Follow;
use crate::meter::admission::PendingCall;

/// A ledger thread that does nothing by itself, and the other ends of its channels.
struct Harness {
    thread: LedgerThread,
    limits: Limits,
    events: mpsc::Receiver<EngineEvent>,
    inbox: Inbox,
    sender: mpsc::Sender<LedgerMessage>,
    control: mpsc::UnboundedReceiver<Control>,
}

/// A thread on this ledger, with a limit of this many tokens per day for each user. The logs have not been read yet.
fn harness(path: &Path, tokens: u64) -> Harness {
    let (settings, prices, env) = (settings(tokens, OnError::Allow), no_prices(), Env::empty(now()));
    let books = AnyLedger::ledger(path, options(), &prices).unwrap().0;
    let (sender, messages) = mpsc::channel(16);
    let (feed, events) = mpsc::channel(256);
    let (reader, control) = mpsc::unbounded_channel();
    let (admit, admissions) = mpsc::channel(1);
    let (policy, policies) = watch::channel(Policy::default());
    let second_books = Arc::new(AdmissionLedger::default());
    let thread = LedgerThread {
        rules: rules(&settings),
        follow: Follow::Today,
        health: HealthState::new(books.view(), std::collections::BTreeMap::new()),
        books,
        prices,
        feed,
        config_edits: ConfigEdits {
            env: env.clone(),
            overrides: Overrides::default(),
            paths: Paths { data: path.parent().map(Path::to_owned), ..Paths::default() },
            at_start: settings.clone(),
            settings,
            callbacks: callbacks(),
            work: sender.downgrade(),
            pending: Vec::new(),
            deliveries: Deliveries::default(),
            daily: Daily::default(),
            alerts: broadcast::Sender::new(1),
            began: now(),
        },
        env,
        reader,
        revision: watch::channel(0).0,
        policy,
        second_books: Arc::clone(&second_books),
        lifecycle: Arc::new(Lifecycle::default()),
        scrape: Scrape::new(now()),
        state: State::default(),
    };
    let limits = Limits { admit, policy: policies, second_books };
    let inbox = Inbox {
        messages,
        after_batches: None,
        requests: mpsc::channel(1).1,
        deliveries: mpsc::channel(1).1,
        questions: mpsc::channel(1).1,
        admissions,
    };
    Harness { thread, limits, events, inbox, sender, control }
}

impl Harness {
    /// The same thread after the logs have been read and a first call was admitted.
    fn caught_up(path: &Path) -> Self {
        let mut harness = harness(path, 1_000_000);
        harness.event(Event::CaughtUp);
        harness.admit(1, 1);
        harness.events();
        harness
    }

    /// The thread's own answer to a call.
    fn admit(&mut self, number: u32, output: u64) -> Admitted {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let coming = PendingCall { hold: HoldId::new(number.into()), call: call(number, "alice", output), asked: None };
        self.thread.admission(Admit { coming, reply });
        answer.recv().unwrap()
    }

    /// Makes the proxy hold an amount on its own connection.
    fn hold(&self) {
        let (_, hold) = admit_at_once(&self.limits, &call(1, "alice", 1)).unwrap();
        assert!(hold.is_some());
    }

    /// Delivers calls from a log.
    fn read(&mut self, calls: Vec<Call>) {
        self.event(read(calls));
    }

    fn event(&mut self, event: Event) {
        self.thread.event(event, &mut self.inbox);
    }

    /// The events since the last call.
    fn events(&mut self) -> Vec<EngineEvent> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// Number of calls in each snapshot since the events were last taken.
    fn snapshots(&mut self) -> Vec<u64> {
        let calls = |event| if let EngineEvent::Snapshot(shown) = event { Some(shown.all.calls) } else { None };
        self.events().into_iter().filter_map(calls).collect()
    }

    /// Waits for the delayed message and handles it.
    fn look_again(&mut self) {
        let until = Clock::now() + Duration::from_secs(10);
        while !matches!(self.inbox.messages.try_recv(), Ok(LedgerMessage::Look)) {
            assert!(Clock::now() < until, "no look was put off");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.thread.message(LedgerMessage::Look, &mut self.inbox);
    }
}

/// Calls from a log.
fn read(calls: Vec<Call>) -> Event {
    Event::ReadBatches(vec![ReadBatch {
        path: Label::new("/logs/a.jsonl"),
        records: calls.into_iter().map(Record::Call).collect(),
        file: None,
        bad: Vec::new(),
        unknown: Vec::new(),
        tallies: Tallies::default(),
    }])
}

/// Books a call from another process.
fn book(path: &Path, number: u32) {
    let records = vec![Record::Call(call(number, "bob", 1))];
    books(path).post(&Batch { records, files: Vec::new() }).unwrap();
}

#[test]
fn while_the_proxy_writes_another_process_is_looked_for_after_a_look_that_came_too_early() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut harness = Harness::caught_up(&path);
    harness.hold();
    harness.thread.look_at_ledger();
    assert_eq!(harness.snapshots(), [] as [u64; 0], "a hold changes no number");
    // The logs are being read again.
    harness.thread.state.caught_up = false;
    harness.look_again();
    assert_eq!(harness.snapshots(), [] as [u64; 0]);
    harness.event(Event::CaughtUp);
    harness.events();
    book(&path, 1);
    harness.hold();
    harness.thread.look_at_ledger();
    assert_eq!(harness.snapshots(), [] as [u64; 0], "shown with the next look");
    harness.hold();
    harness.look_again();
    assert_eq!(harness.snapshots(), [1]);
    // Nothing was delayed: the next write by another process is shown at once.
    book(&path, 2);
    harness.thread.look_at_ledger();
    assert_eq!(harness.snapshots(), [2]);
}

#[test]
fn repeats_make_no_snapshot_while_the_proxy_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut harness = Harness::caught_up(&path);
    harness.read(vec![call(1, "alice", 1)]);
    harness.events();
    for _ in 0..5 {
        harness.hold();
        harness.read(vec![call(1, "alice", 1)]);
    }
    assert_eq!(harness.snapshots(), [] as [u64; 0]);
}

#[test]
fn a_batch_that_is_answered_by_a_snapshot_counts_in_the_state_of_health() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut harness = Harness::caught_up(&path);
    harness.read(vec![call(1, "alice", 1)]);
    harness.events();
    book(&path, 2);
    let mut other = call(3, "alice", 5);
    other.model = Some(Label::new("unknown-model"));
    harness.read(vec![call(2, "bob", 1), other]);
    let health = harness.thread.health.view(&no_prices(), now());
    assert!(health.unpriced.contains(&(Label::new("unknown-model"), 5)), "{:?}", health.unpriced);
    assert_eq!(harness.snapshots(), [3]);
}

#[test]
fn changes_of_the_config_that_wait_for_the_next_start_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut edits = harness(&folder.path().join("ledger.db"), 100).thread.config_edits;
    let mut before = edits.settings.clone();
    before.limits.clear();
    assert_eq!(edits.waits_for_next_start(&before), None);
    before.user = Label::new("another");
    before.aliases.push(("a".to_owned(), "b".to_owned()));
    edits.at_start = before.clone();
    let late = edits.waits_for_next_start(&before).unwrap();
    assert_eq!(late, "changed in the config, but applied from the next start on: user, aliases");
    // What is again as it was at the start is in force.
    let changed = std::mem::replace(&mut edits.settings, before);
    assert_eq!(edits.waits_for_next_start(&changed), None);
}

#[test]
fn a_limit_that_replaces_another_says_which_and_one_that_counts_nothing_yet_is_set_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut edits = harness(&folder.path().join("ledger.db"), 100).thread.config_edits;
    let mut books = AnyLedger::memory(&no_prices());
    edits.paths.config = Some(folder.path().join("config.toml"));
    let mut ask = |request| match edits.ask(request, &mut books, now()).as_slice() {
        [EngineEvent::Note(note)] => (note.text.to_string(), note.tone),
        other => panic!("{other:?}"),
    };
    let set = |scope: &str, amount: &str| Request::SetLimit { scope: scope.to_owned(), amount: amount.to_owned() };
    let plain = |text: &str| (text.to_owned(), Tone::Plain);
    assert_eq!(ask(set("user:*:day", "50usd")), plain("user:*:day: 50usd (was 100 tokens)"));
    assert_eq!(ask(set("week", "$5")), plain("week: 5usd"));
    let removed = Request::UnsetLimit { scope: "user:*:day".to_owned() };
    assert_eq!(ask(removed), plain("user:*:day: removed (was 100 tokens)"));
    edits.callbacks.in_full =
        |_, key, _| Ok((key.clone(), vec!["the limit is set, but no call has it yet".to_owned()]));
    let mut ask = |request| edits.ask(request, &mut books, now());
    let news = ask(set("model:opus:day", "5usd"));
    let [EngineEvent::Note(note)] = news.as_slice() else { panic!("{news:?}") };
    assert_eq!(note.text.as_str(), "model:opus:day: 5usd; the limit is set, but no call has it yet");
}

#[test]
fn models_without_a_price_are_those_of_all_processes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut harness = Harness::caught_up(&path);
    let of_model = |number, model: &str| Call { model: Some(Label::new(model)), ..call(number, "alice", 5) };
    harness.read(vec![of_model(1, "own")]);
    let records = vec![Record::Call(of_model(2, "other")), Record::Call(of_model(3, "own"))];
    books(&path).post(&Batch { records, files: Vec::new() }).unwrap();
    harness.thread.look_at_ledger();
    let health = harness.thread.health.view(&no_prices(), now());
    assert_eq!(health.unpriced, [(Label::new("other"), 5), (Label::new("own"), 10)]);
    // What another process has booked is no news when it is read here.
    harness.read(vec![of_model(2, "other"), of_model(4, "own")]);
    let health = harness.thread.health.view(&no_prices(), now());
    assert_eq!(health.unpriced, [(Label::new("other"), 5), (Label::new("own"), 15)]);
}

#[test]
fn calls_of_a_first_reading_count_against_limits_before_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    // An earlier run wrote to the ledger.
    book(&path, 1);
    let mut harness = harness(&path, 100);
    assert!(matches!(harness.admit(1, 1), Admitted::Go { .. }));
    harness.read(vec![call(2, "alice", 150)]);
    assert_eq!(admit_at_once(&harness.limits, &call(3, "alice", 1)), None, "it would not see the call");
    let over = harness.admit(3, 1);
    assert!(matches!(&over, Admitted::Over(state) if state.used.as_str() == "151 of 100 tokens"), "{over:?}");
    harness.event(Event::CaughtUp);
    assert!(matches!(harness.admit(4, 1), Admitted::Over(_)));
    assert!(matches!(admit_at_once(&harness.limits, &call(5, "alice", 1)), Some((Admitted::Over(_), None))));
}

#[test]
fn batches_that_have_arrived_are_written_together_and_before_the_message_behind_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = Harness::caught_up(&folder.path().join("ledger.db"));
    let waiting = [read(vec![call(2, "alice", 1)]), read(vec![call(3, "bob", 1)])].map(LedgerMessage::Ingest);
    for message in waiting.into_iter().chain([LedgerMessage::Config]) {
        harness.sender.try_send(message).unwrap();
    }
    harness.sender.try_send(LedgerMessage::Ingest(read(vec![call(4, "bob", 1)]))).unwrap();
    harness.read(vec![call(1, "alice", 1)]);
    let changes = |event| if let EngineEvent::Changes(changes) = event { Some(changes.len()) } else { None };
    assert_eq!(harness.events().into_iter().filter_map(changes).collect::<Vec<_>>(), [3]);
    assert!(harness.inbox.next_batches().is_none(), "the config comes first");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let next = runtime.block_on(harness.inbox.next());
    assert!(matches!(next, Some(Item::Message(LedgerMessage::Config))));
    assert!(harness.inbox.next_batches().is_some());
}

#[test]
fn j2_what_neither_the_ledger_nor_the_spool_takes_counts_while_its_sender_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = Harness::caught_up(&folder.path().join("ledger.db"));
    std::fs::create_dir(folder.path().join("spool.jsonl")).unwrap();
    harness.thread.failed(&LedgerError::Full { path: folder.path().to_owned() });
    let records = vec![Record::Call(call(2, "alice", 7))];
    let mut refused = |content| {
        let (reply, answer) = tokio::sync::oneshot::channel();
        harness.thread.delivery(Delivery { content, reply });
        let is_refused = matches!(answer.blocking_recv(), Ok(Reply::Error(_)));
        (is_refused, harness.thread.books.sums(&Filter::default()).unwrap().tokens.output)
    };
    assert_eq!(refused(Content::Records(records.clone())), (true, 0), "the sender may give it up");
    for _ in 0..2 {
        assert_eq!(refused(Content::Kept(records.clone())), (true, 7));
    }
}

#[test]
fn d7_a_ledger_that_is_replaced_during_the_first_reading_is_noticed_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("ledger.db"), folder.path().join("other.db"));
    book(&other, 2);
    let mut harness = harness(&path, 100);
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
    }
    std::fs::rename(&other, &path).unwrap();
    harness.event(Event::CaughtUp);
    assert!(matches!(harness.control.try_recv(), Ok(Control::Restart(_))), "the logs are read again");
}

#[test]
fn d7_a_ledger_that_is_removed_or_replaced_is_noticed_without_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut harness = Harness::caught_up(&path);
    harness.read(vec![call(1, "alice", 1)]);
    harness.events();
    let remove = || {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
        }
    };
    remove();
    harness.thread.look_at_ledger();
    let is_told = |event: &EngineEvent| matches!(event, EngineEvent::Note(note) if note.text.contains("was removed"));
    assert!(harness.events().iter().any(is_told));
    assert!(!path.exists(), "whoever removed it may put another there");
    // Half a copy of another ledger is not opened.
    let other = folder.path().join("other.db");
    for number in [2, 3] {
        book(&other, number);
    }
    let whole = std::fs::read(&other).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    harness.thread.look_at_ledger();
    assert!(harness.control.try_recv().is_err());
    std::fs::write(&path, &whole).unwrap();
    harness.thread.look_at_ledger();
    let again = harness.control.try_recv();
    assert!(matches!(&again, Ok(Control::Restart(files)) if files.is_empty()), "the logs are read again");
    harness.read(vec![call(1, "alice", 1)]);
    harness.event(Event::CaughtUp);
    assert_eq!(harness.snapshots(), [3]);
    // The next is made by another process, which has it open meanwhile.
    remove();
    let mut elsewhere = books(&path);
    let batch = |number| Batch { records: vec![Record::Call(call(number, "bob", 1))], files: Vec::new() };
    elsewhere.post(&batch(4)).unwrap();
    harness.thread.look_at_ledger();
    harness.event(Event::CaughtUp);
    assert_eq!(harness.snapshots(), [1]);
    elsewhere.post(&batch(5)).unwrap();
    harness.thread.look_at_ledger();
    assert_eq!(harness.snapshots(), [2], "both write to the same file");
}
