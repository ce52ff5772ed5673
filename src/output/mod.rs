//! Results as tables, JSON, CSV and Markdown. Nothing here computes: it writes what the books and the meter say.

mod cells;
mod delimited;
mod json;
mod table;

pub use cells::{Cell, Column, Grid, cost_cell, measures, report_grid, session_facts};
pub use delimited::{csv, markdown};
pub use json::{Decimal, report as report_json, to_line, to_pretty};
pub use table::{plain, report as report_table};
