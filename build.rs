//! Packs the samples into one compressed archive, which `tokmeter selftest` has with it.

#![allow(clippy::disallowed_methods, reason = "a build script has its paths from the environment alone")]

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::{Compression, write::GzEncoder};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=samples");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("samples");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("samples.gz");
    let mut archive = GzEncoder::new(fs::File::create(out)?, Compression::best());
    for folder in entries(&root)?.iter().filter(|folder| folder.join("expected.json").is_file()) {
        pack(&root, folder, &mut archive)?;
    }
    archive.finish()?;
    Ok(())
}

/// Appends every file below a folder: a line with its name, a line with its length, its bytes.
fn pack(root: &Path, folder: &Path, archive: &mut impl Write) -> io::Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            pack(root, &path, archive)?;
            continue;
        }
        let name: Vec<_> = path.strip_prefix(root).unwrap_or(&path).iter().map(|part| part.to_string_lossy()).collect();
        // A checkout with other line ends must not change what is counted.
        let bytes: Vec<u8> = fs::read(&path)?.into_iter().filter(|byte| *byte != b'\r').collect();
        write!(archive, "{}\n{}\n", name.join("/"), bytes.len())?;
        archive.write_all(&bytes)?;
    }
    Ok(())
}

/// The entries of a folder in the order of their names, so that the same samples give the same archive.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}
