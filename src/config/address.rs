//! Web addresses in the config. They may be secrets: no message repeats one.

use super::toml_reader::{Section, Walk};

/// Reads a web address; an empty one is none.
pub(super) fn read(
    walk: &mut Walk<'_>,
    section: &mut Section<'_, '_>,
    table: &str,
    key: &'static str,
) -> Option<String> {
    let node = section.get(key)?;
    let is_address = |text: &str| {
        let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_control))
    };
    match node.text() {
        Some(text) if text.is_empty() || is_address(text) => {
            walk.came_from(&format!("{table}.{key}"), node.span);
            Some(text.to_owned()).filter(|text| !text.is_empty())
        }
        Some(_) | None => {
            let expected = "give an address that begins with https:// or http://, or \"\"";
            walk.error(node.span, format!("{table}: '{key}' is no web address; {expected}"));
            None
        }
    }
}
