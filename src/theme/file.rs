//! Parses theme files: palette, roles, and inheritance, with positions in errors.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use toml::Spanned;

use super::color::{Rgb, parse};
use super::styles::Theme;

/// Why a theme cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// No theme has this name.
    #[error("theme '{name}' is not known; there are: {}", known.join(", "))]
    Unknown {
        /// The requested name.
        name: String,
        /// All existing names.
        known: Vec<String>,
    },
    /// The file is invalid.
    #[error("{path}:{line}:{column}: {what}")]
    Broken {
        /// Path of the file.
        path: String,
        /// Line from 1.
        line: usize,
        /// Column from 1.
        column: usize,
        /// The problem, and what is expected.
        what: String,
    },
    /// It inherits from itself, directly or through others.
    #[error("{path}: theme '{name}' inherits from itself{through}")]
    Circle {
        /// Path of the file.
        path: String,
        /// The theme.
        name: String,
        /// The themes in between, as ` through 'a', 'b'`; empty if it inherits directly from itself.
        through: String,
    },
    /// The chain of inheritance is too long.
    #[error("{path}: theme '{name}' inherits through more than {DEEPEST} themes")]
    Deep {
        /// Path of the file.
        path: String,
        /// The theme.
        name: String,
    },
    /// The file cannot be read.
    #[error("{path}: {why}")]
    Unreadable {
        /// Path of the file.
        path: String,
        /// The reason, as the rest of the sentence.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    inherits: Option<Spanned<String>>,
    assumes: Option<Spanned<String>>,
    #[serde(default)]
    palette: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    roles: Roles,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Roles {
    background: Option<Spanned<String>>,
    text: Option<Spanned<Paint>>,
    dim: Option<Spanned<Paint>>,
    border: Option<Spanned<Paint>>,
    selection: Option<Spanned<Paint>>,
    accent: Option<Spanned<Paint>>,
    good: Option<Spanned<Paint>>,
    warning: Option<Spanned<Paint>>,
    danger: Option<Spanned<Paint>>,
    series: Option<Spanned<Vec<String>>>,
}

/// A colour, or a colour with weight.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a colour, or a table of fg, bg, bold, dim, underline and reverse")]
enum Paint {
    Color(String),
    Full(Full),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    fg: Option<String>,
    bg: Option<String>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    dim: bool,
    #[serde(default)]
    underline: bool,
    #[serde(default)]
    reverse: bool,
}

/// Maximum length of a chain of inheritance.
const DEEPEST: usize = 8;

/// Path and text of a theme's file, or why it cannot be read.
pub(super) type Source<'a> = (String, Result<&'a str, &'a str>);

/// Loads a theme and everything it inherits. `source` finds the files of its ancestors.
pub(super) fn load<'a>(
    name: &str,
    file: Source<'a>,
    source: &dyn Fn(&str) -> Option<Source<'a>>,
) -> Result<Theme, ThemeError> {
    load_through(name, file, source, &mut Vec::new())
}

/// Loads a theme that is inherited through these others, of which the first was requested.
fn load_through<'a>(
    name: &str,
    (path, text): Source<'a>,
    source: &dyn Fn(&str) -> Option<Source<'a>>,
    through: &mut Vec<String>,
) -> Result<Theme, ThemeError> {
    if let Some(at) = through.iter().position(|earlier| earlier == name) {
        let between: Vec<String> = through[at + 1..].iter().map(|name| format!("'{name}'")).collect();
        let through = if between.is_empty() { String::new() } else { format!(" through {}", between.join(", ")) };
        return Err(ThemeError::Circle { path, name: name.to_owned(), through });
    }
    if through.len() > DEEPEST {
        return Err(ThemeError::Deep { path, name: through[0].clone() });
    }
    through.push(name.to_owned());
    let text = text.map_err(|why| ThemeError::Unreadable { path: path.clone(), why: why.to_owned() })?;
    let place = Place { path: &path, text };
    let file: File = toml::from_str(text).map_err(|error| {
        let first = error.message().lines().next().unwrap_or_default().to_owned();
        place.error(error.span().map_or(0, |span| span.start), first)
    })?;
    let mut theme = match &file.inherits {
        None => Theme::plain(name),
        Some(parent) => {
            let Some(inherited) = source(parent.get_ref()) else {
                return Err(place.error(parent.span().start, format!("theme '{}' is not known", parent.get_ref())));
            };
            load_through(parent.get_ref(), inherited, source, through)?
        }
    };
    name.clone_into(&mut theme.name);
    file.apply(&mut theme, &place)?;
    Ok(theme)
}

