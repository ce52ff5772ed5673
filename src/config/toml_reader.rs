//! Reads a parsed config: keys are requested by name, problems are collected, and unknown keys are reported.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::absolute::expanded;
use super::diagnostic::{Diagnostic, Source, Where, quoted, suggestion};
use super::values::Word;
use super::{Env, Origin, Place};
use crate::text;

/// Results collected while reading.
pub(crate) struct TomlReader<'t> {
    pub(crate) source: Source<'t>,
    pub(crate) problems: Vec<Diagnostic>,
    pub(crate) origins: BTreeMap<String, Origin>,
}

impl<'t> TomlReader<'t> {
    pub(crate) fn new(source: Source<'t>) -> Self {
        Self { source, problems: Vec::new(), origins: BTreeMap::new() }
    }

    pub(crate) fn error(&mut self, span: Range<usize>, message: impl AsRef<str>) {
        self.problems.push(Diagnostic::error(self.place(span), message));
    }

    pub(crate) fn warning(&mut self, span: Range<usize>, message: impl AsRef<str>) {
        self.problems.push(Diagnostic::warning(self.place(span), message));
    }

    fn place(&self, span: Range<usize>) -> Where {
        Where::File(self.source.place(span))
    }

    /// Records that a setting comes from the file.
    pub(crate) fn came_from(&mut self, key: &str, span: Range<usize>) {
        let place: Place = self.source.place(span);
        self.origins.insert(key.to_owned(), Origin::File(place));
    }

    /// Describes a value in messages: numbers, booleans and strings as written, anything else by kind.
    pub(crate) fn describe_value(&self, node: &Node<'_, '_>) -> String {
        match node.value {
            DeValue::Table(_) => "a table".to_owned(),
            DeValue::Array(_) => match self.source.text.get(node.span.clone()) {
                Some(written) if written.len() <= 40 && !written.contains(char::is_control) => written.to_owned(),
                Some(_) | None => "a list".to_owned(),
            },
            DeValue::String(text) => {
                let shown = quoted(text);
                format!("\"{}\"", &shown[1..shown.len() - 1])
            }
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                let written = self.source.text.get(node.span.clone()).unwrap_or_default();
                let shown = quoted(written);
                shown[1..shown.len() - 1].to_owned()
            }
        }
    }
}

/// A value with its position.
#[derive(Clone)]
pub(crate) struct Node<'n, 't> {
    pub(crate) value: &'n DeValue<'t>,
    pub(crate) span: Range<usize>,
}

impl<'n, 't> Node<'n, 't> {
    pub(crate) fn new(value: &'n Spanned<DeValue<'t>>) -> Self {
        Self { value: value.get_ref(), span: value.span() }
    }

