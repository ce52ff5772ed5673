//! Finds files of one room that need each other. A file and the folder of its own name are one unit: `gate.rs` and
//! `gate/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::modules::Modules;

/// The file, or the file whose folder it is in.
fn unit(file: &Path) -> PathBuf {
    let owner = file.ancestors().skip(1).map(|folder| folder.with_extension("rs")).filter(|owner| owner.is_file());
    owner.last().unwrap_or_else(|| file.to_owned())
}

/// Every group of files in one room that need each other, directly or through others of the group.
pub(super) fn circles(modules: &Modules, room_of: impl Fn(&Path) -> String) -> Vec<Vec<PathBuf>> {
    let mut needs: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for (names, module) in &modules.0 {
        let from = unit(&module.file);
        for path in &module.mentions {
            let Some(to) = modules.file_of(names, path).map(unit) else { continue };
            if to != from && room_of(&to) == room_of(&from) {
                needs.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    let reach = |from: &Path| {
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![from]);
        while let Some(file) = waiting.pop() {
            for next in needs.get(file).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    waiting.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<PathBuf, BTreeSet<PathBuf>> = needs.keys().map(|file| (file.clone(), reach(file))).collect();
    let mut found = BTreeSet::new();
    for (file, seen) in reached.iter().filter(|(file, seen)| seen.contains(*file)) {
        let group: Vec<PathBuf> =
            seen.iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(file))).cloned().collect();
        found.insert(group);
    }
    found.into_iter().collect()
}
