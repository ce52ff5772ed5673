//! From bytes to records: finds logs, splits lines, keeps checkpoints, and survives whatever happens to the files.

mod batch;
mod batch_builder;
mod checkpoints;
mod delivery;
mod dir_watch;
mod document;
mod file_watch;
mod fingerprint;
mod follow;
mod fs;
mod health;
mod hot_files;
mod indexes;
mod line_splitter;
mod live;
mod log_names;
mod os_fs;
mod packed;
mod parallel;
mod places;
mod poll_schedule;
mod prefetch;
mod project;
#[cfg(target_os = "linux")]
mod read_dir;
mod roots;
mod rotation;
mod sample_database;
#[cfg(unix)]
pub(crate) mod socket;
mod spool;
mod sqlite_access;
#[cfg(unix)]
mod sqlite_rest;
mod sqlite_source;
mod status;
mod stream;
mod tail;
mod tails;
mod unpack;
mod walk;

pub use batch::{BadNote, Owner, Progress, ReadBatch, Tallies};
pub(crate) use delivery::{Delivery, Reply, Said};
pub(crate) use file_watch::{FileWatch, watch_files};
pub use follow::{Follower, follow};
pub use fs::{Entry, Fs, Handle, Stat};
pub use health::{Condition, Health, Kind, PollReason, RootState};
pub(crate) use health::{Note, RootStatus};
pub(crate) use indexes::listed_places;
pub use live::Event;
pub use os_fs::OsFs;
pub(crate) use project::Projects;
pub(crate) use roots::RootKind;
pub use roots::Roots;
pub(crate) use sample_database::sample_database;
pub(crate) use spool::{append_lines, spool};
pub(crate) use sqlite_source::read_rows;
pub use stream::read_stream;
pub use tails::{Options, Tails};
