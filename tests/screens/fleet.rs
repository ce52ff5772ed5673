//! Several sessions at once: the day in the head, a table of who works, and nothing that changes its subject.

use tokmeter::testing::domain::{Quota, Record};
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::meter::Snapshot;
use tokmeter::testing::pricing::{CostMode, PriceBook};

use super::*;

pub(super) const SIZES: [(u16, u16); 6] = [(200, 60), (120, 36), (100, 30), (80, 24), (60, 20), (40, 10)];

/// A call of a session that works on a project of the same name.
pub(super) fn made(session: &str, model: &str, agent: Option<&str>, seconds_ago: i64, cost: &str) -> Change {
    let mut row = (*call(model, seconds_ago, [12, 84_112, 0, 0, 1_204, 0], Some(cost), agent).row).clone();
    row.call.key = CallKey::from_parts(&[session, model, &seconds_ago.to_string()]);
    row.call.from.session = Some(Label::new(&format!("{session}-1")));
    row.call.from.project = Some(Label::new(&format!("/home/alice/{session}")));
    if model.starts_with("claude") {
        row.call.tokens.cache_write_1h = 4_904;
    } else {
        row.call.from.source = Label::new("codex");
    }
    Change::New(RowChange { before: None, after: Arc::new(row) })
}

/// Two sessions at work, one of them with a sub-agent; three models.
pub(super) fn two() -> Vec<Change> {
    let mut all = Vec::new();
    for minute in 0..24 {
        let ago = minute * 60 + 20;
        all.push(made("api-server", "claude-opus-5", None, ago, "0.41"));
        if minute % 2 == 0 {
            all.push(made("web-frontend", "gpt-6.1-sol", None, ago + 90, "0.17"));
        }
        if minute % 3 == 0 {
            all.push(made("api-server", "claude-haiku-5-5", Some("explore"), ago + 3, "0.029"));
        }
    }
    all
}

pub(super) fn five() -> Vec<Change> {
    let mut all = two();
    for (nth, name) in (1_i64..).zip(["docs", "infra", "a-very-long-name-of-a-project"]) {
        all.extend((0..6).map(|call| made(name, "claude-opus-5", None, nth * 900 + call * 70, "0.31")));
    }
    all
}

pub(super) fn limited(window: Window, amount: Amount) -> Limit {
    Limit { scope: Scope::default(), window, amount, warn_at: vec![80] }
}

pub(super) fn limits(day: &str) -> Vec<Limit> {
    vec![
        limited(Window::Day, dollars(day)),
        limited(Window::Session, dollars("20")),
        limited(Window::Month, dollars("300")),
    ]
}

/// A meter of the day with these calls.
pub(super) fn metered(calls: &[Change], limits: Vec<Limit>) -> Meter {
    let mut meter = Meter::new(Rules { limits, ..Rules::new(ZONE) }, now());
    meter.follow(Follow::Today);
    for change in calls {
        meter.apply(change, now());
    }
    meter
}

/// A meter that asked books of these calls, which then have no price.
fn asked(calls: &[Change], limits: Vec<Limit>) -> Meter {
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
    let records = calls.iter().filter_map(|change| match change {
        Change::New(change) => Some(Record::Call(change.after.call.clone())),
        Change::Grown(_) | Change::Repeat | Change::Moved(_) | Change::Gone(_) => None,
    });
    books.post(&Batch { records: records.collect(), files: Vec::new() }).unwrap();
    let rules = Rules { limits, ..Rules::new(ZONE) };
    let snapshot = Snapshot::ask(&books, &rules, &Follow::Today, now()).unwrap();
    Meter::open(rules, snapshot)
}

pub(super) fn screen(calls: &[Change], limits: Vec<Limit>) -> App {
    app_with(options(), metered(calls, limits).summary(now()))
}

#[test]
fn two_sessions_at_every_size() {
    for (width, height) in SIZES {
        let name = format!("two_sessions_at_{width}_by_{height}");
        insta::assert_snapshot!(name, shown(&screen(&two(), limits("25")), width, height));
    }
}

#[test]
fn one_session_and_no_limit() {
    let one: Vec<Change> = (0..12).map(|nth| made("api-server", "claude-opus-5", None, nth * 70 + 5, "0.41")).collect();
    insta::assert_snapshot!("one_session_at_120_by_36", shown(&screen(&one, Vec::new()), 120, 36));
    insta::assert_snapshot!("one_session_at_80_by_24", shown(&screen(&one, Vec::new()), 80, 24));
}

