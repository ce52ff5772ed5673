//! Colours by role: themes from TOML, reduced to the terminal's colour depth.

mod color;
mod depth;
mod file;
mod styles;

use std::collections::BTreeMap;

pub(crate) use color::Rgb;
pub use depth::{ColorWhen, Depth};
pub(crate) use depth::{Facts, utf8};
pub(crate) use file::ThemeError;
pub use styles::Role;
pub(crate) use styles::Theme;

/// Background of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// Dark. Also assumed if unknown.
    #[default]
    Dark,
    /// Light.
    Light,
}

/// Built-in themes by name.
const BUILT_IN: &[(&str, &str)] = &[
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("ansi", include_str!("../../themes/ansi.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
    ("catppuccin-latte", include_str!("../../themes/catppuccin-latte.toml")),
    ("catppuccin-mocha", include_str!("../../themes/catppuccin-mocha.toml")),
    ("clear-dark", include_str!("../../themes/clear-dark.toml")),
    ("clear-light", include_str!("../../themes/clear-light.toml")),
    ("dracula", include_str!("../../themes/dracula.toml")),
    ("gruvbox-dark", include_str!("../../themes/gruvbox-dark.toml")),
    ("gruvbox-light", include_str!("../../themes/gruvbox-light.toml")),
    ("nord", include_str!("../../themes/nord.toml")),
    ("solarized-dark", include_str!("../../themes/solarized-dark.toml")),
    ("solarized-light", include_str!("../../themes/solarized-light.toml")),
    ("tokyo-day", include_str!("../../themes/tokyo-day.toml")),
    ("tokyo-night", include_str!("../../themes/tokyo-night.toml")),
];

/// The theme that follows the terminal's background.
pub(crate) const AUTO: &str = "auto";

/// A user's theme from the themes folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTheme {
    /// Name: the file name without `.toml`.
    pub name: String,
    /// Path of the file, for errors.
    pub path: String,
    /// Content of the file or, if it cannot be read, the reason as the rest of a sentence that starts with its name.
    pub text: Result<String, String>,
}

/// All available themes.
#[derive(Clone, Debug, Default)]
pub struct Themes {
    user: BTreeMap<String, UserTheme>,
}

impl Themes {
    /// Built-in and user themes. A user's theme replaces a built-in one with the same name.
    pub fn new(user: impl IntoIterator<Item = UserTheme>) -> Self {
        Self { user: user.into_iter().map(|theme| (theme.name.clone(), theme)).collect() }
    }

    /// Names, in the order in which the theme key cycles through them.
    pub fn names(&self) -> Vec<&str> {
        names(self.user.keys().map(String::as_str))
    }

    /// The user's invalid themes, with the reason.
    pub fn broken(&self) -> impl Iterator<Item = (&str, ThemeError)> {
        let names = self.user.keys();
        names.filter_map(|name| Some((name.as_str(), self.get(name, Background::Dark).err()?)))
    }

    /// A theme by name, at full colour depth.
    ///
    /// # Errors
    /// When there is no such theme (the error lists all of them), or its file is invalid (the error gives the
    /// position).
    pub fn get(&self, name: &str, background: Background) -> Result<Theme, ThemeError> {
        let name = match (name, background) {
            (AUTO, Background::Dark) if !self.user.contains_key(AUTO) => "dark",
            (AUTO, Background::Light) if !self.user.contains_key(AUTO) => "light",
            (name, _) => name,
        };
        let Some(source) = self.source(name) else {
            let known = self.names().into_iter().map(str::to_owned).collect();
            return Err(ThemeError::Unknown { name: name.to_owned(), known });
        };
        file::load(name, source, &|name| self.source(name))
    }

    /// Path and text of a theme's file.
    fn source(&self, name: &str) -> Option<file::Source<'_>> {
        if let Some(theme) = self.user.get(name) {
            return Some((theme.path.clone(), theme.text.as_deref().map_err(String::as_str)));
        }
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some((format!("themes/{name}.toml"), Ok(text)))
    }
}

