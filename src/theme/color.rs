//! Parses colours, computes contrast, and finds the nearest colour a terminal has.

use ratatui::style::Color;

/// Red, green and blue, each from 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// The components of an exact colour; `None` for colours that the terminal chooses.
    pub fn from_color(color: Color) -> Option<Self> {
        if let Color::Rgb(red, green, blue) = color { Some(Self(red, green, blue)) } else { None }
    }

    /// The usual appearance of one of a terminal's sixteen colours.
    pub fn of_ansi(color: Color) -> Option<Self> {
        ANSI.iter().find(|(_, known, _)| *known == color).map(|(_, _, rgb)| *rgb)
    }

    /// One of the 240 fixed colours of a 256-colour terminal.
    pub(super) fn of_index(index: u8) -> Option<Self> {
        fixed_colors().find(|(at, _)| *at == index).map(|(_, rgb)| rgb)
    }

    /// Relative luminance by WCAG 2, from 0 to 1.
    pub fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { to_the_2_4((part + 0.055) / 1.055) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// Perceived difference of two colours (the "redmean" formula).
    fn distance(self, other: Self) -> u32 {
        let part = |mine: u8, theirs: u8| i32::from(mine) - i32::from(theirs);
        let mean = i32::midpoint(i32::from(self.0), i32::from(other.0));
        let (red, green, blue) = (part(self.0, other.0), part(self.1, other.1), part(self.2, other.2));
        let sum = (((512 + mean) * red * red) >> 8) + 4 * green * green + (((767 - mean) * blue * blue) >> 8);
        sum.unsigned_abs()
    }
}

/// Raises a number between 0.09 and 1 to the power of 2.4: its square times the fifth root of its square, by Newton's
/// method.
///
/// `powf` would be the only function used from the maths library, which then has to be loaded at every start.
fn to_the_2_4(base: f64) -> f64 {
    let square = base * base;
    let mut root = 1.0;
    for _ in 0..16 {
        root = (4.0 * root + square / (root * root * root * root)) / 5.0;
    }
    square * root
}

/// Contrast of two colours by WCAG 2, from 1 to 21.
pub(super) fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (one.luminance(), other.luminance());
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// A terminal's sixteen colours, as they usually look.
const ANSI: [(&str, Color, Rgb); 16] = [
    ("black", Color::Black, Rgb(0, 0, 0)),
    ("red", Color::Red, Rgb(205, 0, 0)),
    ("green", Color::Green, Rgb(0, 205, 0)),
    ("yellow", Color::Yellow, Rgb(205, 205, 0)),
    ("blue", Color::Blue, Rgb(0, 0, 238)),
    ("magenta", Color::Magenta, Rgb(205, 0, 205)),
    ("cyan", Color::Cyan, Rgb(0, 205, 205)),
    ("white", Color::Gray, Rgb(229, 229, 229)),
    ("bright-black", Color::DarkGray, Rgb(127, 127, 127)),
    ("bright-red", Color::LightRed, Rgb(255, 92, 92)),
    ("bright-green", Color::LightGreen, Rgb(92, 255, 92)),
    ("bright-yellow", Color::LightYellow, Rgb(255, 255, 92)),
    ("bright-blue", Color::LightBlue, Rgb(110, 110, 255)),
    ("bright-magenta", Color::LightMagenta, Rgb(255, 92, 255)),
    ("bright-cyan", Color::LightCyan, Rgb(92, 255, 255)),
    ("bright-white", Color::White, Rgb(255, 255, 255)),
];

