//! Numbers, bars and rows that say no more than is known, and stay where they are.

use super::fleet::{five, limited, limits, made, metered, screen, two};
use super::*;

/// The line of the screen that holds these words.
fn line_of<'t>(text: &'t str, words: &str) -> &'t str {
    text.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words}:\n{text}"))
}

/// A call of another session of the same project.
fn of_session(project: &str, session: &str, seconds_ago: i64, cost: &str) -> Change {
    let Change::New(mut change) = made(project, "claude-opus-5", None, seconds_ago, cost) else { panic!("a new call") };
    let call = &mut Arc::make_mut(&mut change.after).call;
    call.key = CallKey::from_parts(&[session, &seconds_ago.to_string()]);
    call.from.session = Some(Label::new(session));
    Change::New(change)
}

#[test]
fn only_a_limit_that_counts_exactly_what_is_drawn_bounds_the_curve() {
    let project = "/home/alice/web-frontend";
    let scope = |names: &[&str]| Scope {
        only: names.iter().map(|name| (Dimension::Project, Matcher::new(*name))).collect(),
        each: false,
    };
    let own = Limit { scope: scope(&[project]), ..limited(Window::Day, dollars("4")) };
    let other = Limit { scope: scope(&["/home/alice/api-server"]), ..limited(Window::Day, dollars("5")) };
    let ceiling = |limits: Vec<Limit>, view: Filter| {
        let mut meter = Meter::new(Rules { limits, view, ..Rules::new(ZONE) }, now());
        meter.follow(Follow::Today);
        for change in &two() {
            meter.apply(change, now());
        }
        let text = shown(&app_with(options(), meter.summary(now())), 120, 40);
        assert!(text.contains("Dollars today"), "{text}");
        text.lines().find(|line| line.contains(" limit $")).map(|line| line.contains(" limit $4.00 "))
    };
    let all = [limits("25"), vec![other, own]].concat();
    let of_project = Filter { only: vec![(Dimension::Project, Matcher::new(project))], ..Filter::default() };
    assert_eq!(ceiling(limits("25"), of_project.clone()), None);
    assert_eq!(ceiling(all.clone(), of_project.clone()), Some(true));
    assert_eq!(ceiling(all.clone(), Filter::default()), Some(false));
    let since = Filter { since: Some(now() - Duration::hours(1)), ..of_project };
    assert_eq!(ceiling(all, since), None);
}

#[test]
fn a_sparkline_ends_with_the_last_whole_minute() {
    // A dollar in each whole minute, and a cent in the one that runs.
    let mut calls: Vec<Change> = (1..20).map(|nth| made("api-server", "claude-opus-5", None, nth * 60, "1")).collect();
    let bars = |calls: &[Change]| {
        let text = shown(&screen(calls, Vec::new()), 120, 36);
        let line = line_of(&text, "│ claude-opus-5").to_owned();
        line.chars().filter(|letter| ('▁'..='█').contains(letter)).collect::<String>()
    };
    let before = bars(&calls);
    assert!(before.len() > 10 && before.chars().all(|bar| bar == '█'), "{before}");
    calls.push(made("api-server", "claude-opus-5", None, 1, "0.01"));
    assert_eq!(bars(&calls), before);
    // Once nothing more comes, the last minute is a whole one.
    let mut meter = metered(&calls, Vec::new());
    let late = shown(&app_with(options(), meter.summary(now() + Duration::minutes(30))), 120, 36);
    assert!(line_of(&late, "│ claude-opus-5").contains("█▁"), "{late}");
    assert!(line_of(&late, "Models · ").contains(" min until 14:02"), "{late}");
}

