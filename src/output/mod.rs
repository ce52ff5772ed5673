//! Formats results as tables, JSON, CSV and Markdown, and metrics. Only formats numbers from the ledger and the meter.

mod amounts;
mod cells;
mod delimited;
mod json;
mod label_sets;
mod limit;
mod metrics;
mod otlp;
mod plan;
mod prometheus;
mod quota;
mod reconcile;
mod session;
mod shown;
mod signals;
mod table;
pub(crate) mod tariff;

pub(crate) use amounts::{Amounts, Marks, derived_cell};
pub(crate) use cells::{Cell, Grid, call_facts, cost_cell, measures, report_grid, session_facts};
pub(crate) use delimited::{CallLines, csv, markdown};
pub(crate) use json::{CallObjects, Decimal, is_zero, report as report_json, report_document, to_line};
pub(crate) use label_sets::LabelSets;
pub(crate) use limit::LimitJson;
pub(crate) use metrics::{Buckets, Kind, LabelPair, Metrics};
pub(crate) use otlp::{Times, otlp};
pub(crate) use plan::{PlanJson, plan_line};
pub(crate) use prometheus::{Format as PrometheusFormat, prometheus};
pub(crate) use quota::QuotaJson;
pub(crate) use reconcile::Outcome;
pub(crate) use session::session_json;
pub(crate) use signals::{comparison_text, signals_document, signals_text};
pub(crate) use table::{fitted, mark_lines, plain, report as report_table, table_width, unread_line, wrapped};
