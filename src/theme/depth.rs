//! Determines the colour depth from environment and user options.

use ratatui::style::Color;

use super::color::{Rgb, contrast, nearest_16, nearest_256, nearest_256_on};

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// No colours, only weight and reverse video.
    None,
    /// The terminal's own sixteen colours.
    Sixteen,
    /// The fixed palette of 256.
    TwoFiftySix,
    /// 24-bit colour.
    True,
}

/// The background of a colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    /// In the theme.
    pub(super) exact: Rgb,
    /// At the terminal's depth.
    pub(super) shown: Rgb,
}

/// Value of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorWhen {
    /// Whatever the terminal supports.
    #[default]
    Auto,
    /// Even when the output is not a terminal.
    Always,
    /// Never.
    Never,
}

/// Inputs for the detection: variables as they are set, including empty ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The `--color` flag.
    pub when: ColorWhen,
    /// True when the output is a terminal.
    pub is_terminal: bool,
    /// `NO_COLOR`: no colours unless empty.
    pub no_color: Option<&'a str>,
    /// `CLICOLOR_FORCE`: colours even without a terminal, unless empty or `0`.
    pub clicolor_force: Option<&'a str>,
    /// `CLICOLOR`: no colours if `0`.
    pub clicolor: Option<&'a str>,
    /// `COLORTERM`.
    pub colorterm: Option<&'a str>,
    /// `TERM`.
    pub term: Option<&'a str>,
}

impl Depth {
    /// The depth for these inputs. The flag takes precedence over `NO_COLOR`, which takes precedence over
    /// `CLICOLOR_FORCE`.
    pub fn detect(facts: &Facts<'_>) -> Self {
        let set = |value: Option<&str>| value.is_some_and(|value| !value.is_empty());
        match facts.when {
            ColorWhen::Never => return Self::None,
            ColorWhen::Always => return Self::of_terminal(facts).max(Self::Sixteen),
            ColorWhen::Auto => {}
        }
        if set(facts.no_color) {
            return Self::None;
        }
        if set(facts.clicolor_force) && facts.clicolor_force != Some("0") {
            return Self::of_terminal(facts).max(Self::Sixteen);
        }
        if !facts.is_terminal || facts.clicolor == Some("0") {
            return Self::None;
        }
        Self::of_terminal(facts)
    }

    fn of_terminal(facts: &Facts<'_>) -> Self {
        let term = facts.term.unwrap_or_default();
        if term.is_empty() || term == "dumb" {
            return Self::None;
        }
        let colorterm = facts.colorterm.unwrap_or_default();
        let known = ["kitty", "alacritty", "foot", "ghostty", "wezterm", "-direct"];
        if ["truecolor", "24bit"].contains(&colorterm) || known.iter().any(|name| term.contains(name)) {
            Self::True
        } else if term.contains("256") {
            Self::TwoFiftySix
        } else if is_monochrome(term) {
            Self::None
        } else {
            Self::Sixteen
        }
    }

    /// The nearest colour at this depth that is as readable as the exact colour, up to this contrast.
    pub(super) fn nearest_on(self, color: Color, light: bool, behind: Behind, most: f64) -> Color {
        match (self, Rgb::from_color(color)) {
            (Self::TwoFiftySix, Some(rgb)) => nearest_256_on(rgb, behind.shown, contrast(rgb, behind.exact).min(most)),
            _ => self.nearest(color, light),
        }
    }

    /// The nearest colour at this depth.
    pub(super) fn nearest(self, color: Color, light: bool) -> Color {
        match (self, Rgb::from_color(color)) {
            (Self::None, _) => Color::Reset,
            (Self::Sixteen, Some(rgb)) => nearest_16(rgb, light),
            (Self::TwoFiftySix, Some(rgb)) => nearest_256(rgb),
            (Self::True, _) | (Self::Sixteen | Self::TwoFiftySix, None) => color,
        }
    }
}

