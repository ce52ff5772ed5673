//! Builds another program's database from SQL statements, for the self-test.

use std::io;
use std::path::Path;

use rusqlite::Connection;

/// Creates a database at this path by running these statements.
///
/// # Errors
/// When the file cannot be written, or a statement is invalid.
pub(crate) fn sample_database(path: &Path, statements: &str) -> io::Result<()> {
    let make = || -> rusqlite::Result<()> {
        let connection = Connection::open(path)?;
        connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;")?;
        // Samples may choose the journal mode that their program uses.
        connection.execute_batch(statements)
    };
    make().map_err(io::Error::other)
}
