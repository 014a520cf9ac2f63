//! Files that pack one stream of bytes: each has one member.

use std::borrow::Cow;

use crate::codec::{bzip2, deflate, lz4, lzma, xz, zstd};
use crate::format::Format;
use crate::limits::Incomplete;
use crate::names::clean;
use crate::output::Output;
use crate::walk::{Entry, Step, Walk};

/// Unpacks `bytes` and enters what comes out.
pub(crate) fn read(walk: &mut Walk<'_>, bytes: &[u8], format: Format) -> Step {
    let mut out = walk.output(bytes.len())?;
    let name = match format {
        Format::Gzip => deflate::gzip_header(bytes)
            .ok()
            .map_or(Cow::Borrowed("content"), |header| clean(header.name).into()),
        _ => Cow::Borrowed("content"),
    };
    let done = decode(walk, bytes, format, &mut out);
    let entry = Entry {
        container: format,
        name: &name,
        mode: None,
    };
    walk.decoded(&entry, &out, done)
}

/// Unpacks a stream into `out`; also for what archives hold compressed as a whole.
pub(crate) fn decode(
    walk: &mut Walk<'_>,
    bytes: &[u8],
    format: Format,
    out: &mut Output,
) -> Result<(), Incomplete> {
    match format {
        Format::Gzip => deflate::gunzip(&mut walk.inflater, bytes, out),
        Format::Zlib => deflate::unzlib(&mut walk.inflater, bytes, out).map(|_| ()),
        Format::Bzip2 => bzip2::bunzip2(bytes, out),
        Format::Zstd => zstd::unzstd(bytes, out),
        Format::Xz => xz::unxz(bytes, out),
        Format::Lzma => lzma::alone(bytes, out),
        Format::Lz4 => lz4::frames(bytes, out),
        other => Err(Incomplete::unsupported(other.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Recorder, bzip2, eicar, gzip, tar, walk, walk_whole, walk_with};
    use crate::{Format, Limits, unpack};

    #[test]
    fn gzip_has_one_member_named_as_stored() {
        let mut bytes = gzip(b"one ", Some("note.txt"));
        bytes.extend(gzip(b"two", None));
        bytes.extend(b"and garbage");
        let seen = walk_whole(&bytes);
        assert_eq!(seen.names(), ["note.txt"]);
        assert_eq!(seen.bytes_of("note.txt"), b"one two");
        assert_eq!(walk_whole(&gzip(b"x", None)).names(), ["content"]);
    }

    #[test]
    fn a_tar_in_a_gzip_gives_its_members_no_step_more() {
        let inner = gzip(&tar(&[("etc/x", &eicar())]), None);
        let outer = gzip(&tar(&[("data.tar.gz", &inner)]), None);
        let seen = walk_whole(&outer);
        assert_eq!(
            seen.names(),
            [
                "content",
                "data.tar.gz",
                "data.tar.gz!/content",
                "data.tar.gz!/etc/x"
            ]
        );
        assert_eq!(seen.bytes_of("data.tar.gz!/etc/x"), eicar());
        assert_eq!(seen.seen[3].depth, 4);
        assert_eq!(
            seen.left,
            [
                "data.tar.gz!/etc/x",
                "data.tar.gz!/content",
                "data.tar.gz",
                "content"
            ]
        );
    }

    #[test]
    fn gzip_of_gzip_ends_at_the_depth() {
        let mut bytes = eicar();
        for _ in 0..12 {
            bytes = gzip(&bytes, None);
        }
        let seen = walk(&bytes);
        assert_eq!(seen.seen.len(), 8);
        let place = ["content"; 8].join("!/");
        assert_eq!(
            seen.faults(),
            [format!("{place}: limit reached: nesting depth")]
        );
    }

    #[test]
    fn a_bomb_ends_at_the_ratio_and_the_total() {
        let bomb = gzip(&vec![0; 8 << 20], None);
        let limits = Limits {
            ratio_floor_bytes: 1 << 20,
            ratio: 2,
            ..Limits::default()
        };
        let seen = walk_with(&bomb, &limits);
        assert_eq!(
            seen.faults(),
            ["content: limit reached: ratio of unpacked to packed bytes"]
        );
        assert_eq!(seen.seen[0].bytes.len(), 1 << 20);
        let limits = Limits {
            total_bytes: 3 << 20,
            ..Limits::default()
        };
        let seen = walk_with(&bomb, &limits);
        assert_eq!(
            seen.faults(),
            ["content: limit reached: bytes of all members"]
        );
        assert_eq!(seen.seen[0].bytes.len(), 3 << 20);
    }

    #[test]
    fn no_time_is_a_limit_too() {
        let limits = Limits {
            time: Some(std::time::Duration::ZERO),
            ..Limits::default()
        };
        let seen = walk_with(&gzip(b"x", None), &limits);
        assert_eq!(seen.faults(), ["itself: limit reached: time"]);
    }

    #[test]
    fn a_truncated_stream_gives_what_it_held() {
        let bytes = gzip(&crate::testing::prose(100_000), None);
        let seen = walk(&bytes[..bytes.len() / 2]);
        assert_eq!(seen.faults(), ["content: damaged: data breaks off"]);
        assert!(seen.seen[0].bytes.len() > 10_000);
        assert!(!seen.seen[0].complete);
    }

    #[test]
    fn zlib_streams_are_opened_on_request() {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"blob 3\0abc").unwrap();
        let bytes = encoder.finish().unwrap();
        assert_eq!(Format::of(&bytes), None);
        let mut seen = Recorder::default();
        unpack(&bytes, Format::Zlib, &Limits::default(), &mut seen);
        assert_eq!(seen.bytes_of("content"), b"blob 3\0abc");
        assert_eq!(seen.incomplete, []);
    }

    #[test]
    fn the_visitor_stops_and_skips() {
        let inner = tar(&[("deep", b"x")]);
        let bytes = tar(&[("a.tar", &inner), ("b.tar", &inner), ("c", b"y")]);
        let mut seen = Recorder {
            skip_inside: Some("a.tar"),
            stop_at: Some("deep"),
            ..Recorder::default()
        };
        unpack(&bytes, Format::Tar, &Limits::default(), &mut seen);
        assert_eq!(seen.names(), ["a.tar", "b.tar", "b.tar!/deep"]);
        assert_eq!(seen.left, ["a.tar"]);
    }

    #[test]
    fn every_compressor_gives_its_bytes_back() {
        let text = crate::testing::prose(300_000);
        for bytes in [
            bzip2(&text),
            zstd::encode_all(&text[..], 3).unwrap(),
            gzip(&text, None),
        ] {
            assert_eq!(walk_whole(&bytes).bytes_of("content"), text);
            // Several in a row are one file.
            let twice = [&bytes[..], &bytes[..], b"garbage"].concat();
            assert_eq!(
                walk_whole(&twice).bytes_of("content"),
                [&text[..], &text[..]].concat()
            );
            let cut = walk(&bytes[..bytes.len() - 20]);
            assert_eq!(cut.faults(), ["content: damaged: data breaks off"]);
        }
    }

    #[test]
    fn a_zstd_window_of_gigabytes_is_a_limit() {
        // A frame header with a window of 2 GiB, then an empty last block.
        let bytes = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1, 0, 0];
        assert_eq!(
            walk(&bytes).faults(),
            ["content: limit reached: memory of a decoder"]
        );
    }
}
