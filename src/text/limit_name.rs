//! Names of limits in list rows.

use super::short_paths;
use crate::domain::{Dimension, Label};
use crate::meter::{LimitState, LimitedSession};

/// The name of each limit in a list. A project's folder is reduced to its last component, or to as many as are needed
/// to tell it from the others.
pub(crate) fn row_names(limits: &[&LimitState]) -> Vec<String> {
    let folders: Vec<Option<String>> = limits.iter().map(|limit| folder(limit)).collect();
    let known: Vec<&str> = folders.iter().flatten().map(String::as_str).collect();
    let mut short = short_paths(&known).into_iter();
    let of_limit = |(limit, folder): (&&LimitState, &Option<String>)| match folder {
        Some(folder) => limit.name.replacen(folder, &short.next().unwrap_or_default(), 1),
        None => limit.name.clone(),
    };
    limits.iter().zip(&folders).map(of_limit).collect()
}

/// Shorter names, derived from those in a list: the word `session` is left out, unless another limit's name begins with
/// the rest: `session web-shop` stays so next to `web-shop daily`.
pub(crate) fn short_names(limits: &[&LimitState], row_names: &[String]) -> Vec<String> {
    let of_limit = |(limit, name): (&&LimitState, &String)| {
        let words = limit.session.as_ref().map(LimitedSession::words);
        let is_clear =
            |words: &String| !row_names.iter().any(|other| other != name && other.starts_with(words.as_str()));
        words.filter(is_clear).unwrap_or_else(|| name.clone())
    };
    limits.iter().zip(row_names).map(of_limit).collect()
}

/// The folder in a limit's name: that of its project, unless it is a pattern.
fn folder(limit: &LimitState) -> Option<String> {
    let scope = &limit.limit.scope;
    let (_, names) = scope.only.iter().find(|(dimension, _)| dimension.base() == Dimension::Project)?;
    let own = limit.subject.as_deref().filter(|_| scope.each && scope.only.len() == 1);
    let folder = Label::new(own.unwrap_or(names.as_str())).to_string();
    (folder.contains(['/', '\\']) && !folder.contains('*') && limit.name.contains(&folder)).then_some(folder)
}
