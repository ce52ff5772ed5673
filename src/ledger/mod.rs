//! The books: one row per call, joined by key, and everything that is asked of them.

mod types;

pub use types::{
    BooksError, Change, FileState, Grain, Ledger, Order, PeriodKey, Posted, Posting, Query, Report, ReportRow, Row,
    SessionRow, Sums,
};
