//! The screen at every size, in every theme, with any names.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Duration;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use tokmeter::testing::domain::{
    Attribution, Call, CallKey, Dimension, Filter, Instant, Label, Matcher, Span, Tokens, Usd, Zone, day_of, day_start,
};
use tokmeter::testing::ledger::{Change, Grain, PeriodKey, Query, Report, ReportRow, Row, RowChange, SessionRow, Sums};
use tokmeter::testing::meter::{
    Alerts, Amount, CallLine, Follow, Limit, LimitState, Meter, ModelLine, Rules, Scope, SessionId, SessionLine, Share,
    Summary, Trend, Verdict, Window,
};
use tokmeter::testing::pricing::{Cost, Rates};
use tokmeter::testing::theme::{Background, Depth, Themes};
use tokmeter::testing::tui::{
    Action, App, BadLineView, Effect, EngineEvent, FRAME, HealthView, LedgerView, Message, ModelView, Next, Note,
    Options, Progress, Request, ScreenState, SourceView, Tone, Watching, draw, paint,
};

#[path = "screens/care.rs"]
mod care;
#[path = "screens/charts.rs"]
mod charts;
#[path = "screens/down.rs"]
mod down;
#[path = "screens/exact.rs"]
mod exact;
#[path = "screens/faces.rs"]
mod faces;
#[path = "screens/filtered.rs"]
mod filtered;
#[path = "screens/fleet.rs"]
mod fleet;
#[path = "screens/legible.rs"]
mod legible;
#[path = "screens/limits.rs"]
mod limits;
#[path = "screens/many_limits.rs"]
mod many_limits;
#[path = "screens/newcomers.rs"]
mod newcomers;
#[path = "screens/opened.rs"]
mod opened;
#[path = "screens/pace.rs"]
mod pace;
#[path = "screens/parts.rs"]
mod parts;
#[path = "screens/sizes.rs"]
mod sizes;
#[path = "screens/told_apart.rs"]
mod told_apart;

const ZONE: Zone = Zone::named("Europe/Rome").unwrap();

fn now() -> Instant {
    "2026-11-22T13:02:10Z".parse().unwrap()
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap().0
}

fn options() -> Options {
    let mut options = Options::new(ZONE, Label::new("alice"));
    options.background = Some(Background::Dark);
    "dark".clone_into(&mut options.theme);
    options.looks = vec![Label::new("~/.claude/projects"), Label::new("~/.codex/sessions")];
    options
}

fn sums(calls: u64, tokens: [u64; 6], cost: &str, saved: &str) -> Sums {
    Sums { calls, tokens: Tokens::from_fields(tokens), cost: usd(cost), saved: usd(saved), ..Sums::default() }
}

fn call(model: &str, seconds_ago: i64, tokens: [u64; 6], cost: Option<&str>, agent: Option<&str>) -> CallLine {
    let at = now() - Duration::seconds(seconds_ago);
    let from = Attribution {
        session: Some(Label::new("11112222-1111-4222-8333-44443f2a91c0")),
        agent: agent.map(Label::new),
        ..Attribution::new(at, Label::new("claude-code"))
    };
    let call = Call::new(
        CallKey::from_parts(&[model, &seconds_ago.to_string()]),
        from,
        Some(Label::new(model)),
        Tokens::from_fields(tokens),
    );
    let price = Label::new("list");
    let cost =
        cost.map_or(Cost::Unpriced, |cost| Cost::Priced { usd: usd(cost), saved: Usd::ZERO, price, is_guessed: false });
    CallLine { row: Arc::new(Row { call, cost }) }
}

/// A trend of so many tokens in each of the last minutes, at a dollar for a million.
fn trend(bars: &[u64]) -> Trend {
    let tokens: Vec<u64> = std::iter::repeat_n(0, 180 - bars.len()).chain(bars.iter().copied()).collect();
    Trend { usd: tokens.iter().map(|tokens| Usd::from_micro(1).times(*tokens)).collect(), tokens }
}

fn session(name: &str, project: &str, minutes_ago: i64, sums: Sums, active: bool) -> SessionLine {
    let started = now() - Duration::minutes(minutes_ago) - Duration::seconds(12);
    let duration = Duration::seconds(1392);
    SessionLine {
        row: SessionRow {
            session: Some(Label::new(name)),
            source: Label::new("claude-code"),
            started,
            ended: started + duration,
            project: Some(Label::new(project)),
            user: Some(Label::new("alice")),
            projects: std::collections::BTreeMap::new(),
            users: std::collections::BTreeMap::new(),
            models: vec![
                (Some(Label::new("claude-opus-5")), sums),
                (Some(Label::new("claude-haiku-5-5")), Sums::default()),
            ],
            in_agents: Sums::default(),
            sums,
        },
        duration,
        active,
    }
}

fn limit(window: Window, user: Option<&str>, allowed: Amount, used: Amount, percent: u64) -> LimitState {
    let only = user.map(|user| (Dimension::User, Matcher::new(user))).into_iter().collect();
    let word = window.adjective();
    let verdict = match percent {
        0..80 => Verdict::Under,
        80..100 => Verdict::Near,
        _ => Verdict::Over,
    };
    LimitState {
        limit: Limit { scope: Scope { only, each: false }, window, amount: allowed, warn_at: vec![80] },
        name: user.map_or(word.clone(), |user| format!("{user} {word}")),
        subject: None,
        session: None,
        used,
        span: window.span(now(), ZONE, chrono::Weekday::Mon),
        percent,
        verdict,
        projected: None,
        lower_bound: false,
        unread: false,
        guessed: false,
        lifted: false,
    }
}

fn tokens(tokens: u64) -> Amount {
    Amount { tokens: Some(tokens), ..Amount::default() }
}

fn dollars(text: &str) -> Amount {
    Amount { usd: Some(usd(text)), ..Amount::default() }
}

const SESSION: &str = "11112222-1111-4222-8333-44443f2a91c0";

