//! Inserts and removes values in TOML text without touching anything else.

use std::ops::Range;

use toml_edit::{Document, DocumentMut, InlineTable, Item, Table, Value};

/// Parses a text for editing.
///
/// # Errors
/// A message with the invalid line and the reason.
pub(crate) fn parse(text: &str) -> Result<Document<&str>, String> {
    Document::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("line {line}: {}; fix this first", error.message())
    })
}

/// The text as `edit` changes it. The byte order mark and the line ends, which the parser removes, are kept; new lines
/// end like the first one.
///
/// # Errors
/// Those of `edit`.
pub(crate) fn edited(text: &str, edit: impl FnOnce(&str) -> Result<String, String>) -> Result<String, String> {
    let bare = text.strip_prefix(MARK).unwrap_or(text);
    let after = edit(bare)?;
    if after.is_empty() {
        return Ok(after);
    }
    let mark = &text[..text.len() - bare.len()];
    Ok(format!("{mark}{}", with_line_ends(bare, &after)))
}

/// Byte order mark, as some editors put it at the start of a file.
pub(super) const MARK: char = '\u{feff}';

/// The text after an edit, with the line ends of the one before.
fn with_line_ends(before: &str, after: &str) -> String {
    if !before.contains("\r\n") {
        return after.to_owned();
    }
    let content = |line: &str| line.strip_suffix("\r\n").or_else(|| line.strip_suffix('\n')).map(str::to_owned);
    let is_same = |one: &&str, other: &&str| match (content(one), content(other)) {
        (None, None) => one == other,
        (one, other) => one == other,
    };
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let first = old.iter().zip(&new).take_while(|(one, other)| is_same(one, other)).count();
    let (old_rest, new_rest) = (&old[first..], &new[first..]);
    let last = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(one, other)| is_same(one, other)).count();
    let end = if old[0].ends_with("\r\n") { "\r\n" } else { "\n" };
    let between = new_rest[..new_rest.len() - last].iter().map(|line| match content(line) {
        Some(content) => content + end,
        None => (*line).to_owned(),
    });
    let kept = |lines: &[&str]| lines.concat();
    [kept(&old[..first]), between.collect(), kept(&old_rest[old_rest.len() - last..])].concat()
}

/// The item at a path.
pub(crate) fn item<'d>(document: &'d Document<&str>, path: &[String]) -> Option<&'d Item> {
    path.iter().try_fold(document.as_item(), |at, key| at.as_table_like()?.get(key))
}

/// True when the table exists and is empty.
pub(crate) fn has_nothing(document: &Document<&str>, path: &[String]) -> bool {
    item(document, path).and_then(Item::as_table).is_some_and(Table::is_empty)
}

/// Sets the value at a path: replaces the old one or adds a line.
pub(crate) fn put(text: &str, path: &[String], value: &str) -> Result<String, String> {
    let document = parse(text)?;
    match item(&document, path) {
        Some(Item::Value(old)) => {
            let span = old.span().ok_or("the place of the old value is not known")?;
            Ok(format!("{}{value}{}", &text[..span.start], &text[span.end..]))
        }
        Some(_) => Err(format!("'{}' is a table", path.join("."))),
        None => insert(text, document.into_mut(), path, value),
    }
}

/// Inserts a new value at a path, creating missing tables.
fn insert(text: &str, mut document: DocumentMut, path: &[String], value: &str) -> Result<String, String> {
    let value: Value = value.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let (last, above) = path.split_last().ok_or("no name is given")?;
    let new_table = above.first().filter(|first| !document.contains_key(first));
    let mut at: &mut Item = document.as_item_mut();
    for (depth, key) in above.iter().enumerate() {
        let is_last = depth + 1 == above.len();
        let new = match &*at {
            Item::Table(_) if depth == 0 => Item::Table(Table::new()),
            // Inside a table with its own header or a dotted key, write tables with dots; otherwise with a header, like
            // their neighbours.
            Item::Table(table) => {
                let mut new = Table::new();
                let dotted = table.is_dotted() || !table.is_implicit();
                new.set_dotted(dotted);
                new.set_implicit(!dotted && !is_last);
                Item::Table(new)
            }
            Item::Value(_) | Item::None | Item::ArrayOfTables(_) => Item::Value(InlineTable::new().into()),
        };
        let table = at.as_table_like_mut().ok_or_else(|| format!("'{}' is not a table", above[..depth].join(".")))?;
        at = table.entry(key).or_insert(new);
    }
    if let Some((_, before)) = at.as_inline_table_mut().and_then(|table| table.iter_mut().last())
        && before.decor().suffix().and_then(|space| space.as_str()).is_some_and(|space| space.trim().is_empty())
    {
        // The space before `}` must not end up before a comma.
        before.decor_mut().set_suffix("");
    }
    let table = at.as_table_like_mut().ok_or_else(|| format!("'{}' is not a table", above.join(".")))?;
    table.insert(last, Item::Value(value));
    if let Some(first) = new_table {
        // At the end of the file, keep its trailing comments above the new header.
        let before = document.trailing().as_str().unwrap_or_default().to_owned();
        document.set_trailing("");
        let gap = if text.trim().is_empty() { "" } else { "\n" };
        if let Some(Item::Table(new)) = document.get_mut(first) {
            new.decor_mut().set_prefix(format!("{before}{gap}"));
            new.set_position(Some(isize::MAX));
        }
    }
    Ok(document.to_string())
}

