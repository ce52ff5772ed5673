//! Every view at six sizes: one, two and five agents; no limit, near and over; each set of characters and each look.

use std::fmt::Write as _;

use tokmeter::testing::domain::{Quota, Record};
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::meter::Snapshot;
use tokmeter::testing::pricing::{CostMode, PriceBook};
use tokmeter::testing::tui::Explained;

use super::fleet::{SIZES, five, limits, made, two};
use super::*;

/// One session without sub-agents.
fn one() -> Vec<Change> {
    (0..12).map(|nth| made("api-server", "claude-opus-5", None, nth * 70 + 5, "0.41")).collect()
}

/// Books of these calls, at the cost that each states, and of some days before.
fn books(calls: &[Change]) -> Memory {
    let mut records = Vec::new();
    for change in calls {
        let Change::New(RowChange { after, .. }) = change else { continue };
        for back in [0, 1, 2, 3, 6, 9, 13, 20] {
            let mut call = after.call.clone();
            call.quoted = after.cost.usd();
            if back > 0 {
                call.key = CallKey::from_parts(&[&back.to_string(), &after.call.key.to_string()]);
                call.from.at -= Duration::days(back) + Duration::minutes(back * 47);
                call.from.session = call.from.session.map(|name| Label::new(&format!("{back}-{name}")));
            }
            records.push(Record::Call(call));
        }
    }
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Quoted)));
    books.post(&Batch { records, files: Vec::new() }).unwrap();
    books.flush().unwrap();
    books
}

fn quotas() -> Vec<Quota> {
    let quota = |source: &str, minutes: u32, used: u32, left: Duration| Quota {
        source: Label::new(source),
        name: Label::new(""),
        minutes,
        used,
        resets_at: Some(now() + left),
        seen: now() - Duration::minutes(4),
    };
    vec![
        quota("claude-code", 300, 3_150, Duration::hours(3)),
        quota("claude-code", 10_080, 8_500, Duration::days(1)),
        quota("codex", 300, 9_000, -Duration::minutes(2)),
    ]
}

/// Characters and colours.
#[derive(Clone, Copy)]
enum Look {
    Dark,
    Light,
    Mono,
    Ascii,
}

impl Look {
    fn options(self) -> Options {
        let (theme, background, depth) = match self {
            Self::Dark | Self::Ascii => ("dark", Background::Dark, Depth::True),
            Self::Light => ("light", Background::Light, Depth::True),
            Self::Mono => ("mono", Background::Dark, Depth::None),
        };
        let ascii = matches!(self, Self::Ascii);
        Options { theme: theme.to_owned(), background: Some(background), depth, ascii, ..options() }
    }
}

/// A screen that has asked these books for what the keys open.
fn opened(look: Look, calls: &[Change], day: Option<&str>, keys: &[&str]) -> App {
    let books = books(calls);
    let limits = day.map(limits).unwrap_or_default();
    let rules = Rules { limits, ..Rules::new(ZONE) };
    let mut summary =
        Meter::open(rules.clone(), Snapshot::ask(&books, &rules, &Follow::Today, now()).unwrap()).summary(now());
    if day.is_some() {
        summary.quotas = quotas();
    }
    let mut app = app_with(look.options(), summary);
    for key in keys {
        press(&mut app, &[key]);
        answered(&mut app, &books, &rules);
    }
    app
}

