//! The two views of a web page that signatures for web pages are written for, as the reference
//! scanner was observed to make them: the page without comments, and its words without tags.
//!
//! In the page everything is lower case; comments and `<!...>` are gone; a run of white space
//! is one space, and none behind a tag; values in quotes stand in double quotes, inner ones
//! too; there is no space around `=` or before `>`; character references are characters; in
//! `<script>` and `<style>` no white space is left; of `data:` addresses only the word is.
//! Tags inside of `<?...?>` are tags, its quotes stay.
//!
//! Left out: scripts put together from their parts, encoded scripts, the addresses among the
//! words, code pages.

use crate::file_type::MAX_NORMALISED;

/// The views of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// With its tags.
    pub page: Vec<u8>,
    /// Without.
    pub words: Vec<u8>,
}

/// Makes the views of a page, of its first [`MAX_NORMALISED`] bytes.
pub fn normalise(bytes: &[u8]) -> Page {
    let bytes = bytes
        .get(..bytes.len().min(MAX_NORMALISED))
        .unwrap_or_default();
    let mut writer = Writer {
        rest: bytes,
        out: Page {
            page: Vec::with_capacity(bytes.len()),
            words: Vec::with_capacity(bytes.len() / 2),
        },
        space: false,
        behind_tag: true,
    };
    while let Some(byte) = writer.rest.first() {
        match byte {
            b'<' => writer.markup(),
            _ => writer.text(),
        }
    }
    writer.out
}

struct Writer<'b> {
    rest: &'b [u8],
    out: Page,
    /// White space was seen and is not written yet.
    space: bool,
    behind_tag: bool,
}

/// Longest character reference that is looked for.
const MAX_REFERENCE: usize = 12;

impl Writer<'_> {
    fn put(&mut self, byte: u8) {
        self.out.page.push(byte.to_ascii_lowercase());
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn flush_space(&mut self) {
        if self.space && !self.behind_tag {
            self.put(b' ');
        }
        self.space = false;
    }

    fn word_space(&mut self) {
        if self.out.words.last() != Some(&b' ') {
            self.out.words.push(b' ');
        }
    }

    /// One character between tags.
    fn text(&mut self) {
        let Some(byte) = self.rest.first().copied() else {
            return;
        };
        if is_space(byte) {
            self.space = true;
            self.word_space();
            return self.skip(1);
        }
        self.flush_space();
        self.behind_tag = false;
        match reference(self.rest) {
            Some((character, length)) => {
                self.out.page.extend(character);
                self.skip(length);
            }
            None => {
                self.put(byte);
                if byte.is_ascii() {
                    self.out.words.push(byte.to_ascii_lowercase());
                }
                self.skip(1);
            }
        }
    }

    /// What begins with `<`.
    fn markup(&mut self) {
        if self.rest.starts_with(b"<!--")
            && let Some(end) = find(self.rest, b"-->")
        {
            return self.skip(end + 3);
        }
        if self.rest.starts_with(b"<!")
            && let Some(end) = find(self.rest, b">")
        {
            return self.skip(end + 1);
        }
        self.flush_space();
        self.word_space();
        if self.rest.starts_with(b"<?") {
            return self.instruction();
        }
        let start = self.out.page.len();
        self.tag();
        self.behind_tag = true;
        let tag = self.out.page.get(start..).unwrap_or_default();
        for name in [b"script".as_slice(), b"style"] {
            let named = tag.get(1..=name.len()) == Some(name)
                && matches!(tag.get(name.len() + 1), Some(b' ' | b'>'));
            if named && !tag.ends_with(b"/>") {
                self.code(name);
                break;
            }
        }
    }

    /// `<?...?>`: kept but for its white space; tags in it are tags.
    fn instruction(&mut self) {
        self.put(b'<');
        self.skip(1);
        self.behind_tag = false;
        while let Some(byte) = self.rest.first().copied() {
            if byte == b'<' {
                return;
            }
            self.skip(1);
            if is_space(byte) {
                self.space = true;
                continue;
            }
            self.flush_space();
            self.put(byte);
            self.behind_tag = byte == b'>';
            if self.out.page.ends_with(b"?>") {
                return;
            }
        }
    }

    /// The inside of a script or a style, up to its end tag.
    fn code(&mut self, name: &[u8]) {
        let mut at = 0;
        let end = loop {
            let rest = self.rest.get(at..).unwrap_or_default();
            let Some(next) = find(rest, b"</") else {
                break self.rest.len();
            };
            let begin = at + next;
            let there = self.rest.get(begin + 2..begin + 2 + name.len());
            if there.is_some_and(|there| there.eq_ignore_ascii_case(name)) {
                break begin;
            }
            at = begin + 2;
        };
        let (code, rest) = self.rest.split_at(end.min(self.rest.len()));
        for byte in code.iter().filter(|byte| !is_space(**byte)) {
            self.out.page.push(match byte {
                b'\'' => b'"',
                byte => byte.to_ascii_lowercase(),
            });
        }
        self.rest = rest;
    }

    /// A tag with its attributes.
    fn tag(&mut self) {
        self.put(b'<');
        self.skip(1);
        while self.rest.first().is_some_and(|byte| is_space(*byte)) {
            self.skip(1);
        }
        let mut space = false;
        while let Some(byte) = self.rest.first().copied() {
            self.skip(1);
            match byte {
                _ if is_space(byte) => space = true,
                b'>' => return self.put(b'>'),
                b'=' => {
                    self.put(b'=');
                    space = false;
                    while self.rest.first().is_some_and(|byte| is_space(*byte)) {
                        self.skip(1);
                    }
                }
                b'"' | b'\'' => {
                    self.quoted(byte);
                    space = false;
                }
                _ => {
                    if space {
                        self.put(b' ');
                    }
                    space = false;
                    self.put(byte);
                }
            }
            // None is written before these.
            if space && matches!(self.rest.first(), Some(b'=' | b'>')) {
                space = false;
            }
        }
    }

    /// A value, behind its opening quote.
    fn quoted(&mut self, quote: u8) {
        self.put(b'"');
        let end = self.rest.iter().position(|byte| *byte == quote);
        let Some(end) = end else {
            return;
        };
        let head = self.rest.get(..end.min(5)).unwrap_or_default();
        if head.eq_ignore_ascii_case(b"data:") {
            self.out.page.extend_from_slice(b"data\"");
            return self.skip(end + 1);
        }
        let (value, rest) = self.rest.split_at(end);
        let mut value = value;
        while let Some((byte, behind)) = value.split_first() {
            if let Some((character, length)) = reference(value) {
                self.out
                    .page
                    .extend(character.map(|byte| byte.to_ascii_lowercase()));
                value = value.get(length..).unwrap_or_default();
                continue;
            }
            value = behind;
            match byte {
                b'\'' | b'"' => self.put(b'"'),
                byte if is_space(*byte) => {
                    if !value.first().is_some_and(|next| is_space(*next)) {
                        self.put(b' ');
                    }
                }
                byte => self.put(*byte),
            }
        }
        self.put(b'"');
        self.rest = rest.get(1..).unwrap_or_default();
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 9..=13 | b' ')
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}

