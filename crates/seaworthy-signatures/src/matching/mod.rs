//! Finding signatures in bytes: a prefilter over one literal per signature, then the rest of
//! the signature only where its literal was seen.

pub mod anchor;
pub mod body;
pub mod compare;
pub mod evaluate;
pub mod prefilter;
pub mod rarity;
pub mod regular;
