//! Obstacles for people who see the screen for the first time.

use super::fleet::{SIZES, five, limits, made, metered, screen, two};
use super::*;
use tokmeter::testing::domain::Fidelity;
use tokmeter::testing::meter::Activity;

/// The line of the screen that holds these words.
pub(super) fn line_of<'t>(text: &'t str, words: &str) -> &'t str {
    text.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words}:\n{text}"))
}

/// These calls, the newest one of this session with a context of so many tokens.
fn with_context(calls: &[Change], tokens: u64) -> Vec<Change> {
    let mut calls = calls.to_vec();
    if let Some(Change::New(newest)) = calls.first_mut() {
        Arc::make_mut(&mut newest.after).call.tokens.cache_read = tokens;
    }
    calls
}

#[test]
fn a_context_that_is_overfull_is_not_cut() {
    for (width, height) in [(120, 36), (200, 60)] {
        let text = shown(&screen(&with_context(&five(), 1_234_567), limits("25")), width, height);
        let line = line_of(&text, "● working");
        assert!(line.contains("1.2M 123%") || line.contains("1M 123%"), "{line}");
    }
}

#[test]
fn the_amounts_of_limits_are_whole_in_the_limits_view() {
    // The names would take all the room.
    let name = "/home/alice/a-very-long-name-of-a-project-of-alice";
    let long = Limit {
        scope: Scope { only: vec![(Dimension::Project, Matcher::exact(name))], each: false },
        ..limits("1234.56")[0].clone()
    };
    let mut app = screen(&five(), [limits("1234.56"), vec![long]].concat());
    press(&mut app, &["6"]);
    assert!(shown(&app, 120, 36).contains("Cost: $17.69 / $1,234.56"));
    // Where there is no room for it, it is left out, not cut.
    for width in 60..=160 {
        let text = shown(&app, width, 36);
        let line = line_of(&text, "daily");
        assert!(!line.contains("Cost:") || line.contains("Cost: $17.69 / $1,234.56"), "{width}: {line}");
    }
}

#[test]
fn what_is_left_beside_a_part_of_the_day_names_its_limit() {
    assert!(!shown(&screen(&two(), limits("25")), 120, 36).contains("daily: "));
    let mut meter = metered(&two(), limits("25"));
    let first = meter.summary(now()).fleet[0].id.clone();
    meter.follow(Follow::Session(first));
    let pinned = shown(&app_with(options(), meter.summary(now())), 120, 36);
    assert!(pinned.contains("daily: $12.89 left of $25.00"), "{pinned}");
    let only = Options { only: "project /home/alice/web-frontend".to_owned(), ..options() };
    let filtered = shown(&app_with(only, metered(&two(), limits("25")).summary(now())), 120, 36);
    assert!(filtered.contains("daily: $12.89 left of $25.00"), "{filtered}");
}

#[test]
fn the_header_and_the_waiting_screen_say_that_only_some_calls_count() {
    let only = || Options { only: "project /home/alice/web-frontend".to_owned(), ..options() };
    let text = shown(&app_with(only(), metered(&two(), limits("25")).summary(now())), 120, 36);
    assert!(text.lines().next().unwrap().contains("/web-frontend"), "{text}");
    let notes = vec![Label::new("no call has project 'web'; did you mean 'web-frontend'?")];
    let waiting = App::new(Options { notes, ..only() }, now()).unwrap();
    let text = shown(&waiting, 120, 36);
    assert!(text.contains("Only calls with this filter are counted: project /home/alice/web-frontend"), "{text}");
    assert!(text.contains("did you mean 'web-frontend'?"), "{text}");
}

#[test]
fn the_cursor_stays_on_its_call_while_others_arrive() {
    let mut meter = metered(&two(), limits("25"));
    let mut app = app_with(options(), meter.summary(now()));
    press(&mut app, &["tab", "tab", "tab", "down", "down"]);
    let call = app.summary().calls[2].row.call.key;
    let newest = made("web-frontend", "gpt-6.1-sol", None, 1, "0.17");
    meter.apply(&newest, now());
    app.update(Message::Summary(Arc::new(meter.summary(now()))), now());
    app.effects();
    press(&mut app, &["e"]);
    assert_eq!(app.effects(), [Effect::Ask(Request::Explain(call))]);
}

