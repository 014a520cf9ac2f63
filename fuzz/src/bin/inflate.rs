//! Our DEFLATE and gzip readers against zlib-rs: the same verdict, the same bytes, whatever
//! the chunks in which the input comes.
#![no_main]

use std::io::{BufRead, Read};

use libfuzzer_sys::fuzz_target;
use seaworthy_image::inflate::{GzipReader, InflateReader};

/// Output after which a stream is left alone.
const LIMIT: usize = 4 << 20;

/// Gives a few bytes at a time.
struct Chunks<'a>(&'a [u8], usize);

impl Read for Chunks<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(to.len());
        self.0.read(&mut to[..n])
    }
}

/// What came out, whether to the end without a fault, whether the limit was passed.
fn ours(mut reader: impl BufRead) -> (Vec<u8>, bool, bool) {
    let mut out = Vec::new();
    loop {
        match reader.fill_buf() {
            Ok([]) => return (out, true, false),
            Ok(fresh) => {
                out.extend_from_slice(fresh);
                let n = fresh.len();
                reader.consume(n);
                if out.len() > LIMIT {
                    return (out, false, true);
                }
            }
            Err(_) => return (out, false, false),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&size, data)) = data.split_first() else { return };
    let (whole, ok, over) = ours(InflateReader::raw(data));
    assert!(whole.len() <= LIMIT + (256 << 10));
    let (pieces, pieces_ok, pieces_over) =
        ours(InflateReader::raw(Chunks(data, usize::from(size) + 1)));
    if over || pieces_over {
        assert_eq!(over, pieces_over);
        return;
    }
    assert_eq!(ok, pieces_ok);
    assert!(whole == pieces);

    let mut theirs = Vec::new();
    let their_ok = flate2::bufread::DeflateDecoder::new(data).read_to_end(&mut theirs).is_ok();
    assert_eq!(ok, their_ok);
    let n = if ok { whole.len().max(theirs.len()) } else { whole.len().min(theirs.len()) };
    assert!(whole.get(..n) == theirs.get(..n));

    let (_, _, _) = ours(GzipReader::new(data));
    let (_, _, _) = ours(InflateReader::zlib(data));
});