/// One session that was pinned.
fn summary() -> Summary {
    let opus = sums(11, [1_204, 84_112, 0, 4_904, 8_000, 0], "1.80", "9.31");
    let haiku = sums(4, [40_010, 0, 0, 0, 7_000, 0], "0.38", "0");
    let mut both = opus;
    both.add(&haiku);
    let line = |model: &str, sums: Sums, percent: u8, bars: &[u64]| ModelLine {
        model: Some(Label::new(model)),
        sums,
        share: Share::Exact(percent),
        trend: trend(bars),
    };
    let mut day = limit(Window::Day, None, tokens(500_000), tokens(400_000), 80);
    day.projected = Some((
        "2026-11-22T15:40:00Z".parse().unwrap(),
        Span { from: "2026-11-22T14:55:00Z".parse().unwrap(), until: "2026-11-22T17:10:00Z".parse().unwrap() },
    ));
    let id = SessionId { source: Label::new("claude-code"), session: Some(Label::new(SESSION)) };
    Summary {
        follow: Follow::Session(id),
        session: Some(session("11112222-1111-4222-8333-44443f2a91c0", "/home/alice/api-server", 23, both, true)),
        sessions: vec![
            session("11112222-1111-4222-8333-44443f2a91c0", "/home/alice/api-server", 23, both, true),
            session("11112222-1111-4222-8333-444477777777", "/home/alice/web", 300, haiku, false),
            session("nightly", "/srv/batch", 2000, opus, false),
        ],
        all: both,
        today: both,
        month: sums(900, [0, 0, 0, 0, 9_000_000, 0], "41.2", "0"),
        followed: both,
        models: vec![
            line(
                "claude-opus-5",
                opus,
                82,
                &[
                    1, 900, 1800, 3000, 5000, 7000, 8000, 6000, 3000, 1800, 900, 900, 1800, 5000, 7000, 8000, 7000,
                    6000, 3000, 1800, 900,
                ],
            ),
            line("claude-haiku-5-5", haiku, 18, &[900, 0, 900, 1800, 900, 0, 900, 0, 900]),
        ],
        calls: vec![
            call("claude-opus-5", 1, [12, 84_112, 0, 4_904, 1_204, 0], Some("0.0721"), None),
            call("claude-haiku-5-5", 30, [410, 0, 0, 0, 92, 0], Some("0.0009"), Some("explore")),
            call("my-local-model", 62, [3_000, 0, 0, 0, 500, 0], None, None),
        ],
        limits: vec![
            day,
            limit(Window::Session, None, dollars("10"), dollars("2.18"), 21),
            limit(Window::Day, Some("alice"), dollars("50"), dollars("12.40"), 24),
        ],
        tokens_per_min: 1_240,
        cost_per_hour: usd("4.12"),
        of_rate: both,
        growing: true,
        by_day_end: Some(usd("31.5")),
        by_month_end: Some(usd("58")),
        ..Summary::empty(now())
    }
}

fn health() -> HealthView {
    HealthView {
        files: 2,
        watching: Watching::Live,
        sources: vec![
            SourceView {
                path: Label::new("~/.claude/projects/api/3f2a91c0.jsonl"),
                format: Some(Label::new("claude-code")),
                fidelity: "E".to_owned(),
                watching: Watching::Live,
                files: 3,
                bad: 3,
                last: Some(now()),
                trouble: None,
            },
            SourceView {
                path: Label::new("/var/log/llm/usage.jsonl"),
                format: None,
                fidelity: String::new(),
                watching: Watching::Polling,
                files: 0,
                bad: 0,
                last: None,
                trouble: Some(Label::new("permission denied")),
            },
        ],
        bad_lines: vec![BadLineView { path: Label::new("a.jsonl"), line: 12, why: Label::new("not JSON") }],
        bad_total: 3,
        unread_files: 0,
        unpriced: vec![(Label::new("my-local-model"), 3_500)],
        ledger: LedgerView::Open(Label::new("~/.local/share/tokmeter/ledger.db")),
        priced_now: Vec::new(),
        config_trouble: None,
        prices: Some(Label::new("list of 2026-11-01, 21 days old")),
        awaited: Vec::new(),
        absent: Vec::new(),
        found: vec![("codex", "E".to_owned(), "compactions by the service, up to 0.149")],
        lags: Vec::new(),
        notes: vec![Label::new("3 sources gone, kept in the ledger")],
    }
}

fn app_with(options: Options, summary: Summary) -> App {
    let mut app = App::new(options, now()).unwrap();
    app.update(Message::Engine(EngineEvent::Health(Box::new(health()))), now());
    app.update(Message::Summary(Arc::new(summary)), now());
    app
}

fn app() -> App {
    app_with(options(), summary())
}

fn press(app: &mut App, keys: &[&str]) {
    for key in keys {
        let (code, modifiers) = match *key {
            "enter" => (KeyCode::Enter, KeyModifiers::NONE),
            "esc" => (KeyCode::Esc, KeyModifiers::NONE),
            "tab" => (KeyCode::Tab, KeyModifiers::NONE),
            "down" => (KeyCode::Down, KeyModifiers::NONE),
            "left" => (KeyCode::Left, KeyModifiers::NONE),
            "right" => (KeyCode::Right, KeyModifiers::NONE),
            "ctrl-c" => (KeyCode::Char('c'), KeyModifiers::CONTROL),
            "ctrl-u" => (KeyCode::Char('u'), KeyModifiers::CONTROL),
            "up" => (KeyCode::Up, KeyModifiers::NONE),
            other => (KeyCode::Char(other.chars().next().unwrap()), KeyModifiers::NONE),
        };
        app.update(Message::Key(KeyEvent::new(code, modifiers)), now());
    }
}

fn shown(app: &App, width: u16, height: u16) -> String {
    text_of(&draw(app, Rect::new(0, 0, width, height)))
}

fn text_of(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut covered = false;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if !covered {
                line.push_str(symbol);
            }
            covered = !covered && tokmeter::testing::text::width(symbol) > 1;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Displays bytes on a terminal of this size.
///
/// vt100 draws nothing for U+FFFD, which terminals draw in one column; it is replaced by another character of that
/// width.
fn fed(screen: &mut vt100::Parser, bytes: &[u8]) {
    screen.process(String::from_utf8(bytes.to_vec()).unwrap().replace('\u{fffd}', "¿").as_bytes());
}

fn terminal(rows: u16, columns: u16) -> vt100::Parser {
    vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0)
}

#[test]
fn the_live_view_at_120_columns() {
    insta::assert_snapshot!(shown(&app(), 120, 36));
}

#[test]
fn the_live_view_at_80_by_24() {
    insta::assert_snapshot!(shown(&app(), 80, 24));
}

#[test]
fn the_live_view_at_40_by_10() {
    insta::assert_snapshot!(shown(&app(), 40, 10));
}

#[test]
fn the_live_view_at_20_by_4() {
    insta::assert_snapshot!(shown(&app(), 20, 4));
}

#[test]
fn the_smallest_sizes_of_a_whole_screen_and_of_the_other_views_are_what_they_are_said_to_be() {
    let mut app = app();
    for (width, height, is_whole) in [(60, 14, true), (59, 14, false), (60, 13, false)] {
        assert_eq!(shown(&app, width, height).contains("Fleet › pinned: "), is_whole, "{width}×{height}");
    }
    press(&mut app, &["2"]);
    for (width, height, is_readable) in [(40, 10, true), (39, 10, false), (40, 9, false)] {
        let text = shown(&app, width, height);
        assert_eq!(text.contains("need 40×10"), !is_readable, "{width}×{height}: {text}");
    }
}

#[test]
fn a_compact_pane_of_four_lines() {
    let app = app_with(Options { compact: true, ..options() }, summary());
    insta::assert_snapshot!(shown(&app, 100, 4));
}

#[test]
fn a_limit_that_is_reached() {
    let mut over = summary();
    over.limits[0] = limit(Window::Day, None, tokens(500_000), tokens(512_000), 102);
    over.limits[1] = limit(Window::Session, None, dollars("10"), dollars("9.10"), 91);
    insta::assert_snapshot!(shown(&app_with(options(), over), 120, 20));
}

