//! The gzip and DEFLATE readers against zlib-rs, and against streams made bit by bit.
#![expect(
    clippy::cast_possible_truncation,
    reason = "the makers of streams count small things"
)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{self, BufRead, Read, Write};

use flate2::Compression;
use proptest::prelude::*;
use seaworthy_image::inflate::{GzipReader, InflateError, InflateReader};

/// A reader that gives few bytes at a time, and is interrupted now and then.
struct Chunks<'a> {
    data: &'a [u8],
    size: usize,
    calls: usize,
}

fn chunks(data: &[u8], size: usize) -> Chunks<'_> {
    Chunks {
        data,
        size,
        calls: 0,
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(7) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = self.size.min(to.len()).min(self.data.len());
        to[..n].copy_from_slice(&self.data[..n]);
        self.data = &self.data[n..];
        Ok(n)
    }
}

/// What came out, and the error that ended it.
type Outcome = (Vec<u8>, Option<InflateError>);

/// Reads to the end through a buffer of `step` bytes; with 0, through the lent window.
fn drain(mut reader: impl BufRead, step: usize) -> Outcome {
    let mut out = Vec::new();
    let mut buffer = vec![0; step];
    loop {
        let got = if step == 0 {
            reader.fill_buf().map(|fresh| {
                out.extend_from_slice(fresh);
                fresh.len()
            })
        } else {
            reader
                .read(&mut buffer)
                .inspect(|&n| out.extend_from_slice(&buffer[..n]))
        };
        match got {
            Ok(0) => return (out, None),
            Ok(n) if step == 0 => reader.consume(n),
            Ok(_) => {}
            Err(e) => {
                let again = reader.read(&mut [0]).expect_err("a fault stays");
                assert_eq!(again.to_string(), e.to_string());
                let fault = e
                    .get_ref()
                    .and_then(|inner| inner.downcast_ref::<InflateError>());
                return (out, Some(*fault.expect("a fault of the stream")));
            }
        }
    }
}

fn gunzip(data: &[u8]) -> Outcome {
    drain(GzipReader::new(data), 0)
}

fn inflate(data: &[u8]) -> Outcome {
    drain(InflateReader::raw(data), 0)
}

fn gzipped(data: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// What zlib-rs says of raw DEFLATE data.
fn reference(data: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let ok = flate2::bufread::DeflateDecoder::new(data)
        .read_to_end(&mut out)
        .is_ok();
    (out, ok)
}

#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % below
    }
}

/// Bytes in which text, runs, repeats from near and far and noise follow each other.
fn structured(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random(seed | 1);
    let mut out: Vec<u8> = Vec::with_capacity(length + 512);
    while out.len() < length {
        match random.next(5) {
            0 => out.extend(std::iter::repeat_n(
                random.next(256) as u8,
                random.next(600),
            )),
            1 => out.extend((0..random.next(80)).map(|_| b"abcdefgh \n"[random.next(10)])),
            2 => out.extend((0..random.next(40)).map(|_| random.next(256) as u8)),
            _ if out.is_empty() => {}
            kind => {
                let reach = if kind == 3 { 40 } else { 33_000 };
                let back = 1 + random.next(reach.min(out.len()));
                for _ in 0..random.next(300) {
                    out.push(out[out.len() - back]);
                }
            }
        }
    }
    out.truncate(length);
    out
}