#[test]
fn five_sessions_near_and_over_a_limit() {
    insta::assert_snapshot!("five_sessions_near", shown(&screen(&five(), limits("20")), 120, 36));
    insta::assert_snapshot!("five_sessions_over", shown(&screen(&five(), limits("15")), 80, 24));
    let app = app_with(Options { ascii: true, ..options() }, metered(&five(), limits("20")).summary(now()));
    let plain = shown(&app, 100, 30);
    assert!(plain.is_ascii(), "{plain}");
    insta::assert_snapshot!("five_sessions_in_ascii", plain);
}

#[test]
fn the_three_questions_are_answered_at_every_size() {
    for calls in [two(), five()] {
        let app = screen(&calls, limits("25"));
        let summary = app.summary();
        let (cost, rate) = (summary.today.cost, summary.cost_per_hour);
        for (width, height) in SIZES {
            let text = shown(&app, width, height);
            let cents = |usd: Usd| format!("${}.{:02}", usd.rounded(2) / 100, usd.rounded(2) % 100);
            assert!(text.contains(&format!("Cost: {}", cents(cost))), "how much, at {width}×{height}:\n{text}");
            assert!(
                text.contains(&format!("{}/h", cents(rate))) || width == 40,
                "how fast, at {width}×{height}:\n{text}"
            );
            let left = usd("25") - cost;
            let is_said = text.contains(&format!("{} left", cents(left))) || text.contains("% of daily limit used");
            assert!(is_said, "how much is left, at {width}×{height}:\n{text}");
        }
    }
}

/// The number that follows these words on the screen, without its marks.
fn number(text: &str, before: &str) -> Option<u64> {
    let rest = &text[text.find(before)? + before.len()..];
    let digits: String = rest.chars().take_while(|letter| letter.is_ascii_digit() || ",.".contains(*letter)).collect();
    digits.replace([',', '.'], "").parse().ok()
}

