//! From a project or a day to its sessions, to one of them, and back.

use tokmeter::testing::domain::{Filter, Record};
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::pricing::{CostMode, PriceBook};

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::*;

/// Books of three projects: one of today, one of yesterday, and calls that name none.
fn books() -> Memory {
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
    let day = 24 * 3600;
    let calls = [("api-server", 60, 900), ("api-server", day + 60, 500), ("web", day + 600, 70), ("", 120, 3)];
    let records = calls.into_iter().map(|(project, ago, input)| {
        let mut call = call("claude-opus-5", ago, [input, 0, 0, 0, 0, 0], None, None).row.call.clone();
        call.from.session = Some(Label::new(&format!("{project}-{ago}")));
        call.from.project = (!project.is_empty()).then(|| Label::new(&format!("/home/alice/{project}")));
        Record::Call(call)
    });
    books.post(&Batch { records: records.collect(), files: Vec::new() }).unwrap();
    books
}

/// Answers whatever the screen asks of the books; gives back everything else that it wants.
fn answered(app: &mut App, books: &Memory) -> Vec<Effect> {
    let mut others = Vec::new();
    for _ in 0..4 {
        for effect in app.effects() {
            if let Effect::Ask(Request::History(query)) = effect {
                let report = books.report(&query).unwrap();
                app.update(Message::Engine(EngineEvent::Answer(Box::new(report))), now());
            } else {
                others.push(effect);
            }
        }
    }
    others
}

fn app_on(books: &Memory) -> App {
    let rules = Rules::new(ZONE);
    let snapshot = tokmeter::testing::meter::Snapshot::ask(books, &rules, &Follow::Today, now()).unwrap();
    app_with(options(), Meter::open(rules, snapshot).summary(now()))
}

#[test]
fn the_projects_view_says_what_each_project_cost_and_opens_its_sessions() {
    let (books, mut app) = (books(), app_on(&books()));
    press(&mut app, &["3"]);
    assert!(shown(&app, 120, 12).contains("asking the ledger"));
    assert_eq!(answered(&mut app, &books), []);
    insta::assert_snapshot!("the_projects_view", shown(&app, 120, 12));
    press(&mut app, &["enter"]);
    assert_eq!(answered(&mut app, &books), []);
    let text = shown(&app, 120, 12);
    assert!(text.contains("Projects › api-server · 2 sessions") && !text.contains("web"), "{text}");
    // Down to a session, which is pinned with the way to it on top, and back the same way.
    press(&mut app, &["down", "enter"]);
    let effects = answered(&mut app, &books);
    let [Effect::Follow(follow @ Follow::Session(id))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(id.session.as_ref().unwrap().as_str(), "api-server-86460");
    let rules = Rules::new(ZONE);
    let snapshot = tokmeter::testing::meter::Snapshot::ask(&books, &rules, follow, now()).unwrap();
    app.update(Message::Summary(Arc::new(Meter::open(rules, snapshot).summary(now()))), now());
    let text = shown(&app, 120, 20);
    assert!(text.starts_with(" Projects › api-server › pinned: claude-code · api-server · api-server-86460"), "{text}");
    press(&mut app, &["esc"]);
    assert_eq!(answered(&mut app, &books), [Effect::Follow(Follow::Today)]);
    assert!(shown(&app, 120, 12).contains("Projects › api-server · 2 sessions"));
    press(&mut app, &["esc"]);
    assert!(shown(&app, 120, 12).contains("Projects · 3"));
    press(&mut app, &["esc"]);
    assert!(shown(&app, 120, 36).contains("pinned"), "until the numbers of the day have come");
    app.update(Message::Summary(app_on(&books).summary().clone().into()), now());
    assert!(shown(&app, 120, 36).contains(" running ─"));
    press(&mut app, &["2"]);
    assert!(shown(&app, 120, 12).contains("Sessions · 4"), "the whole list is not narrowed");
}

#[test]
fn a_day_of_history_opens_its_sessions() {
    let (books, mut app) = (books(), app_on(&books()));
    press(&mut app, &["4"]);
    answered(&mut app, &books);
    press(&mut app, &["left", "enter"]);
    answered(&mut app, &books);
    let text = shown(&app, 120, 12);
    assert!(text.contains("History › Sat 21 Nov · 2 sessions"), "{text}");
    assert!(text.contains("web-87000") && !text.contains("api-server-60 "), "{text}");
    press(&mut app, &["esc"]);
    assert!(shown(&app, 120, 36).contains("Each day"));
}

#[test]
fn sessions_that_were_opened_follow_the_books() {
    let (mut books, mut app) = (books(), app_on(&books()));
    press(&mut app, &["3"]);
    answered(&mut app, &books);
    press(&mut app, &["enter"]);
    answered(&mut app, &books);
    let mut more = call("claude-opus-5", 5, [77, 0, 0, 0, 0, 0], None, None).row.call.clone();
    more.from.session = Some(Label::new("another"));
    more.from.project = Some(Label::new("/home/alice/api-server"));
    let posted = books.post(&Batch { records: vec![Record::Call(more)], files: Vec::new() }).unwrap();
    app.update(Message::Engine(EngineEvent::Changes(posted)), now());
    answered(&mut app, &books);
    assert!(shown(&app, 120, 12).contains("api-server · 3 sessions"));
    // An answer to a question that nobody asks any more changes nothing.
    let stray = books.report(&Query { filter: Filter::default(), ..Query::new(Grain::Session, ZONE) }).unwrap();
    app.update(Message::Engine(EngineEvent::Answer(Box::new(stray))), now());
    assert!(shown(&app, 120, 12).contains("api-server · 3 sessions"));
}

#[test]
fn every_view_is_opened_by_a_click_on_its_tab() {
    let mut app =
        app_with(Options { mouse: true, depth: Depth::None, ..options() }, Summary { session: None, ..summary() });
    for (width, names) in [(120, true), (80, true), (60, false)] {
        let area = Rect::new(0, 0, width, 24);
        let keys = ["2", "3", "4", "5", "6", "7", "1"];
        for (key, name) in keys.iter().zip(["Sessions", "Projects", "History", "Models", "Limits", "Health", "Fleet"]) {
            let top = text_of(&draw(&app, area)).lines().next().unwrap().to_owned();
            let found = top.find(if names { name } else { key }).unwrap_or_else(|| panic!("{name}: {top}"));
            let column = u16::try_from(found).unwrap();
            let kind = MouseEventKind::Down(MouseButton::Left);
            let click = MouseEvent { kind, column, row: 0, modifiers: KeyModifiers::NONE };
            assert_eq!(app.update(Message::Mouse(click, area), now()), Next::Redraw);
            let buffer = draw(&app, area);
            let marked = (0..width).filter(|x| buffer[(*x, 0)].modifier.contains(Modifier::REVERSED));
            let open: String = marked.map(|x| buffer[(x, 0)].symbol().to_owned()).collect();
            assert!(open.contains(name), "{name} at {width}: {open:?}");
        }
        let far = MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: width - 1,
            row: 0,
            modifiers: KeyModifiers::NONE,
        };
        assert_eq!(app.update(Message::Mouse(far, area), now()), Next::Stay);
    }
}

