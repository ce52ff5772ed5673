//! Texts that can be read in full, and say what is true.

use super::fleet::{SIZES, five, limited, limits, made, metered, screen, two};
use super::*;

#[test]
fn the_label_of_the_days_limit_is_never_drawn_over() {
    for calls in [two(), five()] {
        for amount in ["12", "14", "15", "16", "18", "20", "22", "25", "30", "36", "42", "50"] {
            for ascii in [false, true] {
                let summary = metered(&calls, limits(amount)).summary(now());
                let app = app_with(Options { ascii, ..options() }, summary);
                for (width, height) in [(200, 60), (160, 40), (120, 36), (100, 36)] {
                    let text = shown(&app, width, height);
                    let has_line = text.contains(" Dollars today ");
                    let is_labelled = text.contains(&format!(" limit ${amount}.00 "));
                    assert!(!has_line || is_labelled, "{amount} at {width}×{height}:\n{text}");
                }
            }
        }
    }
}

/// A screen with a filter that no call passes, once all logs are read.
fn without_hit(only: &str, view: Filter) -> App {
    let mut app = App::new(Options { only: only.to_owned(), ..options() }, now()).unwrap();
    app.update(Message::Engine(EngineEvent::Progress(None)), now());
    app.update(Message::Summary(Arc::new(Summary { view, ..Summary::empty(now()) })), now());
    app
}

#[test]
fn a_filter_without_a_hit_says_only_what_is_true() {
    let project = || Filter { only: vec![(Dimension::Project, Matcher::new("web*"))], ..Filter::default() };
    let yesterday = Filter { until: Some(now() - Duration::days(1)), ..project() };
    let next_month = Filter { since: Some(now() + Duration::days(9)), ..Filter::default() };
    let cases = [
        ("project web*", project(), "Waiting", "--project", true),
        ("project web* · until 2026-11-21", yesterday, "No calls", "--project and --until", false),
        ("since 2026-12-01", next_month, "Waiting", "--since", true),
    ];
    for (only, view, title, arguments, may_come) in cases {
        let mut app = without_hit(only, view);
        let text = shown(&app, 120, 36);
        assert!(text.contains(&format!("╭ {title} ─")), "{text}");
        assert!(text.contains(&format!("No call passes the filter: {only}")), "{text}");
        assert!(text.contains(&format!("Without {arguments}, tokmeter shows every call.")), "{text}");
        assert_eq!(text.contains("As soon as one does, it is shown here."), may_come, "{text}");
        for wrong in ["wakes up", "no call in it", "It looks here", "To feed it", "Reading"] {
            assert!(!text.contains(wrong), "{wrong}: {text}");
        }
        let small = shown(&app, 40, 10);
        assert!(small.contains("no call passes the filter") && !small.contains("waits for"), "{small}");
        assert!(small.contains(&format!("without {arguments}")), "{small}");
        // Nothing comes once the input has ended.
        app.update(Message::Engine(EngineEvent::Ended), now());
        let text = shown(&app, 120, 36);
        assert!(text.contains("╭ No calls ─") && !text.contains("As soon as"), "{text}");
    }
}

#[test]
fn an_empty_home_is_not_waited_for_once_the_input_has_ended() {
    let mut app = without_hit("", Filter::default());
    assert!(shown(&app, 120, 36).contains("this screen wakes up by itself"));
    app.update(Message::Engine(EngineEvent::Ended), now());
    for (width, height) in SIZES {
        let text = shown(&app, width, height);
        assert!(text.to_lowercase().contains("there is no call to show"), "{text}");
        let has_false = ["wakes up", "waits", "waiting", "Reading", "demo"].iter().any(|word| text.contains(word));
        assert!(!has_false, "{text}");
    }
}

/// The rows of the Limits pane of the Fleet view.
fn limit_rows(text: &str) -> Vec<&str> {
    let panes = text.lines().filter_map(|line| line.split_once("││").or(line.split_once('│')));
    panes.map(|(_, pane)| pane).filter(|pane| pane.contains('%') && pane.contains(['░', '█'])).collect()
}