/// The number before these words.
fn number_before(text: &str, after: &str) -> Option<u64> {
    let (before, _) = text.split_at(text.find(after)?);
    let digits: String =
        before.chars().rev().take_while(|letter| letter.is_ascii_digit() || ",.".contains(*letter)).collect();
    digits.chars().rev().filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

/// The titles of the panes, without the numbers in them, and without how many rows there are no room for.
fn titles(text: &str) -> Vec<String> {
    let frames = text.lines().filter(|line| line.contains('╭'));
    let words =
        frames.map(|line| line.chars().filter(|letter| letter.is_alphabetic() || *letter == ' ').collect::<String>());
    let is_subject = |word: &&str| !["more", "above", "below"].contains(word);
    words.map(|line| line.split_whitespace().filter(is_subject).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn j28_no_number_of_the_head_falls_and_no_pane_changes_its_subject_while_sessions_feed_in_turn() {
    for (width, height) in SIZES {
        let area = Rect::new(0, 0, width, height);
        let (mut wall, mut at) = (now(), std::time::Instant::now());
        let app = App::new(options(), wall).unwrap();
        let mut core = ScreenState::new(app, metered(&two(), limits("90")), Alerts::default(), area);
        let mut screen = terminal(height, width);
        let (mut before, mut names, mut pictures) = ([0_u64; 4], None, 0);
        let mut left = u64::MAX;
        for nth in 0..180_i64 {
            let (session, model, agent, cost) = match nth % 3 {
                0 => ("api-server", "claude-opus-5", None, "0.17"),
                1 => ("web-frontend", "gpt-6.1-sol", None, "0.029"),
                _ => ("api-server", "claude-haiku-5-5", Some("explore"), "0.19"),
            };
            let ago = (now() - wall).num_seconds();
            let mut change = made(session, model, agent, ago, cost);
            if let Change::New(change) = &mut change {
                Arc::make_mut(&mut change.after).call.key = CallKey::from_parts(&["later", &nth.to_string()]);
            }
            core.feed(EngineEvent::Changes(vec![change]), wall);
            (wall, at) = (wall + Duration::milliseconds(333), at + std::time::Duration::from_millis(333));
            core.wake(wall);
            let Some(bytes) = core.frame(wall, at) else { continue };
            core.painted();
            fed(&mut screen, &bytes);
            pictures += 1;
            let text = screen.screen().contents();
            let now = ["Tokens: ", "| Cost: $", "week $", "month $"].map(|words| number(&text, words).unwrap_or(0));
            assert!(now.iter().zip(before).all(|(now, before)| *now >= before), "{before:?} became {now:?}:\n{text}");
            assert!(text.contains('↑'), "the counter grew:\n{text}");
            let (rest, panes) = (number_before(&text, " left of $90.00").unwrap_or(0), titles(&text));
            assert!(rest <= left, "{left} became {rest}:\n{text}");
            assert_eq!(names.get_or_insert_with(|| panes.clone()), &panes, "{text}");
            assert!(!text.contains("pinned"), "{text}");
            (before, left) = (now, rest);
        }
        assert!(pictures > 100 && before[0] > 0 && before[1] > 0, "{pictures} pictures, {before:?}");
    }
}

#[test]
fn j28_the_arrow_shows_as_well_for_calls_that_another_process_has_booked() {
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
    let mut post = |change: &Change| {
        let Change::New(change) = change else { panic!() };
        let records = vec![Record::Call(change.after.call.clone())];
        books.post(&Batch { records, files: Vec::new() }).unwrap();
        Snapshot::ask(&books, &Rules::new(ZONE), &Follow::Today, now()).unwrap()
    };
    let older = post(&made("api-server", "claude-opus-5", None, 20, "0.41"));
    let mut meter = Meter::open(Rules::new(ZONE), older.clone());
    assert!(!meter.summary(now()).growing, "calls that were there before are not growth");
    meter.replace_snapshot(older);
    assert!(!meter.summary(now()).growing, "nor is it when it is asked for again");
    meter.replace_snapshot(post(&made("web-frontend", "gpt-6.1-sol", None, 1, "0.17")));
    let summary = meter.summary(now());
    assert!(summary.growing && summary.today.calls == 2);
}

#[test]
fn j28_the_arrow_is_never_beside_a_number_that_fell() {
    let mut meter = metered(&two(), Vec::new());
    assert!(meter.summary(now()).growing);
    let Change::New(RowChange { after, .. }) = made("api-server", "claude-opus-5", None, 20, "0.41") else { panic!() };
    let gone = Change::Gone(Arc::clone(&after));
    let before = meter.summary(now()).followed.tokens.total();
    meter.apply(&gone, now());
    let summary = meter.summary(now());
    assert!(summary.followed.tokens.total() < before && !summary.growing);
    // Another session's growth is none of the pinned one's.
    let id = SessionId { source: Label::new("codex"), session: Some(Label::new("web-frontend-1")) };
    meter.follow(Follow::Session(id));
    meter.apply(&made("api-server", "claude-opus-5", None, 1, "0.41"), now());
    assert!(!meter.summary(now()).growing);
    meter.apply(&made("web-frontend", "gpt-6.1-sol", None, 1, "0.41"), now());
    assert!(meter.summary(now()).growing);
    // At midnight the day's count starts at zero.
    meter.follow(Follow::Today);
    let midnight: Instant = "2026-11-22T23:00:00Z".parse().unwrap();
    let late = midnight - Duration::seconds(1);
    meter.apply(&made("api-server", "claude-opus-5", None, (now() - late).num_seconds(), "0.41"), late);
    assert!(meter.summary(late).growing);
    let summary = meter.summary(midnight);
    assert!(summary.followed.tokens.total() == 0 && !summary.growing);
}

#[test]
fn a_session_is_pinned_by_enter_said_in_the_header_and_given_back_by_escape() {
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["down", "enter"]);
    let Some(Effect::Follow(Follow::Session(id))) = app.effects().into_iter().next() else { panic!("pins nothing") };
    assert_eq!(id.session.as_ref().unwrap().as_str(), "api-server-1");
    let mut meter = metered(&two(), limits("25"));
    meter.follow(Follow::Session(id));
    app.update(Message::Summary(Arc::new(meter.summary(now()))), now());
    for (width, height) in SIZES.into_iter().filter(|size| *size != (40, 10)) {
        let text = shown(&app, width, height);
        assert!(text.lines().next().unwrap().contains("pinned: "), "{text}");
    }
    app.update(Message::Engine(EngineEvent::Note(Note::new(Tone::Warning, "a message"))), now());
    app.effects();
    press(&mut app, &["esc"]);
    assert_eq!(app.effects(), [Effect::Follow(Follow::Today)], "also while a message is shown");
}

#[test]
fn the_cursor_stays_on_its_session_when_another_begins() {
    let mut app = screen(&two(), Vec::new());
    press(&mut app, &["down"]);
    let mut more = two();
    more.push(made("newest", "claude-opus-5", None, 1, "0.01"));
    app.update(Message::Summary(Arc::new(metered(&more, Vec::new()).summary(now()))), now());
    press(&mut app, &["enter"]);
    let effects = app.effects();
    let [Effect::Follow(Follow::Session(id))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(id.session.as_ref().unwrap().as_str(), "api-server-1");
}

#[test]
fn each_of_five_sessions_with_one_limit_is_named_and_one_that_has_ended_neither_warns_nor_rings() {
    let calls = five();
    let mut meter = asked(&calls, vec![limited(Window::Session, tokens(3_000_000))]);
    let summary = meter.summary(now());
    let names: Vec<&str> = summary.limits.iter().map(|limit| limit.name.as_str()).collect();
    assert_eq!(names, ["session api-server", "session web-frontend"], "those that work");
    let worst = summary.worst_limit().unwrap();
    assert_eq!((worst.name.as_str(), worst.percent), ("session api-server", 96));
    let text = shown(&app_with(options(), summary), 120, 36);
    assert!(text.contains("⚠ 96% of session api-server limit used"), "{text}");
    let bars = text.lines().filter(|line| line.contains("││ web-frontend ") || line.contains("││ api-server "));
    assert_eq!(bars.count(), 2, "{text}");
    // The same project twice: distinguished by their own names.
    let mut twin = calls.clone();
    for change in &calls {
        let Change::New(RowChange { after, .. }) = change else { continue };
        let mut row = (**after).clone();
        row.call.key = CallKey::from_parts(&["twin", &row.call.key.to_string()]);
        row.call.from.session = row.call.from.session.map(|name| Label::new(&format!("{name}-twin")));
        twin.push(Change::New(RowChange { before: None, after: Arc::new(row) }));
    }
    let twins = asked(&twin, vec![limited(Window::Session, tokens(3_000_000))]).summary(now());
    let names: BTreeSet<&str> = twins.limits.iter().map(|limit| limit.name.as_str()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.contains("session api-server api-server-1"), "{names:?}");
    // Long after its last call the session has ended: pinned, it is shown, and says nothing aloud.
    let later = now() + Duration::minutes(61);
    let id = SessionId { source: Label::new("claude-code"), session: Some(Label::new("api-server-1")) };
    meter.follow(Follow::Session(id));
    let summary = meter.summary(later);
    assert_eq!(summary.limits.len(), 1);
    assert_eq!(summary.worst_limit(), None);
    assert_eq!(Alerts::default().due(&summary.limits, &[], later), []);
    let text = shown(&app_with(options(), summary), 120, 36);
    assert!(text.contains("session api-server") && text.contains("ended") && !text.contains("limit used"), "{text}");
}

#[test]
fn a_pinned_session_shows_its_own_limits_and_a_line_for_others_that_are_near() {
    let limits = vec![limited(Window::Session, tokens(3_000_000)), limited(Window::Day, tokens(90_000_000))];
    let mut meter = asked(&two(), limits);
    let id = SessionId { source: Label::new("codex"), session: Some(Label::new("web-frontend-1")) };
    meter.follow(Follow::Session(id));
    let summary = meter.summary(now());
    let followed: Vec<&str> = summary.limits_followed().map(|limit| limit.name.as_str()).collect();
    assert_eq!(followed, ["session web-frontend", "daily"]);
    // A pinned session's limit comes first and, once it warns, is the one in the head.
    let tight = vec![limited(Window::Session, tokens(100)), limited(Window::Day, tokens(90_000_000))];
    let mut tight = asked(&two(), tight);
    tight.follow(Follow::Session(summary.session.as_ref().unwrap().id()));
    let text = shown(&app_with(options(), tight.summary(now())), 120, 36);
    let line = text.lines().find(|line| line.contains("/h   ")).unwrap();
    assert!(line.contains("session web-frontend: ") && line.contains("over"), "{text}");
    let [own, day] =
        ["││ session web-frontend", "││ daily"].map(|row| text.find(row).unwrap_or_else(|| panic!("{row}\n{text}")));
    assert!(own < day, "{text}");
    let text = shown(&app_with(options(), summary), 120, 36);
    assert!(text.contains("⚠ elsewhere: session api-server 96%"), "{text}");
}

#[test]
fn bars_are_as_long_as_there_is_room_and_in_proportion_at_every_width() {
    let windows =
        [Window::Hour, Window::Day, Window::Week, Window::Month, Window::Total, Window::Rolling(Duration::hours(5))];
    let mut limits = Vec::new();
    for (nth, window) in (1_u64..).zip(windows) {
        limits.push(limit(window, None, tokens(1_000), tokens(nth * 150), nth * 15));
        limits.push(limit(window, Some("alice"), dollars("10"), dollars(&nth.to_string()), nth * 10));
    }
    let mut longest = Vec::new();
    for (width, height) in SIZES.into_iter().filter(|(width, _)| *width > 40) {
        let mut app = app_with(options(), Summary { limits: limits.clone(), ..summary() });
        app.update(Message::Summary(Arc::new(Summary { limits: limits.clone(), ..summary() })), now());
        let text = shown(&app, width, height.max(24));
        let mut seen = 0;
        for line in text.lines().filter(|line| line.contains('░') || line.contains('█')) {
            let bar: Vec<char> = line.chars().filter(|letter| "█░╷".contains(*letter)).collect();
            let Some(percent) = number_before(line, "%") else { continue };
            if !line.contains('%') || bar.len() < 4 || line.contains("tok") {
                continue;
            }
            let filled = bar.iter().rposition(|letter| *letter == '█').map_or(0, |last| last + 1);
            let expected = usize::try_from(percent.min(100)).unwrap() * bar.len() / 100;
            assert!(filled.abs_diff(expected) <= 1, "{percent}% of {} cells at {width}: {line}", bar.len());
            longest.push((width, bar.len()));
            seen += 1;
        }
        assert!(seen >= 3, "{width}×{height}: {seen} bars\n{text}");
    }
    let at = |width: u16| longest.iter().filter(|(at, _)| *at == width).map(|(_, cells)| *cells).max().unwrap();
    assert!(at(200) > at(120) && at(200) > 30, "{longest:?}");
}

#[test]
fn a_limit_turns_amber_as_soon_as_it_is_forecast_to_be_reached_before_it_starts_anew() {
    let mut calm = limit(Window::Day, None, dollars("25"), dollars("10"), 40);
    let colour = |state: &LimitState| {
        let app = app_with(options(), Summary { limits: vec![state.clone()], ..summary() });
        let buffer = draw(&app, Rect::new(0, 0, 120, 36));
        let bar = (0..36).flat_map(|y| (0..120).map(move |x| (x, y))).find(|at| buffer[*at].symbol() == "█").unwrap();
        buffer[bar].fg
    };
    let good = colour(&calm);
    calm.projected = Some((now() + Duration::hours(2), Span { from: now(), until: now() + Duration::hours(3) }));
    assert_ne!(colour(&calm), good);
    let text = shown(&app_with(options(), Summary { limits: vec![calm], ..summary() }), 120, 36);
    assert!(text.contains("full at 16:02") && text.contains("$15.00 left") && text.contains('╷'), "{text}");
}

#[test]
fn a_providers_windows_stand_below_ones_own_limits_and_say_when_they_were_stated() {
    let quota = |source: &str, minutes: u32, used: u32, resets_at: Instant| Quota {
        source: Label::new(source),
        name: Label::new(""),
        minutes,
        used,
        resets_at: Some(resets_at),
        seen: now() - Duration::minutes(4),
    };
    let quotas = vec![
        quota("claude-code", 300, 3_150, now() + Duration::hours(3)),
        quota("claude-code", 10_080, 8_500, now() + Duration::days(1)),
        quota("codex", 300, 9_000, now() - Duration::minutes(2)),
    ];
    let limits = vec![limit(Window::Day, None, dollars("25"), dollars("10"), 40)];
    let text = shown(&app_with(options(), Summary { limits, quotas, ..summary() }), 200, 60);
    let line =
        |name: &str| text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{text}")).to_owned();
    let five = line("claude 5 h");
    assert!(["31%", "69% left", "resets 17:02", "stated 13:58", "╷"].iter().all(|word| five.contains(word)), "{five}");
    let bar: Vec<char> = five.chars().filter(|letter| "█░╷".contains(*letter)).collect();
    let filled = bar.iter().filter(|letter| **letter == '█').count();
    assert!(filled.abs_diff(bar.len() * 31 / 100) <= 1 && bar.len() > 20, "{five}");
    assert!(line("claude 7 d").contains("85%"));
    // Usage before a reset says nothing about now: no guess, no warning.
    let over = line("codex 5 h");
    assert!(over.contains('?') && over.contains("was reset 14:00") && !over.contains('█'), "{over}");
}
