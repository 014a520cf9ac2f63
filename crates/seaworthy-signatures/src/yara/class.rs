//! Classes of files that our own rules are for.
//!
//! A file can be in several: what its name says, what its first line says and what stands in
//! it are three opinions, and an attacker picks the one that is not asked.

use memchr::memmem;

use crate::file_type::FileType;
use crate::heuristics::is_mostly_text;

/// Bytes in which marks of a language are looked for.
const LOOKED_AT: usize = 4 << 20;

/// A class of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileClass {
    /// An ELF file.
    Elf,
    /// A shell script.
    Shell,
    /// Python.
    Python,
    /// Perl.
    Perl,
    /// PHP, in whatever it is embedded.
    Php,
    /// JavaScript.
    JavaScript,
    /// Java server pages.
    Jsp,
    /// Active server pages, classic or .NET.
    Asp,
    /// Other text: configuration, tables of jobs, scripts that do not say what they are.
    Plain,
    /// Text for people to read.
    Document,
    /// Anything else.
    Binary,
}

impl FileClass {
    /// All of them.
    pub const ALL: [FileClass; 11] = [
        FileClass::Elf,
        FileClass::Shell,
        FileClass::Python,
        FileClass::Perl,
        FileClass::Php,
        FileClass::JavaScript,
        FileClass::Jsp,
        FileClass::Asp,
        FileClass::Plain,
        FileClass::Document,
        FileClass::Binary,
    ];

    /// The word in a rule's `applies` that means this class alone.
    pub const fn as_str(self) -> &'static str {
        match self {
            FileClass::Elf => "elf",
            FileClass::Shell => "shell",
            FileClass::Python => "python",
            FileClass::Perl => "perl",
            FileClass::Php => "php",
            FileClass::JavaScript => "javascript",
            FileClass::Jsp => "jsp",
            FileClass::Asp => "asp",
            FileClass::Plain => "plain",
            FileClass::Document => "document",
            FileClass::Binary => "binary",
        }
    }

    /// Whether a word of a rule's `applies` means this class. `script` is every language,
    /// `text` all that is text, `any` everything; what does not say that it is a shell script
    /// may be one.
    pub fn is_meant_by(self, word: &str) -> bool {
        let script = !matches!(
            self,
            FileClass::Elf | FileClass::Document | FileClass::Binary
        );
        match word {
            "any" => true,
            "text" => script || self == FileClass::Document,
            "script" => script,
            "shell" => matches!(self, FileClass::Shell | FileClass::Plain),
            word => word == self.as_str(),
        }
    }

    /// The classes of a file, each once, in order.
    pub fn of(path: &str, file_type: FileType, bytes: &[u8]) -> Vec<FileClass> {
        let mut classes = Vec::new();
        let head = bytes.get(..bytes.len().min(LOOKED_AT)).unwrap_or_default();
        let is_surely_text = matches!(file_type, FileType::Text | FileType::Html | FileType::Mail);
        // A control byte makes a file no less a script, whatever else it may be.
        let text = is_surely_text || (file_type == FileType::Other && is_mostly_text(head));
        if file_type == FileType::Elf {
            classes.push(FileClass::Elf);
        } else if !is_surely_text {
            classes.push(FileClass::Binary);
        }
        let by_name = by_extension(path).filter(|class| text || *class != FileClass::Document);
        let by_line = by_first_line(head);
        if text && !is_surely_text && by_name.is_none() && by_line.is_none() {
            classes.push(FileClass::Plain);
        }
        classes.extend(by_name);
        classes.extend(by_line);
        // Code hides behind a picture's first bytes, too.
        if file_type != FileType::Elf
            && memmem::find(head, b"<?").is_some_and(|at| php(head, at, text))
        {
            classes.push(FileClass::Php);
        }
        if text && memmem::find(head, b"<%").is_some() {
            classes.extend([FileClass::Jsp, FileClass::Asp]);
        }
        if classes.is_empty() {
            classes.push(FileClass::Plain);
        }
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

/// Whether any `<?` from the given place on opens PHP and not XML. The short form counts in
/// text only: three bytes stand by chance in anything large.
fn php(bytes: &[u8], from: usize, text: bool) -> bool {
    let rest = bytes.get(from..).unwrap_or_default();
    memmem::find_iter(rest, b"<?").any(|at| {
        let mark = rest.get(at + 2..).unwrap_or_default();
        (text && mark.starts_with(b"="))
            || mark
                .get(..3)
                .is_some_and(|mark| mark.eq_ignore_ascii_case(b"php"))
    })
}

fn by_extension(path: &str) -> Option<FileClass> {
    let name = path.rsplit('/').next()?;
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "sh" | "bash" | "zsh" | "ksh" | "ash" => FileClass::Shell,
        "py" | "pyw" | "pth" => FileClass::Python,
        "pl" | "pm" | "cgi" => FileClass::Perl,
        "php" | "php3" | "php4" | "php5" | "php7" | "php8" | "phtml" | "pht" | "phar" | "inc" => {
            FileClass::Php
        }
        "js" | "mjs" | "cjs" | "ts" => FileClass::JavaScript,
        "jsp" | "jspx" | "jspf" => FileClass::Jsp,
        "asp" | "aspx" | "ashx" | "asmx" | "asa" | "cer" => FileClass::Asp,
        "md" | "txt" | "rst" | "html" | "htm" | "adoc" | "tex" | "1" | "2" | "3" | "4" | "5"
        | "6" | "7" | "8" | "po" | "csv" | "tsv" => FileClass::Document,
        _ => return None,
    })
}

