//! The screen: a picture, and the bytes from one to the next.

use std::sync::Arc;

use chrono::Duration;
use divan::Bencher;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokmeter::testing::domain::{Attribution, Call, CallKey, Instant, Label, Record, Tokens, Zone};
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::meter::{Amount, Follow, Limit, Meter, Rules, Scope, Snapshot, Summary, Window};
use tokmeter::testing::pricing::{CostMode, PriceBook};
use tokmeter::testing::theme::Background;
use tokmeter::testing::tui::{App, Message, Options, draw, paint};

const AREA: Rect = Rect { x: 0, y: 0, width: 120, height: 36 };
/// The zone of the screen.
const ROME: Zone = Zone::named("Europe/Rome").expect("in the database");

fn main() {
    divan::main();
}

fn now() -> Instant {
    Instant::from_timestamp(1_795_291_200, 0).unwrap_or_default()
}

fn call(at: i64) -> Record {
    let models = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "gpt-5.2-codex", "my-own-model"];
    let pick = usize::try_from(at).unwrap_or_default() % models.len();
    Record::Call(Call::new(
        CallKey::from_parts(&["draw", &at.to_string()]),
        Attribution {
            session: Some(Label::new(if at % 7 == 0 { "nightly" } else { "3f2a91c0-1111-4222-8333-444455556666" })),
            project: Some(Label::new("/home/kim/basket")),
            agent: (at % 5 == 0).then(|| Label::new("explore")),
            ..Attribution::new(now() - Duration::seconds(1_500 - at * 5), Label::new("claude-code"))
        },
        Some(Label::new(models[pick])),
        Tokens { input: 12, cache_read: 84_112, cache_write_1h: 4_904, output: 204, ..Tokens::ZERO },
    ))
}

/// A meter on books of some hundred calls with three limits.
fn meter() -> (Meter, Memory) {
    let limit = |window| Limit {
        scope: Scope::default(),
        window,
        amount: Amount { tokens: Some(30_000_000), ..Amount::default() },
        warn_at: vec![80],
    };
    let rules = Rules { limits: [Window::Session, Window::Day, Window::Month].map(limit).to_vec(), ..Rules::new(ROME) };
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::default())));
    let batch = Batch { records: (0..300).map(call).collect(), files: Vec::new() };
    books.post(&batch).expect("memory takes all");
    books.flush().expect("memory takes all");
    let snapshot = Snapshot::ask(&books, &rules, &Follow::Today, now()).expect("memory answers");
    (Meter::open(rules, snapshot), books)
}

fn app(summary: Summary) -> App {
    let mut options = Options::new(ROME, Label::new("kim"));
    options.background = Some(Background::Dark);
    let mut app = App::new(options, now()).expect("the theme is built in");
    app.update(Message::Summary(Arc::new(summary)), now());
    app
}

/// Two pictures with a call between them.
fn pictures() -> (Buffer, Buffer) {
    let (mut meter, mut books) = meter();
    let before = draw(&app(meter.summary(now())), AREA);
    let batch = Batch { records: vec![call(300)], files: Vec::new() };
    for posted in books.post(&batch).expect("memory takes all") {
        meter.apply(&posted, now());
    }
    (before, draw(&app(meter.summary(now())), AREA))
}

/// The numbers of a picture.
#[divan::bench]
fn summary(bencher: Bencher<'_, '_>) {
    let (mut meter, _) = meter();
    bencher.bench_local(|| meter.summary(now()));
}

/// The Fleet view at 120×36.
#[divan::bench]
fn live_view(bencher: Bencher<'_, '_>) {
    let (mut meter, _) = meter();
    let app = app(meter.summary(now()));
    bencher.bench_local(|| draw(&app, AREA));
}

/// A meter of 100,000 calls today in 10,000 sessions.
fn ten_thousand_sessions() -> Meter {
    let rules = Rules::new(ROME);
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::default())));
    let records = (0..100_000).map(|nth| {
        let Record::Call(mut one) = call(nth) else { return call(nth) };
        one.from.session = Some(Label::new(&format!("{:08x}-1111", nth % 10_000)));
        one.from.at = now() - Duration::milliseconds(nth * 90);
        Record::Call(one)
    });
    books.post(&Batch { records: records.collect(), files: Vec::new() }).expect("memory takes all");
    books.flush().expect("memory takes all");
    let snapshot = Snapshot::ask(&books, &rules, &Follow::Today, now()).expect("memory answers");
    Meter::open(rules, snapshot)
}

/// The numbers of a picture of 10,000 sessions.
#[divan::bench]
fn summary_of_ten_thousand_sessions(bencher: Bencher<'_, '_>) {
    let mut meter = ten_thousand_sessions();
    bencher.bench_local(|| meter.summary(now()));
}

/// The Fleet view at 200×60, of 100,000 calls today in 10,000 sessions.
#[divan::bench]
fn full_frame_of_ten_thousand_sessions(bencher: Bencher<'_, '_>) {
    let app = app(ten_thousand_sessions().summary(now()));
    let whole = Rect { width: 200, height: 60, ..AREA };
    bencher.bench_local(|| draw(&app, whole));
}

/// The same picture again, from one's own numbers to the bytes.
#[divan::bench]
fn a_change_at_200_by_60(bencher: Bencher<'_, '_>) {
    let (mut meter, _) = meter();
    let whole = Rect { width: 200, height: 60, ..AREA };
    let mut app = app(meter.summary(now()));
    let mut before = draw(&app, whole);
    let mut nth = 0;
    bencher.bench_local(|| {
        nth += 1;
        let later = now() + Duration::seconds(nth);
        app.update(Message::Summary(Arc::new(meter.summary(later))), later);
        let after = draw(&app, whole);
        let bytes = painted(Some(&before), &after);
        before = after;
        bytes
    });
}

/// The first picture: every cell.
#[divan::bench]
fn paint_all(bencher: Bencher<'_, '_>) {
    let (_, after) = pictures();
    bencher.bench_local(|| painted(None, &after));
}

/// The picture after one more call.
#[divan::bench]
fn paint_a_change(bencher: Bencher<'_, '_>) {
    let (before, after) = pictures();
    assert!(!painted(Some(&before), &after).is_empty());
    bencher.bench_local(|| painted(Some(&before), &after));
}

/// The same picture again: no bytes at all.
#[divan::bench]
fn paint_nothing(bencher: Bencher<'_, '_>) {
    let (before, _) = pictures();
    let same = before.clone();
    bencher.bench_local(|| {
        let bytes = painted(Some(&before), &same);
        assert!(bytes.is_empty());
        bytes
    });
}

fn painted(before: Option<&Buffer>, after: &Buffer) -> Vec<u8> {
    let mut out = Vec::new();
    paint(before, after, &mut out).expect("memory takes all");
    out
}
