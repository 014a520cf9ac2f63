//! The write-ahead log of an SQLite database (`rpmdb.sqlite-wal`).
//!
//! rpm empties it when it closes the database, so images hold an empty file or none. Pages
//! in it are newer than those of the database; they are not applied, but said.
//!
//! ```text
//! header  magic 0x377f0682 or 0x377f0683, version u32, page size u32, sequence u32,
//!         salt 8 bytes at 16, checksums; 32 bytes
//! frame   page u32, size after commit u32 at 4, salt 8 bytes at 8, checksums; 24 bytes,
//!         then the page; a frame with another salt is left over from before
//! ```

use seaworthy_core::ProblemKind;

use crate::bytes::slice;
use crate::{Sink, StreamReader};

const HEADER: usize = 32;

/// A log, seen by its first frame.
pub(super) struct Log {
    size: u64,
    head: Vec<u8>,
}

impl Log {
    pub(super) fn new(size: u64) -> Log {
        Log {
            size,
            head: Vec::new(),
        }
    }
}

impl StreamReader for Log {
    fn window(&mut self, _: u64, bytes: &[u8], _: &mut Sink) {
        let room = (HEADER + 24).saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
    }

    fn wants_more(&self) -> bool {
        self.head.len() < HEADER + 24
    }

    fn finish(self: Box<Self>, sink: &mut Sink) {
        if holds_pages(&self.head) {
            sink.problem(
                ProblemKind::Unsupported,
                format!(
                    "the package database has a log of {} bytes that was not merged: packages may be missing\n  hint: open the database once with `rpm -qa` in the image and build it anew",
                    self.size
                ),
            );
        }
    }
}

/// Whether the first frame is a current one.
fn holds_pages(head: &[u8]) -> bool {
    let salt = slice(head, 16, 8);
    salt.is_some() && salt == slice(head, HEADER + 8, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(log: &[u8]) -> usize {
        let mut reader = Box::new(Log::new(log.len() as u64));
        let mut sink = Sink::default();
        for (at, part) in log.chunks(10).enumerate() {
            reader.window(at as u64 * 10, part, &mut sink);
        }
        reader.finish(&mut sink);
        sink.into_parts().1.len()
    }

    #[test]
    fn a_log_with_a_current_frame_is_a_problem_and_an_empty_one_is_not() {
        let mut log = vec![0; HEADER + 24 + 512];
        log[16..24].copy_from_slice(b"saltsalt");
        assert_eq!(problems(&log), 0);
        log[40..48].copy_from_slice(b"saltsalt");
        assert_eq!(problems(&log), 1);
        assert_eq!(problems(b""), 0);
        assert_eq!(problems(&log[..32]), 0);
    }
}
