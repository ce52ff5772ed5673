//! The file names of logs.

use std::ffi::OsStr;
use std::path::Path;

use super::RootKind;
use super::fingerprint::{ARCHIVE, unsupported_name};
use crate::formats::{FormatId, Framing, format_of_name};

/// True if this is the file name of a log.
///
/// In an agent's own folder, the agent's format decides. In a folder given by the user, logs are named `*.jsonl`,
/// `*.ndjson` or `*.log`, any of these followed by a number from log rotation, or like the documents and databases of
/// agents. Logs made of lines may be compressed with zstd. A file that is given directly is read whatever its name is.
pub(super) fn admits(name: &OsStr, layout: RootKind) -> bool {
    let name = name.as_encoded_bytes();
    match name.strip_suffix(b".zst") {
        Some(name) => is_log(name, layout) == Some(Framing::Lines),
        None => is_log(name, layout).is_some(),
    }
}

fn is_log(name: &[u8], layout: RootKind) -> Option<Framing> {
    match layout {
        RootKind::Agent(id) => id.format().framing(name),
        RootKind::Own => name.ends_with(b".jsonl").then_some(Framing::Lines),
        RootKind::Named => {
            let stem = match name.iter().rposition(|byte| *byte == b'.') {
                Some(dot) if dot + 1 < name.len() && name[dot + 1..].iter().all(u8::is_ascii_digit) => &name[..dot],
                Some(_) | None => name,
            };
            let is_lines = [b".jsonl".as_slice(), b".ndjson", b".log"].iter().any(|ending| stem.ends_with(ending));
            if is_lines { Some(Framing::Lines) } else { format_of_name(name).map(|(_, framing)| framing) }
        }
    }
}

/// Why a file is not read, if its name marks it as a compressed log or, in an agent's own folder, as an archive.
pub(super) fn unsupported_log(name: &OsStr, layout: RootKind) -> Option<&'static str> {
    let path = Path::new(name);
    let what = unsupported_name(path.extension()?.as_encoded_bytes())?;
    let keeps_lines = |id: FormatId| id.format().framing(b".jsonl").is_some();
    let is_archive = what == ARCHIVE && matches!(layout, RootKind::Agent(id) if keeps_lines(id));
    (is_archive || admits(path.file_stem()?, layout)).then_some(what)
}
