//! Walks a parsed config: every key is asked for by name, every mistake is kept, what nobody asked for is reported.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Source, Where, quoted, suggestion};
use super::values::Word;
use super::{Origin, Place};

/// What has been found so far.
pub(crate) struct Walk<'t> {
    pub(crate) source: Source<'t>,
    pub(crate) problems: Vec<Diagnostic>,
    pub(crate) origins: BTreeMap<String, Origin>,
}

impl<'t> Walk<'t> {
    pub(crate) fn new(source: Source<'t>) -> Self {
        Self { source, problems: Vec::new(), origins: BTreeMap::new() }
    }

    pub(crate) fn error(&mut self, span: Range<usize>, message: impl AsRef<str>) {
        self.problems.push(Diagnostic::error(self.at(span), message));
    }

    pub(crate) fn warning(&mut self, span: Range<usize>, message: impl AsRef<str>) {
        self.problems.push(Diagnostic::warning(self.at(span), message));
    }

    fn at(&self, span: Range<usize>) -> Where {
        Where::File(self.source.place(span))
    }

    /// Notes that a setting comes from the file.
    pub(crate) fn came_from(&mut self, key: &str, span: Range<usize>) {
        let place: Place = self.source.place(span);
        self.origins.insert(key.to_owned(), Origin::File(place));
    }

    /// What stands there, as a message shows it: numbers, truth values and texts as written, the rest by kind.
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

/// A value and where it stands.
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

    pub(crate) fn truth(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(crate) fn table(&self) -> Option<&'n DeTable<'t>> {
        self.value.as_table()
    }

    pub(crate) fn list(&self) -> Option<Vec<Node<'n, 't>>> {
        Some(self.value.as_array()?.iter().map(Node::new).collect())
    }

    /// A list of texts; a single text is a list of one.
    pub(crate) fn texts(&self) -> Option<Vec<String>> {
        if let Some(text) = self.text() {
            return Some(vec![text.to_owned()]);
        }
        self.list()?.iter().map(|item| item.text().map(str::to_owned)).collect()
    }

    /// A whole number.
    pub(crate) fn whole(&self) -> Option<i128> {
        let number = self.value.as_integer()?;
        i128::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// A decimal number's own text, whether it is written as a number or in quotes; never a float.
    pub(crate) fn decimal(&self) -> Option<String> {
        match self.value {
            DeValue::Integer(_) => Some(self.whole()?.to_string()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            DeValue::String(text) => Some(text.trim().to_owned()),
            DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }

    /// A calendar day, as a date or in quotes.
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
    /// The dotted path of the table, with a dot at its end; empty at the top.
    path: String,
    /// What messages say before a key: `alerts: `, `price 'my-model': `.
    label: String,
    asked: Vec<&'static str>,
}

impl<'n, 't> Section<'n, 't> {
    pub(crate) fn new(table: &'n DeTable<'t>, path: &str, label: &str) -> Self {
        let path = if path.is_empty() { String::new() } else { format!("{path}.") };
        let label = if label.is_empty() { String::new() } else { format!("{label}: ") };
        Self { table, path, label, asked: Vec::new() }
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Node<'n, 't>> {
        self.asked.push(key);
        self.table.get(key).map(Node::new)
    }

    /// The value of a key, read; a value that cannot be read is a problem that says what it should be.
    pub(crate) fn read<T>(
        &mut self,
        walk: &mut Walk<'_>,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&Node<'n, 't>) -> Option<T>,
    ) -> Option<T> {
        let node = self.get(key)?;
        let value = read(&node);
        if value.is_some() {
            walk.came_from(&format!("{}{key}", self.path), node.span);
        } else {
            let message = format!("{}'{key}' is {}; give {expected}", self.label, walk.describe_value(&node));
            walk.error(node.span, message);
        }
        value
    }

    /// As [`Section::read`], into a place that keeps what it has when there is nothing, or nothing sensible.
    pub(crate) fn set<T>(
        &mut self,
        walk: &mut Walk<'_>,
        slot: &mut T,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&Node<'n, 't>) -> Option<T>,
    ) {
        if let Some(value) = self.read(walk, key, expected, read) {
            *slot = value;
        }
    }

    /// One of a closed set of words.
    pub(crate) fn choose<T: Word>(&mut self, walk: &mut Walk<'_>, slot: &mut T, key: &'static str) {
        let Some(node) = self.get(key) else { return };
        if let Some(choice) = node.text().and_then(T::from_word) {
            *slot = choice;
            walk.came_from(&format!("{}{key}", self.path), node.span);
        } else {
            let message =
                format!("{}'{key}' is {}; {}", self.label, walk.describe_value(&node), T::expected(node.text()));
            walk.error(node.span, message);
        }
    }

    /// Reports every key nobody has asked for.
    pub(crate) fn finish(self, walk: &mut Walk<'_>) {
        for (key, _) in self.table {
            let name = key.get_ref();
            if !self.asked.iter().any(|known| known == name) {
                let close = suggestion(name, self.asked.iter().copied());
                let known = if close.is_empty() { format!("; there are: {}", self.asked.join(", ")) } else { close };
                walk.warning(key.span(), format!("{}unknown key {}{known}", self.label, quoted(name)));
            }
        }
    }
}
