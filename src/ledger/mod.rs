//! The books: one row per call, joined by key, and everything that is asked of them.

mod account;
mod bills;
mod by_key;
mod core;
mod error;
mod family;
mod grouping;
mod heap;
mod memory;
mod names;
mod periods;
mod question;
mod slim;
mod spending;
mod sqlite;
mod types;

pub use error::BooksError;
pub use memory::Memory;
pub use question::{Grain, Order, PeriodKey, Query, Report, ReportRow, SessionRow};
pub use sqlite::{
    ExportError, Findings, ImportError, Imported, Info, Note, Opened, Options, PriceChange, Repriced, Salvaged, Sqlite,
    is_network, mend, open, remove_strays,
};
pub use types::{Change, FileState, Ledger, Posted, Posting, Row, Sums};
