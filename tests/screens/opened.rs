//! Opening, following and explaining: where the cursor stays, what is shown above, and which number is explained.

use super::fleet::{SIZES, limits, made, metered, screen, two};
use super::newcomers::line_of;
use super::*;
use tokmeter::testing::domain::{Status, Turn, TurnStatus};

/// The screen of one session that was pinned.
fn pinned() -> App {
    let mut meter = metered(&two(), limits("25"));
    let id = SessionId { source: Label::new("claude-code"), session: Some(Label::new("api-server-1")) };
    meter.follow(Follow::Session(id));
    app_with(options(), meter.summary(now()))
}

fn rates() -> Rates {
    Rates {
        input: usd("0.000005"),
        output: usd("0.000025"),
        cache_read: Some(usd("0.0000005")),
        cache_write_1h: Some(usd("0.00001")),
        ..Rates::default()
    }
}

#[test]
fn a_model_of_a_pinned_session_opens_its_calls_in_that_session_and_esc_leads_back() {
    let mut app = pinned();
    app.effects();
    press(&mut app, &["tab", "tab", "down", "enter"]);
    assert_eq!(app.effects(), [], "no other session is asked for");
    let text = shown(&app, 120, 36);
    let top = text.lines().next().unwrap();
    assert!(top.starts_with(" Fleet › pinned: claude-code · api-server · api-server-1 › haiku-5-5"), "{top}");
    assert!(text.contains("Calls · haiku-5-5"), "{text}");
    assert!(text.contains("Esc the whole session"), "{text}");
    let calls = &text[text.find("Calls · haiku").unwrap()..];
    assert!(calls.contains("haiku-5-5  ") && !calls.contains("opus-5 "), "{text}");
    // The first key leads back to the session, the second to all of them.
    press(&mut app, &["esc"]);
    assert_eq!(app.effects(), []);
    let text = shown(&app, 120, 36);
    assert!(!text.contains("› haiku-5-5") && text[text.find("Calls").unwrap()..].contains("opus-5 "), "{text}");
    press(&mut app, &["esc"]);
    assert_eq!(app.effects(), [Effect::Follow(Follow::Today)]);
    // Another session is not narrowed.
    press(&mut app, &["tab", "down", "enter"]);
    app.update(Message::Summary(Arc::new(metered(&two(), limits("25")).summary(now()))), now());
    press(&mut app, &["esc"]);
    assert!(shown(&app, 120, 36).contains("╭ Calls ─"));
}

#[test]
fn the_head_says_that_a_filter_of_the_lists_does_not_narrow_it() {
    let mut app = screen(&two(), limits("25"));
    for (width, height) in SIZES.into_iter().filter(|(width, _)| *width > 40) {
        assert!(shown(&app, width, height).contains("╭ Today · $/h of the last 5 min ─"));
    }
    press(&mut app, &["/", "w", "e", "b", "enter"]);
    for (width, height) in SIZES.into_iter().filter(|(width, _)| *width > 40) {
        let text = shown(&app, width, height);
        assert!(text.contains("╭ Today · all of it, not filtered "), "{text}");
    }
}

#[test]
fn calls_that_come_above_the_chosen_one_are_counted_and_esc_or_home_follows_the_newest_again() {
    for back in ["esc", "g"] {
        let mut calls = two();
        let mut app = screen(&calls, limits("25"));
        press(&mut app, &["tab", "tab", "tab", "down", "down"]);
        assert!(!shown(&app, 120, 36).contains("newer above"));
        let chosen = |app: &App| {
            let buffer = draw(app, Rect::new(0, 0, 120, 36));
            let is_chosen = |y: &u16| buffer[(60, *y)].bg != buffer[(60, 0)].bg && *y > 20;
            let y = (0..36).find(is_chosen).unwrap_or_else(|| panic!("{}", text_of(&buffer)));
            text_of(&buffer).lines().nth(y.into()).unwrap().split("││").nth(1).unwrap().to_owned()
        };
        let before = chosen(&app);
        calls.extend((0..7).map(|nth| made("web-frontend", "gpt-6.1-sol", None, nth, "0.01")));
        app.update(Message::Summary(Arc::new(metered(&calls, limits("25")).summary(now()))), now());
        assert_eq!(chosen(&app), before, "the cursor keeps its call");
        let text = shown(&app, 120, 36);
        assert!(text.contains("Calls · 6 newer above · Esc follows the newest"), "{text}");
        app.effects();
        press(&mut app, &[back]);
        assert_eq!(app.effects(), []);
        let text = shown(&app, 120, 36);
        assert!(!text.contains("newer above") && text.contains("14:02:10  gpt-6.1-sol"), "{text}");
    }
}

