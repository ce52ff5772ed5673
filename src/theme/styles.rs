//! Styles of a theme by role, and their reduction to a colour depth.

use ratatui::style::{Color, Modifier, Style};

use super::color::Rgb;
use super::depth::{Behind, Depth};

/// Contrast of text to its background (WCAG 2, level AA).
pub(super) const TEXT_CONTRAST: f64 = 4.5;

/// Contrast of lines and bars to their background (WCAG 2, level AA).
pub(super) const SERIES_CONTRAST: f64 = 3.0;

/// Meaning of a colour. Widgets never use a colour directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Regular text.
    Text,
    /// Less important text.
    Dim,
    /// Frames.
    Border,
    /// Cursor row.
    Selection,
    /// Emphasis: titles, the counter.
    Accent,
    /// Everything is fine.
    Good,
    /// A limit is near; something needs attention.
    Warning,
    /// A limit is reached; something is wrong.
    Danger,
    /// The nth of several things distinguished by colour, counting from 0. Repeats after eight.
    Series(usize),
}

/// Styles of all roles, at one colour depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Name of the theme.
    pub name: String,
    /// Background colour; the terminal's own if the theme has none.
    pub background: Color,
    /// Background used to compute contrast.
    pub assumes: Rgb,
    pub(super) text: Style,
    pub(super) dim: Style,
    pub(super) border: Style,
    pub(super) selection: Style,
    pub(super) accent: Style,
    pub(super) good: Style,
    pub(super) warning: Style,
    pub(super) danger: Style,
    pub(super) series: [Color; 8],
}

impl Theme {
    /// A theme without colours, to build on.
    pub(super) fn plain(name: &str) -> Self {
        let plain = Style::new().fg(Color::Reset);
        Self {
            name: name.to_owned(),
            background: Color::Reset,
            assumes: Rgb(0, 0, 0),
            text: plain,
            dim: plain,
            border: plain,
            selection: plain.add_modifier(Modifier::REVERSED),
            accent: plain.add_modifier(Modifier::BOLD),
            good: plain,
            warning: plain.add_modifier(Modifier::BOLD),
            danger: plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            series: [Color::Reset; 8],
        }
    }

    pub fn style(&self, role: Role) -> Style {
        match role {
            Role::Text => self.text,
            Role::Dim => self.dim,
            Role::Border => self.border,
            Role::Selection => self.selection,
            Role::Accent => self.accent,
            Role::Good => self.good,
            Role::Warning => self.warning,
            Role::Danger => self.danger,
            Role::Series(nth) => Style::new().fg(self.series[nth % self.series.len()]),
        }
    }

    /// Style of empty cells.
    pub fn base(&self) -> Style {
        let text = self.text.fg.unwrap_or(Color::Reset);
        Style::new().fg(text).bg(self.background)
    }

    /// Reduces the theme to a colour depth.
    #[must_use]
    pub fn at(mut self, depth: Depth) -> Self {
        if depth == Depth::Sixteen {
            // The terminal's sixteen colours are the user's choice, and so is its background.
            self.background = Color::Reset;
            if self.selection.bg.is_some() {
                self.selection = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
            }
            self.text.fg = Some(Color::Reset);
        }
        if depth == Depth::None {
            // Weight and reverse video replace colour.
            self.accent = self.accent.add_modifier(Modifier::BOLD);
            self.warning = self.warning.add_modifier(Modifier::BOLD);
            self.danger = self.danger.add_modifier(Modifier::BOLD | Modifier::REVERSED);
            self.selection = self.selection.add_modifier(Modifier::REVERSED | Modifier::BOLD);
        }
        let light = self.assumes.luminance() > 0.18;
        let map = |color: Color| depth.nearest(color, light);
        let exact = Rgb::from_color(self.background).unwrap_or(self.assumes);
        self.background = map(self.background);
        let behind = Behind { exact, shown: shown(self.background).unwrap_or(self.assumes) };
        self.series = self.series.map(|color| depth.nearest_on(color, light, behind, SERIES_CONTRAST));
        self.border.fg = self.border.fg.map(map);
        for style in [
            &mut self.text,
            &mut self.dim,
            &mut self.selection,
            &mut self.accent,
            &mut self.good,
            &mut self.warning,
            &mut self.danger,
        ] {
            let exact = style.bg.and_then(Rgb::from_color).unwrap_or(behind.exact);
            style.bg = style.bg.map(map);
            let behind = Behind { exact, shown: style.bg.and_then(shown).unwrap_or(behind.shown) };
            style.fg = style.fg.map(|color| depth.nearest_on(color, light, behind, TEXT_CONTRAST));
        }
        self
    }
}

/// The components of a colour that does not depend on the terminal's settings.
fn shown(color: Color) -> Option<Rgb> {
    if let Color::Indexed(index) = color { Rgb::of_index(index) } else { Rgb::from_color(color) }
}