/// Names of all themes: `auto`, the built-in ones, and the user's.
pub(crate) fn names<'n>(user: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let mut names = vec![AUTO];
    names.extend(BUILT_IN.iter().map(|(name, _)| *name));
    for name in user {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Color, Modifier};

    use super::color::contrast;
    use super::styles::{SERIES_CONTRAST, TEXT_CONTRAST};
    use super::*;

    fn every() -> Vec<Theme> {
        let themes = Themes::default();
        let mut all: Vec<Theme> =
            themes.names().iter().map(|name| themes.get(name, Background::Dark).unwrap()).collect();
        all.push(themes.get(AUTO, Background::Light).unwrap());
        all
    }

    #[test]
    fn f12_text_reaches_wcag_4_5_on_its_background() {
        let rgb = |color: Color| {
            if let Color::Indexed(index) = color { Rgb::of_index(index) } else { Rgb::from_color(color) }
        };
        let exact = every().into_iter().filter(|theme| !["ansi", "mono"].contains(&theme.name.as_str()));
        let both = exact.flat_map(|theme| [theme.clone().at(Depth::TwoFiftySix), theme]);
        for theme in both {
            let behind = rgb(theme.background).unwrap_or(theme.assumes);
            for role in [Role::Text, Role::Dim, Role::Accent, Role::Good, Role::Warning, Role::Danger, Role::Selection]
            {
                let style = theme.style(role);
                let (front, behind) = (style.fg.and_then(rgb).unwrap(), style.bg.and_then(rgb).unwrap_or(behind));
                let ratio = contrast(front, behind);
                assert!(ratio >= TEXT_CONTRAST, "{}: {role:?} {style:?} has a contrast of {ratio:.2}", theme.name);
            }
            let fronts = [Role::Good, Role::Warning, Role::Danger].map(|role| theme.style(role));
            assert!(fronts[0] != fronts[1] && fronts[1] != fronts[2], "{}: {fronts:?}", theme.name);
            for nth in 0..8 {
                let front = theme.style(Role::Series(nth)).fg.and_then(rgb).unwrap();
                let ratio = contrast(front, behind);
                assert!(ratio >= SERIES_CONTRAST, "{}: series {} has a contrast of {ratio:.2}", theme.name, nth + 1);
            }
        }
    }

    #[test]
    fn f12_a_users_colours_stay_as_they_are_where_no_other_is_more_readable() {
        // The text has little contrast on purpose; a contrast that the theme does not have is not made up.
        let text = "[roles]\nbackground = \"#202020\"\ntext = \"#404040\"\n";
        let themes = Themes::new([UserTheme { name: "t".into(), path: "t.toml".into(), text: Ok(text.into()) }]);
        let theme = themes.get("t", Background::Dark).unwrap().at(Depth::TwoFiftySix);
        assert_eq!((theme.background, theme.text.fg), (Color::Indexed(234), Some(Color::Indexed(238))));
    }

    #[test]
    fn f11_a_terminal_is_never_sent_more_colours_than_it_has() {
        let styles = |theme: &Theme| {
            let mut roles = vec![
                Role::Text,
                Role::Dim,
                Role::Border,
                Role::Selection,
                Role::Accent,
                Role::Good,
                Role::Warning,
                Role::Danger,
            ];
            roles.extend((0..8).map(Role::Series));
            let mut colors: Vec<Color> =
                roles.iter().map(|role| theme.style(*role)).flat_map(|style| [style.fg, style.bg]).flatten().collect();
            colors.push(theme.background);
            colors
        };
        for theme in every() {
            for color in styles(&theme.clone().at(Depth::Sixteen)) {
                assert!(!matches!(color, Color::Rgb(..) | Color::Indexed(_)), "{}: {color}", theme.name);
            }
            for color in styles(&theme.clone().at(Depth::TwoFiftySix)) {
                assert!(!matches!(color, Color::Rgb(..)), "{}: {color}", theme.name);
            }
            for color in styles(&theme.clone().at(Depth::None)) {
                assert_eq!(color, Color::Reset, "{}", theme.name);
            }
        }
    }

    #[test]
    fn f10_without_colour_the_roles_that_matter_keep_their_weight() {
        for theme in every() {
            let theme = theme.at(Depth::None);
            assert!(theme.style(Role::Selection).add_modifier.contains(Modifier::REVERSED));
            assert!(theme.style(Role::Danger).add_modifier.contains(Modifier::REVERSED | Modifier::BOLD));
            assert!(theme.style(Role::Warning).add_modifier.contains(Modifier::BOLD));
        }
    }

    #[test]
    fn g9_an_unknown_theme_is_told_which_there_are() {
        let error = Themes::default().get("gruvbx", Background::Dark).unwrap_err().to_string();
        assert!(error.starts_with("theme 'gruvbx' is not known; there are: auto, dark, light, ansi, mono,"), "{error}");
    }

    #[test]
    fn g9_a_broken_theme_says_where_and_what() {
        let cases = [
            ("[roles]\ntext = \"#12\"\n", "t.toml:2:8: '#12' is not a colour"),
            ("[roles]\ntxet = \"red\"\n", "t.toml:2:1: unknown field `txet`"),
            ("[roles\n", "t.toml:1:7: "),
            ("inherits = \"nothing\"\n", "t.toml:1:12: theme 'nothing' is not known"),
            ("[roles]\nseries = [\"red\"]\n", "t.toml:2:10: 'series' has 1 colour; give 8"),
        ];
        for (text, expected) in cases {
            let themes = Themes::new([UserTheme { name: "t".into(), path: "t.toml".into(), text: Ok(text.into()) }]);
            let error = themes.get("t", Background::Dark).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_theme_takes_from_another_what_it_does_not_say() {
        let text = "inherits = \"nord\"\n[palette]\nrose = \"#ff88aa\"\n[roles]\naccent = \"rose\"\n";
        let themes = Themes::new([UserTheme { name: "mine".into(), path: "mine.toml".into(), text: Ok(text.into()) }]);
        let (mine, nord) =
            (themes.get("mine", Background::Dark).unwrap(), themes.get("nord", Background::Dark).unwrap());
        assert_eq!(mine.style(Role::Accent).fg, Some(Color::Rgb(255, 136, 170)));
        assert_eq!(mine.style(Role::Text), nord.style(Role::Text));
        assert!(themes.names().contains(&"mine"));
    }

    #[test]
    fn j9_themes_that_inherit_in_a_circle_or_cannot_be_read_are_refused() {
        let user = |name: &str, from: &str| UserTheme {
            name: name.into(),
            path: format!("{name}.toml"),
            text: Ok(format!("inherits = \"{from}\"\n")),
        };
        let unread = UserTheme { name: "p".into(), path: "p.toml".into(), text: Err("is a named pipe".into()) };
        let chain = (0..12).map(|at| user(&format!("deep{at}"), &format!("deep{}", at + 1)));
        let themes = [user("a", "b"), user("b", "c"), user("c", "a"), user("me", "me"), user("heir", "p"), unread];
        let themes = Themes::new(themes.into_iter().chain(chain));
        let cases = [
            ("a", "a.toml: theme 'a' inherits from itself through 'b', 'c'"),
            ("me", "me.toml: theme 'me' inherits from itself"),
            ("p", "p.toml: is a named pipe"),
            ("heir", "p.toml: is a named pipe"),
            ("deep0", "deep9.toml: theme 'deep0' inherits through more than 8 themes"),
        ];
        for (name, expected) in cases {
            assert_eq!(themes.get(name, Background::Dark).unwrap_err().to_string(), expected);
        }
        let broken: Vec<&str> = themes.broken().map(|(name, _)| name).collect();
        assert!(["a", "b", "c", "heir", "me", "p"].iter().all(|name| broken.contains(name)), "{broken:?}");
    }
}