#[test]
fn a_stretch_that_runs_is_as_high_as_those_before_it_while_the_pace_is_the_same() {
    // Ten cents every ten seconds. The bars are of two minutes, which begin at an even one.
    let last_two = |later: Instant| {
        let mut meter = Meter::new(Rules::new(ZONE), later);
        meter.follow(Follow::Today);
        for nth in 0..240 {
            let ago = nth * 10 + 5 - (later - now()).num_seconds();
            meter.apply(&made("api-server", "claude-opus-5", None, ago, "0.10"), later);
        }
        let mut app = App::new(options(), later).unwrap();
        app.update(Message::Summary(Arc::new(meter.summary(later))), later);
        let text = shown(&app, 200, 60);
        let chart = text.lines().skip_while(|line| !line.contains("$ an hour by session")).skip(1);
        let bars = chart.take_while(|line| !line.contains('╰') && line.contains("││"));
        let bars = bars.map(|line| line.split("││").nth(1).unwrap().chars().rev().skip(2).collect::<Vec<char>>());
        let heights = bars.take(14).fold([0; 12], |mut heights, line| {
            for (height, letter) in heights.iter_mut().zip(line) {
                *height += usize::from(letter == '█');
            }
            heights
        });
        [heights[0], heights[1]]
    };
    let [running, before] = last_two(now() + Duration::seconds(70));
    assert!(before > 3 && running == before, "{running} {before}");
    let [running, before] = last_two(now() + Duration::seconds(20));
    assert!(before > 3 && running == 0, "{running} {before}");
}

#[test]
fn a_session_has_no_average_before_it_has_lasted_a_minute() {
    let lasting = |seconds: i64| {
        let mut line = session("new-1", "/home/alice/new", 30, sums(1, [500, 0, 0, 0, 0, 0], "0.50", "0"), true);
        line.duration = Duration::seconds(seconds);
        let mut app =
            app_with(options(), Summary { sessions: vec![line], ..metered(&two(), Vec::new()).summary(now()) });
        press(&mut app, &["2"]);
        let text = shown(&app, 120, 36);
        line_of(&text, "new-1").trim_end_matches(['│', ' ']).to_owned()
    };
    assert!(lasting(59).ends_with(" –"), "{}", lasting(59));
    assert!(lasting(60).ends_with(" $30.00"), "{}", lasting(60));
}

#[test]
fn an_arrow_points_the_same_way_in_every_column() {
    let mut app = app();
    press(&mut app, &["2"]);
    for (column, arrow, reversed) in [
        ("started", '▼', '▲'),
        ("lasted", '▼', '▲'),
        ("project", '▲', '▼'),
        ("tokens", '▼', '▲'),
        ("cost", '▼', '▲'),
        ("avg $/h", '▼', '▲'),
    ] {
        for arrow in [arrow, reversed] {
            let text = shown(&app, 160, 24);
            assert!(text.contains(&format!("{column} {arrow}")), "{column}:\n{text}");
            press(&mut app, &["r"]);
        }
        press(&mut app, &["s"]);
    }
}

#[test]
fn thousands_of_per_cent_are_separated_and_every_row_of_limits_stays_in_its_columns() {
    let many = vec![limited(Window::Day, dollars("0.09")), limited(Window::Month, dollars("300"))];
    let mut app = screen(&two(), many);
    let text = shown(&app, 120, 36);
    let (over, under) = (line_of(&text, "│ daily "), line_of(&text, "│ monthly "));
    assert!(over.contains("13,457% ■") && under.contains("  4% "), "{over}\n{under}");
    let amount = |line: &str| {
        let (before, after) = line.split_once('%').unwrap();
        before.chars().count() + after.find('$').map(|at| after[..at].chars().count()).unwrap()
    };
    assert_eq!(amount(over), amount(under), "{over}\n{under}");
    press(&mut app, &["6"]);
    assert!(line_of(&shown(&app, 120, 36), "│ daily ").contains(" 13,457% "));
    assert!(shown(&app, 40, 10).contains("13,457%"), "{}", shown(&app, 40, 10));
}

#[test]
fn the_bar_of_a_limit_that_is_reached_is_full() {
    let app = screen(&two(), vec![limited(Window::Day, dollars("10")), limited(Window::Month, dollars("300"))]);
    let text = shown(&app, 120, 36);
    let bar = line_of(&text, "│ daily ").chars().filter(|letter| "█░╷".contains(*letter)).collect::<String>();
    assert!(bar.len() > 4 && bar.chars().all(|letter| letter == '█'), "{bar}");
    assert!(line_of(&text, "│ monthly ").contains('╷'), "{text}");
}

