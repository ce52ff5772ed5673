//! Lists that show what has begun since, and names that tell their rows apart at every width.

use super::fleet::{limited, made, metered, screen};
use super::*;

/// A call of a session, whose id is a UUID with these first digits, in a project in this folder.
fn of(folder: &str, project: &str, id: &str, seconds_ago: i64, cost: &str) -> Change {
    let Change::New(mut change) = made(project, "claude-opus-5", None, seconds_ago, cost) else { unreachable!() };
    let call = &mut Arc::make_mut(&mut change.after).call;
    call.key = CallKey::from_parts(&[folder, project, id, &seconds_ago.to_string()]);
    call.from.session = Some(Label::new(&format!("3f2a91c0-1111-4222-8333-4444{id}")));
    call.from.project = Some(Label::new(&format!("{folder}/{project}")));
    Change::New(change)
}

/// The line that holds the pane's title.
fn title<'t>(text: &'t str, pane: &str) -> &'t str {
    text.lines().find(|line| line.contains(&format!("╭ {pane}"))).unwrap_or_else(|| panic!("no {pane}:\n{text}"))
}

#[test]
fn running_stays_at_its_newest_session_until_the_cursor_is_moved() {
    let mut app = App::new(options(), now()).unwrap();
    let mut calls = Vec::new();
    let come = |app: &mut App, calls: &[Change]| {
        app.update(Message::Summary(Arc::new(metered(calls, Vec::new()).summary(now()))), now());
    };
    for nth in 0..16_i64 {
        calls.push(made(&format!("project-{nth:02}"), "claude-opus-5", None, 50 - nth, "0.10"));
        come(&mut app, &calls);
    }
    let text = shown(&app, 80, 24);
    let rows = |text: &str| -> Vec<String> {
        let words = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with("project-")));
        words.map(str::to_owned).collect()
    };
    assert_eq!(rows(&text).first().unwrap(), "project-15", "{text}");
    let below = 16 - rows(&text).len();
    assert!(below > 0 && title(&text, "16").contains(&format!("╭ 16 running · {below} more below")), "{text}");
    // Once it is moved, the cursor stays on its session, and what is above it is counted.
    press(&mut app, &["down"]);
    for nth in 16..36_i64 {
        calls.push(made(&format!("project-{nth:02}"), "claude-opus-5", None, 50 - nth, "0.10"));
        come(&mut app, &calls);
    }
    let text = shown(&app, 80, 24);
    assert_eq!(rows(&text).last().unwrap(), "project-14", "{text}");
    let above = 22 - rows(&text).len();
    assert!(title(&text, "36").contains(&format!("╭ 36 running · {above} more above · 14 more below")), "{text}");
    // Elsewhere the list begins at its top again.
    press(&mut app, &["tab"]);
    let text = shown(&app, 80, 24);
    assert!(rows(&text)[0] == "project-35" && !title(&text, "36").contains("above"), "{text}");
}

/// Two sessions of one project and one of another of the same name, with limits for each.
fn alike() -> (Vec<Change>, Vec<Limit>) {
    let mut calls = vec![
        of("/home/kim", "api-server", "c6160b71", 40, "0.9401"),
        of("/home/kim", "api-server", "4e21d0aa", 70, "0.086"),
        of("/home/kim", "web-frontend", "77aa0b71", 90, "0.38"),
    ];
    // As much of everything as a day of work leaves.
    calls.extend((0..200).map(|nth| of("/home/kim", "api-server", "c6160b71", 100 + nth, "0.11")));
    let of_project = |folder: &str| Limit {
        scope: Scope { only: vec![(Dimension::Project, Matcher::exact(folder))], each: false },
        ..limited(Window::Day, dollars("30"))
    };
    let limits = vec![
        limited(Window::Day, dollars("1200")),
        limited(Window::Session, dollars("600")),
        of_project("/home/kim/api-server"),
        of_project("/srv/kim/api-server"),
        of_project("/home/kim/web-frontend"),
    ];
    (calls, limits)
}

