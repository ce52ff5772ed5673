//! The file of estimates, in the format of the usage log: each line holds the output missing from a call's own log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::estimate::Estimates;
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

/// Replaces the estimates of answers that were read, and keeps those of answers that are in no log any more. Returns
/// the file, or `None` if there are no estimates, and how many of them are older.
///
/// # Errors
/// A sentence, if the file cannot be read or written.
pub(crate) fn keep(context: &Context<'_>, estimates: &Estimates) -> Result<(Option<PathBuf>, u64), String> {
    let mut older = match path(context).map(|path| (calls_in(context, &path), path)) {
        Some((Ok(calls), _)) => calls,
        Some((Err(error), _)) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Some((Err(error), path)) => return Err(format!("{} {}", Label::from_path(&path), regular_file::why(&error))),
        None => Vec::new(),
    };
    older.retain(|call| !estimates.replaced.contains(&call.key));
    if older.is_empty() && estimates.calls.is_empty() {
        return forget(context).map(|_| (None, 0));
    }
    let path = context.paths.make_data_folder()?.join(ESTIMATES);
    let mut all = older.iter().chain(&estimates.calls);
    replace(&path, |file| all.try_for_each(|call| writeln!(file, "{}", kept_line(call, None, None))))
        .map_err(|error| format!("{} cannot be written: {error}", Label::from_path(&path)))?;
    Ok((Some(path), u64::try_from(older.len()).unwrap_or(u64::MAX)))
}

/// The calls in a file of estimates.
fn calls_in(context: &Context<'_>, path: &Path) -> io::Result<Vec<Call>> {
    let bytes = regular_file::read_bytes(path, u64::MAX, |_| false)?;
    let (mut lines, mut records) = (Decoder::new(&["native"]), Vec::new());
    let origin = Origin { path: Label::new(ESTIMATES), offset: 0, modified: context.now() };
    for line in bytes.split(|byte| *byte == b'\n') {
        lines.line(line, &origin, &mut records);
    }
    let call = |record| if let Record::Call(call) = record { Some(call) } else { None };
    Ok(records.into_iter().filter_map(call).collect())
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
    let calls = match calls_in(context, &path) {
        Ok(calls) => calls,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            context.note(&format!("{} {}", Label::from_path(&path), regular_file::why(&error)));
            return None;
        }
    };
    let mut sums = Kept { cost: Some(Usd::ZERO), ..Kept::default() };
    for call in calls {
        if filter.admits(&call) {
            sums.calls += 1;
            sums.output_tokens = sums.output_tokens.saturating_add(call.tokens.output);
            sums.cost = sums.cost.zip(prices.cost(&call).usd()).map(|(sum, cost)| sum + cost);
        }
    }
    (sums.calls > 0).then_some(sums)
}
