//! The ledger: one row per call, merged by key, and the queries on it.

mod bill_json;
mod bills;
mod books;
mod by_key;
mod compact_row;
mod error;
mod exclusive;
mod grouping;
mod inherited;
mod interface;
mod interner;
mod key_value;
mod lineage;
mod maintenance;
mod memory;
mod merge_state;
mod periods;
mod query;
mod reading;
mod restored;
mod row_pricer;
mod row_store;
mod session_bills;
mod snapshots;
mod spending;
mod sqlite;
mod store;
mod types;
mod unwritten;
mod working_set;
mod write_buffer;

pub use books::{Backing, Books, Reopened};
pub use compact_row::{CompactRow, StoredRow};
pub use error::{LedgerError, StoreError};
pub use grouping::{Quarter, Stretch};
pub use inherited::{Whole, before, total};
pub use interface::{Decide, Ledger};
pub use interner::Interner;
pub(crate) use key_value::{AlertClaim, CLAIM_LASTS, DELIVERED, alert_was_delivered, claim_alert};
pub use key_value::{Fact, FactChange, FactEdit, FactKind, KeyValue};
pub use maintenance::Repriced;
pub(crate) use maintenance::{ExportError, ImportError};
pub use memory::{Memory, MemoryStore};
pub(crate) use query::common_name;
pub use query::{Grain, Order, PeriodKey, Query, Report, ReportRow, SessionRow};
pub use spending::Part;
pub(crate) use sqlite::Displaced;
pub(crate) use sqlite::{
    Info, Lost, Repeats, Salvaged, has_ended, is_network, remove_strays, replace_damaged, sqlite_uri, with_ending,
};
pub use sqlite::{Note, Opened, Options, Sqlite, open};
pub use store::{Access, Delta, Place, Quarters, Step, Store, Stored, Table};
pub use types::{Batch, Change, Checkpoint, Row, RowChange, Sums};
pub use write_buffer::WriteBuffer;
