//! Percent-decoding.

/// Decodes percent-encoded text. A `%` that is not followed by two hex digits is kept. If the result is not UTF-8, the
/// text is returned unchanged.
pub(crate) fn percent_decoded(text: &str) -> String {
    String::from_utf8(percent_bytes(text)).unwrap_or_else(|_| text.to_owned())
}

/// The bytes of percent-encoded text, which may not be UTF-8.
pub(crate) fn percent_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let encoded = behind.split_at_checked(2).filter(|_| *byte == b'%');
        let decoded = encoded.and_then(|(hex, left)| Some((digit(hex[0])? << 4 | digit(hex[1])?, left)));
        let (byte, left) = decoded.unwrap_or((*byte, behind));
        out.push(byte);
        rest = left;
    }
    out
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_digits_after_a_percent_sign_are_a_byte() {
        for (encoded, text) in [
            ("al%C3%AFce", "alïce"),
            ("c%2b%2B", "c++"),
            ("50%", "50%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%+1", "%+1"),
            ("%ï", "%ï"),
            ("%ff", "%ff"),
        ] {
            assert_eq!(percent_decoded(encoded), text);
        }
    }
}
