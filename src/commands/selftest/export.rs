//! Writes the samples to a folder, for testing other programs.

use std::fs;
use std::io;
use std::path::Path;

use crate::app::selftest::{HAZARDS, samples};
use crate::commands::{Context, Exit, Failure};
use crate::domain::Label;
use crate::text;

const README: &str = "# Golden samples

Made-up logs of coding agents, one folder per agent. Its `expected.json` holds the expected calls, tokens and exact
dollars of each sample (`traps`) and of the whole folder (`models`); its README.md explains each edge case. Input excludes
cache reads and writes; output includes reasoning. A `.sql` file holds the statements that made the database beside it,
in the order in which the agent writes them. `hazards.json` lists the samples that show each class of billing fault.

A count is right if it is the same in any order of files, and with files read twice.
";

pub(super) fn write(context: &mut Context<'_>, folder: &Path) -> Result<Exit, Failure> {
    let folder = context.absolute(folder);
    let wrong = |error: io::Error| Failure::new(Exit::Io, format!("{}: {error}", Label::from_path(&folder)));
    let is_used = fs::read_dir(&folder).map(|mut entries| entries.next().is_some());
    match is_used {
        Ok(true) => return Err(wrong(io::Error::other("is not empty; name a new folder"))),
        Ok(false) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(wrong(error)),
    }
    let samples = samples().map_err(wrong)?;
    for sample in &samples {
        let path = sample.write_below(&folder).map_err(wrong)?;
        if sample.is_database() {
            let statements =
                path.parent().unwrap_or(&folder).join(Path::new(&sample.name).file_name().unwrap_or_default());
            fs::write(statements, &sample.bytes).map_err(wrong)?;
        }
    }
    let hazards: Vec<_> = HAZARDS
        .iter()
        .map(|hazard| serde_json::json!({"hazard": hazard.name, "title": hazard.title, "samples": hazard.samples}))
        .collect();
    let hazards = serde_json::to_string_pretty(&hazards).map_err(|error| wrong(error.into()))?;
    fs::write(folder.join("hazards.json"), hazards + "\n").map_err(wrong)?;
    fs::write(folder.join("README.md"), README).map_err(wrong)?;
    let files = text::plural(u64::try_from(samples.len()).unwrap_or(u64::MAX), "file");
    writeln!(context.out, "{files} in {}", Label::from_path(&folder))?;
    Ok(Exit::Fine)
}
