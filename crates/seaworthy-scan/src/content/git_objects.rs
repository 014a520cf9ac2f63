//! Loose objects of git repositories: what was committed once and taken out again is still in
//! them (git-scm.com/book, "Git Internals - Git Objects": zlib around `TYPE SIZE`, NUL,
//! content).
//!
//! Blobs and commits are searched; trees hold names and hashes only. Left out: packs.

use std::io::Read as _;
use std::sync::Arc;

use flate2::read::ZlibDecoder;
use seaworthy_core::{EvidenceItem, Meta, ProblemKind};
use seaworthy_secrets::assignment::Quotes;
use seaworthy_secrets::scanner::SecretScanner;

use crate::{Analyzer, FileMeta, Interest, Reader, Sink, StreamReader, Tools};

/// The row of the list of analyzers.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "git-objects",
        revision: 1,
        summary: "Secrets in loose objects of git repositories",
        references: &["https://git-scm.com/book/en/v2/Git-Internals-Git-Objects"],
    },
    interest: Interest::Paths(&["**/.git/objects/*/*", "**/objects/*/*"]),
    reader: Reader::Stream { overlap: 0, start },
};

/// Compressed bytes of an object that are read.
const OBJECT_BYTES: usize = 8 << 20;
/// Bytes of its content that are searched.
const CONTENT_BYTES: u64 = 32 << 20;
/// Secrets kept of one object.
const MAX_SECRETS: usize = 100;

fn start(file: &FileMeta<'_>, tools: &Tools) -> Box<dyn StreamReader> {
    let is_object = is_object_name(file.path.as_str());
    Box::new(ObjectReader {
        scanner: tools.secrets.clone().filter(|_| is_object),
        packed: Vec::new(),
    })
}

/// `…/ab/` and 38 or 62 hexadecimal digits.
fn is_object_name(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let (name, folder) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    folder.len() == 2 && matches!(name.len(), 38 | 62) && is_hex(folder) && is_hex(name)
}

struct ObjectReader {
    /// `None` for a file that is no object.
    scanner: Option<Arc<SecretScanner>>,
    packed: Vec<u8>,
}

impl StreamReader for ObjectReader {
    fn window(&mut self, offset: u64, bytes: &[u8], _: &mut Sink) {
        if self.scanner.is_none() {
            return;
        }
        // Other readers may want an overlap: its bytes were seen before.
        let seen = (self.packed.len() as u64).checked_sub(offset);
        let new = seen
            .and_then(|seen| usize::try_from(seen).ok())
            .and_then(|seen| bytes.get(seen..))
            .unwrap_or_default();
        let room = OBJECT_BYTES.saturating_sub(self.packed.len());
        self.packed
            .extend_from_slice(new.get(..room).unwrap_or(new));
    }

    fn wants_more(&self) -> bool {
        self.scanner.is_some() && self.packed.len() < OBJECT_BYTES
    }

    fn finish(self: Box<Self>, sink: &mut Sink) {
        let Some(scanner) = &self.scanner else { return };
        let mut content = Vec::new();
        // A cut or damaged object is searched as far as it goes.
        let _ = ZlibDecoder::new(&*self.packed)
            .take(CONTENT_BYTES)
            .read_to_end(&mut content);
        if content.len() as u64 >= CONTENT_BYTES || self.packed.len() >= OBJECT_BYTES {
            sink.problem(
                ProblemKind::LimitReached,
                "a large git object; only its beginning was searched",
            );
        }
        let kind = [&b"blob "[..], b"commit ", b"tag "]
            .into_iter()
            .find(|kind| content.starts_with(kind));
        let head = content.iter().take(64).position(|b| *b == 0);
        let (Some(kind), Some(head)) = (kind, head) else {
            return;
        };
        let text = content.get(head + 1..).unwrap_or_default();
        let is_binary = text.iter().take(8 << 10).any(|b| *b == 0);
        let quotes = match is_binary {
            true => Quotes::Never,
            // Its name is in a tree object; most leaks are in short files of settings.
            false if text.len() < 4 << 10 => Quotes::Optional,
            false => Quotes::Required,
        };
        let kind = String::from_utf8_lossy(kind.trim_ascii_end());
        for found in scanner.find(text, quotes).iter().take(MAX_SECRETS) {
            let line = text.get(..found.range.start).unwrap_or_default();
            let line = memchr::memchr_iter(b'\n', line).count() as u64 + 1;
            let mut evidence = scanner.evidence(text, found, 0, Some(line));
            let inside = match &evidence.inside {
                Some(deeper) => format!("git {kind}!/{deeper}"),
                None => format!("git {kind}"),
            };
            evidence.inside = Some(inside.into());
            sink.push(EvidenceItem::Secret(evidence));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use seaworthy_core::ImagePath;
    use seaworthy_image::EntryMeta;
    use seaworthy_secrets::redact::FingerprintKey;

    use super::*;

    fn read(path: &str, content: &[u8]) -> Vec<EvidenceItem> {
        let key = FingerprintKey::new([1; 32]);
        let tools = Tools {
            secrets: Some(Arc::new(SecretScanner::builtin(key).unwrap())),
            ..Tools::default()
        };
        let path = ImagePath::new(path);
        let entry = EntryMeta::default();
        let mut reader = start(&FileMeta { path: &path, entry }, &tools);
        let mut sink = Sink::default();
        reader.window(0, content, &mut sink);
        reader.finish(&mut sink);
        sink.items().to_vec()
    }

    #[test]
    fn a_secret_in_a_loose_object_is_found_with_its_line() {
        let text = "a=1\nDB_PASSWORD=q8Zr2LmX0vTn5KdY\n";
        let object = format!("blob {}\0{text}", text.len());
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        packed.write_all(object.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let name = format!("app/.git/objects/ab/{}", "c".repeat(38));
        match &read(&name, &packed)[..] {
            [EvidenceItem::Secret(found)] => {
                assert_eq!(found.inside.as_deref(), Some("git blob"));
                assert_eq!(found.line, Some(2));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(read("app/.git/objects/pack/x", &packed), []);
        assert_eq!(read(&name, b"no zlib"), []);
    }
}
