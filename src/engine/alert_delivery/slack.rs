//! The payload for a Slack-compatible web hook: text in which nothing is interpreted as markup or a mention.

use serde_json::json;

use super::channel::Message;

/// Maximum number of characters in a text. Slack truncates a message at 40,000 and collapses it long before that.
const LONGEST: usize = 3_500;

/// The payload of a message.
pub(super) fn payload(message: &Message) -> String {
    let body: String = message.body.trim_end().chars().take(LONGEST).collect();
    let cut = if body.len() < message.body.trim_end().len() { "\n…" } else { "" };
    let (title, body) = (plain(&message.title), format!("{}{cut}", plain(&body)));
    // A table needs a monospaced font to keep its columns aligned.
    let text = match (body.is_empty(), message.is_table) {
        (true, _) => title,
        (false, true) => format!("{title}\n```\n{body}\n```"),
        (false, false) => format!("{title}\n{body}"),
    };
    json!({"text": text, "mrkdwn": message.is_table, "link_names": false, "unfurl_links": false}).to_string()
}

/// Text without markup: `<!channel>` and links are escaped, a name after `@` is not a mention, and nothing ends the
/// code block of a table.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '`' => out.push('\''),
            // An email address such as alice@example.com is not a mention.
            '@' if !before.is_alphanumeric() => out.push_str("@\u{200b}"),
            letter => out.push(letter),
        }
        before = letter;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Instant;

    fn text(title: &str, body: &str, is_table: bool) -> String {
        let (title, body, id) = (title.to_owned(), body.to_owned(), String::new());
        let payload = payload(&Message { title, body, is_table, id, at: Instant::UNIX_EPOCH });
        let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
        assert_eq!((&payload["mrkdwn"], &payload["link_names"]), (&is_table.into(), &false.into()));
        payload["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn i9_a_name_is_neither_a_mention_nor_a_link_nor_the_end_of_a_block() {
        assert_eq!(text("<!channel> & <@U1>", "", false), "&lt;!channel&gt; &amp; &lt;@\u{200b}U1&gt;");
        assert_eq!(text("@here", "bob@example.org (@all)", false), "@\u{200b}here\nbob@example.org (@\u{200b}all)");
        assert_eq!(text("t", "a ```<http://x|y>\n", true), "t\n```\na '''&lt;http://x|y&gt;\n```");
        let long = text("t", &"é".repeat(5000), true);
        assert!(long.ends_with("é\n…\n```") && long.chars().count() < 3600, "{long}");
    }
}
