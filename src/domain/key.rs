//! Identity of calls.

use std::fmt;
use std::str::FromStr;

use super::Tokens;

/// Identifies a call. The log format chooses the key: two sightings with the same key are one call.
///
/// A 128-bit hash of the identifying parts, small enough for a register and a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey([u8; 16]);

/// Half the length of a key.
const HALF: usize = 8;
/// The first bytes of an alias of attempts.
const ATTEMPTS: [u8; 4] = [0xff; 4];
/// The first bytes of an alias of counts.
const COUNTS: [u8; 4] = [0; 4];

impl CallKey {
    /// The key built from these parts, in this order.
    ///
    /// Lengths are hashed too, so `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn from_parts<P: AsRef<[u8]>>(parts: &[P]) -> Self {
        let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
        for part in parts {
            let part = part.as_ref();
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.digest128().to_be_bytes())
    }

    /// Alias of a client's attempts at one call, which may all have been answered, each with an id of its own. Of two
    /// aliases of a row the greater one is kept, and this kind is greater than any other.
    pub fn of_attempts<P: AsRef<[u8]>>(parts: &[P]) -> Self {
        let Self(mut bytes) = Self::from_parts(parts);
        bytes[..ATTEMPTS.len()].copy_from_slice(&ATTEMPTS);
        Self(bytes)
    }

    /// Alias of a call whose logs share no id, built from what they have in common, such as its session and counts. Of
    /// two aliases of a row the greater one is kept, and this kind is less than any other, so that an id is kept.
    pub fn of_counts<P: AsRef<[u8]>>(parts: &[P]) -> Self {
        let Self(mut bytes) = Self::from_parts(parts);
        bytes[..COUNTS.len()].copy_from_slice(&COUNTS);
        Self(bytes)
    }

    /// True for an alias of attempts, all of which are one call. Other keys are hashes, of which one in four billion
    /// begins like it.
    pub fn is_of_attempts(self) -> bool {
        self.0.starts_with(&ATTEMPTS)
    }

    /// The key relative to a root session: calls that a fork replays from its parent keep the parent's key.
    ///
    /// Applying it twice with the same root restores the key, so a row can move to another root.
    #[must_use]
    pub fn under(self, root: &str) -> Self {
        let Self(root) = Self::from_parts(&["lineage", root]);
        Self(std::array::from_fn(|at| self.0[at] ^ root[at]))
    }

    /// Key of one of several calls that may share this alias, made from what distinguishes them in their own source.
    ///
    /// It has half of the alias, by which [`CallKey::is_named`] knows it.
    #[must_use]
    pub fn named<P: AsRef<[u8]>>(self, parts: &[P]) -> Self {
        let Self(own) = Self::from_parts(parts);
        Self(std::array::from_fn(|at| if at < HALF { own[at] } else { self.0[at] }))
    }

    /// True for the alias itself, and for the keys that were made from it.
    pub fn is_named(self, alias: Self) -> bool {
        self.0[HALF..] == alias.0[HALF..]
    }

    /// Alias of a Gemini CLI answer, built from its session, model and counts, because its chats and its telemetry
    /// share no id.
    ///
    /// A session's prompt grows from call to call, so few of its answers have the same counts.
    pub fn of_gemini(session: &str, model: &str, tokens: &Tokens) -> Self {
        let counts = tokens.fields().map(u64::to_le_bytes).concat();
        Self::from_parts(&[b"gemini".as_slice(), session.as_bytes(), model.as_bytes(), &counts])
    }

    /// The key as bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Converts from bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for CallKey {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_between_parts_matters() {
        assert_ne!(CallKey::from_parts(&["ab", "c"]), CallKey::from_parts(&["a", "bc"]));
        assert_eq!(CallKey::from_parts(&["ab", "c"]), CallKey::from_parts(&["ab", "c"]));
    }

    #[test]
    fn a_key_knows_the_alias_that_it_was_made_from() {
        let (alias, other) = (CallKey::from_parts(&["a"]), CallKey::from_parts(&["b"]));
        let keys = [alias, alias.named(&["1"]), alias.named(&["2"]), other.named(&["1"])];
        assert_eq!(keys.map(|key| key.is_named(alias)), [true, true, true, false]);
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[1] != keys[3]);
    }

    #[test]
    fn an_alias_of_attempts_is_known_as_one_and_greater_than_other_keys() {
        let (alias, key) = (CallKey::of_attempts(&["a"]), CallKey::from_parts(&["a"]));
        assert!(alias.is_of_attempts() && !key.is_of_attempts() && alias > key);
        assert_ne!(alias, CallKey::of_attempts(&["b"]));
    }

    #[test]
    fn an_alias_of_counts_is_less_than_other_keys() {
        let alias = CallKey::of_counts(&["a"]);
        assert!(alias < CallKey::from_parts(&["a"]) && !alias.is_of_attempts());
        assert!(alias != CallKey::of_counts(&["b"]) && alias.named(&["1"]).is_named(alias));
    }

    #[test]
    fn a_key_moves_between_roots_and_back() {
        let key = CallKey::from_parts(&["codex", "1,2,3"]);
        assert_ne!(key.under("a"), key.under("b"));
        assert_eq!(key.under("a").under("a").under("b"), key.under("b"));
        assert_eq!(key.to_string().parse(), Ok(key));
    }
}