#[test]
fn unpriced_tokens_are_marked_everywhere() {
    let mut some = summary();
    some.followed.unpriced_tokens = 3_500;
    some.today.unpriced_tokens = 3_500;
    some.month.unpriced_tokens = 3_500;
    some.of_rate = some.followed;
    some.by_month_end = some.by_day_end;
    some.models[1].sums =
        Sums { unpriced_tokens: 47_010, cost: Usd::ZERO, ..sums(4, [47_010, 0, 0, 0, 0, 0], "0", "0") };
    let day = Summary { session: None, follow: Follow::Today, ..some.clone() };
    let fleet = shown(&app_with(options(), day.clone()), 120, 36);
    assert!(fleet.contains("≥ $31.50 by midnight"), "{fleet}");
    let mut history = app_with(options(), day);
    press(&mut history, &["4"]);
    let history = shown(&history, 200, 60);
    assert!(history.contains("≥ $31.50 by its end"), "{history}");
    let compact = app_with(Options { compact: true, ..options() }, some.clone());
    for width in 1..60 {
        let text = shown(&compact, width, 1);
        assert!(!text.contains('$') || text.contains('≥'), "{width}: {text}");
    }
    assert_eq!(shown(&compact, 6, 1).trim(), "≥$2.18");
    let small = shown(&app_with(options(), some.clone()), 40, 10);
    assert!(small.contains("≥ $4.12/h"), "{small}");
    let text = shown(&app_with(options(), some), 120, 30);
    assert!(text.contains("Tokens: 145,230 ↑ | Cost: ≥ $2.18"), "{text}");
    assert!(text.contains("│ ≥ $4.12/h") && text.contains("Per call    ≥ $0.145"), "{text}");
    let model = text.lines().find(|line| line.contains("claude-haiku-5-5") && line.contains("tok")).unwrap();
    assert!(model.contains(" ? "), "{model}");
    assert!(text.lines().any(|line| line.contains("my-local") && line.contains(" ?  ")), "{text}");
    assert!(text.contains("? 1 unpriced"), "{text}");
    let mut list = summary();
    for line in &mut list.sessions {
        line.row.sums.unpriced_tokens = 1;
    }
    let mut list = app_with(options(), list);
    press(&mut list, &["2"]);
    let list = shown(&list, 160, 40);
    let average = list.lines().find(|line| line.contains("api-server") && line.contains('$')).unwrap();
    assert_eq!(average.matches('≥').count(), 2, "the cost and the average: {average}");
}

#[test]
fn a1_waiting_for_a_first_log_says_where_it_looks_and_how_to_feed_it() {
    let mut app = App::new(options(), now()).unwrap();
    app.update(Message::Engine(EngineEvent::Progress(None)), now());
    insta::assert_snapshot!(shown(&app, 100, 24));
    let (awaited, notes) = (vec![Label::new("/home/alice/.claude/projects")], vec![Label::new("2 sources gone")]);
    app.update(
        Message::Engine(EngineEvent::Health(Box::new(HealthView { awaited, notes, ..HealthView::default() }))),
        now(),
    );
    let text = shown(&app, 100, 24);
    assert!(text.contains("2 sources gone") && !text.contains("/home/alice/.claude"), "{text}");
    press(&mut app, &["d"]);
    assert_eq!(app.effects(), [Effect::Ask(Request::Demo)]);
    app.update(Message::Summary(Arc::new(summary())), now());
    assert!(shown(&app, 100, 24).contains("Tokens: 145,230"));
}

#[test]
fn a21_reading_shows_its_progress_while_the_numbers_are_on_screen() {
    let mut app = app();
    let progress = Progress {
        files_done: 3_210,
        files: 10_000,
        bytes_done: 1_200_000_000,
        bytes: 3_400_000_000,
        left: Some(Duration::seconds(12)),
    };
    app.update(Message::Engine(EngineEvent::Progress(Some(progress))), now());
    let text = shown(&app, 120, 30);
    assert!(text.contains("Reading 3,210 of 10,000 files · 1.2 GB of 3.4 GB · 12s left"), "{text}");
    assert!(text.contains("Tokens: 145,230"), "{text}");
    app.update(Message::Engine(EngineEvent::Progress(None)), now());
    assert!(!shown(&app, 120, 30).contains("Reading"));
}

#[test]
fn the_sessions_view() {
    let mut app = app();
    press(&mut app, &["2", "down"]);
    insta::assert_snapshot!(shown(&app, 120, 16));
    app.effects();
    press(&mut app, &["enter"]);
    let Some(Effect::Follow(Follow::Session(id))) = app.effects().into_iter().next() else { panic!("follows nothing") };
    assert_eq!(id.session.unwrap().as_str(), "11112222-1111-4222-8333-444477777777");
}

#[test]
fn sessions_sort_by_each_column_and_in_reverse() {
    let mut app = app();
    press(&mut app, &["2", "s", "s"]);
    let first = |app: &App| shown(app, 120, 16).lines().nth(4).unwrap().to_owned();
    assert!(first(&app).contains("batch") || first(&app).contains("api-server"), "{}", first(&app));
    let by_project = first(&app);
    press(&mut app, &["r"]);
    assert_ne!(first(&app), by_project);
}

fn history_answer(query: &Query) -> Report {
    let models = ["claude-opus-5", "claude-haiku-5-5", "gpt-5"];
    let today = day_of(now(), ZONE);
    let mut rows = Vec::new();
    for back in (0..40_i64).rev() {
        let day = today - Duration::days(back);
        let costs = [back * 37 % 11, back * 17 % 5, back * 13 % 3];
        if query.grain == Grain::Hour {
            let midnight = day_start(day, ZONE);
            let cost = |hour: i64| (back * 37 % 11) * (10 - (13 - hour).abs()) / 10;
            rows.extend((8..20).map(|hour| row(PeriodKey::Hour(midnight + Duration::hours(hour)), None, cost(hour))));
        } else if query.by.is_empty() && query.grain == Grain::Day {
            let all: i64 = costs.iter().sum();
            rows.push(row(PeriodKey::Day(day), None, all));
        } else if query.grain == Grain::Day {
            for (model, cost) in models.iter().zip(costs) {
                rows.push(row(PeriodKey::Day(day), Some(model), cost));
            }
        }
    }
    let total = if query.grain == Grain::Total { sums(1, [0; 6], "4", "0") } else { Sums::default() };
    Report { query: query.clone(), rows, total, all_rows: None, unread_files: 0 }
}

fn row(period: PeriodKey, model: Option<&str>, cost: i64) -> ReportRow {
    let tokens = u64::try_from(cost).unwrap() * 1000;
    ReportRow {
        period,
        by: model.map(|model| Some(Label::new(model))).into_iter().collect(),
        sums: sums(1, [tokens, 0, 0, 0, 0, 0], &cost.to_string(), "0"),
        session: None,
        call: None,
    }
}

/// Answers every query of the History view.
fn answer(app: &mut App) {
    for effect in app.effects() {
        if let Effect::Ask(Request::History(query)) = effect {
            app.update(Message::Engine(EngineEvent::Answer(Box::new(history_answer(&query)))), now());
        }
    }
}

#[test]
fn the_history_view() {
    let mut app = app();
    press(&mut app, &["4"]);
    answer(&mut app);
    press(&mut app, &["left"]);
    insta::assert_snapshot!(shown(&app, 120, 36));
}

