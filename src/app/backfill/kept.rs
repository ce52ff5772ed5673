//! The file of estimates, in the format of the usage log: each line holds the output missing from a call's own log.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::app::Context;
use crate::config::replace_file::replace;
use crate::config::{ESTIMATES, regular_file};
use crate::domain::{Call, Filter, Label, Record, Usd};
use crate::formats::{Decoder, Origin, kept_line};
use crate::pricing::{PriceBook, Pricer as _};

/// Sums of the estimates within a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) calls: u64,
    pub(crate) output_tokens: u64,
    /// `None` without a price.
    pub(crate) cost: Option<Usd>,
}

fn path(context: &Context<'_>) -> Option<PathBuf> {
    context.paths.data.as_ref().map(|folder| folder.join(ESTIMATES))
}

/// Replaces the file.
///
/// # Errors
/// A sentence, if the file cannot be written.
pub(crate) fn keep(context: &Context<'_>, calls: &[Call]) -> Result<PathBuf, String> {
    let path = context.paths.make_data_folder()?.join(ESTIMATES);
    replace(&path, |file| calls.iter().try_for_each(|call| writeln!(file, "{}", kept_line(call, None, None))))
        .map_err(|error| format!("{} cannot be written: {error}", Label::from_path(&path)))?;
    Ok(path)
}

/// Removes the file; false if it does not exist.
///
/// # Errors
/// A sentence, if the file cannot be removed.
pub(crate) fn forget(context: &Context<'_>) -> Result<bool, String> {
    let Some(path) = path(context) else { return Ok(false) };
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("{} cannot be removed: {error}", Label::from_path(&path))),
    }
}

/// Sums of the stored estimates within a filter; `None` if there are none, or if they cannot be read, which is noted.
pub(crate) fn kept(context: &mut Context<'_>, filter: &Filter, prices: &PriceBook) -> Option<Kept> {
    let path = path(context)?;
    let bytes = match regular_file::read_bytes(&path, u64::MAX, |_| false) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            context.note(&format!("{} {}", Label::from_path(&path), regular_file::why(&error)));
            return None;
        }
    };
    let (mut lines, mut records) = (Decoder::new(&["native"]), Vec::new());
    let origin = Origin { path: Label::new(ESTIMATES), offset: 0, modified: context.now() };
    for line in bytes.split(|byte| *byte == b'\n') {
        lines.line(line, &origin, &mut records);
    }
    let mut sums = Kept { cost: Some(Usd::ZERO), ..Kept::default() };
    for record in records {
        let Record::Call(call) = record else { continue };
        if filter.admits(&call) {
            sums.calls += 1;
            sums.output_tokens = sums.output_tokens.saturating_add(call.tokens.output);
            sums.cost = sums.cost.zip(prices.cost(&call).usd()).map(|(sum, cost)| sum + cost);
        }
    }
    (sums.calls > 0).then_some(sums)
}
