//! What kind of file bytes are, as far as signatures ask, and the normalised view of text.

/// Types that signatures can be for, with their numbers in signature files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileType {
    /// None of the others.
    Other,
    /// A Windows program.
    Pe,
    /// An OLE2 document.
    Ole2,
    /// A web page.
    Html,
    /// A mail.
    Mail,
    /// A picture.
    Graphics,
    /// A Linux program.
    Elf,
    /// Plain text.
    Text,
    /// A macOS program.
    MachO,
    /// A PDF document.
    Pdf,
    /// A Flash film.
    Flash,
    /// A Java class.
    JavaClass,
}

impl FileType {
    /// The number signatures use; 0 is "any", which every file is too.
    pub const fn target(self) -> u8 {
        match self {
            FileType::Pe => 1,
            FileType::Ole2 => 2,
            FileType::Html => 3,
            FileType::Mail => 4,
            FileType::Graphics => 5,
            FileType::Elf => 6,
            FileType::Text => 7,
            FileType::MachO => 9,
            FileType::Pdf => 10,
            FileType::Flash => 11,
            FileType::JavaClass => 12,
            FileType::Other => 14,
        }
    }

    /// Tells the type by the first bytes.
    pub fn detect(bytes: &[u8]) -> FileType {
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        if starts(b"\x7fELF") {
            return FileType::Elf;
        }
        if starts(b"MZ") {
            return FileType::Pe;
        }
        if starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
            return FileType::Ole2;
        }
        if starts(b"\xca\xfe\xba\xbe") {
            // A fat Mach-O counts its architectures where a class has its version.
            return match bytes.get(4..8) {
                Some([0, 0, 0, architectures]) if *architectures < 40 => FileType::MachO,
                _ => FileType::JavaClass,
            };
        }
        const MACH_O: [&[u8]; 4] = [
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
        ];
        if MACH_O.iter().any(|magic| starts(magic)) {
            return FileType::MachO;
        }
        const GRAPHICS: [&[u8]; 6] = [
            b"\x89PNG",
            b"GIF8",
            b"\xff\xd8\xff",
            b"II*\0",
            b"MM\0*",
            b"BM",
        ];
        if GRAPHICS.iter().any(|magic| starts(magic)) && !is_text(bytes) {
            return FileType::Graphics;
        }
        if [b"FWS", b"CWS", b"ZWS"].iter().any(|magic| starts(*magic)) && !is_text(bytes) {
            return FileType::Flash;
        }
        let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
        if memchr::memmem::find(head, b"%PDF-").is_some() {
            return FileType::Pdf;
        }
        if !is_text(bytes) {
            return FileType::Other;
        }
        // By which heads the reference tells a mail; `MIME-Version` is not one of them.
        const MAIL: [&[u8]; 19] = [
            b"From ",
            b">From ",
            b"From: ",
            b"To: ",
            b"Subject: ",
            b"Date: ",
            b"Received: ",
            b"Return-Path: ",
            b"Return-path: ",
            b"Delivered-To: ",
            b"Envelope-to: ",
            b"Message-ID: ",
            b"Message-Id: ",
            b"X-Apparently-To: ",
            b"X-Envelope-From: ",
            b"X-Original-To: ",
            b"X-Real-To: ",
            b"X-Sieve: ",
            b"X-UIDL: ",
        ];
        if MAIL.iter().any(|magic| starts(magic)) {
            return FileType::Mail;
        }
        if is_page(bytes) {
            return FileType::Html;
        }
        FileType::Text
    }
}

/// Whether text has a tag anywhere by which the reference tells a web page.
fn is_page(bytes: &[u8]) -> bool {
    const TAGS: [&[u8]; 8] = [
        b"html>", b"head>", b"script", b"iframe", b"object", b"table", b"img", b"a href",
    ];
    memchr::memchr_iter(b'<', bytes).any(|at| {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        TAGS.iter().any(|tag| {
            rest.get(..tag.len())
                .is_some_and(|there| there.eq_ignore_ascii_case(tag))
        })
    })
}

/// Whether the first kilobytes hold no control bytes but those of text.
fn is_text(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    !head.is_empty() && head.iter().all(|byte| matches!(byte, 9..=13 | 27 | 32..))
}

/// Most bytes of text that are normalised; behind it is not looked at in this view.
pub const MAX_NORMALISED: usize = 20 << 20;

/// Text as signatures for text are written: lower case, every run of white space one space,
/// control bytes and all that is not ASCII gone.
pub fn normalise_text(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes
        .get(..bytes.len().min(MAX_NORMALISED))
        .unwrap_or_default();
    let mut text = vec![0; bytes.len()];
    let (mut length, mut before) = (0, 0);
    // Every byte is written and the place moves on only behind those that stay: no branch
    // depends on the text.
    for byte in bytes {
        let [form, kept] = NORMALISED
            .get(usize::from(*byte))
            .copied()
            .unwrap_or([0, 0]);
        if let Some(place) = text.get_mut(length) {
            *place = form;
        }
        let again = form == b' ' && before == b' ';
        length += usize::from(kept & u8::from(!again));
        before = if kept == 1 { form } else { before };
    }
    text.truncate(length);
    text
}

/// For each byte its normalised form and whether it stays at all.
static NORMALISED: [[u8; 2]; 256] = {
    let mut table = [[0; 2]; 256];
    let mut byte = 0u8;
    while byte < 0x80 {
        let form = match byte {
            9..=13 | b' ' => [b' ', 1],
            0x21..=0x7f => [byte.to_ascii_lowercase(), 1],
            _ => [0, 0],
        };
        #[expect(clippy::indexing_slicing, reason = "checked when compiled")]
        {
            table[byte as usize] = form;
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_by_their_magic() {
        assert_eq!(FileType::detect(b"\x7fELF\x02"), FileType::Elf);
        assert_eq!(
            FileType::detect(b"\xca\xfe\xba\xbe\0\0\0\x34"),
            FileType::JavaClass
        );
        assert_eq!(
            FileType::detect(b"\xca\xfe\xba\xbe\0\0\0\x02"),
            FileType::MachO
        );
        assert_eq!(FileType::detect(b"<?php echo 1;"), FileType::Text);
        assert_eq!(FileType::detect(b" <HTML>"), FileType::Html);
        assert_eq!(FileType::detect(b"a\0b"), FileType::Other);
        assert_eq!(FileType::detect(b""), FileType::Other);
    }

    #[test]
    fn text_is_folded_and_squeezed() {
        assert_eq!(normalise_text(b"EVAL \t\r\n(\x01$X\xc3\xa9)"), b"eval ($x)");
    }
}