#[test]
fn rows_are_told_apart_at_every_width() {
    let (calls, limits) = alike();
    let mut app = screen(&calls, limits);
    for width in 60..=200 {
        let text = shown(&app, width, 40);
        let running: Vec<&str> = text.lines().skip_while(|line| !line.contains(" running ─")).collect();
        for id in ["c6160b71", "4e21d0aa"] {
            assert!(running.iter().any(|line| line.contains(&format!("r {id}"))), "Running, {width}, {id}:\n{text}");
        }
        assert!(running.iter().any(|line| line.contains("web-frontend")), "{width}:\n{text}");
    }
    // At no width less of a name than at a smaller one, where there is room for all of it.
    for width in [80, 120, 160, 200] {
        assert!(shown(&app, width, 40).contains("│ api-server c6160b71 "), "{width}");
    }
    press(&mut app, &["6"]);
    for width in 60..=200 {
        let text = shown(&app, width, 24);
        for words in ["api-server c6160b71 ", "home/kim/api-server ", "srv/kim/api-server ", "web-frontend daily"] {
            assert!(width < 140 || text.contains(words), "Limits, {width}, {words}:\n{text}");
        }
        for id in ["c6160b71", "4e21d0aa"] {
            assert!(text.contains(id), "Limits, {width}, {id}:\n{text}");
        }
        assert!(!text.contains("/home/kim/web"), "{width}:\n{text}");
    }
}

#[test]
fn the_rows_of_limits_beside_the_day_name_a_project_without_its_folders() {
    let (calls, mut limits) = alike();
    limits.retain(|limit| limit.scope.only.iter().all(|(_, name)| !name.as_str().starts_with("/srv")));
    let text = shown(&screen(&calls, limits), 100, 30);
    assert!(!text.contains("/home/kim") && text.contains("│ api-server daily "), "{text}");
    assert!(text.contains("│ web-frontend daily"), "{text}");
}

#[test]
fn a_session_has_one_short_id_on_the_whole_screen() {
    let text = shown(&app(), 120, 36);
    assert!(text.contains("api-server · 3f2a91c0 ") && text.contains("│ Session     3f2a91c0 "), "{text}");
    for (width, height) in [(60, 20), (80, 24), (100, 30), (120, 36), (200, 60)] {
        let text = shown(&app(), width, height);
        let whole = text.matches("11112222-1111-4222-8333-44443f2a91c0").count();
        assert_eq!(text.matches("11112222").count(), whole, "{text}");
    }
}

#[test]
fn a_list_of_sessions_keeps_their_ids_at_every_width() {
    let ids = ["c6160b71", "4e21d0aa"].map(|id| format!("3f2a91c0-1111-4222-8333-4444{id}"));
    let one = sums(11, [1_204, 84_112, 0, 4_904, 8_000, 0], "1234.80", "9.31");
    let sessions = ids.map(|id| session(&id, "/home/kim/web-frontend", 23, one, true)).to_vec();
    let mut app = app_with(options(), Summary { sessions, session: None, follow: Follow::Today, ..summary() });
    press(&mut app, &["2"]);
    for width in 40..=200 {
        let text = shown(&app, width, 24);
        let are_there = ["c6160b71", "4e21d0aa"].iter().all(|id| text.contains(id));
        assert!(are_there && text.contains("$1,234.80"), "{width}:\n{text}");
    }
}

#[test]
fn the_smallest_screen_lists_the_dearest_sessions_first_and_says_how_many_more_there_are() {
    let limits = || vec![limited(Window::Day, dollars("6")), limited(Window::Session, dollars("1"))];
    let mut calls = vec![
        of("/home/kim", "api-server", "c6160b71", 40, "0.9401"),
        of("/home/kim", "api-server", "4e21d0aa", 70, "0.086"),
        of("/home/kim", "web-frontend", "77aa0b71", 90, "0.38"),
    ];
    let text = shown(&screen(&calls, Vec::new()), 40, 10);
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("c6160b71")).take(3).collect();
    assert_eq!(
        lines,
        ["api-server c6160b71  $0.9401", "web-frontend         $0.3800", "api-server 4e21d0aa  $0.0860"],
        "{text}"
    );
    // The day's cost is shown once, in the counter; its remaining amount is shown although another limit is nearer.
    let text = shown(&screen(&calls, limits()), 40, 10);
    assert!(text.starts_with("Tokens: 270,696 ↑ | Cost: $1.41") && !text.contains("today $1.41"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("daily") && line.ends_with("23%  $4.59 left")), "{text}");
    calls.extend((0..6).map(|nth| made(&format!("other-{nth}"), "claude-opus-5", None, 60, "0.02")));
    let text = shown(&screen(&calls, Vec::new()), 40, 10);
    let last = text.lines().rfind(|line| line.contains("more")).unwrap_or_else(|| panic!("{text}"));
    let listed = text.lines().filter(|line| line.contains("  $0.")).count() + last.matches('$').count();
    assert!(
        last.ends_with(&format!("+{} more", 9 - listed)) && text.contains("api-server c6160b71  $0.9401"),
        "{text}"
    );
}

