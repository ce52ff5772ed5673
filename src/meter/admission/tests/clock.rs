//! The clock jumps while calls are in progress, between a call's hold and its settlement.

use super::*;
use crate::ledger::{AlertClaim, alert_was_delivered};
use crate::meter::{Alert, Alerts};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Seconds from zero on the clock of [`second`], which is 11:06:40, to the next midnight.
const MIDNIGHT: i64 = DAY - (11 * HOUR + 6 * 60 + 40);

/// A ledger of each kind, and the folder of the one in a file.
fn every_kind() -> (tempfile::TempDir, Vec<Box<dyn Ledger>>) {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = ledger(&folder.path().join("ledger.db"));
    (folder, vec![Box::new(Memory::new(Arc::new(Milli))), Box::new(on_disk)])
}

fn used(books: &dyn Ledger, rules: &Rules, at: i64) -> Option<u64> {
    let caller = coming(0, call(0, "a", "t", 0, second(at))).callers().remove(0);
    gate::decide(books, rules, &caller, second(at)).unwrap().states[0].used.tokens
}

/// Asks for a call with this much output. Its hold has the same number.
fn ask(books: &mut dyn Ledger, rules: &Rules, number: u128, output: u64, at: i64) -> bool {
    is_allowed(books, rules, &coming(number, call(number, "a", "t", output, second(at))), second(at))
}

#[test]
fn e3_a_clock_set_back_by_an_hour_lets_no_call_past_the_limit_and_holds_nothing_for_an_hour() {
    let (_folder, every) = every_kind();
    let rules = rules(vec![limit(&[], Window::Total, tokens(10))]);
    for mut books in every {
        let books = &mut *books;
        assert!(ask(books, &rules, 1, 10, HOUR));
        // The call is still in progress.
        assert!(!ask(books, &rules, 2, 1, 0), "its hold counts");
        let lasts = i64::try_from(holds::LASTS.as_secs()).unwrap();
        assert!(!ask(books, &rules, 3, 1, lasts - 1));
        // From the moment the jump is noticed, it lasts as long as any other hold.
        assert!(ask(books, &rules, 4, 10, lasts));
        settle(books, 1, call(1, "a", "t", 10, second(HOUR)));
        release(books, 4);
        assert_eq!((held(books), used(books, &rules, lasts)), (0, Some(10)));
    }
}

#[test]
fn e3_a_hold_from_years_ahead_ends_when_its_call_is_booked() {
    let (_folder, every) = every_kind();
    let rules = rules(vec![limit(&[], Window::Total, tokens(10))]);
    for mut books in every {
        let books = &mut *books;
        assert!(ask(books, &rules, 1, 6, 3000 * DAY));
        // A gate that cannot edit anything does not wait years for it.
        assert_eq!(used(books, &rules, 0), Some(0));
        assert!(ask(books, &rules, 2, 0, 0));
        assert_eq!(used(books, &rules, 0), Some(6), "an admission does");
        assert!(ask(books, &rules, 3, 4, 1));
        assert!(!ask(books, &rules, 4, 1, 2));
        settle(books, 1, call(1, "a", "t", 6, second(0)));
        settle(books, 3, call(3, "a", "t", 4, second(1)));
        release(books, 2);
        assert_eq!((held(books), used(books, &rules, 3)), (0, Some(10)));
    }
}

#[test]
fn e3_a_clock_set_forward_by_a_day_books_each_call_once_on_the_day_of_its_request() {
    let (_folder, every) = every_kind();
    let rules = rules(vec![limit(&[], Window::Day, tokens(10))]);
    for mut books in every {
        let books = &mut *books;
        assert!(ask(books, &rules, 1, 10, 0));
        // Its hold has lapsed, and the new day has room anyway.
        assert!(ask(books, &rules, 2, 10, DAY));
        assert!(!ask(books, &rules, 3, 1, DAY + 1));
        settle(books, 1, call(1, "a", "t", 7, second(0)));
        settle(books, 1, call(1, "a", "t", 7, second(0)));
        settle(books, 2, call(2, "a", "t", 8, second(DAY)));
        assert_eq!((used(books, &rules, 0), used(books, &rules, DAY)), (Some(7), Some(8)));
        // Back again: the clock's day has the room that its own calls leave.
        assert!(ask(books, &rules, 4, 3, 1));
        assert!(!ask(books, &rules, 5, 1, 2));
        settle(books, 4, call(4, "a", "t", 3, second(1)));
        assert_eq!((held(books), books.sums(&Filter::default()).unwrap().tokens.output), (0, 18));
    }
}

#[test]
fn e3_a_call_under_way_at_midnight_is_held_and_booked_in_the_period_of_its_request() {
    let (_folder, every) = every_kind();
    let rules = rules(vec![limit(&[], Window::Day, tokens(10))]);
    for mut books in every {
        let books = &mut *books;
        assert_eq!(second(MIDNIGHT).format("%H:%M:%S").to_string(), "00:00:00");
        assert!(ask(books, &rules, 1, 10, MIDNIGHT - 2));
        assert!(!ask(books, &rules, 2, 1, MIDNIGHT - 1));
        assert!(ask(books, &rules, 3, 10, MIDNIGHT), "the new day has room");
        assert!(!ask(books, &rules, 4, 1, MIDNIGHT + 1));
        // Back again, with a call from the next day in progress.
        assert_eq!(used(books, &rules, MIDNIGHT - 1), Some(10));
        settle(books, 1, call(1, "a", "t", 9, second(MIDNIGHT - 2)));
        settle(books, 3, call(3, "a", "t", 10, second(MIDNIGHT)));
        assert_eq!((used(books, &rules, MIDNIGHT - 1), used(books, &rules, MIDNIGHT + 2)), (Some(9), Some(10)));
        assert_eq!(held(books), 0);
    }
}

/// Delivers the alerts that are due and were not delivered before, and returns them.
fn delivered(books: &mut dyn Ledger, rules: &Rules, at: i64) -> Vec<Alert> {
    let caller = coming(0, call(0, "a", "t", 0, second(at))).callers().remove(0);
    let states = gate::decide(books, rules, &caller, second(at)).unwrap().states;
    // A meter that has just started has no memory of its own.
    let mut due = Alerts::new(None, 0).due(&states, &[], second(at));
    due.retain(|alert| alert.claim(books, second(at)).unwrap() == AlertClaim::Ours);
    for alert in &due {
        alert_was_delivered(books, alert.id.as_str(), second(at)).unwrap();
    }
    due
}

#[test]
fn e3_a_clock_that_jumps_to_and_fro_warns_once_in_each_period() {
    let (_folder, every) = every_kind();
    let rules = rules(vec![limit(&[], Window::Day, tokens(10))]);
    for mut books in every {
        let books = &mut *books;
        settle(books, 1, call(1, "a", "t", 9, second(0)));
        let mut warned = |at| delivered(books, &rules, at).len();
        assert_eq!([warned(1), warned(HOUR), warned(0)], [1, 0, 0], "within the day");
        assert_eq!([warned(DAY), warned(2), warned(DAY), warned(3)], [0, 0, 0, 0], "nothing was used tomorrow");
        settle(books, 2, call(2, "a", "t", 8, second(DAY)));
        let mut warned = |at| delivered(books, &rules, at).len();
        assert_eq!([warned(DAY + 1), warned(4), warned(DAY - HOUR), warned(DAY + 2)], [1, 0, 0, 0]);
    }
}
