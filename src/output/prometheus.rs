//! Metrics in Prometheus's two text formats: its own (0.0.4) and OpenMetrics 1.0.

use std::fmt::Write as _;

use super::metrics::{Buckets, Family, Kind, LabelPair, Metrics, Value};

/// The text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus's text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// Writes all metrics as text.
pub(crate) fn prometheus(metrics: &Metrics, format: Format) -> String {
    let mut out = String::new();
    for family in &metrics.0 {
        head(&mut out, family, format);
        for sample in &family.samples {
            match &sample.value {
                Value::Number(number) => {
                    out.push_str(family.name);
                    labels(&mut out, &sample.labels, None);
                    let _ = writeln!(out, " {number}");
                }
                Value::Histogram(buckets) => histogram(&mut out, family.name, &sample.labels, buckets),
            }
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn head(out: &mut String, family: &Family, format: Format) {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let name = if format == Format::OpenMetrics { family.stem() } else { family.name };
    let _ = write!(out, "# HELP {name} {}\n# TYPE {name} {kind}\n", family.help);
    if let Some(unit) = family.unit().filter(|_| format == Format::OpenMetrics) {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
}

fn histogram(out: &mut String, name: &str, pairs: &[LabelPair], buckets: &Buckets) {
    let mut upto = 0_u64;
    // OpenMetrics requires a decimal point, and Prometheus accepts one.
    let bounds = buckets.bounds.iter().map(|bound| {
        let text = bound.to_string();
        if text.contains('.') { text } else { format!("{text}.0") }
    });
    for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&buckets.counts) {
        upto = upto.saturating_add(*count);
        let _ = write!(out, "{name}_bucket");
        labels(out, pairs, Some(("le", &bound)));
        let _ = writeln!(out, " {upto}");
    }
    let _ = write!(out, "{name}_sum");
    labels(out, pairs, None);
    let _ = write!(out, " {}\n{name}_count", buckets.sum);
    labels(out, pairs, None);
    let _ = writeln!(out, " {upto}");
}

fn labels(out: &mut String, pairs: &[LabelPair], more: Option<(&str, &str)>) {
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    let mut before = '{';
    for (name, value) in pairs.chain(more) {
        let _ = write!(out, "{before}{name}=\"{}\"", escaped(value));
        before = ',';
    }
    if before == ',' {
        out.push('}');
    }
}

/// Escapes the value of a label: backslash, quote and line feed.
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

    fn metrics() -> Metrics {
        let mut metrics = Metrics::default();
        let cost = metrics.begin("tokmeter_cost_usd_total", Kind::Counter, "Dollars.");
        cost.sample(&[("model", "a\"b\\c\nd".into()), ("source", "native".into())], Usd::from_pico(7_000_000_001));
        metrics.begin("tokmeter_bad_lines", Kind::Gauge, "Lines.").sample(&[], 3_u64);
        let bounds = vec![Usd::from_micro(500_000), Usd::ONE];
        let buckets = Buckets { bounds, counts: vec![2, 0, 1], sum: Usd::from_micro(2_750_000) };
        let model = [("model", "m".to_owned())];
        metrics.begin("tokmeter_call_cost_usd", Kind::Histogram, "Cost.").histogram(&model, buckets);
        metrics
    }

    #[test]
    fn values_are_exact_and_labels_escaped() {
        assert_eq!(
            prometheus(&metrics(), Format::Prometheus),
            "# HELP tokmeter_cost_usd_total Dollars.\n# TYPE tokmeter_cost_usd_total counter\n\
             tokmeter_cost_usd_total{model=\"a\\\"b\\\\c\\nd\",source=\"native\"} 0.007000000001\n\
             # HELP tokmeter_bad_lines Lines.\n# TYPE tokmeter_bad_lines gauge\ntokmeter_bad_lines 3\n\
             # HELP tokmeter_call_cost_usd Cost.\n# TYPE tokmeter_call_cost_usd histogram\n\
             tokmeter_call_cost_usd_bucket{model=\"m\",le=\"0.5\"} 2\n\
             tokmeter_call_cost_usd_bucket{model=\"m\",le=\"1.0\"} 2\n\
             tokmeter_call_cost_usd_bucket{model=\"m\",le=\"+Inf\"} 3\n\
             tokmeter_call_cost_usd_sum{model=\"m\"} 2.75\ntokmeter_call_cost_usd_count{model=\"m\"} 3\n"
        );
    }

    #[test]
    fn openmetrics_names_counters_without_their_ending_and_says_where_it_ends() {
        let text = prometheus(&metrics(), Format::OpenMetrics);
        assert!(text.starts_with(
            "# HELP tokmeter_cost_usd Dollars.\n# TYPE tokmeter_cost_usd counter\n# UNIT tokmeter_cost_usd usd\n\
             tokmeter_cost_usd_total{"
        ));
        assert!(text.ends_with("_count{model=\"m\"} 3\n# EOF\n"), "{text}");
    }
}
