//! Dates in the names of models.

/// The name without the date at its end (`-20250929`, `@20250929`, `-2025-08-07`), if it has one.
pub(crate) fn undated(name: &str) -> Option<&str> {
    let fits = |(byte, form): (&u8, &u8)| if *form == b'#' { byte.is_ascii_digit() } else { byte == form };
    [b"-20######".as_slice(), b"@20######", b"-20##-##-##"].into_iter().find_map(|form| {
        let at = name.len().checked_sub(form.len())?;
        let is_date = name.as_bytes()[at..].iter().zip(form).all(fits);
        is_date.then(|| &name[..at])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_at_the_end_is_no_part_of_the_name() {
        let cases = [
            ("claude-sonnet-4-20250514", Some("claude-sonnet-4")),
            ("claude-sonnet-4@20250514", Some("claude-sonnet-4")),
            ("gpt-4o-2024-08-06", Some("gpt-4o")),
            ("gpt-4o", None),
            ("claude-opus-4-1", None),
            ("model-19990101", None),
            ("model-2024-8-06", None),
            ("é-20250514", Some("é")),
            ("-20250514", Some("")),
            ("", None),
        ];
        for (name, short) in cases {
            assert_eq!(undated(name), short, "{name}");
        }
    }
}
