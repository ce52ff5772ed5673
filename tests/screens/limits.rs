//! The limits and the forecasts on the Fleet view: their order, what is left out, and whether they agree.

use super::fleet::{SIZES, limited, limits, made, metered, screen, two};
use super::*;

#[test]
fn the_limits_keep_their_order_and_the_cursor_its_limit_whatever_is_used_of_them() {
    let order = |app: &App| {
        let text = shown(app, 200, 60);
        let names = ["daily  ", "monthly  ", "session api-server", "session web-frontend"];
        let line_of = |name: &&str| {
            let is_row = |line: &str| line.contains(&format!("│ {name}")) && line.contains('%');
            text.lines().position(is_row).unwrap_or_else(|| panic!("{name}: {text}"))
        };
        let lines: Vec<usize> = names.iter().map(line_of).collect();
        assert!(lines.is_sorted(), "{text}");
    };
    // The session is nearer to its limit than the day to its own, and then over it.
    let mut app = screen(&two(), limits("25"));
    order(&app);
    press(&mut app, &["tab", "down", "down", "down"]);
    let under_cursor = |app: &App| shown(app, 200, 60).lines().find(|line| line.contains("as of")).map(str::to_owned);
    press(&mut app, &["e"]);
    assert!(under_cursor(&app).unwrap().contains("session web-frontend limit"));
    press(&mut app, &["esc"]);
    let mut more = two();
    more.extend((0..30).map(|nth| made("api-server", "claude-opus-5", None, 2_000 + nth, "0.50")));
    more.push(made("a-third", "claude-opus-5", None, 5, "0.50"));
    app.update(Message::Summary(Arc::new(metered(&more, limits("25")).summary(now()))), now());
    order(&app);
    press(&mut app, &["e"]);
    assert!(under_cursor(&app).unwrap().contains("session web-frontend limit"));
}

#[test]
fn of_several_limits_that_are_reached_the_banner_names_the_one_that_blocks_most_for_longest() {
    let over = vec![
        limited(Window::Session, dollars("1")),
        limited(Window::Day, dollars("10")),
        limited(Window::Month, dollars("12")),
    ];
    let app = screen(&two(), over);
    for (width, height) in SIZES.into_iter().filter(|(width, _)| *width >= 80) {
        let text = shown(&app, width, height);
        assert!(text.lines().nth(1).unwrap().starts_with(" ■ Monthly limit reached"), "{text}");
        assert!(text.lines().nth(1).unwrap().contains("+3 more"), "{text}");
    }
    let mut app = app;
    press(&mut app, &["z"]);
    assert!(matches!(&app.effects()[..], [Effect::Snooze(name, _)] if name == "monthly"));
    // On this Sunday, the week ends with the day, so the one that is exceeded more is named, in few lines, too.
    let equal = || vec![limited(Window::Week, dollars("12")), limited(Window::Day, dollars("5"))];
    let banner = shown(&screen(&two(), equal()), 120, 36);
    assert!(banner.lines().nth(1).unwrap().starts_with(" ■ Daily limit reached"), "{banner}");
    let compact = app_with(Options { compact: true, ..options() }, metered(&two(), equal()).summary(now()));
    for (width, words) in [
        (100, "■ Daily limit reached  Cost: $12.11 / $5.00  +1 more  resets 00:00"),
        (40, "■ Daily limit reached  $7.11 over"),
        (31, "■ Daily limit reached  +1 more"),
    ] {
        let text = shown(&compact, width, 4);
        assert!(text.lines().any(|line| line == words), "{width}: {text}");
    }
}

#[test]
fn the_curve_stays_when_a_banner_and_many_limits_need_room_and_what_is_left_out_is_counted() {
    let mut many = limits("16");
    many.extend(
        [Window::Week, Window::Hour, Window::Total, Window::Block].map(|window| limited(window, dollars("900"))),
    );
    let app = screen(&two(), many);
    let text = shown(&app, 120, 36);
    assert!(text.contains("Dollars today") && text.contains(" more ─"), "{text}");
    // A limit that warns is never among those left out.
    let mut warned = limits("400");
    warned.extend(
        [Window::Week, Window::Hour, Window::Total, Window::Block].map(|window| limited(window, dollars("900"))),
    );
    warned[1].amount = dollars("11");
    let text = shown(&screen(&two(), warned), 120, 36);
    assert!(text.lines().any(|line| line.contains("api-server ") && line.contains("91% ⚠")), "{text}");
}

#[test]
fn sessions_that_have_ended_make_room_for_the_curve() {
    let mut calls = two();
    let names = ["ended-one", "ended-two", "ended-three", "ended-four", "ended-five"];
    calls.extend(names.map(|name| made(name, "claude-opus-5", None, 7_000, "0.10")));
    let text = shown(&screen(&calls, limits("25")), 120, 36);
    assert!(text.contains("Dollars today") && text.contains("5 ended") && text.contains("more below"), "{text}");
    assert!(text.contains("│ api-server ") && text.contains("│ web-frontend "), "{text}");
    // Where there is room for all, all are shown.
    let text = shown(&screen(&calls, limits("25")), 200, 60);
    assert!(text.contains("Dollars today") && names.iter().all(|name| text.contains(name)), "{text}");
}

#[test]
fn the_forecasts_of_the_day_are_one_sentence_or_a_band_and_never_of_another_rate_than_the_one_beside_them() {
    let app = screen(&two(), limits("25"));
    for (width, height, words) in [
        (200, 60, "│ if today goes on as usual: full at 14:31 (14:22–14:42), $37.72 by midnight"),
        (120, 36, "│ full at 14:31 (14:22–14:42), $37.72 by midnight"),
        (80, 24, "$28.56/h   $12.89 left of $25.00   full at 14:31 (14:22–14:42)"),
        (60, 20, "$28.56/h   $12.89 left of $25.00   full 14:22–14:42"),
    ] {
        let text = shown(&app, width, height);
        assert!(text.contains(words), "{width}×{height}:\n{text}");
    }
    // A pinned session's rate is not that of the day's limit.
    let mut meter = metered(&two(), limits("25"));
    let id = meter.summary(now()).fleet[0].id.clone();
    meter.follow(Follow::Session(id));
    let text = shown(&app_with(options(), meter.summary(now())), 120, 36);
    let pace = text.lines().find(|line| line.contains("/h   daily: ")).unwrap();
    assert!(!pace.split("││").next().unwrap().contains("full"), "{text}");
}