/// True for the names of terminals without colours: DEC's, of which three have them, and those that say so.
fn is_monochrome(term: &str) -> bool {
    let is_dec = term.strip_prefix("vt").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    let is_colored = ["vt241", "vt340", "vt525"].iter().any(|known| term.starts_with(known));
    (is_dec && !is_colored) || term.ends_with("-m") || term.ends_with("-mono")
}

/// False when the locale restricts the terminal to ASCII. The variables are passed as they are set.
pub(crate) fn utf8(lc_all: Option<&str>, lc_ctype: Option<&str>, lang: Option<&str>) -> bool {
    let locale = [lc_all, lc_ctype, lang].into_iter().flatten().find(|value| !value.is_empty());
    let Some(locale) = locale else { return true };
    let name = locale.to_ascii_lowercase();
    let charset = name.split('@').next().and_then(|name| name.split_once('.')).map(|(_, charset)| charset);
    match charset {
        Some(charset) => ["utf-8", "utf8"].contains(&charset),
        None => !["c", "posix"].contains(&name.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f10_who_may_forbid_and_force_colour() {
        let terminal = Facts { is_terminal: true, term: Some("xterm-256color"), ..Facts::default() };
        let pipe = Facts { is_terminal: false, ..terminal };
        let cases = [
            (terminal, Depth::TwoFiftySix),
            (pipe, Depth::None),
            (Facts { no_color: Some("1"), ..terminal }, Depth::None),
            (Facts { no_color: Some(""), ..terminal }, Depth::TwoFiftySix),
            (Facts { clicolor_force: Some("1"), ..pipe }, Depth::TwoFiftySix),
            (Facts { clicolor_force: Some("0"), ..pipe }, Depth::None),
            (Facts { clicolor_force: Some("1"), no_color: Some("1"), ..pipe }, Depth::None),
            (Facts { clicolor: Some("0"), ..terminal }, Depth::None),
            (Facts { when: ColorWhen::Always, no_color: Some("1"), ..pipe }, Depth::TwoFiftySix),
            (Facts { when: ColorWhen::Always, term: None, ..pipe }, Depth::Sixteen),
            (Facts { when: ColorWhen::Never, clicolor_force: Some("1"), ..terminal }, Depth::None),
        ];
        for (facts, depth) in cases {
            assert_eq!(Depth::detect(&facts), depth, "{facts:?}");
        }
    }

    #[test]
    fn f11_the_terminal_says_how_many_colours_it_has() {
        let cases = [
            (Some("xterm"), None, Depth::Sixteen),
            (Some("xterm-256color"), Some("truecolor"), Depth::True),
            (Some("screen-256color"), None, Depth::TwoFiftySix),
            (Some("xterm"), Some("24bit"), Depth::True),
            (Some("xterm-kitty"), None, Depth::True),
            (Some("xterm-direct"), None, Depth::True),
            (Some("linux"), None, Depth::Sixteen),
            (Some("vt100"), None, Depth::None),
            (Some("vt220"), None, Depth::None),
            (Some("vt420"), None, Depth::None),
            (Some("vt340"), None, Depth::Sixteen),
            (Some("xterm-mono"), None, Depth::None),
            (Some("linux-m"), None, Depth::None),
            (Some("vte"), None, Depth::Sixteen),
            (Some("dumb"), Some("truecolor"), Depth::None),
            (None, None, Depth::None),
        ];
        for (term, colorterm, depth) in cases {
            let facts = Facts { is_terminal: true, term, colorterm, ..Facts::default() };
            assert_eq!(Depth::detect(&facts), depth, "{term:?}");
        }
    }

    #[test]
    fn f20_the_c_locale_gets_ascii() {
        assert!(!utf8(Some("C"), None, Some("en_GB.UTF-8")));
        assert!(!utf8(None, None, Some("POSIX")));
        assert!(!utf8(None, Some("de_DE.ISO-8859-1"), None));
        assert!(utf8(Some("C.UTF-8"), None, None));
        assert!(utf8(Some(""), None, Some("en_GB.utf8")));
        assert!(utf8(None, None, Some("it_IT.UTF-8@euro")));
        assert!(utf8(None, None, None));
    }
}
