//! Codex's `[otel]` table.

use crate::config::document::{edited, has_nothing, item, parse, put, remove};

const PATH: [&str; 2] = ["otel", "exporter"];

fn path() -> Vec<String> {
    PATH.map(str::to_owned).to_vec()
}

fn exporter(url: &str) -> String {
    format!(r#"{{ otlp-http = {{ endpoint = "{url}/v1/logs", protocol = "binary" }} }}"#)
}

/// Adds an exporter that sends log records to this address.
///
/// # Errors
/// When the text is not TOML, or has another exporter.
pub(super) fn add(text: &str, url: &str) -> Result<String, String> {
    let wanted = exporter(url);
    match written(text)? {
        Some(there) if same(&there, &wanted) => Ok(text.to_owned()),
        Some(there) if there.trim() != "\"none\"" => {
            Err(format!("'otel.exporter' is {}, and is left alone", there.trim()))
        }
        Some(_) | None => edited(text, |text| put(text, &path(), &wanted)),
    }
}

/// Removes the exporter to this address. Another one stays.
///
/// # Errors
/// When the text is not TOML.
pub(super) fn take_out(text: &str, url: &str) -> Result<String, String> {
    if !written(text)?.is_some_and(|there| same(&there, &exporter(url))) {
        return Ok(text.to_owned());
    }
    edited(text, without_exporter)
}

fn without_exporter(text: &str) -> Result<String, String> {
    let without = remove(text, &parse(text)?, &path())?;
    // If a table is now empty, its header was ours.
    let document = parse(&without)?;
    let is_empty = has_nothing(&document, &path()[..1]);
    if !is_empty {
        return Ok(without);
    }
    let lines: Vec<&str> = without.lines().filter(|line| line.trim() != "[otel]").collect();
    let text = lines.join("\n");
    Ok(if text.trim().is_empty() { String::new() } else { format!("{}\n", text.trim_end()) })
}

/// The exporter in the settings.
fn written(text: &str) -> Result<Option<String>, String> {
    let document = parse(text)?;
    Ok(item(&document, &path())
        .map(|item| item.span().and_then(|span| text.get(span)).map_or_else(|| "a table".to_owned(), str::to_owned)))
}

fn same(one: &str, other: &str) -> bool {
    let bare = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:4318";

    #[test]
    fn what_is_added_is_taken_out_again_and_every_other_line_stays() {
        for theirs in
            ["", "model = \"gpt\" # mine\n\n[otel]\nlog_user_prompt = false\n", "[tui]\nnotifications = true\n"]
        {
            let added = add(theirs, URL).unwrap();
            assert!(added.contains("endpoint = \"http://127.0.0.1:4318/v1/logs\""), "{added}");
            assert_eq!(add(&added, URL).unwrap(), added);
            assert_eq!(take_out(&added, URL).unwrap(), theirs);
            assert_eq!(take_out(theirs, URL).unwrap(), theirs);
        }
    }

    #[test]
    fn another_exporter_is_left_alone_and_none_is_replaced() {
        let elsewhere =
            "[otel]\nexporter = { otlp-http = { endpoint = \"https://example.org\", protocol = \"json\" } }\n";
        assert!(add(elsewhere, URL).unwrap_err().contains("example.org"));
        assert_eq!(take_out(elsewhere, URL).unwrap(), elsewhere);
        assert!(add("[otel]\nexporter = \"none\"\n", URL).unwrap().contains("otlp-http"));
        assert!(add("[otel", URL).is_err());
    }
}
