//! 7z.
//!
//! Follows 7-Zip's `7zFormat.txt`. An archive is packed streams and, at the end, a header
//! that is usually packed itself: folders (a graph of coders over packed streams, giving one
//! solid block), how many files are in each, then names and attributes of all files.
//!
//! Each block is unpacked once, whole, and cut into its files; the declared sizes bound
//! what coders may give and are no reason to allocate. Coders: copy, LZMA, LZMA2, the
//! filters of [`crate::codec::filters`] with BCJ2, DEFLATE, DEFLATE64, bzip2, and Zstandard and LZ4 of
//! 7-Zip ZS. Left out: PPMd, AES (reported as encrypted), volumes.

use std::borrow::Cow;

use crate::bytes::{Cursor, size};
use crate::codec::{bzip2, deflate, filters, filters::Filter, inflate64, lz4, lzma, zstd};
use crate::format::Format;
use crate::limits::{Incomplete, Limit};
use crate::names::clean;
use crate::output::Output;
use crate::walk::{Entry, Halt, Step, Walk};

const BROKEN: Incomplete = Incomplete::Damaged("7z header");

/// Coders of one folder: 7-Zip's own reader takes 32 too.
const MAX_CODERS: u64 = 32;

/// Files, streams and sums that a header may count, and folders, which are larger: each
/// costs some hundred bytes, and a header that packs well could ask for gigabytes.
const MAX_THINGS: usize = 1 << 20;
const MAX_FOLDERS: usize = 1 << 18;

/// Headers packed in headers.
const MAX_HEADERS: u32 = 4;

/// Property numbers of the header.
mod id {
    pub const END: u64 = 0;
    pub const HEADER: u64 = 1;
    pub const ARCHIVE_PROPERTIES: u64 = 2;
    pub const ADDITIONAL_STREAMS: u64 = 3;
    pub const MAIN_STREAMS: u64 = 4;
    pub const FILES: u64 = 5;
    pub const PACK_INFO: u64 = 6;
    pub const UNPACK_INFO: u64 = 7;
    pub const SUBSTREAMS: u64 = 8;
    pub const SIZE: u64 = 9;
    pub const CRC: u64 = 10;
    pub const FOLDER: u64 = 11;
    pub const CODERS_UNPACK_SIZE: u64 = 12;
    pub const NUM_UNPACK_STREAM: u64 = 13;
    pub const EMPTY_STREAM: u64 = 14;
    pub const EMPTY_FILE: u64 = 15;
    pub const NAMES: u64 = 17;
    pub const WIN_ATTRIBUTES: u64 = 21;
    pub const ENCODED_HEADER: u64 = 23;
}

#[derive(Debug)]
struct Coder<'a> {
    method: &'a [u8],
    inputs: usize,
    properties: &'a [u8],
    /// Of its output.
    unpacked: u64,
}

#[derive(Debug, Default)]
struct Folder<'a> {
    coders: Vec<Coder<'a>>,
    /// Input number, and the coder whose output it is.
    bonds: Vec<(usize, usize)>,
    /// Inputs that are packed streams, in their order.
    packed_inputs: Vec<usize>,
    /// First of its packed streams in the archive.
    first_stream: usize,
    /// Files in it, as their sizes and checksums.
    files: Vec<(u64, Option<u32>)>,
    sum: Option<u32>,
}

impl Folder<'_> {
    /// The coder whose output no other takes.
    fn last_coder(&self) -> Option<usize> {
        (0..self.coders.len()).find(|coder| self.bonds.iter().all(|(_, from)| from != coder))
    }

    fn unpacked(&self) -> u64 {
        self.last_coder()
            .and_then(|at| self.coders.get(at))
            .map_or(0, |coder| coder.unpacked)
    }
}

#[derive(Debug, Default)]
struct Streams<'a> {
    /// First byte and length of each packed stream.
    packed: Vec<(u64, u64)>,
    folders: Vec<Folder<'a>>,
}

