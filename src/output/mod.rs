//! Results as tables, JSON, CSV and Markdown. Nothing here computes: it writes what the books and the meter say.

mod cells;
mod delimited;
mod json;
mod prometheus;
mod table;

pub use cells::{Cell, Column, Grid, call_facts, cost_cell, measures, report_grid, session_facts};
pub use delimited::{CallLines, csv, markdown};
pub use json::{Decimal, report as report_json, report_document, to_line, to_pretty};
pub use prometheus::{Kind, Metrics};
pub use table::{mark_lines, plain, report as report_table};