#[test]
fn history_asks_once_until_it_is_answered_and_again_when_the_books_change() {
    let mut app = app();
    press(&mut app, &["4"]);
    assert_eq!(app.effects().len(), 4);
    app.update(Message::Engine(EngineEvent::Changes(Vec::new())), now());
    assert_eq!(app.effects(), []);
    for by in [Vec::new(), vec![Dimension::Model]] {
        let query = Query { by, ..Query::new(Grain::Day, ZONE) };
        app.update(Message::Engine(EngineEvent::Answer(Box::new(history_answer(&query)))), now());
    }
    // Changes made while it waited are requested now.
    assert_eq!(app.effects().len(), 4);
    press(&mut app, &["t"]);
    assert!(shown(&app, 120, 36).contains("Each week"));
}

#[test]
fn the_models_view() {
    let mut app = app();
    press(&mut app, &["5"]);
    let asked = app.effects();
    assert_eq!((&asked[0], asked.len()), (&Effect::Ask(Request::Models), 2));
    let rates = Rates {
        input: usd("0.000005"),
        output: usd("0.000025"),
        cache_read: Some(usd("0.0000005")),
        ..Rates::default()
    };
    let models = vec![
        ModelView {
            model: Some(Label::new("claude-opus-5")),
            sums: sums(11, [1_204, 84_112, 0, 4_904, 8_000, 0], "1.80", "9.31"),
            rates: Some(rates),
            elsewhere: Some((Label::new("claude-haiku-5-5"), usd("0.36"))),
        },
        ModelView {
            model: Some(Label::new("my-local-model")),
            sums: Sums { unpriced_tokens: 3_500, ..sums(1, [3_000, 0, 0, 0, 500, 0], "0", "0") },
            rates: None,
            elsewhere: None,
        },
    ];
    app.update(Message::Engine(EngineEvent::Models(models)), now());
    insta::assert_snapshot!(shown(&app, 140, 12));
}

#[test]
fn the_limits_view_edits_in_place() {
    let mut app = app();
    press(&mut app, &["l"]);
    insta::assert_snapshot!(shown(&app, 140, 12));
    // The amount that it has is there to be changed.
    press(&mut app, &["down", "i"]);
    assert!(shown(&app, 120, 16).contains("new amount of user:alice:day (25usd, 500k): 50usd_"));
    press(&mut app, &["ctrl-u", "7", "5", "u", "s", "d"]);
    assert!(shown(&app, 120, 16).contains("new amount of user:alice:day (25usd, 500k): 75usd_"));
    app.effects();
    press(&mut app, &["enter"]);
    let (scope, amount) = ("user:alice:day".to_owned(), "75usd".to_owned());
    assert_eq!(app.effects(), [Effect::Ask(Request::SetLimit { scope, amount })]);
}

#[test]
fn a_limit_is_removed_by_the_second_of_two_keys_only() {
    let mut app = app();
    press(&mut app, &["l", "x"]);
    assert_eq!(app.effects(), []);
    assert!(shown(&app, 120, 16).contains("Delete again removes the limit day"), "{}", shown(&app, 120, 16));
    press(&mut app, &["down", "x", "k", "x"]);
    assert_eq!(app.effects(), []);
    press(&mut app, &["x"]);
    assert_eq!(app.effects(), [Effect::Ask(Request::UnsetLimit { scope: "day".to_owned() })]);
}

#[test]
fn no_day_of_the_calendar_is_left_out() {
    let mut app = app();
    press(&mut app, &["4"]);
    answer(&mut app);
    let text = shown(&app, 120, 36);
    let mondays = text.lines().find(|line| line.contains(" Mon ")).unwrap();
    let days: String = mondays.chars().skip(6).step_by(2).take(26).collect();
    assert!(!days.contains(' '), "{days:?}");
}

#[test]
fn the_health_view() {
    let mut app = app();
    press(&mut app, &["7"]);
    insta::assert_snapshot!(shown(&app, 110, 24));
}

#[test]
fn a_place_that_is_not_there_yet_is_no_fault_in_the_health_view() {
    let mut app = App::new(options(), now()).unwrap();
    let (awaited, notes) = (vec![Label::new("/home/alice/logs")], vec![Label::new("2 sources gone")]);
    let absent = vec!["codex", "goose"];
    let health = HealthView { awaited, absent, notes, ..HealthView::default() };
    app.update(Message::Engine(EngineEvent::Health(Box::new(health))), now());
    press(&mut app, &["7"]);
    let text = shown(&app, 100, 24);
    assert!(text.contains("○ waiting for /home/alice/logs") && text.contains("▲ 2 sources gone"), "{text}");
    assert!(text.contains("○ 2 agents not found: codex, goose"), "{text}");
}

#[test]
fn help_lists_every_action_and_searches() {
    let mut app = app();
    press(&mut app, &["?"]);
    let mut seen = String::new();
    for _ in 0..90 {
        seen.push_str(&shown(&app, 120, 20));
        press(&mut app, &["down"]);
    }
    for action in Action::ALL {
        assert!(seen.contains(action.help()), "help does not list '{}'", action.name());
    }
    press(&mut app, &["f", "r", "e", "e", "z"]);
    let found = shown(&app, 120, 20);
    assert!(found.contains("Freeze the screen") && !found.contains("Choose a theme"), "{found}");
    press(&mut app, &["esc"]);
    assert!(shown(&app, 120, 20).contains("Tokens: 145,230"));
}

#[test]
fn a_session_is_chosen_from_a_searched_list() {
    let mut app = app();
    press(&mut app, &["s", "w", "e", "b"]);
    let text = shown(&app, 120, 20);
    assert!(text.contains("77777777") && !text.contains("nightly"), "{text}");
    press(&mut app, &["enter"]);
    let effects = app.effects();
    assert!(matches!(&effects[..], [Effect::Follow(Follow::Session(_))]), "{effects:?}");
}

#[test]
fn a_filter_narrows_the_calls_and_escape_lifts_it() {
    let mut app = app();
    press(&mut app, &["/", "e", "x", "p", "l", "o", "enter"]);
    let text = shown(&app, 120, 30);
    assert!(text.contains("haiku-5-5") && text.contains("explore") && !text.contains("14:02:09"), "{text}");
    assert!(text.contains("/explo"), "{text}");
    press(&mut app, &["esc"]);
    assert!(shown(&app, 120, 30).contains("14:02:09"));
}

#[test]
fn escape_drops_a_filter_that_is_still_being_typed() {
    let mut app = app();
    press(&mut app, &["/", "e", "x", "p", "l", "o"]);
    assert!(!shown(&app, 120, 30).contains("14:02:09"));
    press(&mut app, &["esc"]);
    let text = shown(&app, 120, 30);
    assert!(text.contains("14:02:09") && !text.contains("/explo"), "{text}");
}

#[test]
fn escape_takes_away_what_was_said_before_it_leaves_a_view() {
    let mut app = app();
    press(&mut app, &["2"]);
    app.update(Message::Engine(EngineEvent::Note(Note::new(Tone::Plain, "the ledger can be written again"))), now());
    let has = |app: &App, words: &str| shown(app, 120, 30).contains(words);
    assert!(has(&app, "the ledger can be written again"));
    press(&mut app, &["esc"]);
    assert!(has(&app, "Sessions") && !has(&app, "the ledger can be written again"));
    press(&mut app, &["esc"]);
    assert!(has(&app, "Tokens: 145,230"));
    app.effects();
    press(&mut app, &["esc"]);
    assert_eq!(app.effects(), [Effect::Follow(Follow::Today)], "and the fleet comes back at last");
}

