//! Names of a database's files, and URIs that open it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The path with this suffix appended.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The path in the form of an SQLite URI, with these parameters.
pub(crate) fn sqlite_uri(path: &Path, parameters: &str) -> String {
    let mut uri = String::from("file:");
    if cfg!(windows) {
        uri.push('/');
    }
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' | b':' => uri.push(char::from(*byte)),
            b'\\' if cfg!(windows) => uri.push('/'),
            byte => write!(uri, "%{byte:02X}").unwrap_or_default(),
        }
    }
    uri.push('?');
    uri.push_str(parameters);
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_so_that_no_letter_of_it_is_taken_for_more() {
        if cfg!(unix) {
            assert_eq!(sqlite_uri(Path::new("/a b/c?d#e%.db"), "mode=ro"), "file:/a%20b/c%3Fd%23e%25.db?mode=ro");
        }
        assert_eq!(with_ending(Path::new("/a/b.db"), "-wal"), Path::new("/a/b.db-wal"));
    }
}
