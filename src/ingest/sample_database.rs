//! Makes the database of another program from statements, for the self-test.

use std::io;
use std::path::Path;

use rusqlite::Connection;

/// Makes a database at this path, with what the statements create and insert.
///
/// # Errors
/// When the file cannot be written, or a statement is wrong.
pub(crate) fn sample_database(path: &Path, statements: &str) -> io::Result<()> {
    let make = || -> rusqlite::Result<()> {
        let connection = Connection::open(path)?;
        connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;")?;
        // Samples may choose the journal of their program.
        connection.execute_batch(statements)
    };
    make().map_err(io::Error::other)
}
