//! Images and containers of a Docker Engine.

mod api;
mod client;
mod container;
mod containerd;
mod context;
mod export;
pub mod http;
mod overlay2;
mod source;
#[cfg(test)]
mod tests;
mod transport;

pub use client::{ApiVersion, Engine, EngineError};
pub use container::ContainerSource;
pub use context::{EngineAddress, engine_address};
pub use source::{EngineAccess, EngineOptions, EngineSource};
pub use transport::{Endpoint, TlsEndpoint};
