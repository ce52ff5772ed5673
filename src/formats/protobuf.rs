//! Reads protobuf messages in which only some field numbers are known.

/// The first field with this number that contains bytes.
pub(super) fn bytes(message: &[u8], number: u64) -> Option<&[u8]> {
    fields(message).find_map(|(found, value)| match value {
        Field::Bytes(bytes) if found == number => Some(bytes),
        Field::Bytes(_) | Field::Number(_) => None,
    })
}

/// The first text field with this number that is not empty.
pub(super) fn text(message: &[u8], number: u64) -> Option<&str> {
    bytes(message, number).and_then(|bytes| std::str::from_utf8(bytes).ok()).filter(|text| !text.is_empty())
}

/// The first integer field with this number.
pub(super) fn number(message: &[u8], number: u64) -> Option<u64> {
    fields(message).find_map(|(found, value)| match value {
        Field::Number(value) if found == number => Some(value),
        Field::Bytes(_) | Field::Number(_) => None,
    })
}

/// True when the whole message consists of valid fields.
pub(super) fn is_whole(message: &[u8]) -> bool {
    each(message, |_, _| Some(())).is_some()
}

/// A field's value.
pub(super) enum Field<'a> {
    /// An integer of variable length.
    Number(u64),
    /// Text, bytes, a message, or a number of fixed length.
    Bytes(&'a [u8]),
}

/// Passes each field with its number to `take`; `None` if the message is malformed or `take` returns `None`.
pub(super) fn each<'a>(message: &'a [u8], mut take: impl FnMut(u64, Field<'a>) -> Option<()>) -> Option<()> {
    let mut rest = message;
    while !rest.is_empty() {
        let (number, value) = field(&mut rest)?;
        take(number, value)?;
    }
    Some(())
}

/// The fields of a message, up to the first invalid one.
fn fields(message: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    let mut rest = message;
    std::iter::from_fn(move || field(&mut rest))
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Field::Number(varint(rest)?),
        1 => Field::Bytes(take(rest, 8)?),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Field::Bytes(take(rest, length)?)
        }
        5 => Field::Bytes(take(rest, 4)?),
        _ => return None,
    };
    (tag >> 3 > 0).then_some((tag >> 3, value))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let (byte, left) = rest.split_first()?;
        *rest = left;
        let part = u64::from(byte & 0x7f);
        // The tenth byte only has room for one bit.
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_found_by_number_and_kind() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 2, 3, 4, 0x22, 0x00];
        assert!(is_whole(&message));
        assert_eq!((number(&message, 1), text(&message, 2), text(&message, 4)), (Some(150), Some("hi"), None));
        assert_eq!((number(&message, 2), bytes(&message, 3)), (None, Some(&[1, 2, 3, 4][..])));
        assert!(!is_whole(&message[..6]) && !is_whole(&[0x00]) && !is_whole(&[0xff; 12]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(message in prop::collection::vec(any::<u8>(), 0..64), field in 0_u64..32) {
            let _ = (number(&message, field), text(&message, field), is_whole(&message));
        }
    }
}
