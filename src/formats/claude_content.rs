//! Extracts an answer's content from a line, to identify answers without an id.

/// The answer's raw content in a line, or the whole line if it cannot be extracted.
pub(super) fn content(line: &[u8]) -> &[u8] {
    use serde::Deserialize;
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        message: Option<Message<'a>>,
        #[serde(borrow)]
        data: Option<Progress<'a>>,
    }
    #[derive(Deserialize)]
    struct Progress<'a> {
        #[serde(borrow)]
        message: Option<Envelope<'a>>,
    }
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        message: Option<Message<'a>>,
    }
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        content: Option<&'a serde_json::value::RawValue>,
    }
    let Ok(parsed) = serde_json::from_slice::<Line<'_>>(line) else { return line };
    let envelope = || parsed.data.and_then(|data| data.message).and_then(|envelope| envelope.message);
    let message = parsed.message.or_else(envelope);
    message.and_then(|message| message.content).map_or(line, |content| content.get().as_bytes())
}