    pub(crate) fn text(&self) -> Option<&'n str> {
        match self.value {
            DeValue::String(text) => Some(text),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        }
    }

    /// A path that does not depend on the working directory: absolute, or below the home folder (`~`).
    pub(crate) fn path(&self, env: &Env) -> Option<PathBuf> {
        let path = Path::new(self.text()?);
        expanded(env, path).or_else(|| path.is_absolute().then(|| path.to_owned()))
    }

    pub(crate) fn truth(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(crate) fn table(&self) -> Option<&'n DeTable<'t>> {
        self.value.as_table()
    }

    pub(crate) fn list(&self) -> Option<Vec<Node<'n, 't>>> {
        Some(self.value.as_array()?.iter().map(Node::new).collect())
    }

    /// A list of strings; a single string counts as a list of one.
    pub(crate) fn texts(&self) -> Option<Vec<String>> {
        if let Some(text) = self.text() {
            return Some(vec![text.to_owned()]);
        }
        self.list()?.iter().map(|item| item.text().map(str::to_owned)).collect()
    }

    /// A program with its arguments; an empty list means none.
    pub(crate) fn program(&self) -> Option<Vec<String>> {
        self.list()?;
        self.texts().filter(|argv| argv.first().is_none_or(|program| !program.is_empty()))
    }

    /// An integer.
    pub(crate) fn whole(&self) -> Option<i128> {
        let number = self.value.as_integer()?;
        i128::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// An integer within bounds.
    pub(crate) fn whole_in<T: TryFrom<i128>>(&self, bounds: RangeInclusive<i128>) -> Option<T> {
        self.whole().filter(|number| bounds.contains(number)).and_then(|number| T::try_from(number).ok())
    }

    /// The text of a decimal number, written as number or string; never a float.
    pub(crate) fn decimal(&self) -> Option<String> {
        match self.value {
            DeValue::Integer(_) => Some(self.whole()?.to_string()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            DeValue::String(text) => Some(text.trim().to_owned()),
            DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }

    /// A calendar day, as date or string.
    pub(crate) fn day(&self) -> Option<NaiveDate> {
        if let Some(text) = self.text() {
            return text.parse().ok();
        }
        let date = self.value.as_datetime().filter(|at| at.time.is_none())?.date?;
        NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day))
    }
}

/// One table of the config, from which keys are taken one by one.
pub(crate) struct Section<'n, 't> {
    table: &'n DeTable<'t>,
    /// Dotted path of the table with a trailing dot; empty at the top level.
    path: String,
    /// Prefix of keys in messages: `alerts: `, `price 'my-model': `.
    label: String,
    asked: Vec<&'static str>,
}

impl<'n, 't> Section<'n, 't> {
    pub(crate) fn new(table: &'n DeTable<'t>, path: &str, label: &str) -> Self {
        let path = if path.is_empty() { String::new() } else { format!("{path}.") };
        let label = if label.is_empty() { String::new() } else { format!("{label}: ") };
        Self { table, path, label, asked: Vec::new() }
    }

    /// The value of a key, which then counts as known.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Node<'n, 't>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table.get(key).map(Node::new)
    }

    /// Dotted path of a key, as in the header of a table.
    pub(crate) fn path_of(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    /// Reads the value of a key. An invalid value is reported along with what was expected.
    pub(crate) fn read<T>(
        &mut self,
        reader: &mut TomlReader<'_>,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&Node<'n, 't>) -> Option<T>,
    ) -> Option<T> {
        let node = self.get(key)?;
        let value = read(&node);
        if value.is_some() {
            reader.came_from(&format!("{}{key}", self.path), node.span);
        } else {
            let message = format!("{}'{key}' is {}; give {expected}", self.label, reader.describe_value(&node));
            reader.error(node.span, message);
        }
        value
    }

    /// Like [`Section::read`], but stores the value in `slot`, which is left unchanged if the value is missing or
    /// invalid.
    pub(crate) fn set<T>(
        &mut self,
        reader: &mut TomlReader<'_>,
        slot: &mut T,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&Node<'n, 't>) -> Option<T>,
    ) {
        if let Some(value) = self.read(reader, key, expected, read) {
            *slot = value;
        }
    }

    /// Reads one of a closed set of words.
    pub(crate) fn choose<T: Word>(&mut self, reader: &mut TomlReader<'_>, slot: &mut T, key: &'static str) {
        let Some(node) = self.get(key) else { return };
        if let Some(choice) = node.text().and_then(T::from_word) {
            *slot = choice;
            reader.came_from(&format!("{}{key}", self.path), node.span);
        } else {
            let message =
                format!("{}'{key}' is {}; {}", self.label, reader.describe_value(&node), T::expected(node.text()));
            reader.error(node.span, message);
        }
    }

    /// Reports every key that was not requested.
    pub(crate) fn finish(self, reader: &mut TomlReader<'_>) {
        for (key, _) in self.table {
            let name = key.get_ref();
            if !self.asked.iter().any(|known| known == name) {
                let close = suggestion(name, self.asked.iter().copied());
                let known = if close.is_empty() { format!("; there are: {}", self.asked.join(", ")) } else { close };
                let message = format!("{}unknown key {}{known}", self.label, quoted(name));
                // Limits under another name would not be in force.
                if text::meant(name, self.asked.iter().copied()) == Some("limits") {
                    reader.error(key.span(), message);
                } else {
                    reader.warning(key.span(), message);
                }
            }
        }
    }
}