/// Writes DEFLATE data bit by bit.
#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    buffer: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: usize, bits: u32) {
        self.buffer |= (value as u64) << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.out.push(self.buffer as u8);
            self.buffer >>= 8;
            self.count -= 8;
        }
    }

    fn align(&mut self) {
        self.put(0, (8 - self.count) % 8);
    }

    fn done(mut self) -> Vec<u8> {
        self.align();
        self.out
    }

    fn stored(&mut self, last: bool, bytes: &[u8]) {
        self.put(usize::from(last), 3);
        self.align();
        self.put(bytes.len(), 16);
        self.put(!bytes.len() & 0xffff, 16);
        for &byte in bytes {
            self.put(usize::from(byte), 8);
        }
    }

    /// The header of a dynamic block, its code lengths written one by one: with 13 of the
    /// code length codes of four bits and six of five, every length can be said.
    fn dynamic(&mut self, last: bool, lengths: &[u8], distances: &[u8]) {
        self.dynamic_head(last, lengths.len(), distances.len());
        for &bits in lengths.iter().chain(distances) {
            self.meta(usize::from(bits));
        }
    }

    fn dynamic_head(&mut self, last: bool, lengths: usize, distances: usize) {
        self.put(usize::from(last) | 2 << 1, 3);
        self.put(lengths - 257, 5);
        self.put(distances - 1, 5);
        self.put(19 - 4, 4);
        for symbol in [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ] {
            self.put(if symbol < 13 { 4 } else { 5 }, 3);
        }
    }

    /// A symbol of the code lengths.
    fn meta(&mut self, symbol: usize) {
        let lengths: Vec<u8> = (0..19).map(|s| if s < 13 { 4 } else { 5 }).collect();
        self.code(&lengths, symbol);
    }

    /// The code of `symbol` in the canonical code with these lengths, highest bit first.
    fn code(&mut self, lengths: &[u8], symbol: usize) {
        let bits = lengths[symbol];
        assert!(bits > 0, "symbol {symbol} has a code");
        let mut code = 0_usize;
        for shorter in 1..=bits {
            code <<= 1;
            let before = if shorter < bits {
                lengths.len()
            } else {
                symbol
            };
            code += lengths[..before].iter().filter(|&&l| l == shorter).count();
        }
        for bit in (0..bits).rev() {
            self.put(code >> bit & 1, 1);
        }
    }

    fn length(&mut self, lengths: &[u8], length: usize) {
        let (symbol, extra, bits) = length_symbol(length);
        self.code(lengths, symbol);
        self.put(extra, bits);
    }

    fn distance(&mut self, distances: &[u8], distance: usize) {
        let (symbol, extra, bits) = distance_symbol(distance);
        self.code(distances, symbol);
        self.put(extra, bits);
    }
}

fn length_symbol(length: usize) -> (usize, usize, u32) {
    if length == 258 {
        return (285, 0, 0);
    }
    let offset = length - 3;
    if offset < 8 {
        return (257 + offset, 0, 0);
    }
    let bits = offset.ilog2() - 2;
    (
        257 + 4 * bits as usize + (offset >> bits),
        offset & ((1 << bits) - 1),
        bits,
    )
}

fn distance_symbol(distance: usize) -> (usize, usize, u32) {
    let offset = distance - 1;
    if offset < 4 {
        return (offset, 0, 0);
    }
    let bits = offset.ilog2() - 1;
    (
        2 * bits as usize + (offset >> bits),
        offset & ((1 << bits) - 1),
        bits,
    )
}

const FIXED_DISTANCES: [u8; 30] = [5; 30];

fn fixed_lengths() -> Vec<u8> {
    (0..288)
        .map(|symbol| match symbol {
            0..144 => 8,
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        })
        .collect()
}

/// Lengths of a random complete code: some of the symbols, codes up to 15 bits. `must` gets
/// one.
fn random_code(random: &mut Random, symbols: usize, must: usize) -> Vec<u8> {
    let n = 2 + random.next(symbols - 1);
    let deep = random.next(3) > 0;
    let mut leaves = vec![1_u8, 1];
    while leaves.len() < n {
        let deepest = leaves.len() - 1;
        let at = if deep && random.next(3) > 0 {
            deepest
        } else {
            random.next(leaves.len())
        };
        if leaves[at] == 15 {
            // Where all are that deep there are 2^15 of them: this ends.
            let Some(other) = leaves.iter().position(|&l| l < 15) else {
                break;
            };
            leaves[other] += 1;
            leaves.push(leaves[other]);
            continue;
        }
        leaves[at] += 1;
        leaves.push(leaves[at]);
    }
    let mut lengths = vec![0; symbols];
    let mut places: Vec<usize> = (0..symbols).filter(|&s| s != must).collect();
    for (i, &bits) in leaves.iter().enumerate() {
        let place = if i == 0 {
            must
        } else {
            places.swap_remove(random.next(places.len()))
        };
        lengths[place] = bits;
    }
    lengths
}