/// Parses `default`, one of the sixteen names, or `#rrggbb`.
pub(super) fn parse(text: &str) -> Option<Color> {
    if text == "default" {
        return Some(Color::Reset);
    }
    if let Some((_, color, _)) = ANSI.iter().find(|(name, ..)| *name == text) {
        return Some(*color);
    }
    let digits = text
        .strip_prefix('#')
        .filter(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some(Color::Rgb(part(0)?, part(2)?, part(4)?))
}

/// The 240 fixed colours of a 256-colour terminal with their numbers. The other sixteen are the user's choice.
fn fixed_colors() -> impl Iterator<Item = (u8, Rgb)> {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let cube = (0..216_u8).map(|nth| {
        let at = |part: u8| STEPS[usize::from(part % 6)];
        (16 + nth, Rgb(at(nth / 36), at(nth / 6), at(nth)))
    });
    let greys = (0..24_u8).map(|nth| (232 + nth, Rgb(8 + nth * 10, 8 + nth * 10, 8 + nth * 10)));
    cube.chain(greys)
}

/// The nearest of the 240 fixed colours of a 256-colour terminal.
pub(super) fn nearest_256(rgb: Rgb) -> Color {
    let best = fixed_colors().min_by_key(|(_, known)| known.distance(rgb));
    best.map_or(Color::Reset, |(index, _)| Color::Indexed(index))
}

/// The nearest of these colours that has at least this contrast to what is behind it; the nearest of all if none has.
pub(super) fn nearest_256_on(rgb: Rgb, behind: Rgb, least: f64) -> Color {
    let is_readable = |color: Rgb| contrast(color, behind) >= least;
    let nearest = nearest_256(rgb);
    // Almost always the nearest one is readable, and computing a contrast takes longer than a distance.
    if matches!(nearest, Color::Indexed(index) if Rgb::of_index(index).is_some_and(is_readable)) {
        return nearest;
    }
    let best = fixed_colors().filter(|(_, known)| is_readable(*known)).min_by_key(|(_, known)| known.distance(rgb));
    best.map_or(nearest, |(index, _)| Color::Indexed(index))
}

/// The nearest of the sixteen colours. Never black on a dark background or white on a light one.
pub(super) fn nearest_16(rgb: Rgb, light: bool) -> Color {
    ANSI.iter()
        .filter(|(name, ..)| !["black", "white", "bright-white"].contains(name))
        // Bright colours are hard to see on a light background.
        .filter(|(name, ..)| !light || *name == "bright-black" || !name.starts_with("bright-"))
        .min_by_key(|(_, _, known)| known.distance(rgb))
        .map_or(Color::Reset, |(_, color, _)| *color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_on_white_has_the_greatest_contrast() {
        assert!((contrast(Rgb(0, 0, 0), Rgb(255, 255, 255)) - 21.0).abs() < 0.01);
        assert!((contrast(Rgb(118, 118, 118), Rgb(255, 255, 255)) - 4.54).abs() < 0.01);
    }

    #[test]
    fn the_power_is_that_of_the_mathematical_library() {
        for part in 11..=255_u8 {
            let base = (f64::from(part) / 255.0 + 0.055) / 1.055;
            assert!((to_the_2_4(base) / base.powf(2.4) - 1.0).abs() < 1e-13, "{part}");
        }
    }

    #[test]
    fn f11_the_nearest_colour_is_near() {
        assert_eq!(nearest_256(Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(nearest_256(Rgb(128, 128, 128)), Color::Indexed(244));
        assert_eq!(nearest_16(Rgb(250, 80, 90), false), Color::LightRed);
        assert_eq!(nearest_16(Rgb(179, 38, 30), true), Color::Red);
        // On a light background, bright colours are never chosen, not even for themselves.
        assert_eq!(nearest_16(Rgb(255, 60, 60), false), Color::LightRed);
        assert_eq!(nearest_16(Rgb(255, 60, 60), true), Color::Red);
        assert_eq!(nearest_16(Rgb(160, 160, 160), false), Color::DarkGray);
    }

    #[test]
    fn colours_are_read_from_names_and_digits() {
        assert_eq!(parse("#0a1B2c"), Some(Color::Rgb(10, 27, 44)));
        assert_eq!(parse("bright-red"), Some(Color::LightRed));
        assert_eq!(parse("default"), Some(Color::Reset));
        for bad in ["", "#12345", "#gggggg", "#é1234", "#+1+2+3", "rot"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
