//! True totals of generated logs, counted while they are generated.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, NaiveDate};

/// A day (UTC), a log format and a model.
pub(crate) type Key = (NaiveDate, String, String);

/// Calls and their tokens, in the order of `domain::Tokens::fields`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) calls: u64,
    pub(crate) tokens: [u64; 6],
}

/// The true totals, and the number of occurrences of each pitfall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    pub(crate) rows: BTreeMap<Key, Count>,
    pub(crate) traps: BTreeMap<&'static str, u64>,
}

/// The columns of a report for the tokens.
const COLUMNS: [&str; 6] = [
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
];

impl Count {
    fn add(&mut self, calls: u64, tokens: [u64; 6]) {
        self.calls += calls;
        for (sum, more) in self.tokens.iter_mut().zip(tokens) {
            *sum += more;
        }
    }

    /// The measures as a report's JSON has them.
    fn columns(&self) -> String {
        let mut out = format!("\"calls\":{}", self.calls);
        for (name, count) in COLUMNS.iter().zip(self.tokens) {
            let _ = write!(out, ",\"{name}\":{count}");
        }
        // Reasoning is a part of the output.
        let _ = write!(out, ",\"total_tokens\":{}", self.tokens[..5].iter().sum::<u64>());
        out
    }
}

impl Truth {
    /// A call, made at this moment (milliseconds since 1970).
    pub(crate) fn call(&mut self, at: i64, source: &str, model: &str, tokens: [u64; 6]) {
        let day = DateTime::from_timestamp_millis(at).unwrap_or_default().date_naive();
        self.rows.entry((day, source.to_owned(), model.to_owned())).or_default().add(1, tokens);
    }

    /// Counts a place where a careless reader counts wrong.
    pub(crate) fn trap(&mut self, name: &'static str) {
        *self.traps.entry(name).or_default() += 1;
    }

    /// All rows together.
    pub(crate) fn total(&self) -> Count {
        let mut total = Count::default();
        self.rows.values().for_each(|row| total.add(row.calls, row.tokens));
        total
    }

    /// Rows as `report day --by source,model --json --tz UTC` has them, without costs.
    pub(crate) fn to_json(&self) -> String {
        let traps: Vec<String> = self.traps.iter().map(|(name, count)| format!("\"{name}\":{count}")).collect();
        let row = |((day, source, model), count): (&Key, &Count)| {
            format!("{{\"day\":\"{day}\",\"source\":\"{source}\",\"model\":\"{model}\",{}}}", count.columns())
        };
        let rows: Vec<String> = self.rows.iter().map(row).collect();
        format!(
            "{{\"timezone\":\"UTC\",\"bytes\":{},\"files\":{},\"traps\":{{{}}},\n\"rows\":[\n{}\n],\n\"total\":{{{}}}}}\n",
            self.bytes,
            self.files,
            traps.join(","),
            rows.join(",\n"),
            self.total().columns()
        )
    }
}