#[test]
fn a_cursor_on_the_last_row_stays_on_it_when_another_row_appears_below() {
    let mut app = app();
    let followed = |app: &mut App| {
        press(app, &["enter"]);
        app.effects()
    };
    press(&mut app, &["2"]);
    press(&mut app, &["down"; 50]);
    let mut more = summary();
    more.sessions.push(session("older", "/home/alice/older", 9_000, Sums::default(), false));
    app.update(Message::Summary(Arc::new(more)), now());
    let here = followed(&mut app);
    assert!(matches!(&here[..], [Effect::Follow(Follow::Session(id))] if id.session != Some(Label::new("older"))));
    press(&mut app, &["2", "down"]);
    let below = followed(&mut app);
    assert!(matches!(&below[..], [Effect::Follow(Follow::Session(id))] if id.session == Some(Label::new("older"))));
}

#[test]
fn a_cursor_that_went_too_far_back_in_history_comes_forward_at_once() {
    let mut app = app();
    press(&mut app, &["4"]);
    answer(&mut app);
    press(&mut app, &["left"; 500]);
    let oldest = shown(&app, 120, 36);
    press(&mut app, &["right"]);
    assert_ne!(shown(&app, 120, 36), oldest);
}

#[test]
fn a_limit_is_snoozed_until_its_period_ends_or_for_an_hour() {
    let mut app = app();
    press(&mut app, &["z"]);
    assert_eq!(app.effects(), [Effect::Snooze("daily".to_owned(), "2026-11-22T23:00:00Z".parse().unwrap())]);
    let mut total = summary();
    total.limits = vec![limit(Window::Total, None, tokens(500_000), tokens(400_000), 80)];
    app.update(Message::Summary(Arc::new(total)), now());
    press(&mut app, &["z"]);
    assert_eq!(app.effects(), [Effect::Snooze("total".to_owned(), now() + Duration::hours(1))]);
}

#[test]
fn the_key_that_snoozes_a_limit_takes_it_back_and_the_screen_says_so() {
    let mut app = app();
    let wake = |name: &str| Effect::Unsnooze(name.to_owned());
    press(&mut app, &["z"]);
    assert_eq!(app.effects().len(), 1);
    for (width, words) in [(120, "no alerts until 00:00: z turns them on"), (60, "alerts off: z")] {
        let text = shown(&app, width, 30);
        assert!(text.lines().nth(1).unwrap().contains(words), "{text}");
        assert!(text.contains("no more alerts of the daily limit until 00:00"), "{text}");
    }
    assert!(shown(&app, 120, 30).contains("; z turns them on again"));
    press(&mut app, &["6", "e"]);
    assert!(shown(&app, 120, 30).contains("alerts       off until 00:00; Z turns all alerts on again"));
    press(&mut app, &["esc", "z"]);
    assert_eq!(app.effects(), [wake("daily")]);
    assert!(shown(&app, 120, 30).contains("alerts of the daily limit are on again"));
    assert!(!shown(&app, 120, 30).lines().nth(1).unwrap().contains("no alerts"));
    // A limit that is no longer the worst is taken back with all others.
    press(&mut app, &["z"]);
    let mut other = summary();
    other.limits.insert(0, limit(Window::Month, None, tokens(500_000), tokens(400_000), 80));
    app.update(Message::Summary(Arc::new(other)), now());
    press(&mut app, &["z"]);
    app.effects();
    assert!(shown(&app, 120, 30).contains("no more alerts of the monthly limit"));
    press(&mut app, &["Z"]);
    assert_eq!(app.effects(), [wake("daily"), wake("monthly")]);
    press(&mut app, &["Z"]);
    assert_eq!(app.effects(), []);
    // A snooze that has ended is over without a key.
    press(&mut app, &["z"]);
    assert_eq!(app.effects().len(), 1);
    let later = now() + Duration::days(20);
    app.update(Message::Clock(later), later);
    assert!(!shown(&app, 120, 30).lines().nth(1).unwrap().contains("no alerts"));
}

#[test]
fn no_demo_is_played_beside_real_calls() {
    let mut app = app();
    press(&mut app, &["d"]);
    assert_eq!(app.effects(), []);
}

#[test]
fn a_frozen_picture_stays_and_says_so() {
    let mut app = app();
    press(&mut app, &[" "]);
    let frozen = shown(&app, 120, 30);
    assert!(frozen.contains("◼ frozen"));
    let mut more = summary();
    more.followed.tokens.output += 1_000_000;
    assert_eq!(app.update(Message::Summary(Arc::new(more)), now()), Next::Stay);
    assert_eq!(shown(&app, 120, 30), frozen);
    press(&mut app, &[" "]);
    let live = shown(&app, 120, 30);
    assert!(live.contains("Tokens: 1,145,230"), "what came meanwhile is shown at once: {live}");
}

#[test]
fn escape_closes_but_never_quits_and_ctrl_c_always_does() {
    let mut app = app();
    for _ in 0..5 {
        assert_ne!(app.update(Message::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)), now()), Next::Quit);
    }
    for before in [vec![], vec!["?"], vec!["/", "x"], vec!["s"], vec!["6", "enter"], vec!["6", "a"]] {
        let mut app = self::app();
        press(&mut app, &before);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(app.update(Message::Key(interrupt), now()), Next::Quit, "{before:?}");
    }
}

#[test]
fn f16_a_paste_never_quits_and_is_typed_into_a_prompt_only() {
    let mut app = app();
    assert_eq!(app.update(Message::Paste("q\nq\n".to_owned()), now()), Next::Stay);
    press(&mut app, &["/"]);
    app.update(Message::Paste("opus\u{1b}\nq\n".to_owned()), now());
    assert!(shown(&app, 120, 30).contains("filter: opus_"));
}

#[test]
fn a_letter_with_control_or_alt_is_not_typed_and_a_line_of_typing_has_an_end() {
    let mut app = app();
    press(&mut app, &["/", "o"]);
    for modifiers in [KeyModifiers::CONTROL, KeyModifiers::ALT] {
        let key = KeyEvent::new(KeyCode::Char('x'), modifiers);
        assert_eq!(app.update(Message::Key(key), now()), Next::Stay);
    }
    app.update(Message::Paste("p".repeat(500)), now());
    let text = shown(&app, 300, 30);
    assert!(text.contains(&format!("filter: o{}_", "p".repeat(199))), "{text}");
}

#[test]
fn f15_the_mouse_is_off_until_asked_for() {
    let mut app = app();
    assert_eq!(app.effects(), []);
    press(&mut app, &["m"]);
    assert_eq!(app.effects(), [Effect::Mouse(true)]);
    assert!(shown(&app, 120, 30).contains("hold Shift to select text"));
}

