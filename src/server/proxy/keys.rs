//! The keys that requests must present, from the file of `proxy key`. A change to the file takes effect with the next
//! request.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::admission::Owner;
use crate::config::proxy_keys::{self, KeyHash};
use crate::config::{self, Stamp};

/// Keys by their hash.
pub(crate) struct KeyRing {
    /// The file; `None` if there is no data folder and therefore no keys.
    path: Option<PathBuf>,
    read: Mutex<Read>,
}

/// The file as it was last read.
#[derive(Default)]
struct Read {
    stamp: Option<Stamp>,
    /// Every key that is not revoked; `None` if the file cannot be read, in which case nobody is admitted.
    keys: Option<HashMap<KeyHash, Owner>>,
}

impl KeyRing {
    /// The keys in this file.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, read: Mutex::new(Read { stamp: None, keys: Some(HashMap::new()) }) }
    }

    /// Owner of a presented key. As long as no keys exist, requests without one have an anonymous owner; after that,
    /// every request needs a key.
    pub(crate) fn owner(&self, key: Option<&str>) -> Option<Owner> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.path.as_deref().and_then(config::stamp);
        if read.stamp != stamp {
            *read = Read { stamp, keys: self.path.as_deref().and_then(keys) };
        }
        let keys = read.keys.as_ref()?;
        match key {
            Some(key) => keys.get(&KeyHash::from_secret(key)).cloned(),
            None => keys.is_empty().then(Owner::default),
        }
    }
}

fn keys(path: &std::path::Path) -> Option<HashMap<KeyHash, Owner>> {
    let keys = proxy_keys::read(path).ok()?;
    let alive = keys.into_iter().filter(|key| key.revoked.is_none());
    Some(alive.map(|key| (key.hash, Owner { key: Some(key.name), user: Some(key.user), team: key.team })).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Instant, Label};

    #[test]
    fn once_there_is_a_key_every_request_needs_one_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.jsonl");
        let ring = KeyRing::new(Some(path.clone()));
        assert_eq!(ring.owner(None), Some(Owner::default()));
        assert_eq!(ring.owner(Some("tm-guess")), None, "a key that was never made");
        let (alice, web) = (Label::new("alice"), Label::new("web"));
        let (name, secret) = proxy_keys::add(&path, None, &alice, Some(&web), Instant::default()).unwrap();
        let owner = Owner { key: Some(name.clone()), user: Some(alice), team: Some(web) };
        assert_eq!((ring.owner(Some(&secret)), ring.owner(None)), (Some(owner), None));
        assert_eq!(ring.owner(Some(&secret[..secret.len() - 1])), None);
        assert!(proxy_keys::revoke(&path, &name, Instant::default()).unwrap());
        assert_eq!((ring.owner(Some(&secret)), ring.owner(None)), (None, Some(Owner::default())));
    }

    #[test]
    fn a_file_that_cannot_be_read_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.jsonl");
        std::fs::create_dir(&path).unwrap();
        let ring = KeyRing::new(Some(path));
        assert_eq!((ring.owner(None), ring.owner(Some("tm-1"))), (None, None));
        assert_eq!(KeyRing::new(None).owner(None), Some(Owner::default()));
    }
}
