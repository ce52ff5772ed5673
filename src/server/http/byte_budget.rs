//! Limits the exports on their way to the ledger, so that memory is bounded while the ledger is slow.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in KiB.
const UNIT: usize = 1024;

/// Permits for the bytes of all bodies that are being received, decoded or waiting to be booked.
pub(super) struct ByteBudget(Arc<Semaphore>);

/// A body's permit, which is released when dropped.
pub(super) type Share = OwnedSemaphorePermit;

impl ByteBudget {
    /// Enough room for a few bodies of this length.
    pub(super) fn new(longest: usize) -> Self {
        Self(Arc::new(Semaphore::new(units(longest).saturating_mul(4).min(Semaphore::MAX_PERMITS))))
    }

    /// Takes the permit for a body; `None` if there is no room for it.
    pub(super) fn take(&self, bytes: usize) -> Option<Share> {
        Arc::clone(&self.0).try_acquire_many_owned(u32::try_from(units(bytes)).ok()?).ok()
    }
}

fn units(bytes: usize) -> usize {
    bytes / UNIT + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_of_the_longest_find_room_and_a_fifth_when_one_has_gone() {
        let room = ByteBudget::new(1 << 20);
        let mut shares: Vec<Share> = (0..4).map(|_| room.take(1 << 20).unwrap()).collect();
        assert!(room.take(1 << 20).is_none() && room.take(0).is_none());
        drop(shares.pop());
        assert!(room.take(1 << 20).is_some());
    }
}