/// The character that a reference at the start of `bytes` stands for, in Latin-1, and how long
/// the reference is.
fn reference(bytes: &[u8]) -> Option<(Option<u8>, usize)> {
    let body = bytes.strip_prefix(b"&")?;
    let end = body
        .iter()
        .take(MAX_REFERENCE)
        .position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(body.get(..end)?).ok()?;
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => digits.parse().ok()?,
        },
        None => match name.to_ascii_lowercase().as_str() {
            "lt" => 0x3c,
            "gt" => 0x3e,
            "amp" => 0x26,
            "quot" => 0x22,
            "apos" => 0x27,
            "nbsp" => 0xa0,
            "copy" => 0xa9,
            "reg" => 0xae,
            _ => return None,
        },
    };
    let byte = u8::try_from(number)
        .ok()
        .map(|byte| byte.to_ascii_lowercase());
    Some((byte, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of ours, and what the reference scanner left in its working folder for it.
    #[test]
    fn a_page_is_what_the_reference_makes_of_it() {
        let page: &[u8] = b"<!DOCTYPE html>\n<HTML lang=EN><Head><TITLE>A  Title</TITLE>\
            <Meta Charset=\"UTF-8\"></Head>\n<BODY onLoad=\"Go('X')\" CLASS='Big'>\n\
            <!-- hidden Needle --><IFRAME SRC='http://Bad.example/X?a=1&amp;b=2&#65;&#x42;' width=0 height=0></IFRAME>\n\
            <a href=\"javascript:Go('Now')\">Click &lt;here&gt; &nbsp; &copy; &quot;q&quot; caf\xe9</a> text\twith   spaces\nand %41 lines\n\
            <img src = \"a.png\" alt = 'It \"is\"' disabled/>\n<script type=\"text/javascript\">\n\
            var Secret = unescape('%41%42');\n// Comment\neval(Secret + \"x\" + 'y');\n</script>\n\
            <style>BODY { Color: Red }</style>\n<a href=\"data:text/plain;base64,SGVsbG8=\">D</a>\n\
            <p>1 < 2 and > 3</p><?php echo 'HI'; ?>\n<br/><INPUT TYPE=text VALUE=AbC>\n</BODY></HTML>\n";
        let expected: &[u8] = b"<html lang=en><head><title>a title</title><meta charset=\"utf-8\"></head>\
            <body onload=\"go(\"x\")\" class=\"big\"><iframe src=\"http://bad.example/x?a=1&b=2ab\" width=0 height=0></iframe>\
            <a href=\"javascript:go(\"now\")\">click <here> \xa0 \xa9 \"q\" caf\xe9</a>text with spaces and %41 lines \
            <img src=\"a.png\" alt=\"it \"is\"\" disabled/><script type=\"text/javascript\">\
            varsecret=unescape(\"%41%42\");//commenteval(secret+\"x\"+\"y\");</script>\
            <style>body{color:red}</style><a href=\"data\">d</a>\
            <p>1 <2 and>3</p><?php echo 'hi'; ?><br/><input type=text value=abc></body></html>";
        let page = normalise(page);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(&page.page), text(expected));
        assert!(
            text(&page.words).starts_with(" a title click here"),
            "{}",
            text(&page.words)
        );
    }

    #[test]
    fn every_cut_and_every_open_end_is_survived() {
        let page = b"<a b='c'><!-- d --><script>e</script>&lt;<?f?><g h=\"i";
        for end in 0..page.len() {
            let _ = normalise(&page[..end]);
        }
        assert_eq!(normalise(b"<!-- open").page, b"<!-- open");
        assert_eq!(normalise(b"<").page, b"<");
    }
}