/// A DEFLATE stream of blocks of all kinds with random codes, and what it stands for.
fn random_stream(seed: u64, symbols_per_block: usize) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random(seed | 1);
    let mut bits = Bits::default();
    let mut out: Vec<u8> = Vec::new();
    let blocks = 1 + random.next(5);
    for block in 0..blocks {
        let last = block + 1 == blocks;
        let kind = random.next(8);
        if kind == 0 {
            let bytes = structured(random.0, random.next(3000));
            bits.stored(last, &bytes);
            out.extend(bytes);
            continue;
        }
        let (lengths, distances) = if kind == 1 {
            bits.put(usize::from(last) | 1 << 1, 3);
            (fixed_lengths(), FIXED_DISTANCES.to_vec())
        } else {
            let lengths = random_code(&mut random, 286, 256);
            let distances = random_code(&mut random, 30, 0);
            bits.dynamic(last, &lengths, &distances);
            (lengths, distances)
        };
        let literals: Vec<usize> = (0..256).filter(|&s| lengths[s] > 0).collect();
        let matches: Vec<usize> = (3..=258)
            .filter(|&l| lengths[length_symbol(l).0] > 0)
            .collect();
        let reaches: Vec<usize> = (0..30).filter(|&s| distances[s] > 0).collect();
        for _ in 0..random.next(symbols_per_block) {
            let literal = !literals.is_empty() && random.next(3) > 0;
            if literal || matches.is_empty() || out.is_empty() {
                let Some(&byte) = literals.get(random.next(literals.len().max(1))) else {
                    break;
                };
                bits.code(&lengths, byte);
                out.push(byte as u8);
                continue;
            }
            let length = matches[random.next(matches.len())];
            let symbol = reaches[random.next(reaches.len())];
            let (base, extra) = if symbol < 4 {
                (symbol + 1, 0)
            } else {
                (1 + ((2 + symbol % 2) << (symbol / 2 - 1)), symbol / 2 - 1)
            };
            let distance = base + random.next(1 << extra);
            if distance > out.len() {
                continue;
            }
            bits.length(&lengths, length);
            bits.distance(&distances, distance);
            for _ in 0..length {
                out.push(out[out.len() - distance]);
            }
        }
        bits.code(&lengths, 256);
    }
    (bits.done(), out)
}