fn by_first_line(bytes: &[u8]) -> Option<FileClass> {
    let line = bytes.strip_prefix(b"#!")?;
    let line = line.get(..line.len().min(128))?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let mut program = words.next()?.rsplit('/').next()?;
    if program == "env" {
        program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    Some(match program {
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "busybox" => FileClass::Shell,
        name if name.starts_with("python") => FileClass::Python,
        name if name.starts_with("perl") => FileClass::Perl,
        name if name.starts_with("php") => FileClass::Php,
        "node" | "nodejs" | "bun" | "deno" => FileClass::JavaScript,
        _ => FileClass::Plain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, bytes: &[u8], expected: &[FileClass]) {
        let classes = FileClass::of(path, FileType::detect(bytes), bytes);
        assert_eq!(classes, expected, "{path}");
    }

    #[test]
    fn name_first_line_and_content_each_have_a_say() {
        use FileClass::*;
        check("/bin/x", b"\x7fELF\x02 <?php", &[Elf]);
        check("/a.py", b"import os", &[Python]);
        check("/a", b"#!/usr/bin/env -S python3 -u\n", &[Python]);
        check("/a", b"#!/bin/sh\n", &[Shell]);
        check("/a.py", b"#!/bin/sh\n", &[Shell, Python]);
        check("/a", b"#!/proc/self/exe\n", &[Plain]);
        check("/etc/cron.d/x", b"* * * * * root x\n", &[Plain]);
        check("/notes.txt", b"hello", &[Document]);
        check("/notes.txt", b"hello <?PHP x", &[Php, Document]);
        check("/a.xml", b"<?xml version='1'?><a/>", &[Plain]);
        check("/a.xml", b"<?xml version='1'?><?= $x ?>", &[Php]);
        check("/a.jpg", b"\xff\xd8\xff\0<?php", &[Php, Binary]);
        check("/a", b"\0\x01", &[Binary]);
        check("/a", b"<% x %>", &[Jsp, Asp]);
    }

    #[test]
    fn a_control_byte_makes_a_script_binary_beside_what_it_is_and_not_instead() {
        use FileClass::*;
        check("/a", b"#!/bin/bash\n#\x01\nid\n", &[Shell, Binary]);
        check("/a.py", b"import os\n\0\0\x01", &[Python, Binary]);
        check("/a.php", b"\x01\x02<?php", &[Php, Binary]);
        check(
            "/etc/cron.d/x",
            b"# a comment, and a byte\x01\n",
            &[Plain, Binary],
        );
        check("/a", b"#!/bin/sh\n%PDF-1.4\n", &[Shell, Binary]);
        check("/lib/x.so.1", b"\x7fELF\x02", &[Elf]);
    }

    #[test]
    fn every_class_has_its_word_and_the_wide_words() {
        for class in FileClass::ALL {
            assert!(class.is_meant_by(class.as_str()) && class.is_meant_by("any"));
            assert!(!class.is_meant_by("else"));
        }
        assert!(FileClass::Plain.is_meant_by("shell"));
        assert!(!FileClass::Document.is_meant_by("script"));
        assert!(FileClass::Document.is_meant_by("text"));
    }
}
