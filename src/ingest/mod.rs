//! From bytes to records: finds the logs, cuts lines, remembers how far, survives whatever happens to the files.

mod ahead;
mod batch;
mod cutter;
mod disk;
mod follow;
mod fs;
mod health;
mod identity;
mod known;
mod live;
mod names;
mod notice;
mod pace;
mod packed;
mod parallel;
mod project;
mod recent;
mod roots;
#[cfg(unix)]
pub mod socket;
mod status;
mod stream;
#[cfg(target_os = "linux")]
mod survey;
mod tail;
mod tails;
mod take;
mod unpack;
mod walk;
mod watch;

pub use batch::{BadNote, Batch, Event, Owner, Progress, Tallies};
pub use disk::Disk;
pub use follow::{Follower, follow};
pub use fs::{Entry, FileId, Fs, Handle, Listing, Sort, Stat};
pub use health::{Condition, Health, Kind, Note, PollReason, RootState, RootStatus};
pub use notice::{Notice, notice};
pub use project::Projects;
pub use roots::{Naming, Roots};
pub use stream::read_stream;
pub use tails::{Options, Tails};
