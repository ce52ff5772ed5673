//! The keys that requests must present, from the file of `proxy key`. A change to the file takes effect with the next
//! request.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
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
    /// True once there has been a key, even if it was revoked or its file is gone.
    is_required: bool,
}

impl KeyRing {
    /// The keys in this file.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        let mut read = Read { keys: Some(HashMap::new()), ..Read::default() };
        read.update(path.as_deref());
        Self { path, read: Mutex::new(read) }
    }

    /// Owner of a presented key. Until the first key is created, requests without one have an anonymous owner; after
    /// that, every request needs a key.
    pub(crate) fn owner(&self, key: Option<&str>) -> Option<Owner> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.update(self.path.as_deref());
        let keys = read.keys.as_ref()?;
        match key {
            Some(key) => keys.get(&KeyHash::from_secret(key)).cloned(),
            None => (!read.is_required).then(Owner::default),
        }
    }
}

impl Read {
    /// Reads the file again if it has changed.
    fn update(&mut self, path: Option<&Path>) {
        let stamp = path.and_then(config::stamp);
        if self.stamp == stamp {
            return;
        }
        let all = path.and_then(|path| proxy_keys::read(path).ok());
        // A file that could not be read is read again, although it may not change before that.
        self.stamp = stamp.filter(|_| all.is_some());
        self.is_required |= all.as_ref().is_some_and(|all| !all.is_empty());
        self.keys = all.map(|all| {
            let alive = all.into_iter().filter(|key| key.revoked.is_none());
            alive.map(|key| (key.hash, Owner { key: Some(key.name), user: Some(key.user), team: key.team })).collect()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Instant, Label};

    #[test]
    fn once_there_was_a_key_every_request_needs_one_even_if_all_are_revoked_or_their_file_is_gone() {
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
        assert_eq!((ring.owner(Some(&secret)), ring.owner(None)), (None, None));
        assert_eq!(KeyRing::new(Some(path.clone())).owner(None), None, "nor does a new proxy need none");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ring.owner(None), None);
        assert_eq!(KeyRing::new(Some(path)).owner(None), Some(Owner::default()), "nobody knows of any");
    }

    #[test]
    fn a_file_that_cannot_be_read_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.jsonl");
        std::fs::create_dir(&path).unwrap();
        let ring = KeyRing::new(Some(path));
        assert_eq!((ring.owner(None), ring.owner(Some("tm-1"))), (None, None));
        assert!(ring.read.lock().unwrap().stamp.is_none(), "it is read again with the next request");
        assert_eq!(KeyRing::new(None).owner(None), Some(Owner::default()));
    }
}
