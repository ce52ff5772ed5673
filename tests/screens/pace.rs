//! How often a picture is drawn.

use tokmeter::testing::tui::REMOTE_FRAME;

use super::fleet::{limits, metered, two};
use super::*;

/// Pictures drawn in a second while a line arrives every twenty milliseconds.
fn pictures_in_a_second(options: Options) -> u32 {
    pictures_of_size(options, 120, 36)
}

fn pictures_of_size(options: Options, width: u16, height: u16) -> u32 {
    let app = App::new(options, now()).unwrap();
    let meter = Meter::new(Rules::new(ZONE), now());
    let mut core = ScreenState::new(app, meter, Alerts::default(), Rect::new(0, 0, width, height));
    let start = std::time::Instant::now();
    core.frame(now(), start);
    core.painted();
    let mut pictures = 0;
    for nth in 1..=50_u32 {
        core.feed(EngineEvent::Changes(vec![posted(u64::from(nth), now())]), now());
        if core.frame(now(), start + std::time::Duration::from_millis(20) * nth).is_some() {
            pictures += 1;
            core.painted();
        }
    }
    pictures
}

#[test]
fn h9_no_more_than_ten_pictures_a_second_go_over_a_network_unless_asked_for() {
    assert!((20..=31).contains(&pictures_in_a_second(options())));
    let remote = Options { is_remote: true, ..options() };
    assert!((5..=10).contains(&pictures_in_a_second(remote.clone())));
    assert!((13..=20).contains(&pictures_in_a_second(Options { frame_rate: Some(20), ..remote })));
    assert!((1..=2).contains(&pictures_in_a_second(Options { frame_rate: Some(2), ..options() })));
    assert!(REMOTE_FRAME >= FRAME * 3);
}

#[test]
fn h9_a_large_screen_is_drawn_less_often_but_never_less_than_one_over_a_network() {
    let most = pictures_of_size(options(), 80, 24);
    assert_eq!(pictures_of_size(options(), 120, 50), most);
    let large = pictures_of_size(options(), 200, 60);
    assert!((12..=22).contains(&large) && large < most, "{large} of {most}");
    assert!((7..=10).contains(&pictures_of_size(options(), 500, 140)));
    assert!(pictures_of_size(Options { frame_rate: Some(60), ..options() }, 200, 60) > most);
}

#[test]
fn h9_new_lines_are_read_as_often_as_frames_are_drawn_and_within_a_tenth_of_a_second() {
    let paces = |options: Options, width: u16, height: u16| {
        let app = App::new(options, now()).unwrap();
        let meter = Meter::new(Rules::new(ZONE), now());
        let mut core = ScreenState::new(app, meter, Alerts::default(), Rect::new(0, 0, width, height));
        let paces = |core: &mut ScreenState| {
            let pace = |request| if let Request::Pace(pace) = request { Some(pace.as_millis()) } else { None };
            core.requests().into_iter().filter_map(pace).collect::<Vec<_>>()
        };
        let mut all = paces(&mut core);
        for (width, height) in [(width, height), (200, 60)] {
            core.event(Event::Resize(width, height), now(), std::time::Instant::now());
            all.extend(paces(&mut core));
        }
        core.refused(Request::Pace(FRAME), now());
        assert_eq!(paces(&mut core).last(), all.last().or(Some(&FRAME.as_millis())), "it is sent again");
        all
    };
    assert_eq!(paces(options(), 80, 24), [66], "only the large screen differs from the default");
    assert_eq!(paces(Options { is_remote: true, ..options() }, 80, 24), [100]);
    assert_eq!(paces(Options { frame_rate: Some(1), ..options() }, 200, 60), [100]);
}

#[test]
fn h8_nothing_is_drawn_once_the_rate_of_the_last_call_is_zero() {
    let app = App::new(options(), now()).unwrap();
    let meter = metered(&two(), limits("25"));
    let mut core = ScreenState::new(app, meter, Alerts::default(), Rect::new(0, 0, 200, 60));
    let (mut wall, mut at) = (now(), std::time::Instant::now());
    // Pictures within the first quarter of an hour, and after it until the next whole hour.
    let (mut early, mut late, mut wakes) = (0, 0, 0);
    let quiet = now() + Duration::minutes(16);
    while wall < now() + Duration::minutes(55) {
        core.wake(wall);
        if core.frame(wall, at).is_some() {
            core.painted();
            if wall < quiet { early += 1 } else { late += 1 }
        }
        drop(core.requests());
        let sleep = core.sleep(wall, at).max(std::time::Duration::from_millis(1));
        (wall, at, wakes) = (wall + Duration::from_std(sleep).unwrap(), at + sleep, wakes + 1);
    }
    assert!((2..=40).contains(&early), "{early} pictures while the rate falls");
    assert_eq!(late, 0, "pictures while nothing changes");
    assert!(wakes <= 120, "{wakes} wakes");
}