#[test]
fn every_line_of_the_head_is_explained_and_opens_the_day() {
    let cases = [
        (0, ["today · as of", "cache read", "cost         $12.11"]),
        (1, ["$28.56/h: the cost of the last 5 minutes", "left         $12.89", "daily limit"]),
        (2, ["this week", "this month", "by midnight  $37.72"]),
        (3, ["forecast of today · as of", "between $32.67 and $45.25", "full at 14:31 (14:22–14:42)"]),
    ];
    for (line, words) in cases {
        let mut app = screen(&two(), limits("25"));
        app.update(Message::Key(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT)), now());
        press(&mut app, &["down"].repeat(line));
        press(&mut app, &["e"]);
        let text = shown(&app, 120, 36);
        assert!(words.iter().all(|words| text.contains(words)), "line {line}:\n{text}");
        // Every figure of the head is explained, whichever line the cursor is on.
        let whole = shown(&app, 120, 90);
        assert!(cases.iter().flat_map(|(_, words)| &words[1..]).all(|words| whole.contains(words)), "{whole}");
        assert!(whole.contains("last call    $0.4100, of opus-5 at 14:01"), "{whole}");
        for (width, height) in SIZES {
            let _ = shown(&app, width, height);
        }
        press(&mut app, &["esc", "enter"]);
        assert!(shown(&app, 120, 36).starts_with(" Fleet › today"), "{}", shown(&app, 120, 36));
    }
}

#[test]
fn a_model_is_explained_with_the_rate_of_every_class_wherever_it_stands() {
    let view = |model: &str| ModelView {
        model: Some(Label::new(model)),
        sums: Sums::default(),
        rates: Some(rates()),
        elsewhere: None,
    };
    let words = ["rates now    per million tokens", "cache read", "$0.50", "written 1 h", "$10", "output", "$25"];
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["tab", "tab", "e"]);
    // The rates come when the books have answered.
    assert!(app.effects().contains(&Effect::Ask(Request::Models)));
    assert!(!shown(&app, 120, 36).contains("rates now"));
    for _ in 0..2 {
        app.update(Message::Engine(EngineEvent::Models(vec![view("claude-opus-5")])), now());
        let text = shown(&app, 120, 36);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert_eq!(text.matches("rates now").count(), 1, "{text}");
    }
    press(&mut app, &["esc", "5", "e"]);
    let text = shown(&app, 120, 36);
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

#[test]
fn an_explanation_names_the_session_that_it_is_about() {
    let title = |app: &App| {
        let text = shown(app, 120, 36);
        text.lines().find(|line| line.contains("Esc closes")).unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    for (keys, words) in [
        (&["e"][..], "api-server api-server-1 today"),
        (&["down", "e"], "sub-agent explore of api-server-1 today"),
        (&["tab", "tab", "tab", "e"], "Call at 14:01:50 in api-server-1"),
    ] {
        let mut app = screen(&two(), limits("25"));
        press(&mut app, keys);
        assert!(title(&app).contains(words), "{keys:?}: {}", title(&app));
    }
    let mut app = pinned();
    press(&mut app, &["tab", "tab", "e"]);
    assert!(title(&app).contains("claude-opus-5 in api-server-1"), "{}", title(&app));
}

#[test]
fn history_says_how_far_back_it_was_moved_and_end_leads_to_today() {
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["4"]);
    answer(&mut app);
    assert!(!shown(&app, 120, 36).contains(" back"));
    press(&mut app, &["["]);
    answer(&mut app);
    for (width, height) in SIZES.into_iter().filter(|(width, _)| *width > 40) {
        let text = shown(&app, width, height);
        assert!(text.contains("Each day · 15 days back · End: today"), "{width}×{height}:\n{text}");
    }
    press(&mut app, &["left"]);
    app.update(Message::Key(KeyEvent::new(KeyCode::End, KeyModifiers::NONE)), now());
    answer(&mut app);
    let text = shown(&app, 120, 36);
    assert!(!text.contains(" back") && text.contains("Sun 22 Nov"), "{text}");
}

#[test]
fn a_session_works_for_a_minute_after_its_last_call_and_is_quiet_until_it_waits() {
    let state = |seconds_ago: i64| {
        let calls = [made("api-server", "claude-opus-5", None, seconds_ago, "0.41")];
        let text = shown(&screen(&calls, Vec::new()), 120, 36);
        let line = text.lines().find(|line| line.contains("claude-code  opus-5")).unwrap_or_else(|| panic!("{text}"));
        let at_work = text.lines().next().unwrap().contains("1 working");
        let states = ["● working", "◌ quiet", "○ waiting"];
        (states.into_iter().find(|state| line.contains(state)), at_work)
    };
    assert_eq!(state(59), (Some("● working"), true));
    assert_eq!(state(60), (Some("◌ quiet"), false));
    assert_eq!(state(299), (Some("◌ quiet"), false));
    assert_eq!(state(300), (Some("○ waiting"), false));
}

