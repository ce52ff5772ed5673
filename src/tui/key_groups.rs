//! The groups in which the help and the palette list the actions.

use super::Action;

/// Groups of actions in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Views,
    Moving,
    Numbers,
    Lists,
    Limits,
    History,
    Screen,
}

impl Group {
    /// Every group, in the order of the help.
    pub(super) const ALL: [Self; 7] =
        [Self::Numbers, Self::Views, Self::Moving, Self::Lists, Self::Limits, Self::History, Self::Screen];

    /// Its heading.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Views => "Views",
            Self::Moving => "Moving",
            Self::Numbers => "From a number to its parts",
            Self::Lists => "Lists",
            Self::Limits => "Limits",
            Self::History => "History",
            Self::Screen => "The screen",
        }
    }
}

impl Action {
    /// The group in which it is listed.
    pub(super) const fn group(self) -> Group {
        match self {
            Self::Enter | Self::Explain | Self::Palette | Self::Back | Self::Close => Group::Numbers,
            Self::ViewLive
            | Self::ViewSessions
            | Self::ViewProjects
            | Self::ViewHistory
            | Self::ViewModels
            | Self::ViewLimits
            | Self::ViewHealth
            | Self::SaveView
            | Self::Choose
            | Self::Demo => Group::Views,
            Self::NextPane
            | Self::PreviousPane
            | Self::Up
            | Self::Down
            | Self::Left
            | Self::Right
            | Self::PageUp
            | Self::PageDown
            | Self::First
            | Self::Last => Group::Moving,
            Self::Filter | Self::NextMatch | Self::PreviousMatch | Self::Sort | Self::Reverse | Self::Copy => {
                Group::Lists
            }
            Self::Limits | Self::EditLimit | Self::AddLimit | Self::RemoveLimit | Self::Snooze | Self::Unsnooze => {
                Group::Limits
            }
            Self::Grain | Self::Earlier | Self::Later => Group::History,
            Self::Quit | Self::Help | Self::Freeze | Self::Theme | Self::Mouse | Self::Redraw | Self::Suspend => {
                Group::Screen
            }
        }
    }
}