#[test]
fn f7_every_size_can_be_drawn() {
    let views: Vec<App> = ["1", "2", "3", "4", "5", "6", "7", "?", "/", "s"]
        .into_iter()
        .map(|key| {
            let mut app = app();
            press(&mut app, &[key]);
            answer(&mut app);
            let progress = Progress { files: 10, bytes: 1_000, ..Progress::default() };
            app.update(Message::Engine(EngineEvent::Progress(Some(progress))), now());
            app
        })
        .collect();
    let empty = App::new(options(), now()).unwrap();
    let compact = app_with(Options { compact: true, ..options() }, summary());
    let sizes = (0..=44)
        .flat_map(|width| (0..=14).map(move |height| (width, height)))
        .chain((0..=200).step_by(9).flat_map(|width| (0..=60).step_by(4).map(move |height| (width, height))));
    for (width, height) in sizes {
        for app in views.iter().chain([&empty, &compact]) {
            let buffer = draw(app, Rect::new(0, 0, width, height));
            assert_eq!(buffer.area, Rect::new(0, 0, width, height));
        }
    }
    for (width, height) in [(4_000, 1), (4_000, 15), (1, 2_000), (40, 2_000)] {
        for app in views.iter().chain([&empty, &compact]) {
            draw(app, Rect::new(0, 0, width, height));
        }
    }
    assert!(shown(&views[1], 30, 5).contains("too small (need 40×10)"));
    // Minimal views; numbers are never truncated.
    for (width, least) in [(1, "⚠"), (2, "⚠"), (4, "145k"), (6, "$2.18"), (12, "145k $2.18"), (20, "145,230 tok $2.18")]
    {
        assert_eq!(shown(&views[0], width, 1).trim_end(), least, "at {width} columns");
    }
}

#[test]
fn every_theme_draws_every_view() {
    let names: Vec<String> = Themes::default().names().into_iter().map(str::to_owned).collect();
    for name in names {
        for depth in [Depth::None, Depth::Sixteen, Depth::TwoFiftySix, Depth::True] {
            let mut app = app_with(Options { theme: name.clone(), depth, ..options() }, summary());
            let live = draw(&app, Rect::new(0, 0, 120, 36));
            assert!(text_of(&live).contains("80% of daily limit used"), "{name}");
            for cell in &live.content {
                let allowed = |color: Color| match depth {
                    Depth::None => color == Color::Reset,
                    Depth::Sixteen => !matches!(color, Color::Rgb(..) | Color::Indexed(_)),
                    Depth::TwoFiftySix => !matches!(color, Color::Rgb(..)),
                    Depth::True => true,
                };
                assert!(allowed(cell.fg) && allowed(cell.bg), "{name} at {depth:?}: {cell:?}");
            }
            press(&mut app, &["2"]);
            draw(&app, Rect::new(0, 0, 120, 36));
        }
    }
}

#[test]
fn f10_without_colour_selection_and_warning_keep_their_weight() {
    let mut app = app_with(Options { depth: Depth::None, ..options() }, summary());
    let live = draw(&app, Rect::new(0, 0, 120, 36));
    assert!(live[(1, 1)].modifier.contains(Modifier::BOLD), "the banner");
    press(&mut app, &["2"]);
    let sessions = draw(&app, Rect::new(0, 0, 120, 36));
    let reversed = (1..36).filter(|y| sessions[(10, *y)].modifier.contains(Modifier::REVERSED)).count();
    assert_eq!(reversed, 1, "the row the cursor is on");
    // And it reaches the terminal: reverse without any colour.
    let mut bytes = Vec::new();
    paint(None, &sessions, &mut bytes).unwrap();
    let mut screen = terminal(36, 120);
    fed(&mut screen, &bytes);
    let row = (1..36).find(|y| sessions[(10, *y)].modifier.contains(Modifier::REVERSED)).unwrap();
    let cell = screen.screen().cell(row, 10).unwrap();
    assert!(cell.inverse() && cell.fgcolor() == vt100::Color::Default);
}

#[test]
fn f20_a_c_locale_gets_nothing_but_ascii_in_the_same_columns() {
    let unicode = draw(&app(), Rect::new(0, 0, 120, 36));
    let mut app = app_with(Options { ascii: true, ..options() }, summary());
    let plain = draw(&app, Rect::new(0, 0, 120, 36));
    assert!(text_of(&plain).is_ascii());
    for (one, other) in unicode.content.iter().zip(&plain.content) {
        if one.symbol().is_ascii() {
            assert_eq!(one.symbol(), other.symbol());
        }
    }
    press(&mut app, &["4"]);
    answer(&mut app);
    assert!(shown(&app, 120, 36).is_ascii());
    insta::assert_snapshot!(text_of(&plain));
}

/// Names as a hostile log would write them.
fn hostile() -> Summary {
    let mut summary = summary();
    let names = [
        "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}evil",
        "\u{202e}gnirts\u{2066}",
        "日本語のとても長いモデル名前です",
        "👩\u{200d}👩\u{200d}👧\u{200d}👦 famille 👍🏽 🇮🇹",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}x\u{200b}y",
    ];
    for (nth, line) in summary.models.iter_mut().enumerate() {
        line.model = Some(Label::new(names[nth]));
    }
    for (nth, line) in summary.calls.iter_mut().enumerate() {
        let mut row = (*line.row).clone();
        row.call.model = Some(Label::new(names[nth + 1]));
        row.call.from.agent = Some(Label::new(names[(nth + 3) % 5]));
        line.row = Arc::new(row);
    }
    for (nth, line) in summary.sessions.iter_mut().enumerate() {
        line.row.project = Some(Label::new(names[(nth + 2) % 5]));
        line.row.session = Some(Label::new(names[(nth + 3) % 5]));
        line.row.models[0].0 = Some(Label::new(names[(nth + 1) % 5]));
    }
    let first = summary.sessions[0].clone();
    summary.session = Some(first);
    summary
}

#[test]
fn f14_frames_stay_straight_whatever_the_names_are() {
    for keys in [&["1"][..], &["2"], &["1", "s"], &["2", "?"]] {
        for width in [60, 80, 100, 120] {
            let mut app = app_with(options(), hostile());
            press(&mut app, keys);
            let buffer = draw(&app, Rect::new(0, 0, width, 30));
            let mut bytes = Vec::new();
            paint(None, &buffer, &mut bytes).unwrap();
            let mut screen = terminal(30, width);
            fed(&mut screen, &bytes);
            for y in 0..30 {
                // The terminal shows in every column what the buffer holds there.
                for x in 0..width {
                    let symbol = buffer[(x, y)].symbol();
                    if ["│", "╭", "╮", "╰", "╯"].contains(&symbol) {
                        let cell = screen.screen().cell(y, x).unwrap();
                        assert_eq!(cell.contents(), symbol, "row {y}, column {x}, {width} wide");
                    }
                }
            }
        }
    }
}

#[test]
fn i1_i2_only_our_own_escapes_reach_the_terminal() {
    let mut app = app_with(options(), hostile());
    app.update(Message::Engine(EngineEvent::Note(Note::new(Tone::Danger, "bad \u{1b}]0;title\u{7} \u{202e}"))), now());
    let mut bytes = Vec::new();
    let first = draw(&app, Rect::new(0, 0, 120, 36));
    paint(None, &first, &mut bytes).unwrap();
    for key in ["2", "7", "?"] {
        press(&mut app, &[key]);
        paint(Some(&first), &draw(&app, Rect::new(0, 0, 120, 36)), &mut bytes).unwrap();
    }
    let text = String::from_utf8(bytes).unwrap();
    let allowed = regex::Regex::new("\u{1b}\\[(\\?2026[hl]|[0-9;]*[mH]|2J)").unwrap();
    let rest = allowed.replace_all(&text, "");
    for letter in rest.chars() {
        assert!(!letter.is_control(), "{letter:?} is written");
        let hidden = ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200d}', '\u{feff}', '\u{ad}'];
        assert!(!hidden.contains(&letter), "{letter:?} is written");
    }
}

