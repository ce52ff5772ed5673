//! Texts that can be read in full, and say what is true.

use super::fleet::{SIZES, five, limits, metered, screen, two};
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
