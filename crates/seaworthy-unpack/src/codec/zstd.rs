//! Zstandard (RFC 8878), any number of frames, by libzstd with a bounded window.

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use crate::limits::{Incomplete, Limit};
use crate::output::Output;

/// The largest window that is decoded, as a power of two: 128 MiB, what the `zstd` program
/// accepts without being told otherwise. libzstd allocates it, so it is the bound.
const WINDOW_LOG: u32 = 27;

/// Unpacks the frames; frames to be skipped are. What follows the last one is no part of it.
pub(crate) fn unzstd(input: &[u8], out: &mut Output) -> Result<(), Incomplete> {
    let broken = |_| Incomplete::Damaged("zstd decoder can't be made");
    let mut decoder = Decoder::new().map_err(broken)?;
    decoder
        .set_parameter(DParameter::WindowLogMax(WINDOW_LOG))
        .map_err(broken)?;
    let mut used = 0_usize;
    loop {
        out.grow(input.len())?;
        let rest = input.get(used..).unwrap_or_default();
        let piece = rest.get(..1 << 20).unwrap_or(rest);
        let mut from = InBuffer::around(piece);
        let filled = out.bytes.len();
        // Writes behind what is there, into capacity that `grow` bounds.
        let mut to = OutBuffer::around_pos(&mut out.bytes, filled);
        let left = decoder.run(&mut from, &mut to);
        let eaten = from.pos();
        used += eaten;
        let left = left.map_err(|error| match error.to_string() {
            text if text.contains("memory") => Incomplete::Limit(Limit::Memory),
            text if text.contains("ictionary") => {
                Incomplete::unsupported("zstd with a dictionary of its own")
            }
            _ => Incomplete::Damaged("zstd stream"),
        })?;
        let rest = rest.get(eaten..).unwrap_or_default();
        // Zero: a frame ended, and all of it is out.
        if left == 0 && !is_frame(rest) {
            return Ok(());
        }
        let stuck = eaten == 0 && out.bytes.len() == filled;
        if stuck && out.bytes.len() < out.bytes.capacity() {
            return Err(Incomplete::TRUNCATED);
        }
        out.check_time()?;
    }
}

fn is_frame(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
    )
}
