//! Parameters of the API: the accepted values, and their description in the API document.

use crate::domain::Label;

/// A parameter of a query, a path or a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// The corresponding flag of `tokmeter report`; empty if there is none.
    pub(crate) flag: &'static str,
    /// Where it is given.
    pub(super) place: Place,
    pub(super) values: Values,
    /// Description, one sentence.
    pub(super) meaning: &'static str,
}

/// Where a parameter is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Query,
    Path,
    Header,
}

/// Values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Text,
    /// Texts: the parameter may be repeated.
    Texts,
    /// A number of rows.
    Rows,
    /// One of these values.
    OneOf(&'static [&'static str]),
    /// Any of these values. The parameter may be repeated.
    AnyOf(&'static [&'static str]),
}

impl Parameter {
    /// The allowed values; empty if any text is allowed.
    #[cfg(test)]
    pub(crate) fn words(&self) -> &'static [&'static str] {
        match self.values {
            Values::OneOf(words) | Values::AnyOf(words) => words,
            Values::Text | Values::Texts | Values::Rows => &[],
        }
    }

    fn is_repeatable(&self) -> bool {
        matches!(self.values, Values::Texts | Values::AnyOf(_))
    }
}

/// Checks the parameters of a query. A path accepts only those in its table, because a response that ignores a
/// parameter looks like the one that was requested.
///
/// # Errors
/// When a parameter is not accepted, with a sentence that says why.
pub(super) fn check(known: &[&[Parameter]], given: &[(String, String)]) -> Result<(), String> {
    let known: Vec<&Parameter> =
        known.iter().flat_map(|some| some.iter()).filter(|one| one.place == Place::Query).collect();
    for (at, (name, value)) in given.iter().enumerate() {
        let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
            let names: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(format!("'{}' is not a parameter; there are: {names}", Label::new(name)));
        };
        if let Values::OneOf(words) = parameter.values
            && !words.contains(&value.as_str())
        {
            return Err(format!("'{}' is not a valid {name}; there are: {}", Label::new(value), words.join(", ")));
        }
        if !parameter.is_repeatable() && given[..at].iter().any(|(before, _)| before == name) {
            return Err(format!("'{name}' is given twice"));
        }
        let same = |before: &str| known.iter().any(|one| one.name == before && one.flag == parameter.flag);
        let before = given[..at].iter().map(|(before, _)| before).find(|before| *before != name && same(before));
        if let Some(before) = before.filter(|_| !parameter.flag.is_empty()) {
            return Err(format!("'{before}' and '{name}' are one parameter; give one of them"));
        }
    }
    Ok(())
}

const fn query(name: &'static str, flag: &'static str, values: Values, meaning: &'static str) -> Parameter {
    Parameter { name, flag, place: Place::Query, values, meaning }
}

const MEANING: &str =
    "Only calls with this name. `*` matches any characters; after a backslash, `*` and a comma are part of the name.";

const fn filter(name: &'static str) -> Parameter {
    query(name, name, Values::Texts, MEANING)
}

const DIMENSIONS: &[&str] = &[
    "model", "source", "user", "project", "agent", "team", "feature", "org", "session", "branch", "fidelity", "repo",
    "ticket",
];

const SINCE: &str = "Only calls from this time on: a date, a time, or a span before now such as 7d.";
const UNTIL: &str = "Only calls before this time.";

/// Parameters of reports.
pub(crate) const REPORT: [Parameter; 19] = [
    query("format", "", Values::OneOf(&["json", "csv"]), "Format of the answer."),
    query("by", "by", Values::AnyOf(DIMENSIONS), "Splits rows."),
    query("start", "since", Values::Text, SINCE),
    query("since", "since", Values::Text, SINCE),
    query("end", "until", Values::Text, UNTIL),
    query("until", "until", Values::Text, UNTIL),
    filter("user"),
    filter("project"),
    filter("model"),
    filter("agent"),
    filter("team"),
    filter("feature"),
    filter("org"),
    filter("source"),
    query("session", "session", Values::Text, "Only this session, by its id, the beginning or end of it, or `latest`."),
    filter("branch"),
    filter("ticket"),
    query(
        "order",
        "order",
        Values::OneOf(&["asc", "desc"]),
        "Oldest first, which is the default except for calls, or newest first.",
    ),
    query(
        "limit",
        "limit",
        Values::Rows,
        "Maximum number of rows; the default for calls is 100, and as CSV they need one.",
    ),
];