/// Both agree on whether a stream is whole; where it is not, what was given is the same as
/// far as both gave something.
fn assert_same_verdict(data: &[u8]) {
    let (ours, fault) = inflate(data);
    let (theirs, ok) = reference(data);
    assert_eq!(fault.is_none(), ok, "{fault:?}");
    if ok {
        assert!(ours == theirs);
    } else {
        let n = ours.len().min(theirs.len());
        assert!(ours[..n] == theirs[..n]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_level_comes_back_whatever_the_buffers(
        seed: u64, length in 0_usize..400_000, level in 0_u32..10,
        read in prop::sample::select(vec![1_usize, 2, 7, 31, 100, 4096, 1 << 20]),
        step in prop::sample::select(vec![0_usize, 1, 13, 4096, 1 << 20]),
    ) {
        let data = structured(seed, length);
        let gzip = gzipped(&data, level);
        let mut reader = GzipReader::new(chunks(&gzip, read));
        let (out, fault) = drain(&mut reader, step);
        prop_assert_eq!(fault, None);
        prop_assert!(out == data);
        prop_assert_eq!(reader.compressed_bytes(), gzip.len() as u64);
        prop_assert_eq!(reader.decoded_bytes(), data.len() as u64);
        prop_assert_eq!(reader.members(), 1);
    }

    #[test]
    fn any_bytes_come_back(data: Vec<u8>, level in 0_u32..10) {
        prop_assert_eq!(gunzip(&gzipped(&data, level)), (data, None));
    }

    #[test]
    fn members_join(seeds: Vec<u64>, read in 1_usize..50) {
        let parts: Vec<Vec<u8>> =
            seeds.iter().map(|&seed| structured(seed, (seed % 3000) as usize)).collect();
        let mut gzip: Vec<u8> = parts.iter().flat_map(|part| gzipped(part, 6)).collect();
        if gzip.is_empty() {
            gzip = gzipped(b"", 6);
        }
        gzip.extend([0; 700]);
        let mut reader = GzipReader::new(chunks(&gzip, read));
        let (out, fault) = drain(&mut reader, 0);
        prop_assert_eq!(fault, None);
        prop_assert!(out == parts.concat());
        prop_assert_eq!(reader.members(), parts.len().max(1) as u64);
        prop_assert!(!reader.trailing_garbage());
    }

    #[test]
    fn streams_with_random_codes_agree(seed: u64, read in 1_usize..5000) {
        let (data, expected) = random_stream(seed, 6000);
        let (out, fault) = inflate(&data);
        prop_assert_eq!(fault, None);
        prop_assert!(out == expected);
        let (out, fault) = drain(InflateReader::raw(chunks(&data, read)), 1000);
        prop_assert_eq!(fault, None);
        prop_assert!(out == expected);
        prop_assert!(reference(&data) == (expected, true));
    }

    #[test]
    fn flipped_bits_get_the_same_verdict(seed: u64, flips: Vec<prop::sample::Index>) {
        let (mut data, _) = random_stream(seed, 300);
        for flip in flips.iter().take(4) {
            let bit = flip.index(data.len() * 8);
            data[bit / 8] ^= 1 << (bit % 8);
        }
        assert_same_verdict(&data);
    }

    #[test]
    fn a_flipped_bit_never_passes_as_the_same_gzip(seed: u64, flip: prop::sample::Index) {
        let data = structured(seed, 2000);
        let mut gzip = gzipped(&data, 6);
        let bit = flip.index(gzip.len() * 8);
        gzip[bit / 8] ^= 1 << (bit % 8);
        let (out, fault) = gunzip(&gzip);
        // DEFLATE makes at most 258 bytes of two bits.
        prop_assert!(out.len() <= gzip.len() * 1032);
        // A time stamp or a padding bit may differ, the content may not.
        prop_assert!(fault.is_some() || out == data);
    }

    #[test]
    fn noise_gets_the_same_verdict(data: Vec<u8>) {
        assert_same_verdict(&data);
    }

    #[test]
    fn zlib_streams_come_back(seed: u64, length in 0_usize..100_000) {
        let data = structured(seed, length);
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(&data).unwrap();
        let mut zlib = encoder.finish().unwrap();
        prop_assert!(drain(InflateReader::zlib(&zlib[..]), 0) == (data.clone(), None));
        *zlib.last_mut().unwrap() ^= 1;
        prop_assert!(
            drain(InflateReader::zlib(&zlib[..]), 0) == (data, Some(InflateError::Checksum))
        );
    }
}

#[test]
fn a_stream_longer_than_many_windows_comes_back() {
    let data = structured(7, 5 << 20);
    for level in [0, 1, 6] {
        let (out, fault) = gunzip(&gzipped(&data, level));
        assert_eq!(fault, None);
        assert!(out == data);
    }
}

#[test]
fn every_truncation_gives_its_beginning_and_says_so() {
    let data = structured(3, 1500);
    for level in [0, 1, 9] {
        let gzip = gzipped(&data, level);
        let mut before = 0;
        for end in 0..gzip.len() {
            for read in [1, 1 << 16] {
                let reader = GzipReader::new(chunks(&gzip[..end], read));
                let (out, fault) = drain(reader, 0);
                assert_eq!(fault, Some(InflateError::Truncated), "{end}");
                assert!(data.starts_with(&out));
                assert!(out.len() >= before, "more input gives no less");
                before = out.len();
            }
        }
        assert_eq!(before, data.len(), "all came before the trailer");
        let error = GzipReader::new(&gzip[..gzip.len() - 1]).read_to_end(&mut Vec::new());
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn what_came_before_a_fault_is_given_first() {
    let mut bits = Bits::default();
    bits.stored(false, b"before");
    bits.put(3 << 1, 3);
    assert_eq!(
        inflate(&bits.done()),
        (b"before".to_vec(), Some(InflateError::BlockType))
    );
}

#[test]
fn an_inner_error_is_passed_on_and_reading_resumes() {
    struct Stutter<'a>(&'a [u8], bool);
    impl Read for Stutter<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.0.read(&mut to[..3])
        }
    }
    let data = structured(11, 5000);
    let gzip = gzipped(&data, 6);
    let mut reader = GzipReader::new(Stutter(&gzip, false));
    let mut out = Vec::new();
    let mut blocked = 0;
    loop {
        let mut buffer = [0; 64];
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => out.extend_from_slice(&buffer[..n]),
            Err(e) => {
                assert_eq!(e.kind(), io::ErrorKind::WouldBlock);
                blocked += 1;
            }
        }
    }
    assert!(out == data);
    assert!(blocked > gzip.len() / 6);
}

/// A gzip member with all optional header fields.
fn decorated(text: &[u8], header_crc: u16) -> Vec<u8> {
    let mut header = vec![0x1f, 0x8b, 8, 0b1_1110, 1, 2, 3, 4, 0, 255];
    header.extend([3, 0, b'S', b'B', 0]);
    header.extend(b"name\0comment\0");
    let crc = (crc32fast::hash(&header) & 0xffff) as u16 ^ header_crc;
    header.extend(crc.to_le_bytes());
    header.extend(&gzipped(text, 6)[10..]);
    header
}

