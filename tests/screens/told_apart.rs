//! Lists that show what has begun since, and names that tell their rows apart at every width.

use super::fleet::{made, metered};
use super::*;

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
    assert!(below > 0 && title(&text, "Running").contains(&format!("Running · 16 · {below} more below")), "{text}");
    // Once it is moved, the cursor stays on its session, and what is above it is counted.
    press(&mut app, &["down"]);
    for nth in 16..36_i64 {
        calls.push(made(&format!("project-{nth:02}"), "claude-opus-5", None, 50 - nth, "0.10"));
        come(&mut app, &calls);
    }
    let text = shown(&app, 80, 24);
    assert_eq!(rows(&text).last().unwrap(), "project-14", "{text}");
    let above = 22 - rows(&text).len();
    assert!(title(&text, "Running").contains(&format!("Running · 36 · {above} more above · 14 more below")), "{text}");
    // Elsewhere the list begins at its top again.
    press(&mut app, &["tab"]);
    let text = shown(&app, 80, 24);
    assert!(rows(&text)[0] == "project-35" && !title(&text, "Running").contains("above"), "{text}");
}
