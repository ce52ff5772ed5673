//! Tables by key.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::domain::CallKey;

/// What is known by key.
pub(super) type ByKey<T> = HashMap<CallKey, T, BuildHasherDefault<KeyHasher>>;

/// Some keys.
pub(super) type Keys = HashSet<CallKey, BuildHasherDefault<KeyHasher>>;

/// A key is a hash already: eight of its bytes serve as they are.
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