#[test]
fn header_fields_are_skipped_and_their_crc_checked() {
    let gzip = decorated(b"sea", 0);
    assert_eq!(gunzip(&gzip), (b"sea".to_vec(), None));
    assert_eq!(
        drain(GzipReader::new(chunks(&gzip, 1)), 1),
        (b"sea".to_vec(), None)
    );
    let mut reader = flate2::bufread::GzDecoder::new(&gzip[..]);
    assert_eq!(reader.read(&mut [0; 9]).unwrap(), 3);

    assert_eq!(
        gunzip(&decorated(b"sea", 1)),
        (vec![], Some(InflateError::HeaderCrc))
    );
    for end in 0..gzip.len() {
        assert_eq!(gunzip(&gzip[..end]).1, Some(InflateError::Truncated));
    }
}

#[test]
fn broken_headers_and_trailers_are_named() {
    let gzip = gzipped(b"worthy", 6);
    let patched = |at: usize, byte: u8| {
        let mut gzip = gzip.clone();
        gzip[at] = byte;
        gunzip(&gzip)
    };
    assert_eq!(patched(0, 0x50), (vec![], Some(InflateError::NotGzip)));
    assert_eq!(patched(1, 0x50), (vec![], Some(InflateError::NotGzip)));
    assert_eq!(patched(2, 7), (vec![], Some(InflateError::Method)));
    assert_eq!(
        patched(3, 0x20),
        (vec![], Some(InflateError::ReservedFlags))
    );
    let end = gzip.len();
    let crc = gzip[end - 8] ^ 1;
    assert_eq!(
        patched(end - 8, crc),
        (b"worthy".to_vec(), Some(InflateError::Checksum))
    );
    assert_eq!(
        patched(end - 1, 1),
        (b"worthy".to_vec(), Some(InflateError::Length))
    );
    let error = GzipReader::new(&b"PK\x03\x04"[..])
        .read(&mut [0])
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(error.to_string(), "not a gzip stream");
}

#[test]
fn what_follows_the_last_member_is_told_apart() {
    let gzip = gzipped(b"cargo", 6);
    let with = |tail: &[u8]| {
        let data = [&gzip[..], tail].concat();
        let mut reader = GzipReader::new(&data[..]);
        let (out, fault) = drain(&mut reader, 0);
        assert_eq!(out, b"cargo");
        (reader.trailing_garbage(), fault)
    };
    assert_eq!(with(b""), (false, None));
    assert_eq!(with(&[0; 100_000]), (false, None));
    assert_eq!(with(b"garbage"), (true, None));
    assert_eq!(with(b"\0\0\0garbage"), (true, None));
    assert_eq!(with(b"\x1f"), (true, None));
    assert_eq!(with(b"\x1f\x8c"), (true, None));
    assert_eq!(with(b"\x1f\x8b"), (false, Some(InflateError::Truncated)));
    assert_eq!(with(b"\x1f\x8b\x07"), (false, Some(InflateError::Method)));
}

#[test]
fn a_member_cannot_reach_into_the_one_before() {
    let mut bits = Bits::default();
    bits.put(1 | 1 << 1, 3);
    bits.length(&fixed_lengths(), 3);
    bits.distance(&FIXED_DISTANCES, 1);
    bits.code(&fixed_lengths(), 256);
    let mut gzip = gzipped(b"secret", 6);
    gzip.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    gzip.extend(bits.done());
    gzip.extend([0; 40]);
    let expected = Some(InflateError::DistanceBeyondWindow);
    assert_eq!(gunzip(&gzip), (b"secret".to_vec(), expected));
}

#[test]
fn a_member_cannot_reach_into_the_one_before_after_the_window_moved() {
    // The window moves once more than half of its 256 KiB is read: within the own bytes.
    let before = (128 << 10) - 3;
    let mut gzip = gzipped(&structured(23, before), 6);
    gzip.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    let mut bits = Bits::default();
    bits.stored(false, b"own bytes");
    bits.put(1 | 1 << 1, 3);
    bits.length(&fixed_lengths(), 3);
    bits.distance(&FIXED_DISTANCES, 10);
    bits.code(&fixed_lengths(), 256);
    gzip.extend(bits.done());
    for read in [1, 8, 1 << 16] {
        let (out, fault) = drain(GzipReader::new(chunks(&gzip, read)), 0);
        assert_eq!(fault, Some(InflateError::DistanceBeyondWindow));
        assert!(out.ends_with(b"own bytes") && out.len() == before + 9);
    }
}

