//! Messages of metrics: sums and histograms, whose sums are of interest.

use prost::Message;
use serde_json::{Value, json};

use super::{KeyValue, attributes};

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeMetrics {
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "7")]
    sum: Option<Sum>,
    #[prost(message, optional, tag = "9")]
    histogram: Option<Histogram>,
    #[prost(message, optional, tag = "10")]
    exponential: Option<Exponential>,
}

#[derive(Clone, PartialEq, Message)]
struct Sum {
    #[prost(message, repeated, tag = "1")]
    points: Vec<NumberPoint>,
    #[prost(int32, tag = "2")]
    temporality: i32,
    #[prost(bool, tag = "3")]
    is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
struct NumberPoint {
    #[prost(fixed64, tag = "2")]
    start: u64,
    #[prost(fixed64, tag = "3")]
    time: u64,
    #[prost(double, optional, tag = "4")]
    double: Option<f64>,
    #[prost(sfixed64, optional, tag = "6")]
    int: Option<i64>,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(message, repeated, tag = "1")]
    points: Vec<HistogramPoint>,
    #[prost(int32, tag = "2")]
    temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct HistogramPoint {
    #[prost(fixed64, tag = "2")]
    start: u64,
    #[prost(fixed64, tag = "3")]
    time: u64,
    #[prost(double, optional, tag = "5")]
    sum: Option<f64>,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Exponential {
    #[prost(message, repeated, tag = "1")]
    points: Vec<ExponentialPoint>,
    #[prost(int32, tag = "2")]
    temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct ExponentialPoint {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    start: u64,
    #[prost(fixed64, tag = "3")]
    time: u64,
    #[prost(double, optional, tag = "5")]
    sum: Option<f64>,
}

/// The JSON form of a metric; without data for kinds that sum nothing up.
pub(super) fn to_json(metric: Metric) -> Value {
    let mut object = json!({"name": metric.name});
    if let Some(Sum { points, temporality, is_monotonic }) = metric.sum {
        let points: Vec<Value> = points
            .into_iter()
            .map(|NumberPoint { start, time, double, int, attributes }| {
                let number = int.map_or_else(|| json!({"asDouble": double}), |int| json!({"asInt": int}));
                point(number, start, time, attributes)
            })
            .collect();
        object["sum"] =
            json!({"aggregationTemporality": temporality, "isMonotonic": is_monotonic, "dataPoints": points});
    }
    if let Some(Histogram { points, temporality }) = metric.histogram {
        let points: Vec<Value> = points
            .into_iter()
            .map(|HistogramPoint { start, time, sum, attributes }| point(json!({"sum": sum}), start, time, attributes))
            .collect();
        object["histogram"] = json!({"aggregationTemporality": temporality, "dataPoints": points});
    }
    if let Some(Exponential { points, temporality }) = metric.exponential {
        let points: Vec<Value> = points
            .into_iter()
            .map(|ExponentialPoint { start, time, sum, attributes }| {
                point(json!({"sum": sum}), start, time, attributes)
            })
            .collect();
        object["exponentialHistogram"] = json!({"aggregationTemporality": temporality, "dataPoints": points});
    }
    object
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
