//! Cuts the content of an answer out of a line, to name an answer that has no id.

/// The content of the answer in a line, as it is written; the whole line when it cannot be cut out.
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
        message: Option<Told<'a>>,
    }
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        message: Option<Message<'a>>,
    }
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        content: Option<&'a serde_json::value::RawValue>,
    }
    let Ok(parsed) = serde_json::from_slice::<Line<'_>>(line) else { return line };
    let told = || parsed.data.and_then(|data| data.message).and_then(|told| told.message);
    let message = parsed.message.or_else(told);
    message.and_then(|message| message.content).map_or(line, |content| content.get().as_bytes())
}
