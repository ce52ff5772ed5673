//! Server-sent events, as logged by proxies that stream an answer.

/// The JSON in a `data:` line, or the line itself if it is not an event; `None` for framing (`event:`, `id:`, `retry:`,
/// comments, `data: [DONE]`).
pub(super) fn payload(line: &[u8]) -> Option<&[u8]> {
    if let Some(data) = line.strip_prefix(b"data:") {
        let data = data.trim_ascii();
        return (!data.is_empty() && data != b"[DONE]").then_some(data);
    }
    let is_frame = [b"event:".as_slice(), b"id:", b"retry:", b":"].iter().any(|field| line.starts_with(field));
    (!is_frame).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_says_anything() {
        assert_eq!(payload(b"data: {\"a\":1}"), Some(b"{\"a\":1}".as_slice()));
        assert_eq!(payload(b"data:{}\r"), Some(b"{}".as_slice()));
        assert_eq!(payload(b"{\"data\":1}"), Some(b"{\"data\":1}".as_slice()));
        for frame in ["data: [DONE]", "event: message_start", ": keep-alive", "id: 7", "retry: 100", "data:"] {
            assert_eq!(payload(frame.as_bytes()), None, "{frame}");
        }
    }
}
