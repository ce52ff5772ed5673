//! Effects of a filter: sub-agents, titles that mention it, and panes without matches.

use super::fleet::{SIZES, limits, made, screen, two};
use super::*;

/// This screen with a filter.
fn filtered(view: &str, words: &str) -> App {
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &[view, "/"]);
    app.update(Message::Paste(words.to_owned()), now());
    press(&mut app, &["enter"]);
    app
}

/// Rows of the running sessions, by their first words.
fn rows(text: &str) -> Vec<String> {
    let rows = text.lines().skip(1).filter(|line| line.contains("working") || line.contains("quiet"));
    rows.map(|line| line.trim_start_matches(['│', ' ']).split("  ").next().unwrap().to_owned()).collect()
}

#[test]
fn a_session_stays_when_one_of_its_sub_agents_fits_and_keeps_it() {
    for words in ["explore", "haiku"] {
        let text = shown(&filtered("1", words), 120, 36);
        assert_eq!(rows(&text), ["api-server", "└ explore"], "{words}: {text}");
    }
    // A session that fits itself keeps all of its own.
    assert_eq!(rows(&shown(&filtered("1", "api"), 120, 36)), ["api-server", "└ explore"]);
    assert_eq!(rows(&shown(&filtered("1", "web"), 120, 36)), ["web-frontend"]);
}

#[test]
fn a_pane_in_which_nothing_fits_says_so_at_every_size() {
    for (view, noun) in [("1", "session"), ("2", "session"), ("6", "limit"), ("7", "line")] {
        let app = filtered(view, "xyzzy");
        for (width, height) in SIZES {
            let text = shown(&app, width, height);
            // Four lines on the smallest screen, which has no panes for the running sessions.
            let is_compact = view == "1" && height <= 10;
            assert!(is_compact || text.contains(&format!("no {noun} matches \"xyzzy\"")), "{view} {width}:\n{text}");
        }
    }
    let text = shown(&filtered("1", "xyzzy"), 120, 36);
    assert!(text.contains("╭ 0 of 2 running · filtered") && text.contains("no call matches \"xyzzy\""), "{text}");
}

#[test]
fn every_view_that_is_filtered_says_so() {
    for view in ["1", "2", "3", "4", "5", "6", "7"] {
        for width in [80, 120] {
            let text = shown(&filtered(view, "a"), width, 36);
            let title = text.lines().find(|line| line.starts_with('╭') && line.contains("filtered"));
            assert!(title.is_some(), "{view}:\n{text}");
            assert!(!shown(&screen(&two(), limits("25")), width, 36).contains("filtered"));
        }
    }
}

#[test]
fn a_model_that_does_not_fit_is_not_a_model_that_is_not_there() {
    let mut app = filtered("5", "xyzzy");
    assert!(shown(&app, 120, 36).contains("nothing booked yet"));
    let view =
        ModelView { model: Some(Label::new("claude-opus-5")), sums: Sums::default(), rates: None, elsewhere: None };
    app.update(Message::Engine(EngineEvent::Models(vec![view])), now());
    assert!(shown(&app, 120, 36).contains("no model matches \"xyzzy\""));
}

#[test]
fn a_filtered_list_counts_what_it_shows_of_all() {
    let text = shown(&filtered("1", "web"), 120, 36);
    assert!(text.contains("╭ 1 of 2 running · filtered"), "{text}");
    let mut ended = two();
    ended.push(made("docs", "claude-opus-5", None, 7_000, "0.10"));
    let mut app = screen(&ended, limits("25"));
    assert!(shown(&app, 120, 36).contains("╭ 2 running · 1 ended ─"));
    press(&mut app, &["/"]);
    app.update(Message::Paste("web".to_owned()), now());
    press(&mut app, &["enter"]);
    assert!(shown(&app, 120, 36).contains("╭ 1 of 2 running · 0 of 1 ended · filtered"));
    let text = shown(&filtered("6", "monthly"), 120, 36);
    assert!(text.contains("Limits · 1 of 4 · filtered"), "{text}");
    let mut app = super::app();
    press(&mut app, &["2", "/"]);
    app.update(Message::Paste("nightly".to_owned()), now());
    press(&mut app, &["enter"]);
    assert!(shown(&app, 120, 36).contains("Sessions · 1 of 3 · filtered"));
}