#[derive(Debug, Default, Clone)]
struct File {
    name: String,
    mode: Option<u32>,
    has_stream: bool,
    is_directory: bool,
}

/// Walks the files.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8]) -> Step {
    let mut start = Cursor::at(bytes, 12);
    let (offset, length) = (start.u64()?, start.u64()?);
    start.skip(4)?;
    if length == 0 {
        return Ok(());
    }
    let at = size(offset)?.checked_add(32).ok_or(Incomplete::TRUNCATED)?;
    let mut header = Cow::Borrowed(Cursor::at(bytes, at).take_u64(length)?);
    for _ in 0..MAX_HEADERS {
        let mut cursor = Cursor::new(&header);
        match number(&mut cursor)? {
            id::HEADER => return read_header(walk, bytes, &mut cursor),
            id::ENCODED_HEADER => {
                let streams = streams(&mut cursor)?;
                let folder = streams.folders.first().ok_or(BROKEN)?;
                let (unpacked, done) = unpack_folder(walk, bytes, &streams, folder)?;
                done?;
                header = Cow::Owned(unpacked.into_owned());
            }
            _ => return Err(BROKEN.into()),
        }
    }
    Err(BROKEN.into())
}

fn read_header(walk: &mut Walk<'_>, bytes: &[u8], cursor: &mut Cursor<'_>) -> Step {
    let mut found = Streams::default();
    let mut files = Vec::new();
    loop {
        match number(cursor)? {
            id::END => break,
            id::ARCHIVE_PROPERTIES => loop {
                if number(cursor)? == id::END {
                    break;
                }
                let length = number(cursor)?;
                cursor.take_u64(length)?;
            },
            id::ADDITIONAL_STREAMS => {
                streams(cursor)?;
            }
            id::MAIN_STREAMS => found = streams(cursor)?,
            id::FILES => files = read_files(cursor)?,
            _ => return Err(BROKEN.into()),
        }
    }
    let mut with_stream = files.iter().filter(|file| file.has_stream);
    for folder in &found.folders {
        let members: Vec<&File> = with_stream.by_ref().take(folder.files.len()).collect();
        read_folder(walk, bytes, &found, folder, &members)?;
    }
    for file in files
        .iter()
        .filter(|file| !file.has_stream && !file.is_directory)
    {
        walk.stored(&entry(file), b"", true)?;
    }
    Ok(())
}

fn entry(file: &File) -> Entry<'_> {
    Entry {
        container: Format::SevenZip,
        name: &file.name,
        mode: file.mode,
    }
}

/// Unpacks a solid block and enters its files.
fn read_folder(
    walk: &mut Walk<'_>,
    bytes: &[u8],
    streams: &Streams<'_>,
    folder: &Folder<'_>,
    members: &[&File],
) -> Step {
    let (unpacked, done) = unpack_folder(walk, bytes, streams, folder)?;
    let mut at = 0_usize;
    for (number, &(length, sum)) in folder.files.iter().enumerate() {
        let unnamed = File {
            name: "content".to_owned(),
            ..File::default()
        };
        let file = members.get(number).copied().unwrap_or(&unnamed);
        let end = at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        let whole = unpacked.get(at..end);
        let shown = whole.unwrap_or_else(|| unpacked.get(at..).unwrap_or_default());
        at = end.min(unpacked.len());
        // Links.
        if file
            .mode
            .is_some_and(|mode| !matches!(mode & 0o170_000, 0 | 0o100_000))
        {
            continue;
        }
        let fault = if whole.is_none() {
            Some(done.clone().err().unwrap_or(Incomplete::TRUNCATED))
        } else if sum.is_some_and(|sum| crc32fast::hash(shown) != sum) {
            Some(Incomplete::Damaged("checksum does not match"))
        } else {
            None
        };
        if let Some(why) = &fault {
            walk.report_member(&file.name, why);
            if shown.is_empty() {
                continue;
            }
        }
        walk.stored(&entry(file), shown, fault.is_none())?;
    }
    Ok(())
}