impl File {
    fn apply(&self, theme: &mut Theme, place: &Place<'_>) -> Result<(), ThemeError> {
        let roles = &self.roles;
        if let Some(background) = &roles.background {
            theme.background = self.color(background.get_ref(), background.span().start, place)?;
            if let Some(rgb) = Rgb::from_color(theme.background) {
                theme.assumes = rgb;
            }
        }
        if let Some(assumed) = &self.assumes {
            let color = self.color(assumed.get_ref(), assumed.span().start, place)?;
            theme.assumes = Rgb::from_color(color).ok_or_else(|| {
                place.error(assumed.span().start, "'assumes' must be a colour such as \"#1e1e1e\"".to_owned())
            })?;
        }
        let pairs = [
            (&roles.text, &mut theme.text),
            (&roles.dim, &mut theme.dim),
            (&roles.border, &mut theme.border),
            (&roles.selection, &mut theme.selection),
            (&roles.accent, &mut theme.accent),
            (&roles.good, &mut theme.good),
            (&roles.warning, &mut theme.warning),
            (&roles.danger, &mut theme.danger),
        ];
        for (given, style) in pairs {
            if let Some(paint) = given {
                *style = self.style(paint, place)?;
            }
        }
        if let Some(series) = &roles.series {
            let names = series.get_ref();
            let at = series.span().start;
            if names.len() != theme.series.len() {
                let plural = if names.len() == 1 { "" } else { "s" };
                return Err(place.error(at, format!("'series' has {} colour{plural}; give 8", names.len())));
            }
            for (color, name) in theme.series.iter_mut().zip(names) {
                *color = self.color(name, at, place)?;
            }
        }
        Ok(())
    }

    fn style(&self, paint: &Spanned<Paint>, place: &Place<'_>) -> Result<Style, ThemeError> {
        let at = paint.span().start;
        let full = match paint.get_ref() {
            Paint::Color(name) => return Ok(Style::new().fg(self.color(name, at, place)?)),
            Paint::Full(full) => full,
        };
        let mut style = Style::new();
        if let Some(name) = &full.fg {
            style = style.fg(self.color(name, at, place)?);
        }
        if let Some(name) = &full.bg {
            style = style.bg(self.color(name, at, place)?);
        }
        let weights = [
            (full.bold, Modifier::BOLD),
            (full.dim, Modifier::DIM),
            (full.underline, Modifier::UNDERLINED),
            (full.reverse, Modifier::REVERSED),
        ];
        Ok(weights.into_iter().filter(|(on, _)| *on).fold(style, |style, (_, weight)| style.add_modifier(weight)))
    }

    /// Looks up a colour by palette name, terminal name, or hex digits.
    fn color(&self, name: &str, at: usize, place: &Place<'_>) -> Result<Color, ThemeError> {
        let (text, at) = match self.palette.get(name) {
            Some(entry) => (entry.get_ref().as_str(), entry.span().start),
            None => (name, at),
        };
        parse(text).ok_or_else(|| {
            let wanted = "give \"#rrggbb\", a name of the palette, \"default\" or one of the terminal's sixteen \
                          such as \"bright-blue\"";
            place.error(at, format!("'{}' is not a colour; {wanted}", text.escape_debug()))
        })
    }
}

/// A file with positions for errors.
struct Place<'a> {
    path: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn error(&self, at: usize, what: String) -> ThemeError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        ThemeError::Broken { path: self.path.to_owned(), line, column, what }
    }
}
