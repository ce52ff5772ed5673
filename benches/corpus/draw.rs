//! Reproducible random choices, and invented text.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat};

/// The last moment of every corpus, in milliseconds: 2026-11-21T20:00:00Z.
const END: i64 = 1_795_291_200_000;
/// Days before it on which sessions begin.
const DAYS: i64 = 60;
const WORDS: &[&str] = &[
    "anchor", "basket", "branch", "button", "candle", "carpet", "circle", "copper", "corner", "cotton", "drawer",
    "engine", "fabric", "filter", "garden", "harbor", "ladder", "lantern", "letter", "marble", "market", "meadow",
    "mirror", "needle", "orchard", "paddle", "pencil", "pepper", "pillow", "planet", "pocket", "ribbon", "river",
    "saddle", "shelter", "signal", "silver", "socket", "spiral", "stable", "summer", "table", "thread", "ticket",
    "timber", "tunnel", "valley", "velvet", "wagon", "window", "winter", "wooden",
];

/// A random number generator. The same seed gives the same logs.
pub(crate) struct Draw {
    state: u64,
    /// Lines of text, escaped for a JSON string.
    prose: Vec<String>,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        let mut draw = Self { state: seed, prose: Vec::new() };
        draw.prose = (0..4000).map(|_| draw.prose_line()).collect();
        draw
    }

    /// The next number (`SplitMix64`).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A number from the first up to, and without, the second.
    pub(crate) fn within(&mut self, from: u64, until: u64) -> u64 {
        from + self.below(until.saturating_sub(from))
    }

    /// True this many times in a thousand.
    pub(crate) fn chance(&mut self, in_a_thousand: u64) -> bool {
        self.below(1000) < in_a_thousand
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.index(all.len())]
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).expect("it is below a length")
    }

    /// Milliseconds to add to a time.
    pub(crate) fn pause(&mut self, longest: u64) -> i64 {
        i64::try_from(self.below(longest)).expect("pauses are short")
    }

    /// When a session begins.
    pub(crate) fn beginning(&mut self) -> i64 {
        END - self.pause(DAYS.unsigned_abs() * 86_400_000) - 86_400_000
    }

    /// A unique name of letters and digits.
    pub(crate) fn name(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789";
        (0..length).map(|_| char::from(self.pick(LETTERS))).collect()
    }

    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }

    pub(crate) fn word(&mut self) -> &'static str {
        self.pick(WORDS)
    }

    /// A line of a file, a listing or a program's output, escaped.
    fn prose_line(&mut self) -> String {
        let mut line = String::new();
        let kind = self.below(10);
        for _ in 0..self.within(2, 14) {
            let word = self.word();
            let _ = match kind {
                0 => write!(line, "\\\"{word}\\\": {}, ", self.below(9999)),
                1 => write!(line, "{word}::{}(&self) -> ", self.word()),
                2 => write!(line, "{:016x}", self.next()),
                3 => write!(line, "\\t{word}_{} = ", self.word()),
                _ => write!(line, "{word} "),
            };
        }
        line + "\\n"
    }

    /// Text of about this length, escaped.
    pub(crate) fn text(&mut self, length: u64, into: &mut String) {
        let until = into.len() as u64 + length;
        while (into.len() as u64) < until {
            let line = self.index(self.prose.len());
            into.push_str(&self.prose[line]);
        }
    }

    /// The length of a tool's output: mostly short, now and then as long as a book.
    pub(crate) fn output_length(&mut self) -> u64 {
        match self.below(100) {
            0..60 => self.within(200, 2_000),
            60..90 => self.within(2_000, 8_000),
            90..99 => self.within(8_000, 30_000),
            _ => self.within(30_000, 200_000),
        }
    }
}

/// A time as logs write it.
pub(crate) fn stamp(at: i64) -> String {
    DateTime::from_timestamp_millis(at).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