type Unpacked<'a> = (Cow<'a, [u8]>, Result<(), Incomplete>);

fn unpack_folder<'a>(
    walk: &mut Walk<'_>,
    bytes: &'a [u8],
    streams: &Streams<'_>,
    folder: &Folder<'_>,
) -> Result<Unpacked<'a>, Halt> {
    let last = folder.last_coder().ok_or(BROKEN)?;
    let (unpacked, mut done) = run(walk, bytes, streams, folder, last, 0)?;
    if done.is_ok()
        && folder
            .sum
            .is_some_and(|sum| crc32fast::hash(&unpacked) != sum)
    {
        done = Err(Incomplete::Damaged("checksum does not match"));
    }
    Ok((unpacked, done))
}

/// Runs a coder, and before it those that feed it. What came out before a fault comes with it.
fn run<'a>(
    walk: &mut Walk<'_>,
    bytes: &'a [u8],
    streams: &Streams<'_>,
    folder: &Folder<'_>,
    number: usize,
    depth: usize,
) -> Result<Unpacked<'a>, Halt> {
    let coder = folder.coders.get(number).ok_or(BROKEN)?;
    // A circle is deeper than there are coders.
    if depth > folder.coders.len() {
        return Err(BROKEN.into());
    }
    let first: usize = folder
        .coders
        .iter()
        .take(number)
        .map(|coder| coder.inputs)
        .sum();
    let mut inputs = Vec::new();
    let mut done = Ok(());
    for input in first..first + coder.inputs {
        let bond = folder.bonds.iter().find(|(to, _)| *to == input);
        let (data, state) = match bond {
            Some(&(_, from)) => run(walk, bytes, streams, folder, from, depth + 1)?,
            None => (
                Cow::Borrowed(packed_stream(bytes, streams, folder, input)?),
                Ok(()),
            ),
        };
        inputs.push(data);
        done = done.and(state);
    }
    let (out, own) = decode(walk, coder, inputs)?;
    Ok((out, done.and(own)))
}

fn packed_stream<'a>(
    bytes: &'a [u8],
    streams: &Streams<'_>,
    folder: &Folder<'_>,
    input: usize,
) -> Result<&'a [u8], Incomplete> {
    let place = folder
        .packed_inputs
        .iter()
        .position(|&at| at == input)
        .ok_or(BROKEN)?;
    let &(start, length) = streams
        .packed
        .get(folder.first_stream + place)
        .ok_or(BROKEN)?;
    let rest = bytes.get(size(start)?..).ok_or(Incomplete::TRUNCATED)?;
    Ok(rest.get(..size(length)?).unwrap_or(rest))
}

