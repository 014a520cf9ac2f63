//! Files that hold keys: certificates and public keys, to tell whose private key another file
//! is, and private keys in formats that are no text.
//!
//! Only files with the names that such files have, and of those the first
//! [`FILE_BYTES`]: a bundle of certificates is a store of roots, and its private keys are
//! elsewhere. Private keys in armour are found by [`super::secrets`], whatever the file.

use std::sync::Arc;

use seaworthy_core::{ImagePath, Meta};
use seaworthy_secrets::scanner::SecretScanner;

use crate::{Analyzer, FileMeta, Interest, Reader, Sink, StreamReader, Tools};

/// The row of the list of analyzers.
pub const ANALYZER: Analyzer = Analyzer {
    meta: Meta {
        id: "key-files",
        revision: 1,
        summary: "Certificates, public keys, key stores and private keys that are no text",
        references: &[
            "https://www.rfc-editor.org/rfc/rfc5280",
            "https://www.rfc-editor.org/rfc/rfc7292",
        ],
    },
    interest: Interest::Paths(&[
        "**/*.pem",
        "**/*.crt",
        "**/*.cer",
        "**/*.cert",
        "**/*.pub",
        "**/*.der",
        "**/*.key",
        "**/*.pk8",
        "**/*.p12",
        "**/*.pfx",
        "**/*.jks",
        "**/*.ks",
        "**/*.keystore",
        "**/*.kdbx",
        "**/*.kdb",
        "**/*.gpg",
        "**/authorized_keys",
        "**/authorized_keys2",
    ]),
    reader: Reader::Stream { overlap: 0, start },
};

/// Read of one file, in bytes.
const FILE_BYTES: usize = 512 << 10;

fn start(file: &FileMeta<'_>, tools: &Tools) -> Box<dyn StreamReader> {
    Box::new(KeyFileReader {
        scanner: tools.secrets.clone(),
        path: file.path.clone(),
        content: Vec::new(),
    })
}

struct KeyFileReader {
    scanner: Option<Arc<SecretScanner>>,
    path: ImagePath,
    content: Vec<u8>,
}

impl StreamReader for KeyFileReader {
    fn window(&mut self, offset: u64, bytes: &[u8], _: &mut Sink) {
        // Other readers may want an overlap: its bytes were seen before.
        let seen = (self.content.len() as u64).checked_sub(offset);
        let new = seen
            .and_then(|seen| usize::try_from(seen).ok())
            .and_then(|seen| bytes.get(seen..))
            .unwrap_or_default();
        let room = FILE_BYTES.saturating_sub(self.content.len());
        self.content
            .extend_from_slice(new.get(..room).unwrap_or(new));
    }

    fn wants_more(&self) -> bool {
        self.scanner.is_some() && self.content.len() < FILE_BYTES
    }

    fn finish(self: Box<Self>, sink: &mut Sink) {
        if let Some(scanner) = &self.scanner {
            for item in scanner.key_file(self.path.as_str(), &self.content) {
                sink.push(item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::EvidenceItem;
    use seaworthy_image::EntryMeta;
    use seaworthy_secrets::redact::FingerprintKey;

    use super::*;

    #[test]
    fn a_key_file_in_overlapping_windows_is_read_once() {
        let key = FingerprintKey::new([1; 32]);
        let tools = Tools {
            secrets: Some(Arc::new(SecretScanner::builtin(key).unwrap())),
            ..Tools::default()
        };
        let path = ImagePath::new("etc/app.jks");
        let entry = EntryMeta::default();
        let mut content = [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1].to_vec();
        content.resize(FILE_BYTES + 100, 7);
        let read = |parts: &[(usize, usize)]| {
            let mut reader = start(&FileMeta { path: &path, entry }, &tools);
            let mut sink = Sink::default();
            for (from, to) in parts {
                reader.window(*from as u64, &content[*from..*to], &mut sink);
            }
            reader.finish(&mut sink);
            match sink.items() {
                [EvidenceItem::Secret(secret)] => secret.clone(),
                other => panic!("{other:?}"),
            }
        };
        let whole = read(&[(0, content.len())]);
        assert_eq!(whole.rule, "java-key-store");
        assert_eq!(
            read(&[(0, 100), (50, 300_000), (250_000, content.len())]),
            whole
        );
    }
}
