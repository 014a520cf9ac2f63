//! What an archive is read from.

use std::io::{self, BufRead};

/// A stream with its own buffer.
pub(crate) trait TarInput {
    /// The unread bytes at hand; empty only at the end.
    fn peek(&mut self) -> io::Result<&[u8]>;

    /// Marks `count` of them as read.
    fn advance(&mut self, count: usize);

    /// Leaves out `count` bytes; fewer only at the end.
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let mut left = count;
        while left > 0 {
            let available = self.peek()?.len();
            if available == 0 {
                break;
            }
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(available);
            self.advance(step);
            left -= step as u64;
        }
        Ok(count - left)
    }
}

impl<R: BufRead> TarInput for R {
    fn peek(&mut self) -> io::Result<&[u8]> {
        // Polonius would let one call do; the second finds the buffer filled.
        loop {
            match self.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.fill_buf()
    }

    fn advance(&mut self, count: usize) {
        self.consume(count);
    }
}