fn decode<'a>(
    walk: &mut Walk<'_>,
    coder: &Coder<'_>,
    inputs: Vec<Cow<'a, [u8]>>,
) -> Result<Unpacked<'a>, Halt> {
    let mut inputs = inputs.into_iter();
    let input = inputs.next().ok_or(BROKEN)?;
    let filter = match *coder.method {
        [0] => {
            // Nothing is unpacked, but folders may share what they copy: it counts.
            let bound = walk.block_output(input.len())?;
            let fits = bound.room();
            walk.spend(input.len().min(fits));
            return Ok(match input {
                Cow::Borrowed(bytes) if fits < bytes.len() => {
                    let cut = bytes.get(..fits).unwrap_or_default();
                    (Cow::Borrowed(cut), Err(bound.full()))
                }
                whole => (whole, Ok(())),
            });
        }
        [0x06, 0xf1, 0x07, 0x01] => return Ok((Cow::Borrowed(&[]), Err(Incomplete::Encrypted))),
        [number @ 3..=11] => Some(number),
        [3, 3, 1, 3] => Some(4),
        [3, 3, 2, 5] => Some(5),
        [3, 3, 4, 1] => Some(6),
        [3, 3, 5, 1] => Some(7),
        [3, 3, 7, 1] => Some(8),
        [3, 3, 8, 5] => Some(9),
        _ => None,
    };
    if let Some(filter) = filter {
        return Ok(match Filter::of(u64::from(filter), coder.properties) {
            Ok(filter) => {
                // A copy, where the filter stands alone on a packed stream.
                let mut data = input.into_owned();
                filter.undo(&mut data, 0);
                (Cow::Owned(data), Ok(()))
            }
            Err(why) => (Cow::Borrowed(&[]), Err(why)),
        });
    }
    let packed = input.len()
        + inputs
            .as_slice()
            .iter()
            .map(|input| input.len())
            .sum::<usize>();
    let mut out = walk.block_output(packed)?;
    let done = decode_into(walk, coder, &input, inputs.as_slice(), &mut out);
    walk.spend(out.bytes.len());
    // More than declared is no part of it.
    let most = usize::try_from(coder.unpacked).unwrap_or(usize::MAX);
    out.bytes.truncate(most);
    Ok((Cow::Owned(out.bytes), done))
}

