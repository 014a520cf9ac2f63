//! The reader around the decoder: fetches input, frames the DEFLATE data and hands out the
//! window.

use std::io::{self, Read};

use super::InflateError;
use super::bits::Source;
use super::decode::{Decoder, Progress};

/// What comes next in a compressed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A byte of a header or trailer.
    Byte,
    /// The beginning of a DEFLATE stream.
    Body,
    /// Nothing that belongs to the file.
    End,
}

/// A file format around DEFLATE data: told every byte outside it and every byte inside.
pub(super) trait Framing {
    /// What a file begins with.
    const FIRST: Next;

    /// One byte of a header or trailer; `None` is the end of the input.
    fn byte(&mut self, byte: Option<u8>) -> Result<Next, InflateError>;

    /// Decoded bytes.
    fn decoded(&mut self, bytes: &[u8]);

    /// The end of a DEFLATE stream; the next byte begins at a byte boundary.
    fn body_end(&mut self) -> Next;
}

/// A decoded stream.
#[derive(Debug)]
pub(super) struct Stream<R, F> {
    source: Source<R>,
    decoder: Decoder,
    framing: F,
    next: Next,
    /// What was wrong with the stream: said again at every further read.
    fault: Option<InflateError>,
    /// What the inner reader said while fresh bytes were there: said once.
    pending: Option<io::Error>,
    /// Bytes given to the caller.
    total: u64,
}

impl<R: Read, F: Framing> Stream<R, F> {
    pub fn new(inner: R, framing: F) -> Stream<R, F> {
        Stream {
            source: Source::new(inner),
            decoder: Decoder::new(),
            framing,
            next: F::FIRST,
            fault: None,
            pending: None,
            total: 0,
        }
    }

    pub fn framing(&self) -> &F {
        &self.framing
    }

    pub fn source(&self) -> &Source<R> {
        &self.source
    }

    pub fn source_mut(&mut self) -> &mut Source<R> {
        &mut self.source
    }

    pub fn into_inner(self) -> R {
        self.source.into_inner()
    }

    /// Bytes given to the caller so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The decoded bytes that lie ready, after decoding more if there are none. Empty at
    /// the end.
    pub fn fill(&mut self) -> io::Result<&[u8]> {
        if self.decoder.fresh().is_empty() {
            if let Some(error) = self.pending.take() {
                return Err(error);
            }
            if self.fault.is_none() {
                self.decoder.make_room();
                if let Err(error) = self.advance() {
                    if self.decoder.fresh().is_empty() {
                        return Err(error);
                    }
                    self.pending = Some(error);
                }
            }
            if let Some(fault) = self.fault
                && self.decoder.fresh().is_empty()
            {
                return Err(fault.into());
            }
        }
        Ok(self.decoder.fresh())
    }

    pub fn consume(&mut self, n: usize) {
        let n = n.min(self.decoder.fresh().len());
        self.decoder.consume(n);
        self.total += n as u64;
    }

    pub fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        let fresh = self.fill()?;
        let n = fresh.len().min(to.len());
        to[..n].copy_from_slice(&fresh[..n]);
        self.consume(n);
        Ok(n)
    }

    /// Decodes until the window is full, or the input at hand is used and something came
    /// out, or the stream is over or broken.
    fn advance(&mut self) -> io::Result<()> {
        loop {
            match self.next {
                Next::Byte => {
                    let byte = self.source.next_byte()?;
                    match self.framing.byte(byte) {
                        Ok(Next::Body) => {
                            self.decoder.restart();
                            self.next = Next::Body;
                        }
                        Ok(next) => self.next = next,
                        Err(fault) => {
                            self.fault = Some(fault);
                            return Ok(());
                        }
                    }
                }
                Next::Body => {
                    let decoder = &mut self.decoder;
                    let before = decoder.position();
                    let progress = self
                        .source
                        .with(|bits, input, pos| decoder.run(bits, input, pos));
                    self.framing
                        .decoded(decoder.newest(decoder.position() - before));
                    match progress {
                        Ok(Progress::Finished) => {
                            self.source.bits.align();
                            self.next = self.framing.body_end();
                        }
                        Ok(Progress::WindowFull) => return Ok(()),
                        Ok(Progress::NeedInput) => {
                            if !decoder.fresh().is_empty() {
                                return Ok(());
                            }
                            if !self.source.read_more()? {
                                self.fault = Some(InflateError::Truncated);
                                return Ok(());
                            }
                        }
                        Err(fault) => {
                            self.fault = Some(fault);
                            return Ok(());
                        }
                    }
                }
                Next::End => return Ok(()),
            }
        }
    }
}