#[test]
fn one_picture_after_another_leaves_the_terminal_as_the_second_alone() {
    let mut pictures = vec![draw(&App::new(options(), now()).unwrap(), Rect::new(0, 0, 100, 30))];
    for keys in [&["1"][..], &["2"], &["3"], &["4"], &["6"], &["7"], &["?"], &["s"]] {
        for names in [summary(), hostile()] {
            let mut app = app_with(options(), names);
            press(&mut app, keys);
            answer(&mut app);
            pictures.push(draw(&app, Rect::new(0, 0, 100, 30)));
        }
    }
    let contents = |bytes: &[u8]| {
        let mut screen = terminal(30, 100);
        fed(&mut screen, bytes);
        screen.screen().contents_formatted()
    };
    for one in &pictures {
        for other in &pictures {
            let (mut after, mut fresh) = (Vec::new(), Vec::new());
            paint(None, one, &mut after).unwrap();
            paint(Some(one), other, &mut after).unwrap();
            paint(None, other, &mut fresh).unwrap();
            let mut screen = terminal(30, 100);
            fed(&mut screen, &fresh);
            let cursor = screen.screen().cursor_position();
            // The cursor is hidden, and its position does not matter.
            let home = format!("\u{1b}[{};{}H", cursor.0 + 1, cursor.1 + 1).into_bytes();
            after.extend_from_slice(&home);
            fresh.extend_from_slice(&home);
            assert_eq!(contents(&after), contents(&fresh), "{}\n{}", text_of(one), text_of(other));
        }
    }
}

#[test]
fn the_same_picture_again_writes_nothing_at_all() {
    let picture = draw(&app(), Rect::new(0, 0, 120, 36));
    let mut bytes = Vec::new();
    paint(Some(&picture), &picture, &mut bytes).unwrap();
    assert!(bytes.is_empty());
}

fn posted(nth: u64, at: Instant) -> Change {
    let mut row = (*call("claude-opus-5", 0, [10, 0, 0, 0, 5, 0], Some("0.01"), None).row).clone();
    row.call.key = CallKey::from_parts(&[nth.to_string()]);
    row.call.from.at = at;
    Change::New(RowChange { before: None, after: Arc::new(row) })
}

/// A loop without a terminal, which returns its output.
fn core(depth: Depth) -> ScreenState {
    let app = App::new(Options { depth, ..options() }, now()).unwrap();
    ScreenState::new(app, Meter::new(Rules::new(ZONE), now()), Alerts::default(), Rect::new(0, 0, 120, 36))
}

#[test]
fn news_is_drawn_at_once_and_then_no_more_than_thirty_times_a_second() {
    let (mut core, start) = (core(Depth::True), std::time::Instant::now());
    assert!(core.frame(now(), start).is_some(), "the first picture waits for nothing");
    core.painted();
    let later = start + std::time::Duration::from_secs(1);
    core.feed(EngineEvent::Changes(vec![posted(1, now())]), now());
    assert_eq!(core.sleep(now(), later), std::time::Duration::ZERO);
    let picture = core.frame(now(), later).unwrap();
    assert!(String::from_utf8(picture).unwrap().contains("15"), "the new count is in the picture");
    core.painted();
    core.feed(EngineEvent::Changes(vec![posted(2, now())]), now());
    let soon = later + FRAME / 3;
    assert_eq!(core.frame(now(), soon), None);
    assert_eq!(core.sleep(now(), soon) + FRAME / 3, FRAME);
    assert!(core.frame(now(), later + FRAME).is_some());
}

#[test]
fn h8_an_idle_screen_writes_nothing_and_hardly_wakes() {
    let (mut core, start) = (core(Depth::True), std::time::Instant::now());
    core.feed(EngineEvent::Changes(vec![posted(1, now() - Duration::hours(2))]), now());
    core.frame(now(), start);
    let (mut wakes, mut written) = (0, 0);
    let (mut wall, mut at) = (now(), start);
    let end = start + std::time::Duration::from_secs(1800);
    // The counter's arrow goes out within a few seconds; then nothing moves any more.
    let settled = start + std::time::Duration::from_secs(10);
    core.painted();
    while at < end {
        let sleep = core.sleep(wall, at).max(std::time::Duration::from_millis(1));
        (wall, at) = (wall + Duration::from_std(sleep).unwrap(), at + sleep);
        core.wake(wall);
        if let Some(bytes) = core.frame(wall, at) {
            written += if at > settled { bytes.len() } else { 0 };
            core.painted();
        }
        wakes += 1;
    }
    assert_eq!(written, 0);
    assert!(wakes <= 60, "{wakes} wakes in half an hour");
}

#[test]
fn a_limit_passed_is_said_aloud_once_and_shown_until_it_starts_anew() {
    let mut rules = Rules::new(ZONE);
    let amount = tokens(20);
    rules.limits = vec![Limit { scope: Scope::default(), window: Window::Day, amount, warn_at: vec![80] }];
    let app = App::new(options(), now()).unwrap();
    let mut core = ScreenState::new(app, Meter::new(rules, now()), Alerts::default(), Rect::new(0, 0, 120, 36));
    let start = std::time::Instant::now();
    let mut said = Vec::new();
    let mut pictures = Vec::new();
    for nth in 1..=3 {
        core.feed(EngineEvent::Changes(vec![posted(u64::from(nth), now())]), now());
        pictures.extend(core.frame(now(), start + FRAME * nth).unwrap());
        core.painted();
        said.push(core.requests().into_iter().filter(|request| matches!(request, Request::Alert(_))).count());
    }
    assert_eq!(said, [0, 1, 0]);
    let mut screen = terminal(36, 120);
    fed(&mut screen, &pictures);
    let text = screen.screen().contents();
    assert!(text.contains("■ Daily limit reached   Tokens: 45 / 20   resets 00:00"), "{text}");
}

#[test]
fn an_alert_rings_and_reaches_the_desktop_as_our_own_text() {
    let (mut core, start) = (core(Depth::True), std::time::Instant::now());
    core.frame(now(), start);
    core.painted();
    let popup = Some(b"\x1b]9;80% of daily limit used\x07".to_vec());
    let note = Note { bell: true, popup, ..Note::new(Tone::Warning, "80% of daily limit used") };
    core.feed(EngineEvent::Note(note), now());
    let bytes = core.frame(now(), start + FRAME).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("\u{7}\u{1b}]9;80% of daily limit used\u{7}"), "{text:?}");
}

#[test]
fn f1_a_worker_that_fails_is_told_and_stays_in_health() {
    let mut app = app();
    let failed = Message::Failed(Label::new("reader failed: index 3 (tail.rs:12)"));
    assert_eq!(app.update(failed, now()), Next::Redraw);
    assert!(shown(&app, 120, 30).contains("reader failed: index 3 (tail.rs:12); everything else goes on"));
    let later = now() + Duration::minutes(5);
    app.update(Message::Clock(later), later);
    assert!(shown(&app, 120, 30).contains("▲ worker failed"));
    press(&mut app, &["7"]);
    assert!(shown(&app, 120, 30).contains("▲ reader failed: index 3"));
}

