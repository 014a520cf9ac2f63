//! Where decoders put what they unpack: a buffer that can't grow past its bound.

use std::time::Instant;

use crate::limits::{Incomplete, Limit};

/// What the buffer grows by at least.
const STEP: usize = 64 << 10;

/// A bounded buffer. Decoders append, and read back what they appended as their dictionary.
#[derive(Debug)]
pub(crate) struct Output {
    pub bytes: Vec<u8>,
    cap: usize,
    /// Which limit `cap` is.
    why: Limit,
    deadline: Option<Instant>,
}

impl Output {
    pub fn new(cap: usize, why: Limit, deadline: Option<Instant>) -> Output {
        Output {
            bytes: Vec::new(),
            cap,
            why,
            deadline,
        }
    }

    /// Bytes that may still be appended.
    pub fn room(&self) -> usize {
        self.cap.saturating_sub(self.bytes.len())
    }

    /// What to say when there is no room.
    pub fn full(&self) -> Incomplete {
        Incomplete::Limit(self.why)
    }

    /// Fails when the time is over. Asked every some hundred kilobytes.
    pub fn check_time(&self) -> Result<(), Incomplete> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Incomplete::Limit(Limit::Time)),
            _ => Ok(()),
        }
    }

    /// Sees to it that the buffer can take some more without moving, if it may.
    /// `hint`: bytes that are expected, from the archive, so only a hint.
    pub fn grow(&mut self, hint: usize) -> Result<(), Incomplete> {
        if self.bytes.len() < self.bytes.capacity() {
            return Ok(());
        }
        let room = self.room();
        if room == 0 {
            return Err(self.full());
        }
        // Doubling, from a hint that an archive can't stretch beyond a few megabytes.
        let wanted = self.bytes.len().max(hint.min(4 << 20)).max(STEP);
        self.bytes.reserve_exact(wanted.min(room));
        Ok(())
    }

    /// Appends what fits, and fails if that is not all.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Incomplete> {
        let fits = bytes.len().min(self.room());
        let (now, rest) = bytes.split_at(fits);
        if self.bytes.capacity() - self.bytes.len() < fits {
            let wanted = self.bytes.len().max(fits).max(STEP).min(self.room());
            self.bytes.reserve_exact(wanted);
        }
        self.bytes.extend_from_slice(now);
        if rest.is_empty() {
            Ok(())
        } else {
            Err(self.full())
        }
    }

    /// Appends one byte.
    #[inline]
    pub fn push_byte(&mut self, byte: u8) -> Result<(), Incomplete> {
        if self.bytes.len() == self.bytes.capacity() {
            self.grow(0)?;
        }
        if self.bytes.len() >= self.cap {
            return Err(self.full());
        }
        self.bytes.push(byte);
        Ok(())
    }

    /// Appends `length` bytes that begin `distance` bytes back, not before `start`: a match,
    /// which may repeat what it appends.
    pub fn copy_match(
        &mut self,
        start: usize,
        distance: usize,
        length: usize,
    ) -> Result<(), Incomplete> {
        let have = self.bytes.len();
        if distance == 0 || distance > have.saturating_sub(start) {
            return Err(Incomplete::Damaged("match begins before the data"));
        }
        let fits = length.min(self.room());
        if self.bytes.capacity() - have < fits {
            let wanted = have.max(fits).max(STEP).min(self.room());
            self.bytes.reserve_exact(wanted);
        }
        let from = have - distance;
        if distance >= fits {
            self.bytes.extend_from_within(from..from + fits);
        } else if distance == 1 {
            let byte = self.bytes.last().copied().unwrap_or_default();
            self.bytes.resize(have + fits, byte);
        } else {
            // Each round copies what is there, which doubles it.
            let mut left = fits;
            while left > 0 {
                let count = left.min(self.bytes.len() - from);
                self.bytes.extend_from_within(from..from + count);
                left -= count;
            }
        }
        if fits == length {
            Ok(())
        } else {
            Err(self.full())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_may_repeat_itself() {
        let mut out = Output::new(100, Limit::MemberBytes, None);
        out.push(b"xabc").unwrap();
        out.copy_match(0, 3, 8).unwrap();
        assert_eq!(out.bytes, b"xabcabcabcab");
        out.copy_match(0, 1, 3).unwrap();
        assert_eq!(out.bytes, b"xabcabcabcabbbb");
    }

    #[test]
    fn a_match_before_the_start_is_damage_and_one_past_the_bound_is_cut() {
        let mut out = Output::new(10, Limit::Ratio, None);
        out.push(b"abcdef").unwrap();
        assert!(matches!(
            out.copy_match(2, 5, 1),
            Err(Incomplete::Damaged(_))
        ));
        assert_eq!(
            out.copy_match(0, 2, 90),
            Err(Incomplete::Limit(Limit::Ratio))
        );
        assert_eq!(out.bytes, b"abcdefefef");
        assert_eq!(out.push_byte(0), Err(Incomplete::Limit(Limit::Ratio)));
    }
}
