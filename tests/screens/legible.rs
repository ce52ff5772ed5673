//! Texts that can be read in full, and say what is true.

use super::fleet::{five, limits, metered, two};
use super::*;

#[test]
fn the_label_of_the_days_limit_is_never_drawn_over() {
    for calls in [two(), five()] {
        for amount in ["12", "14", "15", "16", "18", "20", "22", "25", "30", "36", "42", "50"] {
            for ascii in [false, true] {
                let summary = metered(&calls, limits(amount)).summary(now());
                let app = app_with(Options { ascii, ..options() }, summary);
                for (width, height) in [(200, 60), (160, 40), (120, 36), (100, 36)] {
                    let text = shown(&app, width, height);
                    let has_line = text.contains(" Dollars today ");
                    let is_labelled = text.contains(&format!(" limit ${amount}.00 "));
                    assert!(!has_line || is_labelled, "{amount} at {width}×{height}:\n{text}");
                }
            }
        }
    }
}