#[test]
fn every_view_has_its_tab_and_the_open_one_is_told_apart_without_colour() {
    let mut app = app_with(Options { depth: Depth::None, ..options() }, Summary { session: None, ..summary() });
    let tabs = ["Fleet", "Sessions", "Projects", "History", "Models", "Limits", "Health"];
    for (nth, name) in (1..).zip(tabs) {
        press(&mut app, &[&nth.to_string()]);
        let buffer = draw(&app, Rect::new(0, 0, 80, 24));
        let top = text_of(&buffer).lines().next().unwrap().to_owned();
        let at = u16::try_from(top.find(name).unwrap_or_else(|| panic!("{name}: {top}"))).unwrap();
        let marked: Vec<u16> = (0..80).filter(|x| buffer[(*x, 0)].modifier.contains(Modifier::REVERSED)).collect();
        assert!(marked.contains(&at) && marked.len() == name.len() + 3, "{name}: {marked:?} of {top}");
        assert!(tabs.iter().all(|tab| top.contains(tab)), "{top}");
    }
}

#[test]
fn an_explanation_opened_right_behind_its_view_waits_for_what_the_books_say_now() {
    let (mut books, mut app) = (books(), app_on(&books()));
    let views = [("3", "calls        1", "calls        2"), ("4", "calls        2", "calls        3")];
    for (view, _, _) in views {
        press(&mut app, &[view]);
        answered(&mut app, &books);
    }
    press(&mut app, &["1"]);
    let before = books.report(&Query::new(Grain::Total, ZONE)).unwrap().total.calls;
    let mut more = call("claude-opus-5", 30, [40, 0, 0, 0, 0, 0], None, None).row.call.clone();
    more.from.session = Some(Label::new("api-server-60"));
    more.from.project = Some(Label::new("/home/alice/api-server"));
    books.post(&Batch { records: vec![Record::Call(more)], files: Vec::new() }).unwrap();
    assert_eq!(books.report(&Query::new(Grain::Total, ZONE)).unwrap().total.calls, before + 1);
    for (view, old, new) in views {
        press(&mut app, &[view, "e"]);
        let text = shown(&app, 120, 36);
        let early = &text[text.find("asking the ledger …").unwrap_or_else(|| panic!("{view}: {text}"))..];
        assert!(!early.contains(old) && !text.contains("as of"), "{view}: {text}");
        answered(&mut app, &books);
        let text = shown(&app, 120, 36);
        assert!(text.contains(new) && text.contains(" · as of 14:02:10"), "{view}: {text}");
        assert!(!text.contains("asking the ledger"), "{view}: {text}");
        press(&mut app, &["esc", "1"]);
    }
    // The models come by an answer of their own.
    let models = |calls: u64| {
        let sums = sums(calls, [10, 0, 0, 0, 0, 0], "1", "0");
        Message::Engine(EngineEvent::Models(vec![ModelView {
            model: Some(Label::new("claude-opus-5")),
            sums,
            rates: None,
            elsewhere: None,
        }]))
    };
    press(&mut app, &["5"]);
    app.update(models(7), now());
    press(&mut app, &["1"]);
    app.update(Message::Engine(EngineEvent::Changes(Vec::new())), now());
    press(&mut app, &["5", "e"]);
    assert!(!shown(&app, 120, 36).contains("as of"));
    app.update(models(8), now());
    let text = shown(&app, 120, 36);
    assert!(text.contains("calls        8") && text.contains("claude-opus-5 · as of 14:02:10"), "{text}");
}
