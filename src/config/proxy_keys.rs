//! Proxy keys: who may call through the proxy, and on whose behalf. The file stores only hashes; a key is shown once.
//!
//! Each line of the file is a new key or a revocation. Lines are only appended, each in a single write: two commands
//! running at once lose nothing, and a line torn by a full disk affects no other key.

use std::io::Write as _;
use std::path::Path;

use ring::rand::SecureRandom as _;
use serde::{Deserialize, Serialize};

use super::regular_file;
use crate::domain::{Instant, Label, hex};

/// Prefix of every key, by which people and secret scanners recognise it.
const MARK: &str = "tm-";
/// Random bytes in a key.
const RANDOM: usize = 24;
/// Maximum bytes of the file to read.
const MOST: u64 = 16 * 1024 * 1024;

/// SHA-256 of a key. Keys are random, so no salt is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a presented key.
    pub(crate) fn from_secret(secret: &str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
        let mut hash = [0; 32];
        // Always the same length; a shorter hash would match no key.
        hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }

    fn hex(&self) -> String {
        hex(&self.0)
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.bytes().all(|letter| letter.is_ascii_hexdigit()) {
            return None;
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Self(hash))
    }
}

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyKey {
    pub(crate) name: Label,
    /// User of its calls.
    pub(crate) user: Label,
    /// Team of its calls.
    pub(crate) team: Option<Label>,
    pub(crate) created: Instant,
    pub(crate) revoked: Option<Instant>,
    pub(crate) hash: KeyHash,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Key {
        key: String,
        user: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        team: Option<String>,
        at: Instant,
        sha256: String,
    },
    Revoked {
        revoked: String,
        at: Instant,
    },
}

/// Reads all keys, oldest first, including revoked ones. A missing file means no keys.
///
/// # Errors
/// A sentence, if the file exists and cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<ProxyKey>, String> {
    let text = match regular_file::read_text(path, MOST) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{} {error}", Label::from_path(path))),
    };
    let mut keys: Vec<ProxyKey> = Vec::new();
    for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Key { key, user, team, at, sha256 } => {
                let Some(hash) = KeyHash::from_hex(&sha256) else { continue };
                let (name, user) = (Label::new(&key), Label::new(&user));
                let team = team.as_deref().map(Label::new);
                keys.push(ProxyKey { name, user, team, created: at, revoked: None, hash });
            }
            Line::Revoked { revoked, at } => {
                let name = Label::new(&revoked);
                let alive = keys.iter_mut().filter(|key| key.name == name && key.revoked.is_none());
                alive.for_each(|key| key.revoked = Some(at));
            }
        }
    }
    Ok(keys)
}

/// Why no key was created, in a sentence.
#[derive(Debug)]
pub(crate) enum NotAdded {
    /// An active key has the name.
    Taken(String),
    /// The file cannot be read or written.
    Failed(String),
}

impl From<String> for NotAdded {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Creates a key and returns its secret, which is not stored. The default name is the user's.
///
/// # Errors
/// If an active key already has the name, or the file cannot be read or written.
pub(crate) fn add(
    path: &Path,
    name: Option<&Label>,
    user: &Label,
    team: Option<&Label>,
    now: Instant,
) -> Result<(Label, String), NotAdded> {
    let keys = read(path)?;
    let is_taken = |name: &Label| keys.iter().any(|key| key.name == *name && key.revoked.is_none());
    let name = match name {
        Some(name) if is_taken(name) => {
            let why = format!("there is a key '{name}' already; revoke it, or choose another name");
            return Err(NotAdded::Taken(why));
        }
        Some(name) => name.clone(),
        None => {
            let numbered = (2..).map(|number: u64| Label::new(&format!("{user}-{number}")));
            std::iter::once(user.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_else(|| user.clone())
        }
    };
    let mut random = [0; RANDOM];
    ring::rand::SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| "the system's random number generator failed, so no key can be created".to_owned())?;
    let secret = format!("{MARK}{}", hex(&random));
    append(
        path,
        &Line::Key {
            key: name.to_string(),
            user: user.to_string(),
            team: team.map(ToString::to_string),
            at: now,
            sha256: KeyHash::from_secret(&secret).hex(),
        },
    )?;
    Ok((name, secret))
}

/// Revokes a key; false if there is no key of this name.
///
/// # Errors
/// A sentence, if the file cannot be read or written.
pub(crate) fn revoke(path: &Path, name: &Label, now: Instant) -> Result<bool, String> {
    if !read(path)?.iter().any(|key| key.name == *name && key.revoked.is_none()) {
        return Ok(false);
    }
    append(path, &Line::Revoked { revoked: name.to_string(), at: now })?;
    Ok(true)
}

fn append(path: &Path, line: &Line) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{} {error}", Label::from_path(path));
    let line = serde_json::to_string(line).map_err(|error| failed(&error))?;
    let mut file = regular_file::open_for_appending(path).map_err(|error| failed(&error))?;
    // The leading newline ends any line that was torn before.
    file.write_all(format!("\n{line}\n").as_bytes()).map_err(|error| failed(&format!("cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn a_key_is_stored_as_its_hash_in_a_file_of_its_owner_and_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.jsonl");
        assert_eq!(read(&path), Ok(Vec::new()));
        let (alice, web) = (Label::new("alice"), Label::new("web"));
        let (name, secret) = add(&path, None, &alice, Some(&web), at(1)).unwrap();
        assert_eq!((name.as_str(), secret.len(), &secret[..3]), ("alice", 3 + 2 * RANDOM, MARK));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&secret) && !text.contains(&secret[3..]));
        let keys = read(&path).unwrap();
        let hash = KeyHash::from_secret(&secret);
        let expected = ProxyKey { name, user: alice.clone(), team: Some(web), created: at(1), revoked: None, hash };
        assert_eq!(keys, [expected]);
        assert_ne!(KeyHash::from_secret(&secret[1..]), hash);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn the_hash_is_sha_256() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::from_secret("abc").hex(), abc);
        assert_eq!(KeyHash::from_hex(abc), Some(KeyHash::from_secret("abc")));
        assert_eq!(KeyHash::from_hex(&abc[1..]), None);
        assert_eq!(KeyHash::from_hex(&abc.replace('b', "é")), None);
    }

    #[test]
    fn a_revoked_name_is_free_again_and_torn_lines_cost_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.jsonl");
        let alice = Label::new("alice");
        let names: Vec<String> =
            (0..3).map(|second| add(&path, None, &alice, None, at(second)).unwrap().0.to_string()).collect();
        assert_eq!(names, ["alice", "alice-2", "alice-3"]);
        assert!(matches!(add(&path, Some(&alice), &alice, None, at(4)), Err(NotAdded::Taken(_))));
        assert_eq!(revoke(&path, &alice, at(5)), Ok(true));
        assert_eq!(revoke(&path, &alice, at(6)), Ok(false));
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"key\":\"to").unwrap();
        add(&path, Some(&alice), &alice, None, at(7)).unwrap();
        let keys: Vec<(String, Option<Instant>)> =
            read(&path).unwrap().into_iter().map(|key| (key.name.to_string(), key.revoked)).collect();
        let key = |name: &str, revoked| (name.to_owned(), revoked);
        assert_eq!(keys, [key("alice", Some(at(5))), key("alice-2", None), key("alice-3", None), key("alice", None)]);
    }
}