#[test]
fn no_column_of_the_limits_moves_while_amounts_grow_or_after_they_have_been_greater() {
    let used = |cents: u64| {
        let mut day = limit(
            Window::Day,
            None,
            dollars("25"),
            dollars(&format!("{}.{:02}", cents / 100, cents % 100)),
            cents / 25,
        );
        let soon = now() + Duration::hours(2);
        day.projected = (cents > 1_000).then_some((soon, Span { from: soon, until: soon }));
        let month = limit(Window::Month, None, dollars("500"), dollars("120"), 24);
        Summary { limits: vec![day, month], session: None, follow: Follow::Today, ..summary() }
    };
    for (width, height) in [(80, 24), (100, 30), (120, 36), (200, 60)] {
        let mut app = app_with(options(), used(4));
        let look = |app: &App| {
            let text = shown(app, width, height);
            let heads =
                text.lines().find(|line| line.contains("resets  ")).unwrap_or_else(|| panic!("{text}")).to_owned();
            let row =
                text.lines().find(|line| line.contains("monthly ")).unwrap_or_else(|| panic!("{text}")).to_owned();
            (heads, row)
        };
        let bar = |app: &App| {
            let text = shown(app, width, height);
            let row = text.lines().find(|line| line.contains("│ monthly ")).unwrap_or_else(|| panic!("{text}"));
            row.chars().filter(|letter| "█░╷".contains(*letter)).count()
        };
        press(&mut app, &["6"]);
        let before = look(&app);
        press(&mut app, &["1"]);
        app.update(Message::Summary(Arc::new(used(1_100))), now());
        let length = bar(&app);
        for cents in [1_800, 2_400, 2_500] {
            app.update(Message::Summary(Arc::new(used(cents))), now());
            assert_eq!(bar(&app), length, "{width}: {cents}");
            press(&mut app, &["6"]);
            assert_eq!(look(&app), before, "{width}: {cents}");
            press(&mut app, &["1"]);
        }
        press(&mut app, &["6"]);
        app.update(Message::Summary(Arc::new(used(788_850))), now());
        let most = look(&app);
        let heads = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(heads(&most.0), heads(&before.0), "{width}");
        app.update(Message::Summary(Arc::new(used(4))), now());
        assert_eq!(look(&app), most, "{width}");
    }
}

#[test]
fn a_screen_of_one_project_lists_its_limits_and_says_which_others_are_near() {
    let (calls, limits) = alike();
    let folder = "/home/kim/web-frontend";
    let view = |dimension: Dimension, name: &str| {
        let filter = Filter { only: vec![(dimension, Matcher::new(name))], ..Filter::default() };
        let mut meter = Meter::new(Rules { limits: limits.clone(), view: filter, ..Rules::new(ZONE) }, now());
        meter.follow(Follow::Today);
        for change in &calls {
            meter.apply(change, now());
        }
        let mut summary = meter.summary(now());
        for state in &mut summary.limits {
            if state.name == "/home/kim/api-server daily" {
                (state.percent, state.verdict) = (617, Verdict::Over);
            }
        }
        let text = shown(&app_with(Options { only: name.to_owned(), ..options() }, summary), 120, 36);
        text.lines().skip(2).take(9).collect::<Vec<_>>().join("\n")
    };
    let text = view(Dimension::Project, folder);
    assert!(text.contains("│ daily ") && text.contains("│ web-frontend daily "), "{text}");
    assert!(!text.contains("│ home/kim") && !text.contains("│ srv/kim") && !text.contains("c6160b71"), "{text}");
    assert!(text.contains("■ elsewhere: api-server daily 617%"), "{text}");
    // Rows that a pattern may match, or that the filter does not concern, stay.
    for (name, row) in [("/home/*", "│ api-server daily "), ("*", "│ home/kim/api-server daily ")] {
        let text = view(Dimension::Project, name);
        assert!(text.contains(row) && !text.contains("elsewhere"), "{name}: {text}");
    }
    assert!(view(Dimension::Source, "claude-code").contains("│ home/kim/api-server daily"));
}

