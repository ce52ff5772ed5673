//! The tier charged for a call: speed, service and region.

/// The tier charged for a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier {
    /// The vendor's fast mode.
    pub speed: Speed,
    /// The vendor's service tier.
    pub service: Service,
    /// The region requested for inference.
    pub geo: Geo,
}

/// The vendor's speed mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speed {
    /// Normal speed.
    #[default]
    Standard,
    /// Faster answers at a multiple of the price.
    Fast,
}

/// The vendor's service tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The default tier.
    #[default]
    Standard,
    /// Prioritised, at a higher price.
    Priority,
    /// Cheaper, slower.
    Flex,
    /// Asynchronous, usually half price.
    Batch,
    /// The fastest tier, at several times the usual price.
    Ultrafast,
    /// Between standard and flex. Few providers sell it.
    Balanced,
    /// Unknown. Priced as standard and marked as a guess.
    Unknown,
}

/// Region requested for inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Geo {
    /// Anywhere.
    #[default]
    Global,
    /// Only in the United States.
    Us,
    /// Only in the European Union.
    Eu,
}
