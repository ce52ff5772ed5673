//! Small things that a person notices: themes, messages, entries, and what is asked of the terminal.

use super::*;

#[test]
fn the_theme_menu_shows_each_theme_and_saves_only_what_is_kept() {
    let mut app = app();
    let before = app.theme().clone();
    press(&mut app, &["c", "down", "down"]);
    assert!(shown(&app, 120, 30).contains("Enter keeps it"));
    let looked_at = app.theme().clone();
    assert_ne!(looked_at, before);
    assert_eq!(app.effects(), [], "nothing is saved for a look");
    press(&mut app, &["esc"]);
    assert_eq!(app.theme(), &before);
    press(&mut app, &["c", "down", "down", "enter"]);
    assert_eq!(app.theme(), &looked_at);
    assert_eq!(app.effects(), [Effect::Ask(Request::Theme(looked_at.name.clone()))]);
}

#[test]
fn a_message_never_hides_the_keys() {
    for (width, height) in [(200, 60), (120, 36), (80, 24), (60, 20)] {
        let mut app = app();
        let foot = |app: &App| shown(app, width, height).lines().last().unwrap().to_owned();
        let before = foot(&app);
        let note = Note::new(Tone::Warning, &"a message that is longer than most screens are wide ".repeat(6));
        app.update(Message::Engine(EngineEvent::Note(note)), now());
        assert_eq!(foot(&app), before);
        assert!(shown(&app, width, height).contains("a message that is longer"));
    }
}

#[test]
fn an_alert_that_the_banner_shows_rings_and_is_not_said_twice() {
    let mut app = app();
    assert!(shown(&app, 120, 30).contains("⚠ 80% of daily limit used"));
    let note = |limit: &str| {
        let said = Note::new(Tone::Warning, &format!("80% of {limit} limit used"));
        EngineEvent::Note(Note { bell: true, limit: Some(Label::new(limit)), ..said })
    };
    app.update(Message::Engine(note("daily")), now());
    assert_eq!(app.effects(), [Effect::Bell]);
    assert_eq!(shown(&app, 120, 30).matches("80% of daily limit used").count(), 1);
    // Another limit is not in the banner.
    app.update(Message::Engine(note("monthly")), now());
    assert!(shown(&app, 120, 30).contains("80% of monthly limit used"));
}

#[test]
fn a_wrong_entry_is_kept_to_be_mended() {
    let mut app = app();
    press(&mut app, &["l", "i"]);
    assert!(shown(&app, 120, 16).contains("new amount of day (25usd, 500k): 500k tokens_"), "{}", shown(&app, 120, 16));
    app.effects();
    press(&mut app, &["x", "enter"]);
    assert_eq!(app.effects(), []);
    let text = shown(&app, 120, 16);
    assert!(text.contains("500k tokensx_") && text.contains("'500k tokensx'"), "{text}");
    press(&mut app, &["esc", "a", "d", "a", "z", " ", "5", "enter"]);
    assert_eq!(app.effects(), []);
    assert!(shown(&app, 120, 16).contains("daz 5_"), "{}", shown(&app, 120, 16));
}

#[test]
fn a1_an_empty_folder_is_told_from_a_missing_one() {
    let mut app = App::new(options(), now()).unwrap();
    assert!(shown(&app, 100, 24).contains("waiting for ~/.claude/projects"));
    let awaited = vec![Label::new("/home/alice/.claude/projects")];
    app.update(Message::Engine(EngineEvent::Health(Box::new(HealthView { awaited, ..HealthView::default() }))), now());
    let text = shown(&app, 100, 24);
    assert!(text.contains("not there yet   ~/.claude/projects"), "{text}");
    assert!(text.contains("no call in it   ~/.codex/sessions"), "{text}");
}

#[test]
fn health_folds_the_places_of_agents_that_are_not_there() {
    let mut app = app();
    let awaited: Vec<Label> = (0..12).map(|nth| Label::new(&format!("/home/alice/.agent-{nth}"))).collect();
    app.update(Message::Engine(EngineEvent::Health(Box::new(HealthView { awaited, ..health() }))), now());
    press(&mut app, &["7"]);
    let text = shown(&app, 120, 30);
    assert_eq!(text.lines().filter(|line| line.contains("waiting for")).count(), 1, "{text}");
    assert!(text.contains("○ waiting for 12 places that are not there: /home/alice/.agent-0, "), "{text}");
    press(&mut app, &["e"]);
    assert!(shown(&app, 120, 30).contains("/home/alice/.agent-11"));
}

#[test]
fn f13_the_end_waits_for_the_terminals_answer_and_not_for_long() {
    let app = App::new(Options { background: None, theme: "auto".to_owned(), ..options() }, now()).unwrap();
    let (alerts, meter) = (Alerts::default(), Meter::new(Rules::new(ZONE), now()));
    let start = std::time::Instant::now();
    let mut core = ScreenState::new(app, meter, alerts, Rect::new(0, 0, 80, 24));
    assert!(!core.awaits_answer(start), "nothing was asked");
    core.frame(now(), start);
    assert!(core.awaits_answer(start));
    assert!(!core.awaits_answer(start + std::time::Duration::from_secs(1)), "this terminal does not know the question");
    let mut keys = vec![KeyEvent::new(KeyCode::Char(']'), KeyModifiers::ALT)];
    keys.extend("11;rgb:ffff/ffff/ffff".chars().map(|letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)));
    keys.push(KeyEvent::new(KeyCode::Char('g'), KeyModifiers::CONTROL));
    for key in keys {
        core.event(Event::Key(key), now(), start);
    }
    assert!(!core.awaits_answer(start));
}