/// A block of fixed codes around what `write` puts into it.
fn fixed_block(write: impl FnOnce(&mut Bits, &[u8])) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(1 | 1 << 1, 3);
    let lengths = fixed_lengths();
    write(&mut bits, &lengths);
    bits.code(&lengths, 256);
    let mut data = bits.done();
    // The fast loop takes over only where there is more input.
    data.extend([0; 64]);
    data
}

#[test]
fn the_longest_matches_and_distances_work() {
    let head = structured(5, 32768);
    for distance in [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 255, 257, 258, 32767, 32768,
    ] {
        for length in [3, 4, 8, 9, 16, 17, 32, 33, 257, 258] {
            let mut bits = Bits::default();
            bits.stored(false, &head);
            bits.put(1 | 1 << 1, 3);
            bits.length(&fixed_lengths(), length);
            bits.distance(&FIXED_DISTANCES, distance);
            bits.code(&fixed_lengths(), 65);
            bits.code(&fixed_lengths(), 256);
            let mut expected = head.clone();
            for _ in 0..length {
                expected.push(expected[expected.len() - distance]);
            }
            expected.push(65);
            let mut data = bits.done();
            assert!(
                inflate(&data) == (expected.clone(), None),
                "slow {distance} {length}"
            );
            data.extend([0; 64]);
            assert!(
                inflate(&data) == (expected, None),
                "fast {distance} {length}"
            );
        }
    }
}

#[test]
fn a_distance_beyond_the_beginning_is_refused_fast_and_slow() {
    for tail in [0, 64] {
        let mut data = fixed_block(|bits, lengths| {
            bits.code(lengths, 65);
            bits.length(lengths, 3);
            bits.distance(&FIXED_DISTANCES, 2);
        });
        data.truncate(data.len() - 64 + tail);
        assert_eq!(
            inflate(&data),
            (b"A".to_vec(), Some(InflateError::DistanceBeyondWindow))
        );
    }
}

#[test]
fn symbols_that_fixed_codes_have_and_deflate_has_not_are_refused() {
    for symbol in [286, 287] {
        let data = fixed_block(|bits, lengths| bits.code(lengths, symbol));
        assert_eq!(inflate(&data).1, Some(InflateError::LengthCode));
    }
    for symbol in [30, 31] {
        let data = fixed_block(|bits, lengths| {
            bits.code(lengths, 65);
            bits.length(lengths, 3);
            bits.code(&[5; 32], symbol);
        });
        assert_eq!(
            inflate(&data),
            (b"A".to_vec(), Some(InflateError::DistanceCode))
        );
    }
}

#[test]
fn stored_blocks_may_be_empty_but_not_lie_about_their_length() {
    let mut bits = Bits::default();
    bits.stored(false, b"");
    bits.stored(false, b"x");
    bits.stored(true, b"");
    let data = bits.done();
    assert_eq!(inflate(&data), (b"x".to_vec(), None));
    let mut broken = data;
    broken[3] ^= 1;
    assert_eq!(inflate(&broken), (vec![], Some(InflateError::StoredLength)));
}

/// Code lengths of `symbols` symbols, those named given, the others 0.
fn lengths_of(symbols: usize, given: &[(usize, u8)]) -> Vec<u8> {
    let mut lengths = vec![0; symbols];
    for &(symbol, bits) in given {
        lengths[symbol] = bits;
    }
    lengths
}

/// A dynamic block with these lengths; `symbols` are written in the length code. Compared
/// with zlib-rs, with and without input behind it.
fn dynamic_block(lengths: &[u8], distances: &[u8], write: impl Fn(&mut Bits)) -> Outcome {
    let mut bits = Bits::default();
    bits.dynamic(true, lengths, distances);
    write(&mut bits);
    let mut data = bits.done();
    assert_same_verdict(&data);
    data.extend([0; 64]);
    assert_same_verdict(&data);
    inflate(&data)
}

