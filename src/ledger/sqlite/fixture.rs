//! Fixtures for the tests of this module.

use crate::domain::{Attribution, Call, CallKey, Instant, Label, Record, Tokens, Usd};
use crate::pricing::{Cost, Pricer};

/// Prices every call at zero.
pub(super) struct Free;

impl Pricer for Free {
    fn cost(&self, _: &Call) -> Cost {
        Cost::Quoted(Usd::ZERO)
    }
}

/// A call in the given hour.
pub(super) fn call(hour: i64, output: u64) -> Record {
    let from = Attribution::new(Instant::from_timestamp(hour * 3600, 0).unwrap(), Label::new("test"));
    let tokens = Tokens { output, ..Tokens::ZERO };
    Record::Call(Call::new(CallKey::from_parts(&[hour.to_string()]), from, None, tokens))
}
