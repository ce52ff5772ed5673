//! The pictures of the README, drawn by the program. `TOKMETER_BLESS=1 cargo test --test pictures` redraws them.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that fails here has found what it was looking for"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::Duration;
use tokmeter::testing::commands::demo_calls;
use tokmeter::testing::domain::{Call, Instant, Label, Record, Usd, Zone};
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::meter::{Amount, Follow, Limit, Meter, Rules, Scope, Snapshot, Window};
use tokmeter::testing::pricing::{CostMode, PriceBook};
use tokmeter::testing::tui::{self, App, Effect, Feed, HealthView, LedgerView, Message, Options, Request, View};

/// Sunday, 22 November 2026, 14:02:09 in Rome.
fn now() -> Instant {
    chrono::DateTime::parse_from_rfc3339("2026-11-22T14:02:09+01:00").unwrap().to_utc()
}

fn alice() -> Label {
    Label::new("alice")
}

/// Alice's calls: today's session and three months of days before it.
fn books() -> Memory {
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
    let mut calls: Vec<Call> = demo_calls(95, now(), &alice());
    for day in 1..90_i64 {
        // Quiet weekends, a busy middle of the week, and a holiday in October.
        let weekday = (7 - (day + 1) % 7) % 7;
        let busy =
            [25, 60, 90, 70, 45, 6, 3][usize::try_from(weekday).unwrap()] + u64::try_from(day * 37 % 23).unwrap();
        if (35..44).contains(&day) {
            continue;
        }
        let end = now() - Duration::days(day);
        for mut call in demo_calls(busy, end, &alice()) {
            call.key = tokmeter::testing::domain::CallKey::from_parts(&[call.key.to_string(), day.to_string()]);
            call.from.session = Some(Label::new(&format!("{day:08x}-demo")));
            calls.push(call);
        }
    }
    let records = calls.into_iter().map(Record::Call).collect();
    books.post(&Batch { records, files: Vec::new() }).unwrap();
    books
}

fn limit(window: Window, usd: Option<&str>, tokens: Option<u64>) -> Limit {
    let usd = usd.map(|text| Usd::parse(text).unwrap().0);
    Limit { scope: Scope::default(), window, amount: Amount { usd, tokens, output_tokens: None }, warn_at: vec![80] }
}

fn app(books: &Memory, rules: Rules, view: View, theme: &str) -> App {
    let mut options = Options::new(rules.zone, alice());
    theme.clone_into(&mut options.theme);
    options.view = view;
    let mut app = App::new(options, now()).unwrap();
    let snapshot = Snapshot::ask(books, &rules, &Follow::Today, now()).unwrap();
    let mut meter = Meter::open(rules, snapshot);
    let health = HealthView {
        files: 2,
        ledger: LedgerView::Open(Label::new("~/.local/share/tokmeter/ledger.db")),
        ..HealthView::default()
    };
    app.update(Message::Feed(Feed::Health(Box::new(health))), now());
    app.update(Message::Summary(Arc::new(meter.summary(now()))), now());
    // Answers the view's queries until there are none.
    for _ in 0..8 {
        for effect in app.effects() {
            if let Effect::Ask(Request::History(query)) = effect {
                let report = books.report(&query).unwrap();
                app.update(Message::Feed(Feed::Answer(Box::new(report))), now());
            }
        }
    }
    app
}

fn rules(limits: Vec<Limit>) -> Rules {
    Rules { limits, ..Rules::new(Zone::named("Europe/Rome").unwrap()) }
}

#[test]
fn the_pictures_of_the_readme_are_current() {
    let books = books();
    let roomy = || {
        rules(vec![
            limit(Window::Day, None, Some(20_000_000)),
            limit(Window::Session, Some("25"), None),
            limit(Window::Month, Some("300"), None),
        ])
    };
    let snapshot = Snapshot::ask(&books, &roomy(), &Follow::Today, now()).unwrap();
    let used = Meter::open(roomy(), snapshot).summary(now()).today.tokens.total();
    // A daily limit of which 83 per cent are used, rounded down as the screen does.
    let tight =
        rules(vec![limit(Window::Day, None, Some(used * 1000 / 834)), limit(Window::Session, Some("25"), None)]);
    let pictures = [
        ("live", app(&books, roomy(), View::Live, "dark"), (120, 30)),
        ("warning", app(&books, tight, View::Live, "dark"), (120, 18)),
        ("history", app(&books, roomy(), View::History, "dark"), (120, 30)),
        ("small", app(&books, roomy(), View::Live, "light"), (80, 24)),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    let bless = std::env::var_os("TOKMETER_BLESS").is_some();
    for (name, app, (columns, rows)) in pictures {
        let picture = tui::as_svg(&app, columns, rows);
        let path = folder.join(format!("{name}.svg"));
        if bless {
            fs::write(&path, &picture).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        assert!(kept == picture, "{name}.svg is not what the program draws now; look at it and draw it anew");
    }
}