/// These calls with the last one ending its turn.
fn ending(mut calls: Vec<Change>) -> Vec<Change> {
    if let Some(Change::New(change)) = calls.last_mut() {
        let mut row = (*change.after).clone();
        row.call.ends_turn = true;
        change.after = Arc::new(row);
    }
    calls
}

fn state_in(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{text}"));
    let states = ["● working", "◌ quiet", "○ waiting", "  ended"];
    states.into_iter().find(|state| line.contains(state)).unwrap_or_else(|| panic!("{text}")).trim().to_owned()
}

#[test]
fn an_agent_waits_as_soon_as_its_answer_has_ended_the_turn() {
    let main = |ago| made("api-server", "claude-opus-5", None, ago, "0.41");
    let explore = |ago| made("api-server", "claude-haiku-5-5", Some("explore"), ago, "0.03");
    let shown_with = |calls: &[Change]| shown(&screen(calls, Vec::new()), 120, 36);
    let waits = shown_with(&ending(vec![main(40), main(5)]));
    assert_eq!(state_in(&waits, "claude-code  opus-5"), "○ waiting");
    assert!(!waits.lines().next().unwrap().contains(" working"), "{waits}");
    // The next turn, and a sub-agent in the background.
    let mut next = ending(vec![main(40)]);
    next.push(main(5));
    assert_eq!(state_in(&shown_with(&next), "claude-code  opus-5"), "● working");
    let mut behind = ending(vec![main(40)]);
    behind.push(explore(5));
    assert_eq!(state_in(&shown_with(&behind), "claude-code  opus-5"), "● working");
    // A sub-agent that has given its result is over, and gone after some minutes.
    let over = shown_with(&ending(vec![main(6), explore(9)]));
    assert_eq!(state_in(&over, "explore"), "ended");
    assert_eq!(state_in(&over, "claude-code  opus-5"), "● working");
    assert!(!shown_with(&ending(vec![main(6), explore(301)])).contains("└ explore"));
    assert!(shown_with(&[main(6), explore(301)]).contains("└ explore"));
}

#[test]
fn an_agent_whose_log_says_it_on_a_line_of_its_own_waits_until_its_next_call() {
    let calls = [made("web", "gpt-6.1-sol", None, 30, "0.41")];
    let state = |turn, seconds_ago| {
        let mut meter = metered(&calls, Vec::new());
        let (source, session) = (Label::new("codex"), Label::new("web-1"));
        let seen = now() - Duration::seconds(seconds_ago);
        meter.state(vec![Status::Turn(TurnStatus { source, session, agent: None, turn, seen })]);
        state_in(&shown(&app_with(options(), meter.summary(now())), 120, 36), "codex ")
    };
    assert_eq!(state(Turn::Ended, 30), "○ waiting");
    assert_eq!(state(Turn::Ended, 20), "○ waiting");
    assert_eq!(state(Turn::Ended, 31), "● working");
}

#[test]
fn a_session_whose_process_has_ended_takes_its_sub_agents_with_it_unless_one_goes_on() {
    let states = |reports: &[(Option<&str>, Turn, i64)], agents_last: i64| {
        let calls = [
            made("web", "gpt-6.1-sol", None, 30, "0.41"),
            made("web", "gpt-6.1-luna", Some("Euclid"), agents_last, "0.02"),
        ];
        let mut meter = metered(&calls, Vec::new());
        let report = |(agent, turn, seconds_ago): &(Option<&str>, Turn, i64)| {
            let (source, session) = (Label::new("codex"), Label::new("web-1"));
            let seen = now() - Duration::seconds(*seconds_ago);
            Status::Turn(TurnStatus { source, session, agent: agent.map(Label::new), turn: *turn, seen })
        };
        meter.state(reports.iter().map(report).collect());
        let text = shown(&app_with(options(), meter.summary(now())), 120, 36);
        [state_in(&text, "codex "), state_in(&text, "Euclid")]
    };
    let closed = (None, Turn::Closed, 10);
    assert_eq!(states(&[closed], 20), ["ended", "ended"]);
    assert_eq!(states(&[closed], 5), ["● working", "● working"]);
    // The turns of a sub-agent are its own.
    assert_eq!(states(&[(None, Turn::Ended, 10)], 20), ["○ waiting", "● working"]);
    assert_eq!(states(&[(Some("Euclid"), Turn::Ended, 10)], 20), ["● working", "ended"]);
    assert_eq!(states(&[(Some("Euclid"), Turn::Begun, 10)], 200), ["● working", "● working"]);
}