#[test]
fn f8_a_storm_of_resizes_is_one_picture_a_frame() {
    let (mut core, start) = (core(Depth::True), std::time::Instant::now());
    core.frame(now(), start);
    core.painted();
    let mut pictures = 0;
    for nth in 0..200_u16 {
        let at = start + std::time::Duration::from_millis(u64::from(nth));
        core.event(Event::Resize(120 - nth % 119, 36 - nth % 35), now(), at);
        if core.frame(now(), at).is_some() {
            pictures += 1;
            core.painted();
        }
    }
    assert!((1..=7).contains(&pictures), "{pictures} pictures in 200 ms");
}

#[test]
fn f9_a_terminal_that_does_not_read_stops_pictures_but_not_counting() {
    let (mut core, start) = (core(Depth::True), std::time::Instant::now());
    assert!(core.frame(now(), start).is_some());
    // Never painted, while messages keep coming.
    for nth in 0..100 {
        let at = start + FRAME * 2 * nth;
        core.feed(EngineEvent::Changes(vec![posted(u64::from(nth), now())]), now());
        assert_eq!(core.frame(now(), at), None);
    }
    let at = start + FRAME * 300;
    core.painted();
    let picture = core.frame(now(), at).unwrap();
    let mut screen = terminal(36, 120);
    fed(&mut screen, &picture);
    assert!(screen.screen().contents().contains("1,500"), "{}", screen.screen().contents());
}

#[test]
fn a_key_is_answered_by_a_picture_and_quit_is_told_apart_from_interrupt() {
    let (mut core, start) = (core(Depth::True), std::time::Instant::now());
    core.frame(now(), start);
    core.painted();
    let key = |letter, modifiers| Event::Key(KeyEvent::new(KeyCode::Char(letter), modifiers));
    let at = start + FRAME;
    core.event(key('2', KeyModifiers::NONE), now(), at);
    assert!(core.frame(now(), at).is_some());
    assert_eq!(core.leaves(), None);
    core.event(key('q', KeyModifiers::NONE), now(), at);
    assert_eq!(core.leaves(), Some(tokmeter::testing::tui::Leave::Asked));
    let mut other = self::core(Depth::True);
    other.event(key('c', KeyModifiers::CONTROL), now(), at);
    assert_eq!(other.leaves(), Some(tokmeter::testing::tui::Leave::Interrupted));
}

#[test]
fn f12_f13_the_background_is_asked_once_and_its_answer_turns_the_theme_light() {
    let app = App::new(Options { background: None, theme: "auto".to_owned(), ..options() }, now()).unwrap();
    let mut core =
        ScreenState::new(app, Meter::new(Rules::new(ZONE), now()), Alerts::default(), Rect::new(0, 0, 80, 24));
    let start = std::time::Instant::now();
    let first = core.frame(now(), start).unwrap();
    assert!(first.ends_with(b"\x1b]11;?\x07"), "asked after the picture, so that nothing waits");
    core.painted();
    let alt = KeyEvent::new(KeyCode::Char(']'), KeyModifiers::ALT);
    let typed = "11;rgb:ffff/ffff/ffff".chars().map(|letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
    let bell = KeyEvent::new(KeyCode::Char('g'), KeyModifiers::CONTROL);
    for key in std::iter::once(alt).chain(typed).chain([bell]) {
        core.event(Event::Key(key), now(), start);
    }
    let second = core.frame(now(), start + FRAME).unwrap();
    core.painted();
    assert!(!second.ends_with(b"\x1b]11;?\x07"), "asked only once");
    let light = Themes::default().get("light", Background::Light).unwrap();
    let Some(Color::Rgb(red, green, blue)) = light.style(tokmeter::testing::theme::Role::Accent).fg else {
        panic!("no colour")
    };
    let wanted = format!("38;2;{red};{green};{blue}");
    assert!(String::from_utf8(second).unwrap().contains(&wanted), "the picture is not light");
}

#[test]
fn g8_g9_a_theme_that_breaks_while_running_is_said_and_the_old_one_kept() {
    let mut app = app();
    let before = app.theme().clone();
    let defaults = tokmeter::testing::config::Settings::defaults(&tokmeter::testing::config::Env::empty(now()));
    let settings = tokmeter::testing::tui::NewSettings {
        settings: Box::new(tokmeter::testing::config::Settings { theme: "gruvbx".to_owned(), ..defaults }),
        themes: Themes::default(),
        rules: Rules::new(ZONE),
    };
    app.update(Message::Engine(EngineEvent::Settings(Box::new(settings))), now());
    assert_eq!(app.theme(), &before);
    assert!(shown(&app, 120, 30).contains("theme 'gruvbx' is not known; there are: auto, dark"));
}

#[test]
fn g8_a_config_that_is_not_applied_shows_at_every_size_until_it_is() {
    let mut app = app();
    let trouble = Some(Label::new("config.toml:2: a limit must be above zero (the old settings stay)"));
    let broken = HealthView { config_trouble: trouble, ..health() };
    app.update(Message::Engine(EngineEvent::Health(Box::new(broken))), now());
    for (width, height) in [(200, 60), (120, 36), (80, 24), (60, 12), (40, 10)] {
        let text = shown(&app, width, height);
        assert!(text.contains("▲ config error"), "{width}×{height}:\n{text}");
    }
    press(&mut app, &["7"]);
    assert!(shown(&app, 120, 36).contains("▲ Config not applied: config.toml:2: a limit must be above zero"));
    app.update(Message::Engine(EngineEvent::Health(Box::new(health()))), now());
    let text = shown(&app, 120, 36);
    assert!(text.contains("the config is valid again and in force"), "{text}");
    assert!(!text.contains("▲ config error") && !text.contains("not applied"), "{text}");
}

#[test]
fn copying_gives_the_clipboard_our_own_text_only() {
    let mut app = app_with(options(), hostile());
    press(&mut app, &["y"]);
    let Some(Effect::Copy(text)) = app.effects().into_iter().next() else { panic!("nothing copied") };
    assert!(text.starts_with("Session Complete\n"), "{text}");
    assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
    // The terminal does not answer: what is said is what was done.
    assert!(shown(&app, 120, 30).contains("sent to the terminal for its clipboard"));
    let mut tmux = app_with(Options { is_in_tmux: true, ..options() }, summary());
    press(&mut tmux, &["y"]);
    assert!(shown(&tmux, 120, 30).contains("sent to the terminal; tmux passes it on with: set -g set-clipboard on"));
}

#[test]
fn a_picture_for_the_readme_is_drawn_from_the_same_cells() {
    let app = app();
    let svg = tokmeter::testing::tui::svg::picture(&draw(&app, Rect::new(0, 0, 120, 30)), app.theme());
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("Tokens: 145,230 ↑ | Cost: $2.18"));
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    let hostile = app_with(options(), hostile());
    let svg = tokmeter::testing::tui::svg::picture(&draw(&hostile, Rect::new(0, 0, 120, 30)), hostile.theme());
    assert!(!svg.chars().any(|letter| letter.is_control() && letter != '\n'));
}
