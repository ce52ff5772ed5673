//! Names of log formats in the config, compared with those that there are.

use crate::config::{Diagnostic, LimitKey, Loaded, plan_name};
use crate::domain::{Dimension, Label, Matcher};
use crate::{formats, text};

/// Name of the calls that the proxy counts.
const PROXY: &str = "proxy";

/// A warning for each log format that a plan or a limit names and that does not exist. It would cover no call.
pub(crate) fn unknown_sources(loaded: &Loaded) -> Vec<Diagnostic> {
    let known: Vec<&str> = formats::names().into_iter().chain([PROXY]).collect();
    let is_known = |names: &Matcher| known.iter().any(|name| names.matches(&Label::new(name)));
    let mut found = Vec::new();
    for plan in &loaded.settings.plans {
        for source in plan.sources.iter().filter(|source| !known.contains(&source.as_str())) {
            let whose = format!("plan '{}'", plan.name);
            found.push((format!("{}.sources", plan_name(plan)), whose, source.to_string()));
        }
    }
    for limit in &loaded.settings.limits {
        let key = LimitKey::from_limit(limit);
        let sources = limit.scope.names().iter().filter(|(dimension, _)| *dimension == Dimension::Source);
        for (_, names) in sources.filter(|(_, names)| !is_known(names)) {
            found.push((key.path().join("."), format!("limit '{key}'"), names.as_str().to_owned()));
        }
    }
    found.iter().map(|(key, whose, source)| loaded.warning(key, &message(whose, source, &known))).collect()
}

fn message(whose: &str, source: &str, known: &[&str]) -> String {
    let meant = text::meant(source, known.iter().copied());
    let advice =
        meant.map_or_else(|| "`tokmeter agents` lists them".to_owned(), |meant| format!("did you mean '{meant}'?"));
    format!("{whose}: no log format has the name '{source}'; {advice}")
}