fn decode_into(
    walk: &mut Walk<'_>,
    coder: &Coder<'_>,
    input: &[u8],
    others: &[Cow<'_, [u8]>],
    out: &mut Output,
) -> Result<(), Incomplete> {
    let hint = usize::try_from(coder.unpacked).unwrap_or_default();
    match *coder.method {
        [3, 1, 1] => {
            let properties = coder.properties.first().copied().ok_or(BROKEN)?;
            lzma::raw(properties, input, out, Some(coder.unpacked))
        }
        [0x21] => lzma::lzma2(input, out).map(|_| ()),
        [4, 1, 8] => deflate::inflate(&mut walk.inflater, input, out, hint).map(|_| ()),
        [4, 1, 9] => inflate64::inflate64(input, out).map(|_| ()),
        [4, 2, 2] => bzip2::bunzip2(input, out),
        [4, 0xf7, 0x11, 1] => zstd::unzstd(input, out),
        [4, 0xf7, 0x11, 4] => lz4::frames(input, out),
        [3, 3, 1, 0x1b] => match others {
            [calls, jumps, choices] => {
                let length = size(coder.unpacked)?;
                filters::bcj2(input, calls, jumps, choices, out, length)
            }
            _ => Err(BROKEN),
        },
        [3, 4, 1] => Err(Incomplete::unsupported("7z ppmd")),
        ref other => {
            let name: String = other.iter().map(|byte| format!("{byte:02x}")).collect();
            Err(Incomplete::unsupported(format!("7z method {name}")))
        }
    }
}

/// As many leading ones of the first byte, as many bytes follow, the lowest first; what is
/// left of the first byte is the highest part.
fn number(cursor: &mut Cursor<'_>) -> Result<u64, Incomplete> {
    let first = cursor.u8()?;
    let extra = first.leading_ones();
    let mut value = 0_u64;
    for place in 0..extra {
        value |= u64::from(cursor.u8()?) << (place * 8);
    }
    if extra < 7 {
        let high = u64::from(first) & ((1 << (7 - extra)) - 1);
        value |= high << (extra * 8);
    }
    Ok(value)
}

/// A count of things that take a byte or more each of what is left of the header.
fn count(cursor: &mut Cursor<'_>) -> Result<usize, Incomplete> {
    let count = size(number(cursor)?)?;
    if count > cursor.rest().len() {
        return Err(BROKEN);
    }
    if count > MAX_THINGS {
        return Err(Incomplete::Limit(Limit::Members));
    }
    Ok(count)
}

fn bits(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<bool>, Incomplete> {
    let bytes = cursor.take(count.div_ceil(8))?;
    let bit = |at: usize| {
        bytes
            .get(at / 8)
            .is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
    };
    Ok((0..count).map(bit).collect())
}

/// Which of `count` things something is said of: all, or a bit for each.
fn defined(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<bool>, Incomplete> {
    if cursor.u8()? != 0 {
        Ok(vec![true; count])
    } else {
        bits(cursor, count)
    }
}

fn sums(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<Option<u32>>, Incomplete> {
    defined(cursor, count)?
        .into_iter()
        .map(|defined| defined.then(|| cursor.u32()).transpose())
        .collect()
}

fn streams<'a>(cursor: &mut Cursor<'a>) -> Result<Streams<'a>, Incomplete> {
    let mut found = Streams::default();
    let mut has_substreams = false;
    loop {
        match number(cursor)? {
            id::END => break,
            id::PACK_INFO => pack_info(cursor, &mut found)?,
            id::UNPACK_INFO => unpack_info(cursor, &mut found)?,
            id::SUBSTREAMS => {
                has_substreams = true;
                substreams(cursor, &mut found)?;
            }
            _ => return Err(BROKEN),
        }
    }
    if !has_substreams {
        for folder in &mut found.folders {
            folder.files = vec![(folder.unpacked(), folder.sum)];
        }
    }
    Ok(found)
}

fn pack_info<'a>(cursor: &mut Cursor<'a>, found: &mut Streams<'a>) -> Result<(), Incomplete> {
    let mut at = number(cursor)?.saturating_add(32);
    let streams = count(cursor)?;
    loop {
        match number(cursor)? {
            id::END => return Ok(()),
            id::SIZE => {
                for _ in 0..streams {
                    let length = number(cursor)?;
                    found.packed.push((at, length));
                    at = at.saturating_add(length);
                }
            }
            id::CRC => {
                sums(cursor, streams)?;
            }
            _ => return Err(BROKEN),
        }
    }
}

fn unpack_info<'a>(cursor: &mut Cursor<'a>, found: &mut Streams<'a>) -> Result<(), Incomplete> {
    if number(cursor)? != id::FOLDER {
        return Err(BROKEN);
    }
    let folders = count(cursor)?;
    if folders > MAX_FOLDERS {
        return Err(Incomplete::Limit(Limit::Members));
    }
    if cursor.u8()? != 0 {
        return Err(Incomplete::unsupported("7z header in additional streams"));
    }
    let mut first_stream = 0;
    for _ in 0..folders {
        let mut folder = folder(cursor)?;
        folder.first_stream = first_stream;
        first_stream += folder.packed_inputs.len();
        found.folders.push(folder);
    }
    if number(cursor)? != id::CODERS_UNPACK_SIZE {
        return Err(BROKEN);
    }
    for folder in &mut found.folders {
        for coder in &mut folder.coders {
            coder.unpacked = number(cursor)?;
        }
    }
    loop {
        match number(cursor)? {
            id::END => return Ok(()),
            id::CRC => {
                let sums = sums(cursor, folders)?;
                for (folder, sum) in found.folders.iter_mut().zip(sums) {
                    folder.sum = sum;
                }
            }
            _ => return Err(BROKEN),
        }
    }
}

