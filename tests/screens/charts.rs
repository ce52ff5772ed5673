//! The pictures: the day's curve, dollars an hour, History and Models, at every size and without colour.

use tokmeter::testing::domain::Record;
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::meter::Snapshot;
use tokmeter::testing::pricing::{CostMode, PriceBook};

use super::fleet::{SIZES, five, limits, metered, screen, two};
use super::*;

fn mono() -> Options {
    let mut options = options();
    "mono".clone_into(&mut options.theme);
    options.depth = Depth::None;
    options
}

fn in_view(options: Options, key: &str) -> App {
    let mut app = app_with(options, summary());
    press(&mut app, &[key]);
    answer(&mut app);
    app
}

#[test]
fn the_history_view_at_every_size() {
    for (width, height) in SIZES {
        insta::assert_snapshot!(
            format!("history_at_{width}_by_{height}"),
            shown(&in_view(options(), "4"), width, height)
        );
    }
}

#[test]
fn without_colour_patterns_tell_the_series_apart() {
    let fleet = app_with(mono(), metered(&five(), limits("25")).summary(now()));
    insta::assert_snapshot!("five_sessions_at_200_by_60_without_colour", shown(&fleet, 200, 60));
    insta::assert_snapshot!("history_at_120_by_36_without_colour", shown(&in_view(mono(), "4"), 120, 36));
    for app in [fleet, in_view(mono(), "4")] {
        let buffer = draw(&app, Rect::new(0, 0, 200, 60));
        assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    }
}

#[test]
fn in_ascii_every_picture_is_there() {
    let ascii = Options { ascii: true, ..options() };
    for (width, height) in SIZES {
        let fleet = shown(&app_with(ascii.clone(), metered(&two(), limits("25")).summary(now())), width, height);
        let history = shown(&in_view(ascii.clone(), "4"), width, height);
        assert!(fleet.is_ascii() && history.is_ascii(), "{fleet}{history}");
    }
    let fleet = app_with(ascii.clone(), metered(&two(), limits("25")).summary(now()));
    insta::assert_snapshot!("two_sessions_at_200_by_60_in_ascii", shown(&fleet, 200, 60));
    insta::assert_snapshot!("history_at_120_by_36_in_ascii", shown(&in_view(ascii, "4"), 120, 36));
}

#[test]
fn a_light_theme_draws_the_same_letters_as_a_dark_one() {
    let light = || {
        let mut options = Options { background: Some(Background::Light), ..options() };
        "light".clone_into(&mut options.theme);
        options
    };
    for (width, height) in SIZES {
        let bright = app_with(light(), metered(&two(), limits("25")).summary(now()));
        assert_eq!(shown(&bright, width, height), shown(&screen(&two(), limits("25")), width, height));
        let history = [in_view(light(), "4"), in_view(options(), "4")].map(|app| shown(&app, width, height));
        assert_eq!(history[0], history[1]);
    }
}

#[test]
fn what_still_runs_is_held_against_the_same_part_of_the_period_before() {
    let at = |text: &str| Some(text.parse::<Instant>().unwrap());
    let mut app = app();
    for (key, since, until) in [
        ("4", "2026-11-20T23:00:00Z", "2026-11-21T13:02:10Z"),
        ("t", "2026-11-08T23:00:00Z", "2026-11-15T13:02:10Z"),
        ("t", "2026-09-30T22:00:00Z", "2026-10-22T12:02:10Z"),
    ] {
        press(&mut app, &[key]);
        let mut spans = Vec::new();
        for effect in app.effects() {
            let Effect::Ask(Request::History(query)) = effect else { continue };
            if query.grain == Grain::Total {
                spans.push((query.filter.since, query.filter.until));
            }
            app.update(Message::Engine(EngineEvent::Answer(Box::new(history_answer(&query)))), now());
        }
        assert_eq!(spans, [(at(since), at(until))], "{key}");
    }
}

#[test]
fn a_bar_that_runs_says_by_when_it_is_compared() {
    let mut app = in_view(options(), "4");
    let text = shown(&app, 120, 36);
    assert!(text.contains("the day before, up to 14:02"), "{text}");
    press(&mut app, &["left"]);
    assert!(!shown(&app, 120, 36).contains("up to 14:02"));
}

/// The curve of changes and the curve of the ledger are one.
#[test]
fn the_days_curve_from_calls_is_the_ledgers_and_ends_at_the_total() {
    let rules = || Rules::new(ZONE);
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
    let mut meter = Meter::new(rules(), now());
    meter.follow(Follow::Today);
    for nth in 0..60_i64 {
        let at = now() - Duration::minutes(nth * 11);
        let mut call = (*call("claude-opus-4-5", nth, [900, 0, 0, 0, 400, 0], None, None).row).clone().call;
        call.from.at = at;
        for change in books.post(&Batch { records: vec![Record::Call(call)], files: Vec::new() }).unwrap() {
            meter.apply(&change, now());
        }
    }
    let told = meter.summary(now());
    let asked = Meter::open(rules(), Snapshot::ask(&books, &rules(), &Follow::Today, now()).unwrap()).summary(now());
    assert!(told.curve.spent.len() > 20);
    assert_eq!(told.curve.spent, asked.curve.spent);
    assert_eq!(told.curve.spent.last(), Some(&(now(), told.today.cost)));
    assert!(told.curve.spent.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
    let ahead = &told.curve.ahead;
    assert!(ahead.iter().all(|step| step.least <= step.likely && step.likely <= step.most), "{ahead:?}");
    assert_eq!(ahead.last().unwrap().at, told.day.until);
}

#[test]
fn a_trend_states_the_minutes_it_shows_and_stands_still_when_nothing_happens() {
    let mut meter = metered(&two(), Vec::new());
    let minutes = |text: &str| {
        let title = text.lines().find(|line| line.contains("per minute")).unwrap().to_owned();
        title.split(", last ").nth(1).unwrap().split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    let app = app_with(options(), meter.summary(now()));
    assert!(minutes(&shown(&app, 200, 60)) > minutes(&shown(&app, 120, 36)));
    let (one, two) = (now() + Duration::minutes(50), now() + Duration::minutes(80));
    let trends =
        [one, two].map(|at| meter.summary(at).models.iter().map(|line| line.trend.clone()).collect::<Vec<_>>());
    assert_eq!(trends[0], trends[1]);
    let late = app_with(options(), meter.summary(two));
    assert!(shown(&late, 120, 36).contains(" min until 14:01"), "{}", shown(&late, 120, 36));
}

#[test]
fn a_forecast_of_a_day_with_unpriced_tokens_is_marked_as_the_day_is() {
    let mut day = metered(&two(), limits("25")).summary(now());
    day.today.unpriced_tokens = 5;
    let mut app = app_with(options(), day);
    let text = shown(&app, 200, 60);
    let title = text.lines().find(|line| line.contains("Dollars today ≥ $")).unwrap_or_else(|| panic!("{text}"));
    assert!(title.contains("by midnight ≥ $") && title.contains("between ≥ $") && title.contains("and ≥ $"), "{title}");
    press(&mut app, &["e"]);
    let explained = shown(&app, 120, 36);
    assert!(explained.contains("≥ $12."), "{explained}");
}