#[test]
fn a_dynamic_block_may_hold_only_its_end() {
    let lengths = lengths_of(257, &[(256, 1)]);
    let outcome = dynamic_block(&lengths, &[0], |bits| bits.code(&lengths, 256));
    assert_eq!(outcome, (vec![], None));
    // The other value of that bit is no code.
    let outcome = dynamic_block(&lengths, &[0], |bits| bits.put(1, 1));
    assert_eq!(outcome, (vec![], Some(InflateError::LengthCode)));
}

#[test]
fn one_distance_code_of_one_bit_is_enough() {
    let lengths = lengths_of(258, &[(65, 1), (256, 2), (257, 2)]);
    let write = |distance: usize| {
        let lengths = &lengths;
        move |bits: &mut Bits| {
            bits.code(lengths, 65);
            bits.code(lengths, 257);
            bits.put(distance, 1);
            bits.code(lengths, 256);
        }
    };
    assert_eq!(
        dynamic_block(&lengths, &[1], write(0)),
        (b"AAAA".to_vec(), None)
    );
    let refused = (b"A".to_vec(), Some(InflateError::DistanceCode));
    assert_eq!(dynamic_block(&lengths, &[1], write(1)), refused);
    // No distance code at all matters only when one is used.
    assert_eq!(dynamic_block(&lengths, &[0], write(0)), refused);
}

#[test]
fn codes_that_cannot_be_decoded_are_refused() {
    let good = lengths_of(257, &[(65, 1), (256, 1)]);
    let end = |bits: &mut Bits| bits.put(0, 16);
    let fault = |lengths: &[u8], distances: &[u8]| dynamic_block(lengths, distances, end).1;

    let over = lengths_of(257, &[(65, 1), (66, 1), (256, 1)]);
    assert_eq!(fault(&over, &[0]), Some(InflateError::LengthCodes));
    let incomplete = lengths_of(257, &[(65, 1), (256, 2)]);
    assert_eq!(fault(&incomplete, &[0]), Some(InflateError::LengthCodes));
    let one_of_two_bits = lengths_of(257, &[(256, 2)]);
    assert_eq!(
        fault(&one_of_two_bits, &[0]),
        Some(InflateError::LengthCodes)
    );
    let no_end = lengths_of(257, &[(65, 1), (66, 1)]);
    assert_eq!(fault(&no_end, &[0]), Some(InflateError::NoEndOfBlock));
    assert_eq!(fault(&good, &[1, 1, 1]), Some(InflateError::DistanceCodes));
    assert_eq!(fault(&good, &[1, 2]), Some(InflateError::DistanceCodes));
    assert_eq!(fault(&good, &[2]), Some(InflateError::DistanceCodes));
    assert_eq!(fault(&good, &[15, 15]), Some(InflateError::DistanceCodes));
}

#[test]
fn too_many_symbols_are_refused() {
    for (lengths, distances) in [(287, 1), (288, 1), (257, 31), (257, 32)] {
        let mut bits = Bits::default();
        bits.dynamic_head(true, lengths, distances);
        let mut data = bits.done();
        data.extend([0; 200]);
        assert_eq!(inflate(&data), (vec![], Some(InflateError::TooManySymbols)));
        assert_same_verdict(&data);
    }
}

#[test]
fn repeats_of_code_lengths_are_checked() {
    let mut bits = Bits::default();
    bits.dynamic_head(true, 257, 1);
    bits.meta(16);
    bits.put(0, 2);
    let data = [bits.done(), vec![0; 64]].concat();
    assert_eq!(
        inflate(&data),
        (vec![], Some(InflateError::RepeatWithoutLength))
    );
    assert_same_verdict(&data);

    for (symbol, extra) in [(16, 2), (17, 3), (18, 7)] {
        let mut bits = Bits::default();
        bits.dynamic_head(true, 257, 1);
        for _ in 0..256 {
            bits.meta(8);
        }
        bits.meta(symbol);
        bits.put(0, extra);
        let data = [bits.done(), vec![0; 64]].concat();
        assert_eq!(inflate(&data), (vec![], Some(InflateError::RepeatOverrun)));
        assert_same_verdict(&data);
    }
}

