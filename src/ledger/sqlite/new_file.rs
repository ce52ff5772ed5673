//! Builds a new database in a temporary file and moves it into place when it is complete.
//!
//! Nobody sees it before that, so filling it needs no locks and no journal on disk. If the process is killed, there is
//! no ledger, only a file that the next run removes.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::bulk_load::Draft;
use super::connect::connect;
use super::db_file::{free_name, is_free, make_folder, private};
use super::leftover_files::{MARK, remove_drafts};
use super::options::{Options, WriteAccess};
use super::schema;
use crate::ledger::store::Step;

/// The temporary file of a new database; removed on drop.
pub(super) struct NewFile {
    path: PathBuf,
    pub(super) draft: RefCell<Option<Draft>>,
    /// True if the draft is incomplete. Everything must then be written again, elsewhere.
    pub(super) spoilt: bool,
    /// Thread that syncs the draft to disk while the rest is written.
    settling: Option<JoinHandle<io::Result<()>>>,
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // If this fails, the next run that fills a ledger here removes the file.
        let _ = fs::remove_file(&self.path);
    }
}

impl NewFile {
    /// Creates a new database next to a path that has none. `None` if that is not wanted or not possible. The database
    /// is then created in place, which reports the error if it fails too.
    pub(super) fn begin(path: &Path, options: &Options) -> Option<(Connection, Self)> {
        if !options.as_draft || options.read_only || !is_free(path) {
            return None;
        }
        make_folder(path).ok()?;
        if (options.is_network)(path) {
            return None;
        }
        remove_drafts(path);
        let grown = free_name(path, &format!("{MARK}{}", std::process::id()));
        private(&grown, true).ok()?;
        let new_file = Self { path: grown, draft: RefCell::default(), spoilt: false, settling: None };
        Some((new_file.tables(options).ok()?, new_file))
    }

    /// Path of the temporary file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the draft, if one has been started.
    pub(super) fn draft(&self) -> Option<Draft> {
        self.draft.take()
    }

    /// Starts syncing the draft to disk, which shortens the final sync.
    pub(super) fn settle(&mut self) {
        if self.draft.get_mut().is_some() {
            let path = self.path.clone();
            let sync = move || File::open(path)?.sync_data();
            self.settling = std::thread::Builder::new().name("settling".to_owned()).spawn(sync).ok();
        }
    }

    fn tables(&self, options: &Options) -> rusqlite::Result<Connection> {
        let mut conn = connect(&self.path, WriteAccess::Writable, options)?;
        conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // The rollback journal contains no new pages, and few others change. Failed statements can still be rolled
        // back.
        conn.pragma_update(None, "journal_mode", "MEMORY")?;
        conn.pragma_update(None, "synchronous", "OFF")?;
        // Index keys are then sorted in contiguous memory, in half the time. From about 200,000 keys on they are sorted
        // in several runs, some of them on idle processors. If there is no room for temporary files, the draft is
        // abandoned and the ledger is filled in place.
        conn.pragma_update(None, "temp_store", "FILE")?;
        conn.query_row("PRAGMA threads = 2", [], |_| Ok(()))?;
        schema::create(&mut conn)?;
        Ok(conn)
    }

    /// Moves the database into place if the path is still free. It is synced before it gets its final name.
    pub(super) fn put(mut self, conn: Connection, path: &Path, step: Step<'_>) -> io::Result<()> {
        conn.pragma_update(None, "journal_mode", "WAL").map_err(io::Error::other)?;
        conn.close().map_err(|(_, error)| io::Error::other(error))?;
        // A sync error is reported only once, so check the earlier sync too.
        if let Some(Ok(settled)) = self.settling.take().map(JoinHandle::join) {
            settled?;
        }
        File::open(&self.path)?.sync_data()?;
        step("put into place");
        if !is_free(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::hard_link(&self.path, path)?;
        step("in place");
        Ok(())
    }
}