/// The period that each row covers.
pub(crate) const PERIOD: Parameter = query(
    "period",
    "",
    Values::OneOf(&["hour", "day", "week", "month", "session", "call", "total"]),
    "Period covered by each row; `day` by default.",
);

const fn name(name: &'static str) -> Parameter {
    query(name, "", Values::Text, "Value of this dimension for the planned call.")
}

/// Parameters of the gate: every dimension that a limit can have.
pub(super) const GATE: [Parameter; 9] = [
    name("user"),
    name("model"),
    name("project"),
    name("team"),
    name("agent"),
    name("feature"),
    name("org"),
    name("source"),
    name("session"),
];

/// The key in the path of a call.
pub(super) const KEY: Parameter = Parameter {
    name: "key",
    flag: "",
    place: Place::Path,
    values: Values::Text,
    meaning: "The call's key or a beginning of it, in hexadecimal digits.",
};

/// The position in the stream, for the WebSocket.
pub(super) const LAST_EVENT: Parameter = query(
    "last_event_id",
    "",
    Values::Text,
    "Id of the last event that the client received; only later ones are sent.",
);

/// The same as a header, for Server-Sent Events.
pub(super) const LAST_EVENT_HEADER: Parameter = Parameter {
    name: "Last-Event-ID",
    flag: "",
    place: Place::Header,
    values: Values::Text,
    meaning: "Id of the last event that the client received; only later ones are sent.",
};

/// The name of one of the page's files.
pub(super) const FILE: Parameter =
    Parameter { name: "name", flag: "", place: Place::Path, values: Values::Text, meaning: "Name of the file." };

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::Dimension;

    #[test]
    fn rows_are_split_by_every_dimension_that_the_command_takes() {
        let taken = Dimension::ALL.into_iter().chain(Dimension::DERIVED).map(Dimension::name);
        assert_eq!(DIMENSIONS.iter().copied().collect::<BTreeSet<_>>(), taken.collect());
    }

    #[test]
    fn what_is_in_no_table_no_value_or_there_twice_is_refused() {
        let check = |given: &[(&str, &str)]| {
            let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            super::check(&[&[PERIOD, KEY], &REPORT], &given)
        };
        assert_eq!(check(&[("period", "day"), ("user", "a"), ("user", "b"), ("by", "model"), ("by", "user")]), Ok(()));
        let no_format = "'xml' is not a valid format; there are: json, csv";
        assert_eq!(check(&[("format", "xml")]), Err(no_format.to_owned()));
        assert_eq!(check(&[("limit", "1"), ("limit", "2")]), Err("'limit' is given twice".to_owned()));
        let both = "'start' and 'since' are one parameter; give one of them";
        assert_eq!(check(&[("start", "1d"), ("since", "2d")]), Err(both.to_owned()));
        assert_eq!(check(&[("start", "1d"), ("until", "2d"), ("order", "asc"), ("period", "day")]), Ok(()));
        for wrong in ["usr", "key", "", "Period"] {
            let error = check(&[(wrong, "day")]).unwrap_err();
            assert!(error.starts_with(&format!("'{wrong}' is not a parameter; there are: period, format")), "{error}");
        }
        let none = super::check(&[], &[("x\u{1b}[2J".to_owned(), String::new())]).unwrap_err();
        assert!(none.ends_with("there are: none") && !none.contains('\u{1b}'), "{none:?}");
    }
}