#[test]
fn a_session_without_a_price_has_no_average() {
    let unpriced = Sums { unpriced_tokens: 500, ..sums(1, [500, 0, 0, 0, 0, 0], "0", "0") };
    let mut summary = metered(&two(), Vec::new()).summary(now());
    summary.sessions = vec![session("local-1", "/home/alice/local", 30, unpriced, false)];
    let mut app = app_with(options(), summary);
    press(&mut app, &["2"]);
    let text = shown(&app, 120, 36);
    let line = line_of(&text, "local");
    assert!(!line.contains('$') && line.matches('?').count() == 2, "{line}");
}

#[test]
fn a_session_without_a_price_has_no_rate_either() {
    let mut summary = metered(&two(), Vec::new()).summary(now());
    summary.fleet[0].today = Sums { unpriced_tokens: 500, ..sums(1, [500, 0, 0, 0, 0, 0], "0", "0") };
    summary.fleet[0].cost_per_hour = Usd::ZERO;
    // Its calls of the last five minutes, or none.
    for (activity, calls) in [(Activity::Working, 1), (Activity::Quiet, 1), (Activity::Waiting, 0)] {
        summary.fleet[0].activity = activity;
        summary.fleet[0].of_rate = if calls > 0 { summary.fleet[0].today } else { Sums::default() };
        let unknown = 1 + calls;
        let text = shown(&app_with(options(), summary.clone()), 120, 36);
        let is_row = |line: &&str| {
            line.starts_with('│')
                && ["working", "quiet", "waiting"].iter().any(|word| line.contains(&format!(" {word} ")))
        };
        let line = text.lines().find(is_row).unwrap();
        assert!(!line.contains('$') && line.matches('?').count() == unknown, "{activity:?}: {line}");
    }
}

#[test]
fn a_search_without_a_hit_says_so_and_a_new_filter_begins_anew() {
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["?", "x", "y", "z", "z", "y"]);
    assert!(shown(&app, 120, 36).contains("nothing contains this"));
    press(&mut app, &["esc", "/", "w", "e", "b", "enter"]);
    let text = shown(&app, 120, 36);
    let is_listed = |text: &str| text.lines().any(|line| line.contains("│ api-server ") && line.contains("working"));
    assert!(line_of(&text, "running").contains("╭ 1 of 2 running · filtered") && !is_listed(&text), "{text}");
    press(&mut app, &["/", "a", "p", "i", "enter"]);
    assert!(is_listed(&shown(&app, 120, 36)), "{}", shown(&app, 120, 36));
}

#[test]
fn sessions_of_one_project_have_different_names_in_the_legend() {
    let mut calls = two();
    calls.extend((0..6).map(|nth| {
        let Change::New(mut change) = made("api-server", "claude-opus-5", None, nth * 60 + 31, "0.30") else {
            panic!("a new call")
        };
        let call = &mut Arc::make_mut(&mut change.after).call;
        call.key = CallKey::from_parts(&["second", &nth.to_string()]);
        call.from.session = Some(Label::new("77aa88bb-1"));
        Change::New(change)
    }));
    let text = shown(&screen(&calls, limits("25")), 200, 60);
    let legend = line_of(&text, "█ web-frontend");
    assert!(legend.contains("api-server api-server-1") && legend.contains("api-server 77aa88bb"), "{legend}");
}

#[test]
fn a_limit_is_named_by_one_word_wherever_it_is_shown() {
    let text_of_all = |keys: &[&str]| {
        let mut app = screen(&two(), limits("14"));
        press(&mut app, keys);
        shown(&app, 200, 60)
    };
    for keys in [&[][..], &["6"], &["l", "e"], &["tab", "e"]] {
        let text = text_of_all(keys);
        assert!(text.contains("daily") && text.contains("monthly"), "{text}");
        assert!(!text.contains("│ day ") && !text.contains("│ month "), "{text}");
    }
}

#[test]
fn the_rates_of_sessions_add_up_to_the_rate_of_the_day() {
    let mut calls = two();
    // A third session has only just begun, and ended already.
    calls.push(made("docs", "claude-opus-5", None, 45, "0.60"));
    let mut meter = metered(&calls, Vec::new());
    let summary = meter.summary(now());
    let rows: Usd = summary.fleet.iter().map(|line| line.cost_per_hour).fold(Usd::ZERO, |sum, rate| sum + rate);
    assert_eq!(summary.fleet.len(), 3);
    let apart = (summary.cost_per_hour.pico() - rows.pico()).abs();
    assert!(apart <= 3, "{} and {rows}", summary.cost_per_hour);
    let api = summary.fleet[0].id.clone();
    meter.follow(Follow::Session(api));
    let pinned = meter.summary(now());
    assert_eq!(pinned.cost_per_hour, pinned.fleet[0].cost_per_hour, "pinned or not, one rate");
}

