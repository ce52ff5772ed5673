//! The open view, its overlay, and text input.

use super::{Action, Place};
use crate::domain::CallKey;

/// A view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum View {
    /// Current spending.
    #[default]
    Fleet,
    /// Every session.
    Sessions,
    /// Every project.
    Projects,
    /// Days, weeks and months.
    History,
    /// Every model and its rates.
    Models,
    /// Every limit.
    Limits,
    /// Sources, bad lines, prices and ledger.
    Health,
}

impl View {
    /// Every view, in the order of their keys.
    pub const ALL: [Self; 7] =
        [Self::Fleet, Self::Sessions, Self::Projects, Self::History, Self::Models, Self::Limits, Self::Health];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Fleet => "Fleet",
            Self::Sessions => "Sessions",
            Self::Projects => "Projects",
            Self::History => "History",
            Self::Models => "Models",
            Self::Limits => "Limits",
            Self::Health => "Health",
        }
    }

    pub(super) const fn nth(self) -> usize {
        match self {
            Self::Fleet => 0,
            Self::Sessions => 1,
            Self::Projects => 2,
            Self::History => 3,
            Self::Models => 4,
            Self::Limits => 5,
            Self::Health => 6,
        }
    }

    /// The action that opens it.
    pub(super) const fn action(self) -> Action {
        match self {
            Self::Fleet => Action::ViewLive,
            Self::Sessions => Action::ViewSessions,
            Self::Projects => Action::ViewProjects,
            Self::History => Action::ViewHistory,
            Self::Models => Action::ViewModels,
            Self::Limits => Action::ViewLimits,
            Self::Health => Action::ViewHealth,
        }
    }

    pub(super) const fn place(self) -> Place {
        match self {
            Self::Fleet => Place::Fleet,
            Self::History => Place::History,
            Self::Sessions | Self::Projects | Self::Models | Self::Limits | Self::Health => Place::Tables,
        }
    }

    pub(super) fn neighbour(self, forward: bool) -> Self {
        let count = Self::ALL.len();
        Self::ALL[(self.nth() + if forward { 1 } else { count - 1 }) % count]
    }
}

/// A pane of the Fleet view that can be scrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Pane {
    /// The sessions, or the calls if one session is pinned.
    #[default]
    Running,
    /// The latest calls.
    Calls,
    Limits,
    Models,
    /// The head: the count, the rate and the remaining amount, the sums, the forecasts.
    Head,
}

impl Pane {
    pub(super) const fn nth(self) -> usize {
        match self {
            Self::Calls => 0,
            Self::Limits => 1,
            Self::Models => 2,
            Self::Running => 3,
            Self::Head => 4,
        }
    }

    /// The next or the previous pane. If a session is pinned, there is no sessions table.
    pub(super) fn neighbour(self, forward: bool, is_pinned: bool) -> Self {
        let shown: &[Self] = if is_pinned {
            &[Self::Calls, Self::Limits, Self::Models, Self::Head]
        } else {
            &[Self::Running, Self::Limits, Self::Models, Self::Calls, Self::Head]
        };
        let here = shown.iter().position(|pane| *pane == self).unwrap_or(0);
        shown[(here + if forward { 1 } else { shown.len() - 1 }) % shown.len()]
    }
}

/// The overlay that has the keyboard focus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// No overlay: keys apply to the view.
    #[default]
    Browse,
    /// Help, scrolled to a line.
    Help {
        /// First visible line.
        top: usize,
        /// Search text.
        search: Input,
    },
    /// Filter being typed.
    Filter(Input),
    /// Choice of the session to follow.
    Choose {
        /// Cursor row.
        cursor: usize,
        /// Search text.
        search: Input,
    },
    /// New amount of a limit being typed.
    EditLimit {
        /// The limit, in the form used by `limits set`.
        scope: String,
        /// The amount.
        input: Input,
    },
    /// New limit being typed: scope and amount.
    AddLimit(Input),
    /// Explanation of a number.
    Explain(Explanation),
    /// Every action and saved view, for choosing one by name.
    Palette {
        /// Cursor row.
        cursor: usize,
        /// Search text.
        search: Input,
    },
    /// The themes. The one under the cursor is previewed.
    Themes {
        /// Cursor row.
        cursor: usize,
        /// The theme that Esc restores.
        before: String,
    },
    /// Name under which to save the open view, being typed.
    SaveView(Input),
}

/// Explanation of a number, as scrollable lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// The number's name.
    pub(crate) title: String,
    /// The call whose lines are requested from the ledger, or have arrived.
    pub(crate) call: Option<CallKey>,
    pub(crate) lines: Vec<String>,
    /// First visible line.
    pub(crate) top: usize,
    /// True while its page is waiting for the ledger.
    pub(crate) is_early: bool,
}

impl Mode {
    /// True for those drawn over the view. A filter is typed in the footer.
    pub(super) fn is_overlay(&self) -> bool {
        !matches!(self, Self::Browse | Self::Filter(_))
    }

    /// The text being typed.
    pub(super) fn input(&mut self) -> Option<&mut Input> {
        match self {
            Self::Browse | Self::Explain(_) | Self::Themes { .. } => None,
            Self::Help { search: input, .. }
            | Self::Choose { search: input, .. }
            | Self::Palette { search: input, .. }
            | Self::Filter(input)
            | Self::EditLimit { input, .. }
            | Self::AddLimit(input)
            | Self::SaveView(input) => Some(input),
        }
    }

    /// The cursor or the first visible line, for overlays with rows.
    pub(super) fn cursor(&mut self) -> Option<&mut usize> {
        match self {
            Self::Help { top: cursor, .. }
            | Self::Explain(Explanation { top: cursor, .. })
            | Self::Choose { cursor, .. }
            | Self::Palette { cursor, .. }
            | Self::Themes { cursor, .. } => Some(cursor),
            Self::Browse | Self::Filter(_) | Self::EditLimit { .. } | Self::AddLimit(_) | Self::SaveView(_) => None,
        }
    }
}

/// Maximum length of the input.
const LONGEST: usize = 200;

/// A text input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Input {
    text: String,
}

impl Input {
    /// An input with initial text.
    pub(crate) fn new(text: &str) -> Self {
        let mut input = Self::default();
        input.paste(text);
        input
    }

    /// The current text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn push(&mut self, letter: char) {
        if !letter.is_control() && self.text.len() < LONGEST {
            self.text.push(letter);
        }
    }

    /// Inserts the first line of pasted text, without control characters.
    pub(super) fn paste(&mut self, text: &str) {
        for letter in text.lines().next().unwrap_or_default().chars() {
            self.push(letter);
        }
    }

    pub(super) fn pop(&mut self) {
        self.text.pop();
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
    }

    /// True when `name` contains the text, ignoring case. An empty text matches everything.
    pub(crate) fn fits(&self, name: &str) -> bool {
        contains(name, &self.text)
    }
}

/// True when `name` contains `text`, ignoring case.
pub(super) fn contains(name: &str, text: &str) -> bool {
    text.is_empty() || name.to_lowercase().contains(&text.to_lowercase())
}