#[test]
fn an_agent_works_from_the_prompt_on() {
    let calls = ending(vec![
        made("web", "claude-opus-5", None, 2000, "0.41"),
        made("web", "claude-opus-5", None, 1900, "0.02"),
    ]);
    let state = |seconds_ago| {
        let mut meter = metered(&calls, Vec::new());
        let Change::New(last) = calls.last().unwrap() else { panic!() };
        let (source, session) = (last.after.call.from.source.clone(), last.after.call.from.session.clone().unwrap());
        let seen = now() - Duration::seconds(seconds_ago);
        meter.state(vec![Status::Turn(TurnStatus { source, session, agent: None, turn: Turn::Begun, seen })]);
        let until = meter.changes_at(now());
        (state_in(&shown(&app_with(options(), meter.summary(now())), 120, 36), "claude-code  opus-5"), until)
    };
    // The screen is drawn again when the state changes.
    assert_eq!(state(58), ("● working".to_owned(), Some(now() + Duration::seconds(2))));
    assert_eq!(state(60).0, "◌ quiet");
    assert_eq!(state(300).0, "○ waiting");
    // Answered.
    assert_eq!(state(1900).0, "○ waiting");
}

#[test]
fn a_session_with_a_prompt_is_listed_with_those_at_work() {
    let calls =
        [made("web", "claude-opus-5", None, 1900, "0.02"), made("api-server", "claude-haiku-5-5", None, 400, "0.41")];
    let first = |seen: Option<i64>, turn| {
        let mut meter = metered(&calls, Vec::new());
        let Change::New(web) = &calls[0] else { panic!() };
        let (source, session) = (web.after.call.from.source.clone(), web.after.call.from.session.clone().unwrap());
        let report = |seconds_ago| {
            let seen = now() - Duration::seconds(seconds_ago);
            Status::Turn(TurnStatus { source: source.clone(), session: session.clone(), agent: None, turn, seen })
        };
        meter.state(seen.map(report).into_iter().collect());
        meter.summary(now()).fleet[0].project.clone().unwrap().to_string()
    };
    assert_eq!(first(None, Turn::Begun), first(Some(5), Turn::Ended));
    assert!(first(None, Turn::Begun).contains("api-server"));
    assert!(first(Some(5), Turn::Begun).contains("web"));
}

#[test]
fn an_answer_that_has_the_time_of_its_start_is_not_taken_for_one_in_progress() {
    let calls = ending(vec![made("web", "claude-opus-5", None, 5, "0.02")]);
    let Change::New(last) = &calls[0] else { panic!() };
    let (source, session) = (last.after.call.from.source.clone(), last.after.call.from.session.clone().unwrap());
    let mut meter = metered(&calls, Vec::new());
    meter.state(vec![Status::Turn(TurnStatus {
        source,
        session,
        agent: None,
        turn: Turn::Begun,
        seen: last.after.call.at(),
    })]);
    let text = shown(&app_with(options(), meter.summary(now())), 120, 36);
    assert_eq!(state_in(&text, "claude-code  opus-5"), "○ waiting");
}

#[test]
fn wrapped_lines_of_an_explanation_are_continued_below_their_text() {
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["6", "e"]);
    let text = shown(&app, 60, 30);
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("warns at ")).collect();
    let column = |words: &str| {
        let line = lines.iter().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}\n{text}"));
        tokmeter::testing::text::width(&line[..line.find(words).unwrap()])
    };
    let begin = column("80% and 100%");
    assert_eq!([column("full at"), column("to the average of"), column("were active in")], [begin; 3], "{text}");
}

#[test]
fn a_difference_is_a_bound_where_some_tokens_have_no_price() {
    let text = |unpriced_tokens: u64, guessed_calls: u64| {
        let known = sums(3, [1_000_000, 0, 0, 0, 0, 0], "5", "0");
        let view = ModelView {
            model: Some(Label::new("claude-opus-5")),
            sums: Sums { unpriced_tokens, guessed_calls, ..known },
            rates: Some(rates()),
            elsewhere: Some((Label::new("claude-haiku-5-5"), usd("1"))),
        };
        let mut app = screen(&two(), limits("25"));
        press(&mut app, &["5"]);
        app.update(Message::Engine(EngineEvent::Models(vec![view])), now());
        let text = shown(&app, 200, 60);
        line_of(&text, "claude-opus-5").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(text(0, 0).contains(" haiku-5-5 $1.00 -$4.00"), "{}", text(0, 0));
    assert!(text(0, 1).contains(" haiku-5-5 ~ $1.00 ~ -$4.00"), "{}", text(0, 1));
    // All tokens there cost a dollar; here they cost more than the five dollars of those with a price.
    assert!(text(400_000, 0).contains(" haiku-5-5 $1.00 ≤ -$4.00"), "{}", text(400_000, 0));
    assert!(text(400_000, 1).contains(" haiku-5-5 ~ $1.00 ~ -$4.00"), "{}", text(400_000, 1));
}