#[test]
fn a_session_at_work_is_listed_above_later_ones_that_wait() {
    let mut calls =
        vec![made("at-work", "gpt-6.1-sol", None, 1_000, "0.17"), made("at-work", "gpt-6.1-sol", None, 5, "0.2")];
    for (nth, name) in (0_i64..).zip(["first", "second", "third"]) {
        let Change::New(mut change) = made(name, "gpt-6.1-sol", None, 100 - nth * 30, "0.3") else { unreachable!() };
        Arc::make_mut(&mut change.after).call.ends_turn = true;
        calls.push(Change::New(change));
    }
    let summary = metered(&calls, Vec::new()).summary(now());
    let names: Vec<&str> =
        summary.fleet.iter().filter_map(|line| line.project.as_deref()?.rsplit('/').next()).collect();
    assert_eq!(names, ["at-work", "third", "second", "first"]);
    let text = shown(&app_with(options(), summary), 120, 36);
    assert!(text.contains("╭ 4 running · 3 waiting"), "{text}");
}

#[test]
fn spending_rate_and_limit_stay_where_the_screen_is_wide_and_low() {
    for calls in [five(), two()[..1].to_vec()] {
        let app = screen(&calls, limits("25"));
        for (width, height) in (100..=210).step_by(10).flat_map(|width| (14..=30).map(move |height| (width, height))) {
            let text = shown(&app, width, height);
            let has_row = text.lines().any(|line| line.starts_with("│ api-server "));
            let is_whole = text.contains("/h   ") && text.contains("Tokens: ") && text.contains("daily");
            assert!(has_row && is_whole, "{width}×{height}:\n{text}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_prompts_text_goes_with_the_text() {
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["6", "a", "h", "o", "u", "r", " ", "0", "enter"]);
    assert!(shown(&app, 120, 36).contains("'0' "), "{}", shown(&app, 120, 36));
    let wrong = shown(&app, 120, 36);
    press(&mut app, &["1"]);
    assert_ne!(shown(&app, 120, 36), wrong);
    assert!(!shown(&app, 120, 36).contains("'0' "), "the text was changed: {}", shown(&app, 120, 36));
    press(&mut app, &["ctrl-u", "x", "enter"]);
    assert!(shown(&app, 120, 36).contains("such as: day 25usd"));
    press(&mut app, &["esc", "a"]);
    assert!(!shown(&app, 120, 36).contains("such as: day 25usd"), "{}", shown(&app, 120, 36));
}

#[test]
fn the_smallest_screen_is_filtered_too() {
    let mut app = screen(&two(), Vec::new());
    assert!(shown(&app, 40, 10).contains("web-frontend"));
    press(&mut app, &["/", "a", "p", "i", "enter"]);
    let text = shown(&app, 40, 10);
    assert!(text.contains("api-server") && !text.contains("web-frontend"), "{text}");
}

#[test]
fn the_first_reading_does_not_say_that_it_waits() {
    let mut app = App::new(options(), now()).unwrap();
    let text = shown(&app, 100, 24);
    assert!(text.contains("Reading the logs") && !text.contains("Waiting") && !text.contains("To feed it"), "{text}");
    app.update(Message::Engine(EngineEvent::Progress(None)), now());
    let text = shown(&app, 100, 24);
    assert!(text.contains("Waiting for a first call") && text.contains("To feed it"), "{text}");
}

#[test]
fn a_model_that_has_a_price_by_now_is_priced_by_a_command() {
    let mut app = app();
    press(&mut app, &["7"]);
    assert!(shown(&app, 160, 40).contains("give it a price in the config: [prices.\"my-local-model\"]"));
    let priced = HealthView { priced_now: vec![Label::new("my-local-model")], ..health() };
    app.update(Message::Engine(EngineEvent::Health(Box::new(priced))), now());
    assert!(shown(&app, 160, 40).contains("it has a price now: tokmeter ledger reprice"));
}

#[test]
fn calls_whose_log_names_no_model_get_no_advice_that_cannot_help() {
    let mut app = app();
    press(&mut app, &["7"]);
    let unnamed = HealthView { unpriced: vec![(Label::new("(no model named)"), 5)], ..health() };
    app.update(Message::Engine(EngineEvent::Health(Box::new(unnamed))), now());
    let text = shown(&app, 160, 40);
    assert!(text.contains("5 tokens; no price can be given") && !text.contains("[prices"), "{text}");
}

#[test]
fn a_session_of_calls_without_a_session_is_listed_without_a_name() {
    let mut summary = metered(&two(), Vec::new()).summary(now());
    (summary.sessions[0].row.session, summary.sessions[0].row.project) = (None, None);
    let mut app = app_with(options(), summary);
    press(&mut app, &["2"]);
    for (width, height) in [(80, 24), (40, 10)] {
        assert!(shown(&app, width, height).contains("no name"), "{}", shown(&app, width, height));
    }
}

#[test]
fn a_call_shows_what_it_wrote_to_the_cache_where_there_is_room() {
    let app = screen(&two(), Vec::new());
    let is_call = |line: &&str| line.contains("14:01:50") && line.contains("in 12 ");
    let text = shown(&app, 200, 60);
    let line = text.lines().find(is_call).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("cache 84,112    write 4,904   out 1,204"), "{line}");
    assert!(!text.lines().any(|line| line.contains("write 0")), "{text}");
}

#[test]
fn a_row_for_several_calls_has_no_context_and_no_cache_countdown() {
    let Change::New(mut change) = made("summed", "claude-opus-5", None, 20, "0.41") else { unreachable!() };
    let whole = shown(&screen(&[Change::New(change.clone())], Vec::new()), 200, 60);
    assert!(line_of(&whole, "● working").contains("89k 8%  15:01:50"), "{whole}");
    for fidelity in [Fidelity::Summed, Fidelity::SumGuessed] {
        Arc::make_mut(&mut change.after).call.fidelity = fidelity;
        let text = shown(&screen(&[Change::New(change.clone())], Vec::new()), 200, 60);
        let line = line_of(&text, "● working");
        assert!(!line.contains("89k") && !line.contains("15:01:50"), "{line}");
    }
}

#[test]
fn a_demo_says_so_at_every_size_and_no_number_makes_room_for_it() {
    let at = |played, compact, (width, height): (u16, u16)| {
        let summary = metered(&two(), limits("14")).summary(now());
        shown(&app_with(Options { played, compact, ..options() }, summary), width, height)
    };
    let numbers = |text: &str| -> Vec<String> {
        let words = text.split([' ', '\n', '│']).filter(|word| word.contains(|letter: char| letter.is_ascii_digit()));
        words.map(str::to_owned).collect()
    };
    for (compact, size) in SIZES.map(|size| (false, size)).into_iter().chain([(true, (80, 4)), (false, (30, 6))]) {
        let (plain, demo) = (at(None, compact, size), at(Some("demo"), compact, size));
        assert!(demo.contains("demo") && !plain.contains("demo"), "{size:?}: {demo}");
        let missing: Vec<String> = numbers(&plain).into_iter().filter(|word| !numbers(&demo).contains(word)).collect();
        assert_eq!(missing, Vec::<String>::new(), "{size:?}: {demo}");
    }
    assert!(at(Some("demo"), false, (120, 36)).contains("╭ Today · demo: nothing is booked ─"));
    // As soon as its key is pressed.
    let mut app = App::new(options(), now()).unwrap();
    press(&mut app, &["d"]);
    assert!(shown(&app, 100, 24).lines().next().unwrap().contains("demo"));
}

#[test]
fn after_midnight_a_rate_of_yesterdays_unpriced_calls_is_unknown_and_not_zero() {
    let mut summary = metered(&two(), Vec::new()).summary(now());
    (summary.today, summary.followed, summary.cost_per_hour) = (Sums::default(), Sums::default(), Usd::ZERO);
    summary.of_rate = Sums { unpriced_tokens: 500, ..sums(1, [500, 0, 0, 0, 0, 0], "0", "0") };
    let compact = Options { compact: true, ..options() };
    for (options, (width, height)) in [(options(), (120, 36)), (options(), (40, 10)), (compact, (80, 4))] {
        let text = shown(&app_with(options, summary.clone()), width, height);
        assert!(text.contains("?/h") && !text.contains("$0.00/h"), "{text}");
    }
    // Nothing at all was called: that is zero.
    summary.of_rate = Sums::default();
    assert!(shown(&app_with(options(), summary), 120, 36).contains("$0.00/h"));
}
