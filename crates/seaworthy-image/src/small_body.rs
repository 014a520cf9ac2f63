//! Answers of engines and registries that are read whole, within bounds.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// The whole of a small body.
///
/// # Errors
///
/// When it is longer than `limit` bytes, breaks, or takes longer than two minutes.
pub(crate) fn read_within(body: &mut dyn Read, limit: u64) -> io::Result<Vec<u8>> {
    const DEADLINE: Duration = Duration::from_secs(120);
    let start = Instant::now();
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        let count = body.read(&mut buffer)?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&buffer[..count]);
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("longer than {limit} bytes"),
            ));
        }
        if start.elapsed() > DEADLINE {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it takes too long"));
        }
    }
}
