//! From any number to what it is made of, by key and by click; the palette and saved views.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use tokmeter::testing::domain::Filter;
use tokmeter::testing::tui::{Explained, SavedView};

use super::fleet::{SIZES, limits, metered, screen, two};
use super::*;

/// Filters of the queries that the screen has sent.
fn asked(app: &mut App) -> Vec<Filter> {
    let questions = app.effects().into_iter().filter_map(|effect| {
        let Effect::Ask(Request::History(query)) = effect else { return None };
        (query.grain == Grain::Session).then_some(query.filter)
    });
    questions.collect()
}

fn click(app: &mut App, column: u16, row: u16, area: Rect) -> Next {
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.update(Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }, area), now())
}

/// Clicks on the first occurrence of these words.
fn click_on(app: &mut App, words: &str, area: Rect) -> Next {
    let text = text_of(&draw(app, area));
    let (row, line) =
        text.lines().enumerate().find(|(_, line)| line.contains(words)).unwrap_or_else(|| panic!("{words}: {text}"));
    let column = tokmeter::testing::text::width(&line[..line.find(words).unwrap()]);
    click(app, u16::try_from(column).unwrap(), u16::try_from(row).unwrap(), area)
}

#[test]
fn a_call_is_explained_by_the_books_and_esc_leads_back() {
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["tab", "tab", "tab", "enter"]);
    let text = shown(&app, 120, 36);
    let key = app.summary().calls[0].row.call.key;
    assert_eq!(app.effects(), [Effect::Ask(Request::Explain(key))], "{text}");
    assert!(text.contains("asking the ledger"), "{text}");
    let lines =
        ["Price   claude-opus-5", "input 12 x $5", "/home/alice/log.jsonl:7 (byte 900)"].map(Label::new).to_vec();
    app.update(
        Message::Engine(EngineEvent::Explained(Box::new(Explained {
            key: CallKey::from_parts(&["other"]),
            lines: Vec::new(),
        }))),
        now(),
    );
    app.update(Message::Engine(EngineEvent::Explained(Box::new(Explained { key, lines }))), now());
    insta::assert_snapshot!("a_call_explained", shown(&app, 120, 36));
    press(&mut app, &["esc"]);
    assert!(!shown(&app, 120, 36).contains("/home/alice/log.jsonl:7"));
}

#[test]
fn enter_goes_down_from_a_model_and_from_a_limit() {
    let mut app = screen(&two(), limits("25"));
    app.effects();
    press(&mut app, &["l", "enter"]);
    let day = app.summary().day;
    assert_eq!(asked(&mut app), [Filter { only: Vec::new(), since: Some(day.from), until: Some(day.until) }]);
    let text = shown(&app, 120, 36);
    assert!(text.starts_with(" Limits › daily limit"), "{text}");
    press(&mut app, &["esc"]);
    assert!(shown(&app, 120, 36).contains("Limits · "));
    press(&mut app, &["5"]);
    let view =
        ModelView { model: Some(Label::new("claude-opus-5")), sums: Sums::default(), rates: None, elsewhere: None };
    app.update(Message::Engine(EngineEvent::Models(vec![view])), now());
    app.effects();
    press(&mut app, &["enter"]);
    let only = vec![(Dimension::Model, Matcher::exact("claude-opus-5"))];
    assert_eq!(asked(&mut app), [Filter { only, since: None, until: None }]);
    assert!(shown(&app, 80, 24).starts_with(" Models › opus-5"), "{}", shown(&app, 80, 24));
}

#[test]
fn every_number_is_explained_where_the_cursor_is() {
    let cases: [(&[&str], &str); 7] = [
        (&[], "today · as of "),
        (&["tab"], "rounded down"),
        (&["tab", "tab"], "% of the cost of what is shown"),
        (&["2"], "session api-server-1"),
        (&["4"], "Sun 22 Nov"),
        (&["6"], "warns at     80% and 100%"),
        (&["7"], "New data"),
    ];
    for (keys, words) in cases {
        let mut app = screen(&two(), limits("25"));
        press(&mut app, keys);
        answer(&mut app);
        press(&mut app, &["e"]);
        let text = shown(&app, 120, 36);
        assert!(text.contains(words) && text.contains("Esc closes"), "{keys:?}:\n{text}");
        press(&mut app, &["e"]);
        assert!(!shown(&app, 120, 36).contains("Esc closes"));
        for (width, height) in SIZES {
            let _ = shown(&app, width, height);
        }
    }
}

#[test]
fn the_palette_has_every_action_with_its_key_and_does_what_is_chosen() {
    let mut app = app();
    press(&mut app, &[":"]);
    insta::assert_snapshot!("the_palette", shown(&app, 120, 36));
    let mut seen = String::new();
    for _ in Action::ALL {
        seen.push_str(&shown(&app, 120, 24));
        press(&mut app, &["down"]);
    }
    for action in Action::ALL {
        assert!(seen.contains(action.name()), "the palette does not list '{}'", action.name());
    }
    // Letters of several words, in any order.
    press(&mut app, &["m", "o", "n", "t", "h", " ", "d", "a", "y", "s"]);
    assert!(shown(&app, 120, 24).contains("granularity"));
    press(&mut app, &["enter"]);
    answer(&mut app);
    assert!(shown(&app, 120, 36).contains("Each week"), "an action of another view is done there");
}

