//! Ways into every view, and bars of every limit.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use tokmeter::testing::domain::Quota;
use tokmeter::testing::tui::View;

use super::fleet::{SIZES, limits, screen, two};
use super::*;

/// Clicks on the middle of the first of these words; false where none is on the screen.
fn click_on(app: &mut App, words: &str, area: Rect) -> bool {
    let text = text_of(&draw(app, area));
    let Some((row, line)) = text.lines().enumerate().find(|(_, line)| line.contains(words)) else { return false };
    let column = tokmeter::testing::text::width(&line[..line.find(words).unwrap()]);
    let (column, row) = (u16::try_from(column).unwrap(), u16::try_from(row).unwrap());
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.update(Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }, area), now());
    true
}

#[test]
fn j28_every_view_is_reached_by_its_key_and_by_a_click_at_every_size() {
    let views = [
        ("1", View::Fleet, "view-live"),
        ("2", View::Sessions, "view-sessions"),
        ("3", View::Projects, "view-projects"),
        ("4", View::History, "view-history"),
        ("5", View::Models, "view-models"),
        ("6", View::Limits, "view-limits"),
        ("7", View::Health, "view-health"),
    ];
    for (width, height) in SIZES {
        let area = Rect::new(0, 0, width, height);
        for from in ["1", "4"] {
            for (key, view, name) in views {
                let at = format!("{view:?} from {from} at {width}×{height}");
                let mut app = screen(&two(), limits("25"));
                press(&mut app, &[from, key]);
                assert_eq!(app.view(), view, "by key: {at}");
                let mut app = screen(&two(), limits("25"));
                press(&mut app, &[from]);
                // The tab, or where no tabs are shown the palette and the view in it.
                let is_tab = text_of(&draw(&app, area)).lines().next().unwrap().contains(&format!(" {key} "));
                if is_tab {
                    assert!(click_on(&mut app, &format!(" {key} "), area), "{at}");
                } else {
                    let opens = click_on(&mut app, ": all", area) || click_on(&mut app, ": views", area);
                    assert!(opens, "no palette by click: {at}\n{}", shown(&app, width, height));
                    let mut rows = 0;
                    while !click_on(&mut app, name, area) {
                        press(&mut app, &["down"]);
                        rows += 1;
                        assert!(rows < 100, "{name} is not in the palette: {at}\n{}", shown(&app, width, height));
                    }
                }
                assert_eq!(app.view(), view, "by click: {at}\n{}", shown(&app, width, height));
            }
        }
    }
}

/// A click or a turn of the wheel at the first of these words.
fn mouse_on(app: &mut App, kind: MouseEventKind, words: &str, area: Rect) {
    let text = text_of(&draw(app, area));
    let (row, line) =
        text.lines().enumerate().find(|(_, line)| line.contains(words)).unwrap_or_else(|| panic!("{text}"));
    let column = tokmeter::testing::text::width(&line[..line.find(words).unwrap()]);
    let (column, row) = (u16::try_from(column).unwrap(), u16::try_from(row).unwrap());
    app.update(Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }, area), now());
}

#[test]
fn a_click_beside_an_overlay_closes_it_and_does_nothing_else() {
    let area = Rect::new(0, 0, 120, 36);
    let click = MouseEventKind::Down(MouseButton::Left);
    for key in ["?", ":", "s", "e"] {
        let mut app = screen(&two(), limits("25"));
        let before = shown(&app, 120, 36);
        press(&mut app, &[key]);
        let overlay = shown(&app, 120, 36);
        assert_ne!(overlay, before, "{key}");
        // Left of every overlay.
        let start = |text: &str| text.lines().nth(33).unwrap().chars().take(8).collect::<String>();
        assert_eq!(start(&overlay), start(&before), "{key}: {overlay}");
        // On the border of a pane, and on a key in the footer, which belongs to the view.
        for (column, row) in [(3, 33), (3, 35)] {
            let mouse = MouseEvent { kind: click, column, row, modifiers: KeyModifiers::NONE };
            app.update(Message::Mouse(mouse, area), now());
            assert_eq!(shown(&app, 120, 36), before, "{key}");
            press(&mut app, &[key]);
        }
    }
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["?"]);
    mouse_on(&mut app, click, "Help", area);
    assert!(shown(&app, 120, 36).contains("Help"));
}

#[test]
fn the_wheel_scrolls_the_pane_under_the_pointer() {
    let area = Rect::new(0, 0, 120, 36);
    let mut app = screen(&two(), limits("25"));
    let calls = |app: &App| -> Vec<String> {
        let text = text_of(&draw(app, area));
        text.lines().skip_while(|line| !line.contains("╭ Calls")).skip(1).take(4).map(str::to_owned).collect()
    };
    let before = calls(&app);
    for _ in 0..2 {
        mouse_on(&mut app, MouseEventKind::ScrollDown, "web-frontend  ", area);
    }
    assert_eq!(calls(&app), before, "the sessions have the cursor");
    for _ in 0..3 {
        mouse_on(&mut app, MouseEventKind::ScrollDown, "out 1,204", area);
    }
    assert_ne!(calls(&app), before);
    for _ in 0..3 {
        mouse_on(&mut app, MouseEventKind::ScrollUp, "out 1,204", area);
    }
    assert_eq!(calls(&app), before);
}

