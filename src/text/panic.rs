//! Describes panics, and records whether one happened.

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::Label;

static HAPPENED: AtomicBool = AtomicBool::new(false);

/// Records a panic, and describes its message and location.
///
/// A formatted message may contain log data, so only the part before the first quotation is kept.
pub(crate) fn panic_words(panic: &PanicHookInfo<'_>) -> String {
    HAPPENED.store(true, Ordering::SeqCst);
    let words = panic.payload();
    let text =
        words.downcast_ref::<&str>().copied().or_else(|| words.downcast_ref::<String>().map(|text| unquoted(text)));
    let text = Label::new(text.filter(|text| !text.is_empty()).unwrap_or("no words"));
    let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
    format!("{text}{place}")
}

/// True once any thread has panicked.
pub(crate) fn has_panicked() -> bool {
    HAPPENED.load(Ordering::SeqCst)
}

fn unquoted(text: &str) -> &str {
    text.split(['`', '"', '\'', ':', '\n']).next().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_any_thread_is_noted() {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let _ = panic_words(panic);
            before(panic);
        }));
        assert!(std::thread::spawn(|| panic!("made up by a test")).join().is_err());
        assert!(has_panicked());
    }

    #[test]
    fn j4_what_is_quoted_in_a_panic_is_left_out() {
        let sliced = "byte index 2 is not a char boundary; it is inside 'é' (bytes 1..3) of `MY SECRET ANSWER`";
        assert_eq!(unquoted(sliced), "byte index 2 is not a char boundary; it is inside");
        assert_eq!(unquoted("no time: Error(\"MY SECRET\")"), "no time");
        assert_eq!(unquoted("MY\nSECRET"), "MY");
    }
}