#[test]
fn a_view_is_saved_with_its_filter_and_comes_back_by_its_name() {
    let mut app = app();
    press(&mut app, &["2", "/", "w", "e", "b", "enter", "w", "m", "i", "n", "e"]);
    assert!(shown(&app, 120, 24).contains("save this view as: mine_"));
    app.effects();
    press(&mut app, &["enter"]);
    let (name, view) = ("mine".to_owned(), "sessions web".to_owned());
    assert_eq!(app.effects(), [Effect::Ask(Request::SaveView { name, view })]);
    let views = vec![SavedView::parse("mine", "sessions web").unwrap()];
    let mut app = app_with(Options { views, ..options() }, summary());
    press(&mut app, &[":", "m", "i", "n", "e", "enter"]);
    let text = shown(&app, 120, 24);
    assert!(text.contains("Sessions · 1") && text.contains("/web"), "{text}");
}

#[test]
fn g3_a_saved_view_keeps_the_comments_of_the_config() {
    use tokmeter::testing::config::edit::save_view;
    let text = "# mine\ntheme = \"dark\" # at night\n";
    let saved = save_view(text, "my web", "sessions web").unwrap();
    assert_eq!(saved, "# mine\ntheme = \"dark\" # at night\n\n[views]\n\"my web\" = \"sessions web\"\n");
    let again = save_view(&saved, "my web", "fleet").unwrap();
    assert!(again.contains("\"my web\" = \"fleet\"") && again.contains("# at night"), "{again}");
}

#[test]
fn rows_heads_and_keys_are_clickable() {
    let area = Rect::new(0, 0, 120, 36);
    let mut app = screen(&two(), limits("25"));
    // The first click moves the cursor, the second opens.
    click_on(&mut app, "web-frontend", area);
    assert_eq!(app.effects(), []);
    click_on(&mut app, "web-frontend", area);
    let effects = app.effects();
    let [Effect::Follow(Follow::Session(id))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(id.session.as_deref(), Some("web-frontend-1"));
    click_on(&mut app, "? help", area);
    assert!(shown(&app, 120, 36).contains("What the marks mean"));
    // A click does not reach what is under an overlay.
    click(&mut app, 60, 20, area);
    assert!(shown(&app, 120, 36).contains("What the marks mean"));
    press(&mut app, &["esc", "2"]);
    click_on(&mut app, "cost", area);
    assert!(shown(&app, 120, 36).contains("cost ▼"));
    click_on(&mut app, "cost ▼", area);
    assert!(shown(&app, 120, 36).contains("cost ▲"));
    press(&mut app, &[":"]);
    click_on(&mut app, "view-health", area);
    assert!(shown(&app, 120, 36).contains("╭ Health"));
}

#[test]
fn a_session_is_named_where_it_is_shown_alone_at_every_size() {
    let mut meter = metered(&two(), limits("25"));
    let id = meter.summary(now()).fleet[0].id.clone();
    meter.follow(Follow::Session(id));
    let app = app_with(options(), meter.summary(now()));
    for (width, height) in SIZES {
        let text = shown(&app, width, height);
        assert!(text.contains("pinned: ") && text.contains("api-server"), "{width}×{height}:\n{text}");
    }
    insta::assert_snapshot!("a_pinned_session_at_40_by_10", shown(&app, 40, 10));
}

#[test]
fn esc_leads_back_to_the_view_in_which_a_session_was_opened() {
    let mut app = app_with(options(), Summary { session: None, follow: Follow::Today, ..summary() });
    press(&mut app, &["2", "enter"]);
    app.update(Message::Summary(Arc::new(summary())), now());
    assert!(shown(&app, 120, 36).starts_with(" Sessions › pinned: "), "{}", shown(&app, 120, 36));
    press(&mut app, &["esc"]);
    assert!(shown(&app, 120, 36).contains("╭ Sessions · "));
}

#[test]
fn an_explanation_is_wrapped_where_it_is_wider_than_the_screen() {
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["tab", "tab", "tab", "enter"]);
    let key = app.summary().calls[0].row.call.key;
    let lines = vec![Label::new(&format!("{}at the very end", "word ".repeat(30)))];
    app.update(Message::Engine(EngineEvent::Explained(Box::new(Explained { key, lines }))), now());
    for (width, height) in SIZES.into_iter().filter(|(width, _)| *width > 40) {
        assert!(
            shown(&app, width, height).contains("the very end"),
            "{width}×{height}: {}",
            shown(&app, width, height)
        );
    }
}