/// The percentage that a line states, and the cells of its bar: filled, and all.
fn bar(line: &str) -> Option<(usize, usize, usize)> {
    let cells: Vec<char> = line.chars().filter(|letter| "█░╷".contains(*letter)).collect();
    let before = &line[..line.find('%')?];
    let digits: String = before.chars().rev().take_while(char::is_ascii_digit).collect();
    let percent: usize = digits.chars().rev().collect::<String>().parse().ok()?;
    let filled = cells.iter().rposition(|cell| *cell == '█').map_or(0, |last| last + 1);
    (cells.len() >= 4).then_some((percent, filled, cells.len()))
}

/// Twelve kinds of limits, as full as these percentages.
fn twelve(percents: &[u64]) -> Vec<LimitState> {
    let windows = [
        Window::Call,
        Window::Session,
        Window::Run,
        Window::Block,
        Window::Hour,
        Window::Day,
        Window::Week,
        Window::Month,
        Window::Total,
        Window::Rolling(Duration::hours(5)),
        Window::Rolling(Duration::days(7)),
    ];
    let user = windows.into_iter().map(|window| (window, None)).chain([(Window::Day, Some("alice"))]);
    let state = |((window, user), percent): ((Window, Option<&str>), &u64)| {
        limit(window, user, tokens(10_000), tokens(percent * 100), *percent)
    };
    user.zip(percents).map(state).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn each_bar_of_twelve_kinds_of_limits_is_proportional_within_a_cell(
        percents in prop::collection::vec(0_u64..=140, 12),
    ) {
        for (width, height) in SIZES {
            for key in ["1", "6"] {
                let summary = Summary { session: None, follow: Follow::Today, limits: twelve(&percents), ..summary() };
                let mut app = app_with(options(), summary);
                press(&mut app, &[key]);
                let text = shown(&app, width, height);
                let mut seen = 0;
                for line in text.lines().filter(|line| !line.contains("tok")) {
                    // Beside the bar of a limit there may be another pane.
                    let line = line.rsplit("││").next().unwrap_or(line);
                    let Some((percent, filled, cells)) = bar(line) else { continue };
                    let expected = percent.min(100) * cells / 100;
                    prop_assert!(filled.abs_diff(expected) <= 1, "{percent}% of {cells} at {width}: {line}");
                    prop_assert!(percent >= 100 || filled < cells, "full at {percent}%: {line}");
                    seen += 1;
                }
                // In 40 columns, the Limits view has the amounts in place of the bars.
                let has_bars = key == "1" || width >= 60;
                prop_assert!(seen >= 2 || !has_bars, "{key} at {width}×{height} has {seen} bars:\n{text}");
            }
        }
    }
}

#[test]
fn the_limits_view_lists_the_providers_windows_below_ones_own_limits() {
    let quota = |source: &str, minutes: u32, used: u32, left: Duration| Quota {
        source: Label::new(source),
        name: Label::new(""),
        minutes,
        used,
        resets_at: Some(now() + left),
        seen: now() - Duration::minutes(4),
    };
    let quotas = vec![
        quota("claude-code", 300, 3_150, Duration::hours(3)),
        quota("codex", 10_080, 9_000, -Duration::minutes(2)),
    ];
    for limits in [Vec::new(), twelve(&[50; 12])] {
        let own = limits.len();
        let mut app = app_with(options(), Summary { limits, quotas: quotas.clone(), ..summary() });
        press(&mut app, &["6"]);
        for (width, height) in SIZES.into_iter().filter(|(width, _)| *width > 60) {
            let text = shown(&app, width, height);
            let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{text}"));
            assert!(line("claude 5 h").contains("31%") && line("claude 5 h").contains("69% left"), "{text}");
            let over = line("codex 7 d");
            assert!(over.contains('?') && !over.contains('█'), "use since the reset is not known: {text}");
            assert!(own > 0 || text.contains("No limits of your own."), "{text}");
        }
        if own == 0 {
            let text = shown(&app, 40, 10);
            assert!(text.contains("claude 5 h") && text.contains("31%") && text.contains("codex 7 d"), "{text}");
            press(&mut app, &["1"]);
            let text = shown(&app, 40, 10);
            assert!(text.lines().any(|line| line.contains("claude 5 h") && line.contains("31%")), "{text}");
            press(&mut app, &["6"]);
        }
        let text = shown(&app, 120, 36);
        assert!(text.contains("17:02") && text.contains("13:58"), "{text}");
        // The cursor moves on to the windows, which are explained and cannot be changed.
        for _ in 0..20 {
            press(&mut app, &["down"]);
        }
        app.effects();
        press(&mut app, &["x", "i", "enter"]);
        assert_eq!(app.effects(), []);
        press(&mut app, &["e"]);
        let text = shown(&app, 120, 36);
        assert!(text.contains("used         90.00%, as stated at 13:58"), "{own}: {text}");
    }
}
