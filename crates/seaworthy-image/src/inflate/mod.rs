//! Decompression of gzip and DEFLATE streams at the speed of a whole-buffer decoder, in a
//! window of 256 KiB however large the stream is.
//!
//! Layers are gzip files of many gigabytes, and reading them is most of the work of a
//! scan. [`GzipReader`] follows RFC 1952, [`InflateReader`] reads raw DEFLATE (RFC 1951,
//! as in zip archives) or the zlib format (RFC 1950). Both give what is decoded as
//! [`std::io::BufRead`] slices of the decoder's own window, so that nothing is copied.
//!
//! Everything is checked: code tables, distances, lengths, checksums. Whatever a broken
//! stream held before its fault is given first, then the error. The stream can't make
//! these readers use more memory, but a kilobyte of it can become a megabyte: the caller
//! bounds what it accepts, by [`GzipReader::compressed_bytes`] if by ratio.
//!
//! Left out: preset dictionaries, seeking, and the header's file name, time and comment.

mod bits;
mod decode;
mod gzip;
mod raw;
mod stream;
mod tables;

use std::io;

pub use gzip::GzipReader;
pub use raw::InflateReader;

/// What is wrong with a compressed stream.
///
/// It comes inside an [`io::Error`] of kind `InvalidData`, or `UnexpectedEof` for
/// [`InflateError::Truncated`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InflateError {
    /// The input ends inside the stream.
    #[error("compressed data is truncated")]
    Truncated,
    /// The input does not begin with a gzip header.
    #[error("not a gzip stream")]
    NotGzip,
    /// The input does not begin with a zlib header.
    #[error("not a zlib stream")]
    NotZlib,
    /// The header names a method other than DEFLATE, or a window over 32 KiB.
    #[error("unknown compression method")]
    Method,
    /// The header has flags that no specification defines.
    #[error("reserved header flags are set")]
    ReservedFlags,
    /// The header's own checksum is wrong.
    #[error("header crc mismatch")]
    HeaderCrc,
    /// The stream needs a dictionary that is not in it.
    #[error("stream needs a preset dictionary")]
    Dictionary,
    /// A block of the undefined type 3.
    #[error("invalid block type")]
    BlockType,
    /// A stored block's length and its complement differ.
    #[error("invalid stored block length")]
    StoredLength,
    /// A dynamic block defines more symbols than there are.
    #[error("too many length or distance symbols")]
    TooManySymbols,
    /// The code for code lengths is over-subscribed or incomplete.
    #[error("invalid code for code lengths")]
    CodeLengthCodes,
    /// A code length is to be repeated and none came before.
    #[error("code length repeat without a length")]
    RepeatWithoutLength,
    /// A repeat of code lengths runs past the last symbol.
    #[error("code length repeat overrun")]
    RepeatOverrun,
    /// A dynamic block has no code for its end.
    #[error("missing end-of-block code")]
    NoEndOfBlock,
    /// The literal and length code is over-subscribed or incomplete.
    #[error("invalid code lengths of literals and lengths")]
    LengthCodes,
    /// The distance code is over-subscribed or incomplete.
    #[error("invalid code lengths of distances")]
    DistanceCodes,
    /// A bit pattern that is no literal and no length.
    #[error("invalid literal or length code")]
    LengthCode,
    /// A bit pattern that is no distance.
    #[error("invalid distance code")]
    DistanceCode,
    /// A match begins before the first byte of the stream.
    #[error("distance beyond window")]
    DistanceBeyondWindow,
    /// The decoded bytes have another checksum than the trailer says.
    #[error("crc mismatch")]
    Checksum,
    /// The decoded bytes are more or fewer than the trailer says.
    #[error("length mismatch")]
    Length,
}

impl From<InflateError> for io::Error {
    fn from(error: InflateError) -> io::Error {
        let kind = match error {
            InflateError::Truncated => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}