fn folder<'a>(cursor: &mut Cursor<'a>) -> Result<Folder<'a>, Incomplete> {
    let mut folder = Folder::default();
    let coders = number(cursor)?;
    if coders == 0 || coders > MAX_CODERS {
        return Err(BROKEN);
    }
    let mut inputs = 0_usize;
    for _ in 0..coders {
        let flags = cursor.u8()?;
        let method = cursor.take(usize::from(flags & 15))?;
        let mut own = 1;
        if flags & 0x10 != 0 {
            let (many, outputs) = (number(cursor)?, number(cursor)?);
            if many == 0 || many > MAX_CODERS || outputs != 1 {
                return Err(Incomplete::unsupported("7z coder with several outputs"));
            }
            own = size(many)?;
        }
        let length = if flags & 0x20 != 0 {
            number(cursor)?
        } else {
            0
        };
        let properties = cursor.take_u64(length)?;
        inputs += own;
        folder.coders.push(Coder {
            method,
            inputs: own,
            properties,
            unpacked: 0,
        });
    }
    for _ in 1..coders {
        let (to, from) = (size(number(cursor)?)?, size(number(cursor)?)?);
        folder.bonds.push((to, from));
    }
    let packed = inputs.checked_sub(folder.bonds.len()).ok_or(BROKEN)?;
    if packed == 1 {
        let free = (0..inputs).find(|at| folder.bonds.iter().all(|(to, _)| to != at));
        folder.packed_inputs.push(free.ok_or(BROKEN)?);
    } else {
        for _ in 0..packed {
            folder.packed_inputs.push(size(number(cursor)?)?);
        }
    }
    Ok(folder)
}

fn substreams<'a>(cursor: &mut Cursor<'a>, found: &mut Streams<'a>) -> Result<(), Incomplete> {
    let mut property = number(cursor)?;
    let mut counts = vec![1_usize; found.folders.len()];
    if property == id::NUM_UNPACK_STREAM {
        let mut sum = 0_usize;
        for files in &mut counts {
            *files = size(number(cursor)?)?;
            sum = sum.saturating_add(*files);
        }
        // Every file but a folder's last has a size in what follows.
        if sum > cursor.rest().len().saturating_add(counts.len()) {
            return Err(BROKEN);
        }
        if sum > MAX_THINGS {
            return Err(Incomplete::Limit(Limit::Members));
        }
        property = number(cursor)?;
    }
    let has_sizes = property == id::SIZE;
    for (folder, &files) in found.folders.iter_mut().zip(&counts) {
        let mut left = folder.unpacked();
        for file in 1..=files {
            let length = if file < files && has_sizes {
                number(cursor)?
            } else {
                left
            };
            left = left.saturating_sub(length);
            // A folder of one file has the folder's sum.
            let sum = folder.sum.filter(|_| files == 1);
            folder.files.push((length, sum));
        }
    }
    if has_sizes {
        property = number(cursor)?;
    }
    loop {
        match property {
            id::END => return Ok(()),
            id::CRC => {
                let without = |folder: &Folder<'_>| folder.files.len() != 1 || folder.sum.is_none();
                let missing: usize = found
                    .folders
                    .iter()
                    .filter(|f| without(f))
                    .map(|f| f.files.len())
                    .sum();
                let mut sums = sums(cursor, missing)?.into_iter();
                for folder in found.folders.iter_mut().filter(|folder| without(folder)) {
                    for file in &mut folder.files {
                        file.1 = sums.next().flatten();
                    }
                }
            }
            _ => return Err(BROKEN),
        }
        property = number(cursor)?;
    }
}

fn read_files(cursor: &mut Cursor<'_>) -> Result<Vec<File>, Incomplete> {
    let files = count(cursor)?;
    let mut list = vec![
        File {
            name: "content".to_owned(),
            has_stream: true,
            ..File::default()
        };
        files
    ];
    let mut empty_files = Vec::new();
    loop {
        let property = number(cursor)?;
        if property == id::END {
            break;
        }
        let length = number(cursor)?;
        let mut data = Cursor::new(cursor.take_u64(length)?);
        match property {
            id::EMPTY_STREAM => {
                for (file, empty) in list.iter_mut().zip(bits(&mut data, files)?) {
                    file.has_stream = !empty;
                }
            }
            id::EMPTY_FILE => {
                let empty = list.iter().filter(|file| !file.has_stream).count();
                empty_files = bits(&mut data, empty)?;
            }
            id::NAMES if data.u8()? == 0 => {
                for file in &mut list {
                    file.name = name(&mut data)?;
                }
            }
            id::WIN_ATTRIBUTES => {
                let defined = defined(&mut data, files)?;
                data.skip(1)?;
                for (file, defined) in list.iter_mut().zip(defined) {
                    if !defined {
                        continue;
                    }
                    let attributes = data.u32()?;
                    file.is_directory = attributes & 0x10 != 0;
                    // 7-Zip on Unix: the mode in the upper half.
                    file.mode = (attributes & 0x8000 != 0).then_some(attributes >> 16);
                }
            }
            _ => {}
        }
    }
    // Without a stream it is a directory, unless it is told to be an empty file.
    let mut empty_files = empty_files.into_iter();
    for file in list.iter_mut().filter(|file| !file.has_stream) {
        file.is_directory = !empty_files.next().unwrap_or(false);
    }
    Ok(list)
}