#[test]
fn a_repeat_may_cross_from_lengths_to_distances() {
    let mut bits = Bits::default();
    bits.dynamic_head(true, 257, 2);
    // 'A' and the end have one bit, and so have both distances: 191 zeros, 1, and so on.
    for (symbol, extra, bits_of_extra) in [
        (18, 65 - 11, 7),
        (1, 0, 0),
        (18, 138 - 11, 7),
        (18, 52 - 11, 7),
        (1, 0, 0),
        (1, 0, 0),
    ] {
        bits.meta(symbol);
        bits.put(extra, bits_of_extra);
    }
    bits.meta(1);
    bits.put(0b10, 2);
    let data = [bits.done(), vec![0; 64]].concat();
    assert_eq!(inflate(&data), (b"A".to_vec(), None));
    assert_same_verdict(&data);

    // Eight lengths of three bits, eight distances of three bits: one length, then repeats
    // of 6, 6 and 3, the second of which crosses.
    let lengths = [vec![0; 251], vec![3; 8]].concat();
    let mut bits = Bits::default();
    bits.dynamic_head(true, lengths.len(), 8);
    for (zeros, extra) in [(18, 138 - 11), (18, 113 - 11)] {
        bits.meta(zeros);
        bits.put(extra, 7);
    }
    bits.meta(3);
    for repeat in [6, 6, 3] {
        bits.meta(16);
        bits.put(repeat - 3, 2);
    }
    bits.code(&lengths, 251);
    bits.code(&lengths, 257);
    bits.code(&[3; 8], 0);
    bits.code(&lengths, 256);
    let data = [bits.done(), vec![0; 64]].concat();
    assert_eq!(inflate(&data), (vec![251; 4], None));
    assert_same_verdict(&data);
}

#[test]
fn an_incomplete_code_for_code_lengths_is_refused() {
    let mut bits = Bits::default();
    bits.put(1 | 2 << 1, 3);
    bits.put(0, 14);
    bits.put(1, 12);
    let data = [bits.done(), vec![0; 64]].concat();
    assert_eq!(
        inflate(&data),
        (vec![], Some(InflateError::CodeLengthCodes))
    );
    assert_same_verdict(&data);
}

#[test]
fn the_longest_codes_leave_enough_bits_for_the_next_symbol() {
    // Literals of up to 11 bits, lengths of 15 bits and 5 extra ones, distances of 15 and
    // 13: the bit buffer runs as low as it can.
    let mut lengths = lengths_of(
        286,
        &[(256, 12), (257, 13), (258, 14), (283, 15), (284, 15)],
    );
    for (i, literal) in lengths[65..76].iter_mut().enumerate() {
        *literal = 1 + i as u8;
    }
    let mut distances = vec![0; 30];
    for (i, distance) in distances[..14].iter_mut().enumerate() {
        *distance = 1 + i as u8;
    }
    distances[28] = 15;
    distances[29] = 15;

    let mut bits = Bits::default();
    let head = structured(17, 32768);
    bits.stored(false, &head);
    bits.dynamic(true, &lengths, &distances);
    let mut expected = head;
    let mut random = Random(99);
    for _ in 0..4_000 {
        for _ in 0..random.next(4) {
            let literal = 65 + random.next(11);
            bits.code(&lengths, literal);
            expected.push(literal as u8);
        }
        let length = 195 + random.next(63);
        let distance = 16385 + random.next(16384);
        bits.length(&lengths, length);
        bits.distance(&distances, distance);
        for _ in 0..length {
            expected.push(expected[expected.len() - distance]);
        }
    }
    bits.code(&lengths, 256);
    let data = bits.done();
    assert!(inflate(&data) == (expected.clone(), None));
    assert!(reference(&data) == (expected, true));
}

#[test]
fn the_end_of_a_raw_stream_is_known_to_the_byte() {
    let mut bits = Bits::default();
    bits.stored(true, b"hold");
    let length = bits.out.len() as u64;
    let data = [bits.done(), b"what follows".to_vec()].concat();
    let mut reader = InflateReader::raw(&data[..]);
    assert_eq!(drain(&mut reader, 0), (b"hold".to_vec(), None));
    assert_eq!(reader.compressed_bytes(), length);
    assert_eq!(reader.decoded_bytes(), 4);
}

#[test]
fn zlib_headers_are_checked() {
    let fault = |data: &[u8]| drain(InflateReader::zlib(data), 0).1;
    assert_eq!(fault(&[0x78, 0x9d]), Some(InflateError::NotZlib));
    assert_eq!(fault(&[0x79, 0x18]), Some(InflateError::Method));
    assert_eq!(fault(&[0x78, 0xbb]), Some(InflateError::Dictionary));
    assert_eq!(fault(&[0x78]), Some(InflateError::Truncated));
}
