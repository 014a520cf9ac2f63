//! Images and containers of a Docker Engine.

mod client;
mod context;
pub(crate) mod http;
mod transport;

pub use client::{ApiVersion, Engine, EngineError};
pub use context::{EngineAddress, engine_address};
pub use transport::{Endpoint, TlsEndpoint};
