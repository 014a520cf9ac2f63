//! The text around a key: `-----BEGIN LABEL-----`, headers, base64, `-----END LABEL-----`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// One armoured block.
pub struct Armour<'a> {
    /// What it says it is.
    pub label: &'a [u8],
    /// Headers and base64.
    body: &'a [u8],
}

impl<'a> Armour<'a> {
    /// The first block of a text.
    pub fn read(text: &'a [u8]) -> Option<Armour<'a>> {
        Armour::next(text).map(|(armour, _)| armour)
    }

    /// The first block of a text, and what comes behind it.
    pub fn next(text: &'a [u8]) -> Option<(Armour<'a>, &'a [u8])> {
        const BEGIN: &[u8] = b"-----BEGIN ";
        let start = memchr::memmem::find(text, BEGIN)? + BEGIN.len();
        let text = text.get(start..)?;
        let label_end = memchr::memmem::find(text.get(..text.len().min(64))?, b"-----")?;
        let (label, rest) = text.split_at_checked(label_end)?;
        let body = rest.get(5..)?;
        let end = memchr::memmem::find(body, b"-----END ")?;
        let (body, behind) = body.split_at_checked(end)?;
        let closing = behind.get(9..)?;
        let behind = closing.strip_prefix(label)?.strip_prefix(b"-----")?;
        Some((Armour { label, body }, behind))
    }

    /// Whether a header says that the content is encrypted (RFC 1421, as OpenSSL writes it).
    pub fn is_encrypted(&self) -> bool {
        memchr::memmem::find(self.body, b"Proc-Type: 4,ENCRYPTED").is_some()
    }

    /// The decoded content.
    pub fn content(&self) -> Option<Vec<u8>> {
        base64(&self.letters())
    }

    /// The base64 letters: without headers, line breaks (also written `\n`), indentation,
    /// quotes, and the checksum line of PGP.
    fn letters(&self) -> Vec<u8> {
        let mut letters = Vec::with_capacity(self.body.len());
        // Written line breaks become real ones first.
        let mut text = Vec::with_capacity(self.body.len());
        let mut bytes = self.body.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match (byte, bytes.peek()) {
                (b'\\', Some(b'n' | b'r')) => {
                    bytes.next();
                    text.push(b'\n');
                }
                _ => text.push(byte),
            }
        }
        let is_wrapping = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;#*+".contains(byte);
        let mut in_headers = true;
        for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let start = line.iter().position(|b| !is_wrapping(b) || *b == b'+');
            let line = line.get(start.unwrap_or(line.len())..).unwrap_or_default();
            let line = line.trim_ascii_end();
            if line.is_empty() {
                in_headers &= letters.is_empty();
                continue;
            }
            if in_headers && line.contains(&b':') {
                continue;
            }
            in_headers = false;
            // `=AbCd`, the checksum of PGP.
            if line.starts_with(b"=") && !letters.is_empty() {
                break;
            }
            letters.extend(
                line.iter()
                    .filter(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b)),
            );
        }
        letters
    }
}

/// Decodes base64 with or without padding.
pub fn base64(letters: &[u8]) -> Option<Vec<u8>> {
    let trimmed = letters.trim_ascii_end();
    let end = trimmed.iter().rposition(|b| *b != b'=')? + 1;
    STANDARD_NO_PAD.decode(trimmed.get(..end)?).ok()
}
