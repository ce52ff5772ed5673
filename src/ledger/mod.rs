//! The ledger: one row per call, merged by key, with its queries.

mod account;
mod bills;
mod by_key;
mod compact_row;
mod error;
mod grouping;
mod inherited;
mod interner;
mod lineage;
mod memory;
mod merge_state;
mod periods;
mod query;
mod row_store;
mod spending;
mod sqlite;
mod types;

pub use error::BooksError;
pub use memory::Memory;
pub use query::{Grain, Order, PeriodKey, Query, Report, ReportRow, SessionRow};
pub(crate) use sqlite::{ExportError, ImportError, Info, Repriced, Salvaged, mend, remove_strays};
pub use sqlite::{Note, Opened, Options, Sqlite, open};
pub use types::{Batch, Change, Checkpoint, Ledger, Row, RowChange, Sums};