/// Limits of which the last two are reached.
fn reached_below() -> Vec<Limit> {
    let only = |name: &str, limit: Limit| Limit {
        scope: Scope { only: vec![(Dimension::Project, Matcher::new(name))], each: false },
        ..limit
    };
    let mut all = limits("100");
    all.extend([limited(Window::Week, dollars("500")), limited(Window::Hour, dollars("80"))]);
    all.push(only("/home/alice/web-frontend", limited(Window::Day, dollars("1.50"))));
    all.push(only("/home/alice/api-server", limited(Window::Day, dollars("9"))));
    all
}

#[test]
fn a_limits_pane_with_the_focus_shows_the_limits_that_are_reached() {
    for (width, height) in [(120, 36), (100, 30), (80, 24)] {
        let mut app = screen(&two(), reached_below());
        let reached = |text: &str| limit_rows(text).iter().filter(|row| row.contains('■')).count();
        let before = shown(&app, width, height);
        assert_eq!(reached(&before), 2, "{before}");
        press(&mut app, &["tab"]);
        let rows = limit_rows(&before).len();
        for _ in 0..8 {
            let text = shown(&app, width, height);
            // The cursor's row takes the place of another.
            assert!(reached(&text) == 2 && limit_rows(&text).len() == rows, "{text}");
            press(&mut app, &["down"]);
        }
    }
}

#[test]
fn the_name_of_a_limit_tells_which_one_it_is() {
    let mut all = limits("100");
    all.push(Limit {
        scope: Scope { only: vec![(Dimension::Project, Matcher::new("/home/alice/api-server"))], each: false },
        ..limited(Window::Day, dollars("9"))
    });
    let mut app = screen(&two(), all);
    for view in ["1", "6"] {
        press(&mut app, &[view]);
        for (width, height) in SIZES {
            let text = shown(&app, width, height);
            let is_short = |line: &&str| line.contains('%') && line.contains("api-server ") && line.contains(" left");
            for line in text.lines().filter(is_short) {
                assert!(line.contains("session api-server ") || line.contains("api-server daily "), "{text}");
            }
        }
    }
    // Names of a usual length keep their word.
    let text = shown(&screen(&two(), limits("25")), 120, 36);
    assert!(text.contains("│ session web-frontend ") && text.contains("│ session api-server "), "{text}");
    assert!(limit_rows(&text).iter().any(|row| row.contains("full at")), "{text}");
}

#[test]
fn a_message_leaves_no_half_of_a_text_next_to_it() {
    let whole = |text: &str, width: u16| {
        let edges = [('│', '│'), ('╭', '╮'), ('╰', '╯')];
        let is_framed = |line: &str| {
            let first = line.chars().next().unwrap_or(' ');
            let pair = edges.iter().find(|(left, _)| *left == first);
            pair.is_none_or(|(_, right)| line.chars().count() < usize::from(width) || line.ends_with(*right))
        };
        text.lines().all(is_framed)
    };
    for keys in [&[][..], &["?"], &["2"], &["6", "e"], &[":"], &["7"]] {
        for (width, height) in SIZES {
            let mut app = screen(&two(), limits("14"));
            press(&mut app, keys);
            let before = shown(&app, width, height);
            app.update(Message::Engine(EngineEvent::Note(Note::new(Tone::Warning, "said"))), now());
            let text = shown(&app, width, height);
            let lines: Vec<&str> = text.lines().filter(|line| line.contains(" said")).collect();
            let [line] = lines[..] else { panic!("{text}") };
            let is_in_frame = line.contains("╰┤ said ├─") || line.contains("╰─┤ said ├─");
            assert!(is_in_frame || line == " said", "{keys:?} at {width}×{height}:\n{text}");
            assert!(whole(&text, width), "{text}");
            let changed = before.lines().zip(text.lines()).filter(|(before, after)| before != after).count();
            assert_eq!(changed, 1, "{text}");
        }
    }
}

#[test]
fn the_time_of_an_older_call_is_whole_or_left_out() {
    let calls: Vec<Change> =
        (0..9).map(|nth| made("api-server", "claude-opus-5", None, 12 * 86_400 + nth * 60, "0.0042")).collect();
    let mut summary = metered(&calls, Vec::new()).summary(now());
    summary.calls = (0..9)
        .map(|nth| call("claude-opus-5", 12 * 86_400 + nth * 60, [12, 84_112, 0, 0, 1_204, 0], Some("0.0042"), None))
        .collect();
    let app = app_with(options(), summary);
    assert!(shown(&app, 120, 36).contains("│ 10 Nov 14:02 "), "{}", shown(&app, 120, 36));
    for width in 60..=200 {
        let text = shown(&app, width, 60);
        for line in text.lines().filter(|line| line.contains("│ 10 Nov")) {
            assert!(line.contains("│ 10 Nov 14:0") || line.contains("│ 10 Nov 13:5"), "{width}: {line}");
        }
    }
}

