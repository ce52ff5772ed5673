//! The books: one row per call, joined by key, and everything that is asked of them.

mod core;
mod family;
mod grouping;
mod heap;
mod memory;
mod names;
mod slim;
mod sqlite;
mod types;

pub use memory::Memory;
pub use sqlite::{
    ExportError, Findings, ImportError, Imported, Info, Note, Opened, Options, PriceChange, Repriced, Sqlite,
    is_network, open,
};
pub use types::{
    BooksError, Change, FileState, Grain, Ledger, Order, PeriodKey, Posted, Posting, Query, Report, ReportRow, Row,
    SessionRow, Sums,
};
