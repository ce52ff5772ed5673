//! Replaces files atomically: a draft next to the file gets its name once it is written and synced.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::{Path, PathBuf};

/// Mode of files that only their owner may read.
pub(crate) const PRIVATE: u32 = 0o600;

/// A complete file that does not have its name yet. It is removed on drop.
pub(crate) struct Draft<'t> {
    target: &'t Path,
    path: PathBuf,
    is_in_place: bool,
}

/// Replaces or creates a file that only its owner may read.
///
/// # Errors
/// When it cannot be written. Then the file is as it was before.
pub(crate) fn replace(target: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    Draft::write(target, PRIVATE, write)?.put_in_place()
}

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The id of the process that has written a draft of a file, from the names of both. `None` for any other file.
pub(crate) fn drafting_process<'n>(found: &'n str, target: &str) -> Option<&'n str> {
    let process = found.strip_prefix('.')?.strip_prefix(target)?.strip_prefix('.')?.strip_suffix(".tmp")?;
    process.bytes().all(|byte| byte.is_ascii_digit()).then_some(process)
}

impl<'t> Draft<'t> {
    /// Writes and syncs a draft. On Unix it has this mode, less what the process masks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(
        target: &'t Path,
        mode: u32,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = folder_of(target).join(format!(".{name}.{}.tmp", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        // Left over from a killed process with the same id.
        let _ = fs::remove_file(&path);
        let mut file = BufWriter::new(options.open(&path)?);
        let draft = Self { target, path, is_in_place: false };
        write(&mut file)?;
        file.into_inner().map_err(IntoInnerError::into_error)?.sync_all()?;
        Ok(draft)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file by the draft.
    ///
    /// # Errors
    /// When the draft cannot be renamed.
    pub(crate) fn put_in_place(mut self) -> io::Result<()> {
        fs::rename(&self.path, self.target)?;
        self.is_in_place = true;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_in_place {
            let _ = fs::remove_file(&self.path);
        }
    }
}
