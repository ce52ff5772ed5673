//! Prometheus text format: a help line, a type line, and one line per set of labels.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Monotonic, except for pruning.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// Metrics, in the order in which they are added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// Starts a metric, to which samples are added.
    pub(crate) fn begin(&mut self, name: &'static str, kind: Kind, help: &'static str) -> Metric<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Metric { text: &mut self.0, name }
    }

    /// Writes all metrics.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.0.as_bytes())
    }
}

/// A metric to add samples to.
#[derive(Debug)]
pub(crate) struct Metric<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Metric<'_> {
    /// Adds a sample with the value's display form: a count, or dollars in plain decimals.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(self.name);
        let mut before = '{';
        for (name, value) in labels {
            let _ = write!(self.text, "{before}{name}=\"{}\"", escaped(value));
            before = ',';
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// Escapes a label's value: backslash, quote and line feed.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Usd;

    #[test]
    fn values_are_exact_and_labels_escaped() {
        let mut metrics = Metrics::default();
        let mut cost = metrics.begin("tokmeter_cost_usd_total", Kind::Counter, "Dollars.");
        cost.sample(&[("model", "a\"b\\c\nd"), ("source", "native")], Usd::from_pico(7_000_000_001));
        metrics.begin("tokmeter_bad_lines", Kind::Gauge, "Lines.").sample(&[], 3);
        let mut out = Vec::new();
        metrics.write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "# HELP tokmeter_cost_usd_total Dollars.\n# TYPE tokmeter_cost_usd_total counter\n\
             tokmeter_cost_usd_total{model=\"a\\\"b\\\\c\\nd\",source=\"native\"} 0.007000000001\n\
             # HELP tokmeter_bad_lines Lines.\n# TYPE tokmeter_bad_lines gauge\ntokmeter_bad_lines 3\n"
        );
    }
}