/// Answers whatever the screen asks.
fn answered(app: &mut App, books: &Memory, rules: &Rules) {
    for _ in 0..4 {
        for effect in app.effects() {
            let feed = match effect {
                Effect::Ask(Request::History(query)) => EngineEvent::Answer(Box::new(books.report(&query).unwrap())),
                Effect::Ask(Request::Models) => EngineEvent::Models(models(app)),
                Effect::Ask(Request::Explain(key)) => {
                    let lines = [
                        "Price   claude-opus-5 as of 2026-11-01, listed",
                        "input              12 x    $5.00 per million   $0.00006",
                        "cache read     84,112 x    $0.50 per million   $0.042056",
                        "output          1,204 x   $25.00 per million   $0.0301",
                        "                                               $0.072216",
                        "/home/alice/.claude/projects/-home-alice-api-server/3f2a91c0.jsonl:7 (byte 900)",
                    ];
                    EngineEvent::Explained(Box::new(Explained { key, lines: lines.map(Label::new).to_vec() }))
                }
                Effect::Follow(follow) => {
                    let snapshot = Snapshot::ask(books, rules, &follow, now()).unwrap();
                    let summary = Meter::open(rules.clone(), snapshot).summary(now());
                    app.update(Message::Summary(Arc::new(summary)), now());
                    continue;
                }
                Effect::Ask(_)
                | Effect::Snooze(..)
                | Effect::Unsnooze(_)
                | Effect::Copy(_)
                | Effect::Mouse(_)
                | Effect::Bell
                | Effect::Popup(_)
                | Effect::Repaint
                | Effect::Suspend => panic!("no view is opened by this"),
            };
            app.update(Message::Engine(feed), now());
        }
    }
}

fn models(app: &App) -> Vec<ModelView> {
    let rates = |input: &str, output: &str, read: &str| Rates {
        input: usd(input),
        output: usd(output),
        cache_read: Some(usd(read)),
        ..Rates::default()
    };
    let view = |line: &ModelLine| ModelView {
        model: line.model.clone(),
        sums: line.sums,
        rates: match line.model.as_deref() {
            Some("claude-opus-5") => Some(rates("0.000005", "0.000025", "0.0000005")),
            Some("gpt-6.1-sol") => Some(rates("0.0000015", "0.000012", "0.00000015")),
            _ => None,
        },
        elsewhere: (line.model.as_deref() == Some("claude-opus-5"))
            .then(|| (Label::new("claude-haiku-5-5"), usd("3.36"))),
    };
    app.summary().models.iter().map(view).collect()
}

/// Name, look, agents, the day's limit, keys.
type Case = (&'static str, Look, fn() -> Vec<Change>, Option<&'static str>, &'static [&'static str]);

const CASES: [Case; 14] = [
    ("fleet_of_one_without_limits_mono", Look::Mono, one, None, &[]),
    ("fleet_of_two_over_ascii", Look::Ascii, two, Some("12"), &[]),
    ("fleet_of_five_near_light", Look::Light, five, Some("20"), &[]),
    ("pinned_session_near", Look::Dark, five, Some("20"), &["down", "enter"]),
    ("sessions_of_five", Look::Dark, five, Some("25"), &["2"]),
    ("projects_of_five_light", Look::Light, five, Some("25"), &["3"]),
    ("history_of_two_ascii", Look::Ascii, two, None, &["4"]),
    ("models_of_two_mono", Look::Mono, two, Some("25"), &["5"]),
    ("limits_near_with_providers_windows", Look::Dark, five, Some("20"), &["6"]),
    ("no_limits_ascii", Look::Ascii, one, None, &["6"]),
    ("health", Look::Dark, one, None, &["7"]),
    ("palette_light", Look::Light, two, Some("25"), &[":"]),
    ("help_ascii", Look::Ascii, two, None, &["?"]),
    ("a_call_explained", Look::Dark, two, Some("25"), &["tab", "tab", "tab", "enter"]),
];

#[test]
fn every_view_at_every_size() {
    for (name, look, calls, day, keys) in CASES {
        let app = opened(look, &calls(), day, keys);
        let mut all = String::new();
        for (width, height) in SIZES {
            let picture = draw(&app, Rect::new(0, 0, width, height));
            let text = text_of(&picture);
            match look {
                Look::Ascii => assert!(text.is_ascii(), "{name} at {width}×{height}:\n{text}"),
                Look::Mono => {
                    let is_plain = |cell: &ratatui::buffer::Cell| cell.fg == Color::Reset && cell.bg == Color::Reset;
                    assert!(picture.content().iter().all(is_plain), "{name} at {width}×{height}");
                }
                Look::Dark | Look::Light => {}
            }
            write!(all, "== {width}×{height}\n{text}").unwrap();
        }
        insta::assert_snapshot!(name, all);
    }
}