#[test]
fn a_legend_of_long_names_stays_within_its_chart() {
    let calls: Vec<Change> = (0..8_i64)
        .flat_map(|nth| (1..9).map(move |call| (nth, call * 600)))
        .map(|(nth, ago)| of("/home/alice", &format!("a-name-as-long-as-{nth}"), &format!("0000000{nth}"), ago, "0.31"))
        .collect();
    let app = screen(&calls, Vec::new());
    for width in 150..=240 {
        let text = shown(&app, width, 60);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("█ a-name-as-long")).collect();
        assert!(!lines.is_empty(), "{text}");
        for line in lines {
            assert!(line.trim_end().ends_with('│'), "{width}: {line}");
        }
    }
}

#[test]
fn a_search_among_the_newest_sessions_only_says_so() {
    let calls: Vec<Change> =
        (0..210).map(|nth| of("/home/alice", "api", &format!("{nth:08}"), 3_600 + nth * 60, "0.10")).collect();
    let mut app = screen(&calls, Vec::new());
    press(&mut app, &["2"]);
    let text = shown(&app, 120, 36);
    assert!(text.contains("Sessions · the newest 200"), "{text}");
    press(&mut app, &["/", "z", "z"]);
    let text = shown(&app, 120, 36);
    assert!(text.contains("no session matches \"zz\" among the newest 200"), "{text}");
}

#[test]
fn sessions_that_are_active_stand_above_those_that_wait() {
    let calls = [("long-at-work", 4_000), ("long-at-work", 10), ("waits", 600)];
    let calls = calls.map(|(project, ago)| of("/home/alice", project, &format!("0000{ago:04}"), ago, "0.10"));
    let calls = calls.map(|change| {
        let Change::New(mut change) = change else { unreachable!() };
        let call = &mut Arc::make_mut(&mut change.after).call;
        call.from.session = call.from.project.clone();
        Change::New(change)
    });
    let text = shown(&screen(&calls, Vec::new()), 120, 36);
    let [works, waits] = ["long-at-work", "waits"].map(|name| text.rfind(&format!("│ {name}")).unwrap_or_default());
    assert!(0 < works && works < waits, "{text}");
}

#[test]
fn sessions_of_projects_with_one_folder_name_are_told_apart_in_their_list() {
    let calls = [of("/srv", "api", "11111111", 60, "0.10"), of("/home/alice", "api", "22222222", 90, "0.10")];
    let mut app = screen(&calls, Vec::new());
    press(&mut app, &["2"]);
    let text = shown(&app, 120, 36);
    assert!(text.contains("srv/api") && text.contains("alice/api"), "{text}");
}

#[test]
fn the_program_that_writes_a_log_is_called_its_agent_in_every_view() {
    let one = sums(11, [1_204, 84_112, 0, 4_904, 8_000, 0], "1234.80", "9.31");
    let mut line = session("s", "/home/kim/web-frontend", 23, one, true);
    line.row.in_agents = one;
    let sessions = vec![line];
    let mut app = app_with(options(), Summary { sessions, session: None, follow: Follow::Today, ..summary() });
    press(&mut app, &["2"]);
    let text = shown(&app, 200, 24);
    let heads = text.lines().find(|line| line.contains("started")).unwrap();
    assert!(heads.contains(" agent ") && heads.contains(" sub-agents ") && !heads.contains("source"), "{text}");
    press(&mut app, &["e"]);
    assert!(shown(&app, 120, 36).contains("agent        claude-code"), "{}", shown(&app, 120, 36));
    // A call of a sub-agent says so.
    assert!(shown(&super::app(), 200, 60).contains("sub-agent explore"));
}
