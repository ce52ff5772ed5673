//! The Limits view with many limits of every kind, whose names are long and alike.

use super::fleet::{SIZES, limited, limits, made, metered, screen, two};
use super::*;

/// Limits of everybody, a user, projects, a model, sub-agents, sessions and runs: with room, near, reached and
/// unpriced.
fn many() -> Vec<Limit> {
    let only = |of: Dimension, name: &str, limit: Limit| Limit {
        scope: Scope { only: vec![(of, Matcher::new(name))], each: name == "*" },
        ..limit
    };
    let (day, week) = (|amount: &str| limited(Window::Day, dollars(amount)), limited(Window::Week, dollars("400")));
    vec![
        Limit { amount: Amount { tokens: Some(50_000_000), ..dollars("25") }, ..day("25") },
        limited(Window::Month, dollars("1200")),
        limited(Window::Rolling(Duration::days(7)), tokens(30_000_000)),
        limited(Window::Session, dollars("10")),
        limited(Window::Run, dollars("2")),
        only(Dimension::User, "alice.longlastname@example.com", week.clone()),
        only(Dimension::User, "alice.longlastname@example.com", day("12")),
        only(Dimension::Project, "/home/alice/work/platform-api-gateway-service", day("9")),
        only(Dimension::Project, "/home/alice/work/platform-api-gateway-worker", day("8")),
        only(Dimension::Project, "/home/alice/work/platform-api-gateway-worker", week),
        only(Dimension::Model, "claude-opus-*", limited(Window::Month, dollars("300"))),
        only(Dimension::Model, "my-very-long-local-model-name-7b-instruct", day("5")),
        only(Dimension::Agent, "explore", limited(Window::Hour, tokens(40_000))),
    ]
}

fn view() -> App {
    let mut calls = Vec::new();
    for minute in 0..24 {
        let ago = minute * 60 + 20;
        calls.push(made("platform-api-gateway-service", "claude-opus-5", None, ago, "0.41"));
        calls.push(made("platform-api-gateway-worker", "gpt-6.1-sol", None, ago + 90, "0.17"));
        if minute % 3 == 0 {
            calls.push(made("platform-api-gateway-service", "claude-haiku-5-5", Some("explore"), ago + 3, "0.029"));
        }
    }
    for change in &mut calls {
        let Change::New(change) = change else { continue };
        let call = &mut Arc::make_mut(&mut change.after).call;
        call.from.user = Some(Label::new("alice.longlastname@example.com"));
        call.from.project = call.from.project.as_deref().map(|path| Label::new(&path.replace("alice/", "alice/work/")));
    }
    let mut unpriced = made("scratch", "my-very-long-local-model-name-7b-instruct", None, 40, "0");
    if let Change::New(change) = &mut unpriced {
        Arc::make_mut(&mut change.after).cost = Cost::Unpriced;
    }
    calls.push(unpriced);
    let mut app = app_with(options(), metered(&calls, many()).summary(now()));
    press(&mut app, &["6"]);
    app
}

#[test]
fn many_limits_at_every_size() {
    let app = view();
    for (width, height) in [(200, 60), (120, 36), (80, 24), (40, 10)] {
        insta::assert_snapshot!(format!("many_limits_at_{width}_by_{height}"), shown(&app, width, height));
    }
}

#[test]
fn names_get_the_spare_width_and_differ_at_every_width_and_only_they_are_cut() {
    let app = view();
    let text = shown(&app, 200, 60);
    for whole in [
        "│ my-very-long-local-model-name-7b-instruct daily  Cost: ? / $5.00 ",
        "Cost: ≥ $14.15 / $25.00 · Tokens: 5,020,624 / 50,000,000  ",
        "14:45 (14:36–14:56) │",
    ] {
        assert!(text.contains(whole), "{whole}\n{text}");
    }
    assert!(shown(&app, 40, 36).contains("│ daily         ≥$14/$25        56%    │"));
    for width in 40..=200 {
        let text = shown(&app, width, 36);
        let rows: Vec<&str> = text.lines().skip_while(|line| !line.contains("│ limit")).skip(1).take(15).collect();
        let names: BTreeSet<&str> = rows.iter().filter_map(|row| row.split(['█', '░', '╷', '$']).next()).collect();
        assert_eq!((rows.len(), names.len()), (15, 15), "{width}\n{text}");
        for row in rows {
            let numbers = row.find(['$', ':', '█', '░', '/']).map_or("", |at| &row[at..]);
            assert!(!numbers.is_empty() && !numbers.contains('…'), "{width}: {row}");
            let per_cent = row.split_whitespace().find_map(|word| word.strip_suffix('%')?.parse::<u64>().ok());
            let is_over = per_cent.is_some_and(|per_cent| per_cent >= 100);
            assert_eq!(row.contains('■'), is_over, "{width}: {row}");
        }
    }
}

#[test]
fn a_huge_amount_widens_the_columns_only_while_its_limit_is_there() {
    let summary = |day: &str| Arc::new(metered(&two(), limits(day)).summary(now()));
    let mut app = screen(&two(), limits("25"));
    press(&mut app, &["6"]);
    for view in ["6", "1"] {
        press(&mut app, &[view]);
        for (width, height) in SIZES {
            let before = shown(&app, width, height);
            app.update(Message::Summary(summary("123456789012345")), now());
            assert_ne!(shown(&app, width, height), before);
            app.update(Message::Summary(summary("25")), now());
            assert_eq!(shown(&app, width, height), before);
        }
    }
}
