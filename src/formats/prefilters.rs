//! The needle searches: one for lines that any program may have written, and one for each agent's own files. Each is
//! built when a line is first searched.

use std::path::Path;
use std::sync::{LazyLock, OnceLock};

use super::prefilter::{Prefilter, Set};
use super::{ALL, Env, Format};

/// Looks for the needles of all formats, in lines that any program may have written.
static ANYBODY: LazyLock<Prefilter> = LazyLock::new(|| Prefilter::new(ALL, looked_for(None)));

/// For the files of one agent, by its format's index in the registry. Other agents with places of their own need not be
/// looked for there.
static OWN: [OnceLock<Prefilter>; MOST] = [const { OnceLock::new() }; MOST];

/// Formats that have no place of their own.
static WITHOUT_PLACE: LazyLock<Set> = LazyLock::new(|| {
    let env = Env::new(Some(Path::new("/")), &|_| None);
    set_of(|format| format.locations(&env).is_empty())
});

/// The formats to look for in lines that any program may have written, or in the lines of one agent's own files.
///
/// In an agent's own files, other agents with places of their own need not be looked for. If the agent is known by its
/// place, no others are looked for at all.
fn looked_for(own: Option<usize>) -> Set {
    let Some(place) = own else { return set_of(|format| !format.is_known_by_place()) };
    let others = if ALL[place].is_known_by_place() { 0 } else { *WITHOUT_PLACE };
    others | 1 << place
}

/// The formats in the registry for which this is true.
fn set_of(is_wanted: impl Fn(&dyn Format) -> bool) -> Set {
    ALL.iter().enumerate().filter(|(_, format)| is_wanted(**format)).fold(0, |all, (at, _)| all | 1 << at)
}

/// Maximum number of formats in the registry.
const MOST: usize = Set::BITS as usize;
const _: () = assert!(ALL.len() <= MOST, "a set has no bit for each format");

/// The needle search for lines that any program may have written, or for one agent's own files, by its format's index
/// in the registry.
pub(super) fn prefilter_for(own: Option<usize>) -> &'static Prefilter {
    match own {
        Some(place) => OWN[place].get_or_init(|| Prefilter::new(ALL, looked_for(own))),
        None => &ANYBODY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_known_by_its_place_is_looked_for_there_and_nowhere_else() {
        let place = |name: &str| ALL.iter().position(|format| format.name() == name).unwrap();
        let holds = |set: Set, name: &str| set & 1 << place(name) != 0;
        let anywhere = looked_for(None);
        assert!(!holds(anywhere, "auggie") && holds(anywhere, "claude-code") && holds(anywhere, "native"));
        assert_eq!(looked_for(Some(place("auggie"))), 1 << place("auggie"));
        let own = looked_for(Some(place("claude-code")));
        assert!(holds(own, "claude-code") && holds(own, "native") && !holds(own, "codex") && !holds(own, "auggie"));
    }
}