/// Removes the item at a path along with its lines.
pub(crate) fn remove(text: &str, document: &Document<&str>, path: &[String]) -> Result<String, String> {
    // Inside `{ … }`, also remove tables that would be left empty.
    let mut path = path;
    while let Some((_, above)) = path.split_last()
        && item(document, above).is_some_and(|item| item.as_inline_table().is_some_and(|table| table.len() == 1))
    {
        path = above;
    }
    let (last, above) = path.split_last().ok_or("no name is given")?;
    if item(document, above).is_some_and(Item::is_inline_table) {
        let mut document: DocumentMut = document.clone().into_mut();
        let inline = above.iter().try_fold(document.as_item_mut(), |at, key| at.as_table_like_mut()?.get_mut(key));
        inline.and_then(Item::as_inline_table_mut).and_then(|table| table.remove(last));
        return Ok(document.to_string());
    }
    let mut spans = Vec::new();
    let parent = item(document, above).and_then(Item::as_table);
    let entry = parent.and_then(|parent| parent.get_key_value(last));
    let (key, found) = entry.ok_or_else(|| format!("there is no '{}'", path.join(".")))?;
    spans_of(key.span(), found, &mut spans);
    // Also remove a header left empty, but never the first one.
    if let Some(parent) = parent.filter(|parent| above.len() > 1 && parent.len() == 1 && !parent.is_dotted()) {
        spans.extend(parent.span());
    }
    Ok(without_lines(text, &spans))
}

/// Spans of an item: its header, or its key and value, and everything below it.
fn spans_of(key: Option<Range<usize>>, item: &Item, into: &mut Vec<Range<usize>>) {
    match item {
        Item::Table(table) => {
            if !table.is_dotted() && !table.is_implicit() {
                into.extend(table.span());
            }
            for (name, item) in table {
                spans_of(table.key(name).and_then(toml_edit::Key::span), item, into);
            }
        }
        Item::Value(value) => into.extend(key.zip(value.span()).map(|(key, value)| key.start..value.end)),
        Item::None | Item::ArrayOfTables(_) => {}
    }
}

/// The text without any line touched by these spans.
fn without_lines(text: &str, spans: &[Range<usize>]) -> String {
    let mut at = 0;
    let touched = |line: &Range<usize>| spans.iter().any(|span| span.start < line.end && line.start < span.end);
    text.split_inclusive('\n')
        .filter(|line| {
            let range = at..at + line.len();
            at = range.end;
            !touched(&range)
        })
        .collect()
}

/// Inserts a setting below the comment that shows its default; `None` without such a comment.
pub(crate) fn below_default(text: &str, key: &str, value: &str) -> Option<String> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if line.trim_start().starts_with('[') {
            return None;
        }
        if line.strip_prefix('#').is_some_and(|rest| rest.split('=').next().is_some_and(|name| name.trim_end() == key))
        {
            let gap = if line.ends_with('\n') { "" } else { "\n" };
            let edited = format!("{}{gap}{key} = {value}\n{}", &text[..at], &text[at..]);
            let document = Document::parse(edited.as_str()).ok()?;
            return document.contains_key(key).then(|| edited.clone());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_keeps_the_byte_order_mark_and_the_line_ends() {
        let put = |text: &str, path: &[&str], value: &str| {
            let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
            edited(text, |text| super::put(text, &path, value)).unwrap()
        };
        let text = "\u{feff}# hi\r\n[limits] # c\r\nday = \"5usd\" # keep\r\n\r\n[alerts]\r\n";
        assert_eq!(put(text, &["limits", "day"], "6"), text.replace("\"5usd\"", "6"));
        let more = text.replace("# keep\r\n", "# keep\r\nweek = 9\r\n");
        assert_eq!(put(text, &["limits", "week"], "9"), more);
        let removed = edited(&more, |text| remove(text, &parse(text)?, &["limits".to_owned(), "week".to_owned()]));
        assert_eq!(removed.unwrap(), text);
        // In a text that has both, each line keeps its own; without an end the last line gets one.
        assert_eq!(put("a = 1\r\nb = 2\nc = 3\r\nd = 4", &["e"], "5"), "a = 1\r\nb = 2\nc = 3\r\nd = 4\r\ne = 5\r\n");
        assert_eq!(put("a = 1\nb = 2\r\n", &["c"], "5"), "a = 1\nb = 2\r\nc = 5\n");
        assert_eq!(put("", &["c"], "5"), "c = 5\n");
    }
}
