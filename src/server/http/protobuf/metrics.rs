//! The JSON form of metrics: sums, and histograms, of which only the sums are needed.

use serde_json::{Value, json};

use super::attributes;
use crate::otlp::{Data, ExponentialPoint, HistogramPoint, KeyValue, Measured, Metric, Point, text};

/// The JSON form of a metric. Kinds that contain no sum have no data.
pub(super) fn to_json(metric: Metric) -> Value {
    let mut object = json!({"name": text(&metric.name)});
    match metric.data {
        Some(Data::Sum(sum)) => {
            let points: Vec<Value> = sum.points.into_iter().map(number).collect();
            object["sum"] = json!({
                "aggregationTemporality": sum.temporality,
                "isMonotonic": sum.is_monotonic,
                "dataPoints": points,
            });
        }
        Some(Data::Histogram(histogram)) => {
            let points = histogram.points.into_iter().map(|HistogramPoint { start, time, sum, attributes, .. }| {
                point(json!({"sum": sum}), start, time, attributes)
            });
            object["histogram"] = distribution(histogram.temporality, points);
        }
        Some(Data::Exponential(histogram)) => {
            let points = histogram.points.into_iter().map(|ExponentialPoint { start, time, sum, attributes }| {
                point(json!({"sum": sum}), start, time, attributes)
            });
            object["exponentialHistogram"] = distribution(histogram.temporality, points);
        }
        Some(Data::Gauge(_)) | None => {}
    }
    object
}

fn distribution(temporality: i32, points: impl Iterator<Item = Value>) -> Value {
    json!({"aggregationTemporality": temporality, "dataPoints": points.collect::<Vec<_>>()})
}

fn number(Point { start, time, value, attributes }: Point) -> Value {
    let number = match value {
        Some(Measured::Int(int)) => json!({"asInt": int}),
        Some(Measured::Double(double)) if double.is_finite() => json!({"asDouble": double}),
        // JSON has no such number, and without one the point would have no value.
        Some(Measured::Double(double)) => json!({"asDouble": double.to_string()}),
        None => json!({"asDouble": null}),
    };
    point(number, start, time, attributes)
}

fn point(mut object: Value, start: u64, time: u64, all: Vec<KeyValue>) -> Value {
    object["attributes"] = attributes(all);
    for (name, nanos) in [("startTimeUnixNano", start), ("timeUnixNano", time)] {
        if nanos > 0 {
            object[name] = Value::from(nanos);
        }
    }
    object
}