/// UTF-16 up to a zero.
fn name(data: &mut Cursor<'_>) -> Result<String, Incomplete> {
    let mut units = Vec::new();
    loop {
        match data.u16()? {
            0 => break,
            unit => units.push(unit),
        }
    }
    Ok(clean(String::from_utf16_lossy(&units).as_bytes()))
}

#[cfg(test)]
mod tests {
    use sevenz_rust2::EncoderMethod as Method;

    use super::*;
    use crate::testing::{code, eicar, prose, sevenz, walk, walk_whole};

    #[test]
    fn a_solid_block_is_cut_into_its_files() {
        let (text, machine) = (prose(100_000), code(70_000));
        let members: [(&str, &[u8]); 4] = [
            ("x", &eicar()),
            ("dir/text", &text),
            ("bin", &machine),
            ("ü", b"u"),
        ];
        for methods in [
            &[Method::LZMA2][..],
            &[Method::LZMA],
            &[Method::COPY],
            &[Method::BCJ_X86_FILTER, Method::LZMA2],
            &[Method::BCJ_ARM64_FILTER, Method::LZMA],
            &[Method::DELTA_FILTER, Method::LZMA2],
        ] {
            let seen = walk_whole(&sevenz(&members, methods));
            assert_eq!(seen.names(), ["x", "dir/text", "bin", "ü"], "{methods:?}");
            for (name, body) in members {
                assert!(seen.bytes_of(name) == body, "{name} by {methods:?}");
            }
        }
    }

    #[test]
    fn a_damaged_block_is_told_of_each_file_it_hits() {
        let text = prose(100_000);
        let mut bytes = sevenz(&[("first", b"abc"), ("text", &text)], &[Method::COPY]);
        bytes[32 + 50_000] ^= 1;
        let seen = walk(&bytes);
        assert_eq!(seen.names(), ["first", "text"]);
        assert_eq!(seen.faults(), ["text: damaged: checksum does not match"]);
    }

    #[test]
    fn encrypted_coders_are_told() {
        // The method's number is all that says so.
        let mut header = vec![1, 4, 6, 0, 1, 9, 3, 0, 7, 11, 1, 0];
        header.extend([1, 4, 6, 0xf1, 7, 1]);
        header.extend([12, 3, 0, 0, 5, 1, 17, 5, 0, b'k', 0, 0, 0, 0, 0]);
        let mut bytes = b"7z\xbc\xaf\x27\x1c\0\x04".to_vec();
        bytes.extend([0; 4]);
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(b"xyz");
        bytes.extend(header);
        assert_eq!(walk(&bytes).faults(), ["k: encrypted"]);
    }

    #[test]
    fn numbers_are_of_one_to_nine_bytes() {
        for (bytes, expected) in [
            (&[0x7f][..], 0x7f),
            (&[0x80, 0x80], 0x80),
            (&[0xbf, 0xff], 0x3fff),
            (&[0xc1, 0x34, 0x12], 0x1_1234),
            (&[0xff, 1, 0, 0, 0, 0, 0, 0, 0x80], 0x8000_0000_0000_0001),
        ] {
            assert_eq!(number(&mut Cursor::new(bytes)), Ok(expected));
        }
    }
}
