//! bzip2, any number of streams one behind the other.
//!
//! By the `bzip2` crate on its pure-Rust backend, whose memory is a block of 900 kB at most.

use bzip2::{Decompress, Status};

use crate::limits::Incomplete;
use crate::output::Output;

/// Unpacks the streams. What follows the last one and is none is no part of it.
pub(crate) fn bunzip2(input: &[u8], out: &mut Output) -> Result<(), Incomplete> {
    let mut rest = input;
    loop {
        let used = one(rest, out)?;
        rest = rest.get(used..).unwrap_or_default();
        if !rest.starts_with(b"BZh") {
            return Ok(());
        }
    }
}

/// Unpacks one stream; says how many bytes it is long.
pub(crate) fn one(input: &[u8], out: &mut Output) -> Result<usize, Incomplete> {
    let mut decoder = Decompress::new(false);
    let mut used = 0_usize;
    loop {
        out.grow(input.len())?;
        let rest = input.get(used..).unwrap_or_default();
        let piece = rest.get(..1 << 18).unwrap_or(rest);
        let (before_in, before_out) = (decoder.total_in(), out.bytes.len());
        let status = decoder.decompress_vec(piece, &mut out.bytes);
        let eaten = usize::try_from(decoder.total_in() - before_in).unwrap_or(usize::MAX);
        used = used.saturating_add(eaten);
        match status {
            Err(_) => return Err(Incomplete::Damaged("bzip2 stream")),
            Ok(Status::StreamEnd) => return Ok(used),
            Ok(_) => {}
        }
        let stuck = eaten == 0 && out.bytes.len() == before_out;
        if stuck && out.bytes.len() < out.bytes.capacity() {
            return Err(Incomplete::TRUNCATED);
        }
        out.check_time()?;
    }
}
