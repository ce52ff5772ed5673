//! Views saved in the config under a name, with their filters.

use super::View;

/// A view that was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedView {
    /// Its name.
    pub name: String,
    /// The view.
    pub view: View,
    /// The filter; empty for none.
    pub filter: String,
}

impl SavedView {
    /// Parses a view in the config's form: `sessions api-server`.
    ///
    /// # Errors
    /// When the first word is not a view. The message lists the views.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let (word, filter) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let view = View::ALL.into_iter().find(|view| view.title().eq_ignore_ascii_case(word)).ok_or_else(|| {
            let known: Vec<String> = View::ALL.iter().map(|view| view.title().to_lowercase()).collect();
            format!("'{word}' is not a view; there are: {}", known.join(", "))
        })?;
        Ok(Self { name: name.to_owned(), view, filter: filter.trim().to_owned() })
    }

    /// The form used in the config.
    pub(super) fn text(view: View, filter: &str) -> String {
        format!("{} {filter}", view.title().to_lowercase()).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_read_as_it_was_written() {
        for (view, filter) in [(View::Fleet, ""), (View::Sessions, "api server"), (View::Health, "bad")] {
            let saved = SavedView::parse("mine", &SavedView::text(view, filter)).unwrap();
            assert_eq!((saved.view, saved.filter.as_str()), (view, filter));
        }
        let wrong = SavedView::parse("mine", "sesions api").unwrap_err();
        assert_eq!(
            wrong,
            "'sesions' is not a view; there are: fleet, sessions, projects, history, models, limits, health"
        );
    }
}