#[test]
fn a_line_of_the_health_view_can_be_read_to_its_end() {
    let why = "~/.config/tokmeter/config.toml:12: unknown key 'houur'; did you mean 'hour'? The settings that were \
               valid before stay in force until this is corrected";
    let places = (0..50).map(|nth| Label::new(&format!("~/.an-agent-of-many/number-{nth}"))).collect();
    let health = HealthView { config_trouble: Some(Label::new(why)), awaited: places, ..health() };
    let mut app = screen(&two(), Vec::new());
    app.update(Message::Engine(EngineEvent::Health(Box::new(health))), now());
    press(&mut app, &["7"]);
    let words = |text: &str| -> String {
        let lines = text.lines().map(|line| line.trim_matches(['│', ' ']));
        lines.flat_map(str::split_whitespace).collect::<Vec<&str>>().join(" ")
    };
    for (width, height) in SIZES {
        let text = shown(&app, width, height);
        assert!(height <= 10 || words(&text).contains(why), "{text}");
        // The list of places stays on one line.
        assert!(text.lines().filter(|line| line.contains("number-")).count() <= 1, "{text}");
    }
    press(&mut app, &["e"]);
    let text = shown(&app, 200, 80);
    assert!(words(&text).contains(why) && text.contains("number-49"), "{text}");
    press(&mut app, &["esc"]);
    press(&mut app, &["down"; 40]);
    for (width, height) in SIZES {
        let text = words(&shown(&app, width, height));
        assert!(text.contains("compactions by the service, up to 0.149"), "{text}");
    }
}

#[test]
fn a_bound_keeps_its_meaning_in_ascii() {
    let unpriced = Sums { unpriced_tokens: 3_500, ..sums(11, [1_204, 84_112, 0, 4_904, 8_000, 0], "2.18", "0") };
    let mut some = metered(&two(), limits("14")).summary(now());
    (some.followed, some.today, some.week, some.month) = (unpriced, unpriced, unpriced, unpriced);
    some.models[1].share = Share::AtMost(67);
    for line in &mut some.fleet {
        line.today.unpriced_tokens = 3_500;
    }
    for limit in &mut some.limits {
        limit.lower_bound = true;
    }
    let mut app = app_with(Options { ascii: true, ..options() }, some.clone());
    let mut same = app_with(options(), some);
    for view in ["1", "6", "2", "7"] {
        press(&mut app, &[view]);
        press(&mut same, &[view]);
        for (width, height) in SIZES {
            let (text, unicode) = (shown(&app, width, height), shown(&same, width, height));
            for (mark, bound) in [('≥', ">="), ('≤', "<=")] {
                let count = |line: &str| (line.matches(mark).count(), line.matches(bound).count());
                let expected: usize = unicode.lines().map(|line| count(line).0).sum();
                let found: usize = text.lines().map(|line| count(line).1).sum();
                assert_eq!(found, expected, "{mark} in {view} at {width}×{height}:\n{unicode}{text}");
            }
        }
    }
    press(&mut app, &["1"]);
    let text = shown(&app, 120, 36);
    assert!(text.contains("Cost: >=$2.18") && text.contains(" <=67%"), "{text}");
}

#[test]
fn the_limit_of_an_ended_session_keeps_the_mark_of_being_reached() {
    let ended = vec![made("docs", "claude-opus-5", None, 7_000, "0.10")];
    let mut meter = metered(&ended, vec![limited(Window::Session, dollars("0.05"))]);
    let id = meter.summary(now()).fleet[0].id.clone();
    meter.follow(Follow::Session(id));
    let summary = meter.summary(now());
    assert!(summary.worst_limit().is_none(), "it does not warn");
    let app = app_with(options(), summary);
    for (width, height) in SIZES {
        let text = shown(&app, width, height);
        let row = text.lines().find(|line| line.contains("200%")).unwrap_or_else(|| panic!("{text}"));
        assert!(row.contains('■'), "{row}");
    }
    let buffer = draw(&app, Rect::new(0, 0, 120, 36));
    let dim = app.theme().style(tokmeter::testing::theme::Role::Dim).fg;
    assert!(buffer.content().iter().filter(|cell| cell.symbol() == "■").all(|cell| Some(cell.fg) == dim));
    let mut app = app;
    press(&mut app, &["6"]);
    for (width, height) in SIZES {
        let text = shown(&app, width, height);
        let row = text.lines().find(|line| line.contains("200%"));
        assert!(row.is_none_or(|row| row.contains('■')), "{text}");
    }
}

