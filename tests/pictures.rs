//! The pictures of the README, drawn by the program. `TOKMETER_BLESS=1 cargo test --test pictures` redraws them.

#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods, reason = "a panic fails the test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::Duration;
use ratatui::layout::Rect;
use tokmeter::testing::commands::{demo_calls, demo_limits};
use tokmeter::testing::domain::{Call, Instant, Label, Record, Zone};
use tokmeter::testing::ledger::{Batch, Change, Ledger, Memory};
use tokmeter::testing::meter::{Follow, Meter, Rules, Snapshot};
use tokmeter::testing::pricing::{CostMode, PriceBook};
use tokmeter::testing::tui::{self, App, Effect, EngineEvent, HealthView, LedgerView, Message, Options, Request, View};

/// Sunday, 22 November 2026, 14:02:09 in Rome.
fn now() -> Instant {
    chrono::DateTime::parse_from_rfc3339("2026-11-22T14:02:09+01:00").unwrap().to_utc()
}

fn alice() -> Label {
    Label::new("alice")
}

/// The zone of the pictures.
const ROME: Zone = Zone::named("Europe/Rome").unwrap();

fn posted(books: &mut Memory, calls: Vec<Call>) -> Vec<Change> {
    books.post(&Batch { records: calls.into_iter().map(Record::Call).collect(), files: Vec::new() }).unwrap()
}

/// The demo's books as it begins, and the calls that it plays.
fn demo() -> (Memory, Vec<(i64, Call)>) {
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
    let (before, after) = demo_calls(now(), ROME, &alice());
    posted(&mut books, before);
    (books, after)
}

/// Plays the demo for so many calls, twenty times as fast as they happened; returns the time then.
fn play(books: &mut Memory, after: &[(i64, Call)], each: &mut dyn FnMut(&[Change], Instant)) -> Instant {
    let mut at = now();
    for (seconds, call) in after {
        at += Duration::milliseconds(seconds * 50);
        let mut call = call.clone();
        call.from.at = at;
        each(&posted(books, vec![call]), at);
    }
    at
}

fn app(books: &Memory, view: View, theme: &str, at: Instant) -> App {
    let rules = Rules { limits: demo_limits(), ..Rules::new(ROME) };
    let mut options = Options::new(ROME, alice());
    theme.clone_into(&mut options.theme);
    options.view = view;
    let mut app = App::new(options, at).unwrap();
    let snapshot = Snapshot::ask(books, &rules, &Follow::Today, at).unwrap();
    let mut meter = Meter::open(rules, snapshot);
    let health = HealthView {
        files: 2,
        ledger: LedgerView::Open(Label::new("~/.local/share/tokmeter/ledger.db")),
        ..HealthView::default()
    };
    app.update(Message::Engine(EngineEvent::Health(Box::new(health))), at);
    app.update(Message::Summary(Arc::new(meter.summary(at))), at);
    // Answers the view's queries until there are none.
    for _ in 0..8 {
        for effect in app.effects() {
            if let Effect::Ask(Request::History(query)) = effect {
                let report = books.report(&query).unwrap();
                app.update(Message::Engine(EngineEvent::Answer(Box::new(report))), at);
            }
        }
    }
    app
}

/// Compares a picture with the one that is kept, or keeps it.
fn check(name: &str, picture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures").join(format!("{name}.svg"));
    if std::env::var_os("TOKMETER_BLESS").is_some() {
        fs::write(&path, picture).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept == picture, "{name}.svg is not what the program draws now; look at it and draw it anew");
}

#[test]
fn the_pictures_of_the_readme_are_current() {
    let (mut books, after) = demo();
    let begun = [("live", View::Fleet, "dark", (160, 44)), ("live-light", View::Fleet, "light", (160, 44))];
    let others = [("history", View::History, "dark", (120, 36)), ("small", View::Fleet, "light", (80, 24))];
    for (name, view, theme, (columns, rows)) in begun.into_iter().chain(others) {
        check(name, &tui::as_svg(&app(&books, view, theme, now()), columns, rows));
    }
    // Far enough for the first warning.
    let at = play(&mut books, &after[..40], &mut |_, _| {});
    let warned = app(&books, View::Fleet, "dark", at);
    assert!(warned.summary().worst_limit().is_some());
    check("warning", &tui::as_svg(&warned, 120, 18));
}

#[test]
fn the_film_of_the_readme_is_current() {
    let (mut books, after) = demo();
    let rules = Rules { limits: demo_limits(), ..Rules::new(ROME) };
    let mut meter = Meter::open(rules.clone(), Snapshot::ask(&books, &rules, &Follow::Today, now()).unwrap());
    let mut app = app(&books, View::Fleet, "dark", now());
    let area = Rect::new(0, 0, 120, 36);
    let (mut frames, mut next) = (vec![tui::draw(&app, area)], now());
    play(&mut books, &after[..110], &mut |changes, at| {
        for change in changes {
            meter.apply(change, at);
        }
        // A frame every three seconds, which the film shows for one.
        if at >= next && frames.len() < 20 {
            next = at + Duration::seconds(3);
            app.update(Message::Summary(Arc::new(meter.summary(at))), at);
            frames.push(tui::draw(&app, area));
        }
    });
    let film = tui::svg::film(&frames, 1, app.theme());
    assert!(film.contains("limit reached") && film.contains("of daily limit used"), "both thresholds are in it");
    check("demo", &film);
}