#[test]
fn limits_of_two_sessions_of_a_project_are_told_apart_also_while_one_of_them_rests() {
    let mut calls = two();
    calls.push(of_session("web-frontend", "77aa88bb-1", 3_000, "0.30"));
    let text = shown(&screen(&calls, limits("25")), 200, 60);
    assert!(text.contains("│ session web-frontend web-frontend-1 "), "{text}");
    assert!(text.contains("│ session api-server  "), "{text}");
    // So are their rows.
    assert!(text.contains("│ web-frontend web-frontend-1 ") && text.contains("│ web-frontend 77aa88bb-1 "), "{text}");
    assert!(text.contains("│ api-server   "), "{text}");
    let mut calls: Vec<Change> =
        (0..6).map(|nth| of_session("web-frontend", "3f2a91c0-1", nth * 60 + 20, "0.41")).collect();
    calls.push(of_session("web-frontend", "77aa88bb-1", 3_000, "0.30"));
    let text = shown(&screen(&calls, vec![limited(Window::Session, dollars("1"))]), 120, 36);
    assert!(text.lines().nth(1).unwrap().contains("■ Session web-frontend 3f2a91c0-1 limit reached"), "{text}");
}

#[test]
fn of_the_sessions_that_have_ended_the_last_to_end_is_on_top() {
    let mut calls = two();
    // The one that began first ended last.
    calls.push(made("long", "claude-opus-5", None, 20_000, "0.10"));
    calls.push(made("long", "claude-opus-5", None, 5_000, "0.10"));
    calls.push(made("short", "claude-opus-5", None, 9_000, "0.10"));
    let text = shown(&screen(&calls, Vec::new()), 200, 60);
    let at = |name: &str| text.lines().position(|line| line.starts_with(&format!("│ {name} "))).unwrap();
    assert!(at("web-frontend") < at("long") && at("long") < at("short"), "{text}");
}

#[test]
fn no_column_moves_when_a_row_goes() {
    let heads = |app: &App| line_of(&shown(app, 200, 60), "│ project ").to_owned();
    let mut app = screen(&five(), Vec::new());
    let wide = heads(&app);
    app.update(Message::Summary(Arc::new(metered(&two(), Vec::new()).summary(now()))), now());
    assert_eq!(heads(&app), wide);
    let text = shown(&screen(&two(), Vec::new()), 200, 60);
    assert_ne!(line_of(&text, "│ project "), wide, "the long name needs more room");
    // The next day begins with what it needs.
    let mut later = metered(&two(), Vec::new()).summary(now());
    later.day = Span::day(now() + Duration::days(1), ZONE);
    app.update(Message::Summary(Arc::new(later)), now());
    assert_eq!(heads(&app), line_of(&text, "│ project "));
}

#[test]
fn no_key_of_the_footer_is_cut_and_each_view_shows_its_own() {
    let words = ["help", "open", "pane", "filter", "sessions", "limits", "explain", "all", "quit", "sort", "reverse"];
    let more = ["day/week/month", "earlier", "later", "edit", "add", "remove"];
    for (view, own) in [("1", "open"), ("2", "open"), ("4", "day/week/month"), ("6", "edit")] {
        for filter in ["", "a-filter-that-is-longer-than-anybody-would-type-it-into-a-terminal"] {
            let mut app = app_with(options(), metered(&five(), limits("20")).summary(now()));
            press(&mut app, &[view, "/"]);
            app.update(Message::Paste(filter.to_owned()), now());
            press(&mut app, &["enter"]);
            for width in 40..=200 {
                let text = shown(&app, width, 24);
                let footer = text.lines().last().unwrap();
                let keys = footer.split("  ").map(str::trim).filter(|part| !part.is_empty());
                let keys: Vec<&str> = keys.take_while(|part| part.split(' ').count() == 2).collect();
                let is_whole = |key: &&str| {
                    let word = key.split(' ').nth(1).unwrap();
                    words.contains(&word) || more.contains(&word) || word.starts_with("file")
                };
                assert!(keys.iter().all(is_whole), "{width}: {footer}");
                assert!(keys.iter().any(|key| key.ends_with("quit")), "{width}: {footer}");
                assert!(width < 80 || footer.contains(own), "{width}: {footer}");
            }
        }
    }
}
