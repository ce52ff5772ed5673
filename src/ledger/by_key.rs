//! Hash maps and sets keyed by [`CallKey`].

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::domain::CallKey;

/// Map by call key.
pub(super) type ByKey<T> = HashMap<CallKey, T, BuildHasherDefault<KeyHasher>>;

/// Set of call keys.
pub(super) type Keys = HashSet<CallKey, BuildHasherDefault<KeyHasher>>;

/// Uses eight bytes of the key as its hash, because keys are hashes already.
#[derive(Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