#[test]
fn an_explained_limit_says_what_it_counts_and_what_is_left() {
    let mut all = limits("12");
    all.extend([limited(Window::Call, dollars("0.60")), limited(Window::Week, dollars("100"))]);
    let mut summary = metered(&two(), all).summary(now());
    for limit in &mut summary.limits {
        limit.lower_bound = true;
    }
    let mut app = app_with(options(), summary);
    press(&mut app, &["6"]);
    let mut texts = Vec::new();
    for _ in 0..6 {
        press(&mut app, &["e"]);
        texts.push(shown(&app, 120, 36));
        press(&mut app, &["esc", "down"]);
    }
    let of = |words: &str| texts.iter().find(|text| text.contains(words)).unwrap_or_else(|| panic!("{}", texts[0]));
    assert!(of("limits set call").contains("counts       each call by itself; used is the largest one of today"));
    let day = of("to change    tokmeter limits set day ");
    assert!(day.contains("counts       today's calls, until 00:00"), "{day}");
    assert!(day.contains("over by      ≥ $0.11 ") && !day.contains("left         ≥"), "{day}");
    assert!(of("limits set week").contains("counts       calls from Mon 16 Nov to Sun 22 Nov"), "{texts:?}");
    // The sentence about the used amount stands below it.
    let rows: Vec<&str> = day.lines().collect();
    let used = rows.iter().position(|row| row.contains("used         Cost: ≥ $12.11")).unwrap();
    assert!(rows[used + 2].contains("at least so much") && !rows[used + 3].contains("at least"), "{day}");
}

#[test]
fn sessions_sorted_by_project_are_in_the_order_of_the_names_shown() {
    let mut some = summary();
    let names = ["/srv/alpha", "/home/alice/Beta", "/opt/work/gamma", "/home/zoe/alpha"];
    some.sessions =
        names.map(|project| session(&project.replace('/', "-"), project, 30, Sums::default(), false)).to_vec();
    let mut app = app_with(options(), some);
    press(&mut app, &["2", "s", "s"]);
    let text = shown(&app, 120, 36);
    let names = ["Beta", "gamma", "srv/alpha", "zoe/alpha"];
    let rows: Vec<&str> =
        text.lines().filter_map(|line| names.into_iter().find(|name| line.contains(&format!("  {name} ")))).collect();
    assert_eq!(rows, names, "{text}");
}

#[test]
fn one_amount_has_the_same_decimals_wherever_it_is_shown() {
    let calls: Vec<Change> =
        (0..3).map(|nth| made("api-server", "claude-opus-5", None, nth * 60 + 5, "0.0042461")).collect();
    let mut app = screen(&calls, Vec::new());
    let text = shown(&app, 200, 60);
    assert!(text.contains("last call $0.0042 ") && text.contains("Per call    $0.0042 "), "{text}");
    assert!(!text.contains("$0.00424") && !text.contains("$0.00425"), "{text}");
    press(&mut app, &["tab", "tab", "down", "e"]);
    assert!(!shown(&app, 200, 60).contains("$0.00425"));
}

#[test]
fn the_head_counts_the_sessions_whose_rows_say_working() {
    let calls = [
        made("api-server", "claude-opus-5", None, 5, "0.41"),
        made("web-frontend", "claude-opus-5", None, 5, "0.41"),
        made("docs", "claude-opus-5", None, 100, "0.41"),
    ];
    let text = shown(&screen(&calls, Vec::new()), 120, 36);
    assert!(text.lines().next().unwrap().contains(" · 2 working · ") && text.contains("╭ 3 running "), "{text}");
    assert_eq!(text.matches("● working").count(), 2, "{text}");
    assert!(!text.contains("at work"), "{text}");
}
