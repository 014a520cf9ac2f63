//! Our answers and those of the real `clamscan` for the same small files and signatures, both
//! made here. Every known difference stands in [`KNOWN`] with its reason; one that is gone
//! must leave the table.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect"
)]

use std::collections::BTreeSet;
use std::process::Command;

use seaworthy_signatures::{Context, SignatureSet};

/// File, signature, whether `clamscan` is the one that finds it, why.
const KNOWN: &[(&str, &str, bool, &str)] = &[
    (
        "number.bin",
        "CompareHex",
        false,
        "a number written `0x1f` is read whole here; the reference does not take the prefix",
    ),
    ("page.html", "Html.NoTags", false, ADDRESSES),
    ("page.html", "HtmlAny.NoTags", false, ADDRESSES),
];
const ADDRESSES: &str =
    "the reference puts the addresses of links between the words of a page, we leave them out";

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn md5(bytes: &[u8]) -> String {
    use md5::{Digest, Md5};
    Md5::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A small 64-bit program: one segment that is loaded, the entry point at 0xb0.
fn elf() -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(0x200, 0);
    let mut put = |at: usize, value: u64, length: usize| {
        elf[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
    };
    put(16, 2, 2);
    put(18, 62, 2);
    put(20, 1, 4);
    put(24, 0x40_00b0, 8);
    put(32, 64, 8);
    put(40, 0x180, 8);
    put(52, 64, 2);
    put(54, 56, 2);
    put(56, 1, 2);
    put(58, 64, 2);
    put(60, 1, 2);
    put(64, 1, 4);
    put(68, 5, 4);
    put(64 + 16, 0x40_0000, 8);
    put(64 + 24, 0x40_0000, 8);
    put(64 + 32, 0x200, 8);
    put(64 + 40, 0x200, 8);
    put(64 + 48, 0x1000, 8);
    put(0x180 + 4, 1, 4);
    put(0x180 + 16, 0x40_0100, 8);
    put(0x180 + 24, 0x100, 8);
    put(0x180 + 32, 0x40, 8);
    elf[0xb0..0xb0 + 8].copy_from_slice(b"entry-at");
    elf[0x100..0x100 + 8].copy_from_slice(b"in-first");
    elf
}

fn files() -> Vec<(String, Vec<u8>)> {
    let text = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let mut files = vec![
        text(
            "one.txt",
            "some words: alpha beta, then ALPHA again and alpha",
        ),
        text("two.txt", "<?php EVAL\n\n\t($_POST['x']);  // Comment"),
        text(
            "code.js",
            "var a = 'b' + \"c\";\n/* note */ eval(  unescape('%41') );\n",
        ),
        text("count.txt", "aaaa-aaaa bbbb aaaa cccc"),
        text("words.txt", "sword word words (word) \nline\r\nend"),
        text(
            "mail.eml",
            "From: a@b.example\nTo: c@d.example\nSubject: needle here\n\nneedle body\n",
        ),
        text(
            "page.html",
            "<!DOCTYPE html>\n<HTML><Head><TITLE>A  Title</TITLE></Head>\n<BODY onLoad=\"go()\">\n\
             <!-- hidden needle --><IFRAME SRC='http://Bad.example/X?a=1&amp;b=2' width=0></IFRAME>\n\
             <a href=\"javascript:Go('Now')\">Click &lt;here&gt;</a>\n\
             <script>\nvar Secret = unescape('%41%42');\neval(Secret);\n</script></BODY></HTML>\n",
        ),
        text(
            "short.html",
            "<html><body><form action=post.php><input></form></body></html>",
        ),
        text("number.bin", "\u{1}LEN:1234;HEX:0x1f;"),
        text("empty.txt", ""),
    ];
    let mut wide = vec![0u8, 1];
    wide.extend("Wide Text".bytes().flat_map(|byte| [byte, 0]));
    files.push(("wide.bin".to_owned(), wide));
    files.push(("program.elf".to_owned(), elf()));
    let mut tail = b"\0\x01head ".to_vec();
    tail.extend(vec![7; 300]);
    tail.extend(b"the-tail!");
    files.push(("tail.bin".to_owned(), tail));
    files.push((
        "gaps.bin".to_owned(),
        b"\0AA12BB123CCxDDyyyyEE\xfa\x0f".to_vec(),
    ));
    files.push((
        "known.bin".to_owned(),
        b"\0\x02known content needle".to_vec(),
    ));
    files.push(("good.bin".to_owned(), b"\0\x02good content needle".to_vec()));
    files
}

fn signatures(files: &[(String, Vec<u8>)]) -> Vec<(&'static str, String)> {
    let content = |wanted: &str| {
        let (_, bytes) = files.iter().find(|(name, _)| name == wanted).unwrap();
        (md5(bytes), bytes.len())
    };
    let (known, good) = (content("known.bin"), content("good.bin"));
    let mut ndb = vec![
        format!("Any:0:*:{}", hex("alpha")),
        format!("Start:0:12:{}", hex("alpha")),
        format!("Shift:0:0,20:{}", hex("alpha")),
        format!("Elsewhere:0:13:{}", hex("alpha")),
        format!("End:0:EOF-9:{}", hex("the-tail!")),
        format!("NearEnd:0:EOF-20,12:{}", hex("the-tail!")),
        format!("Text:7:*:{}", hex("eval ($_post['x']);")),
        format!("TextComment:7:*:{}", hex("// comment")),
        format!("Raw:0:*:{}", hex("EVAL\n\n\t")),
        format!("Needle:0:*:{}", hex("needle")),
        format!("Mail:4:*:{}", hex("Subject: needle")),
        format!("Entry:6:EP+0:{}", hex("entry-at")),
        format!("Before:6:EP-176:{}", "7f454c46"),
        format!("Section:6:SE0:{}", hex("in-first")),
        format!("SectionPlus:6:S0+0:{}", hex("in-first")),
        format!("LastSection:6:SL+0:{}", hex("in-first")),
        format!(
            "Gap:0:*:{}{{2}}{}{{1-5}}{}",
            hex("AA"),
            hex("BB"),
            hex("CC")
        ),
        format!("GapShort:0:*:{}{{-1}}{}", hex("AA"), hex("BB")),
        format!("GapOpen:0:*:{}{{5-}}{}", hex("AA"), hex("EE")),
        format!("Bracket:0:*:{}[1-3]{}", hex("C"), hex("DD")),
        format!("Star:0:*:{}*{}*{}", hex("AA"), hex("CC"), hex("EE")),
        format!("Backwards:0:*:{}*{}", hex("EE"), hex("AA")),
        "Nibble:0:*:4545f??f".to_owned(),
        format!("Choice:0:*:{}(31|32|78){}", hex("CC"), hex("DD")),
        format!("NotChoice:0:*:{}!(31|32){}", hex("CC"), hex("DD")),
        format!("NotThis:0:*:{}!(78|32){}", hex("CC"), hex("DD")),
        format!(
            "Long:0:*:{}({}|{}){}",
            hex("AA"),
            hex("12"),
            hex("123"),
            hex("BB")
        ),
        format!("Boundary:0:*:(B){}(B)", hex("word")),
        format!("Line:0:*:(L){}(L)", hex("line")),
        format!("NotWord:0:*:{}!(W)", hex("sword")),
    ];
    // Views of a web page.
    let page = [
        ("Tag", "<iframe src="),
        ("Quoted", "<iframe src=\"http://bad.example/x?a=1&b=2\""),
        ("Single", "<iframe src='http://bad.example"),
        ("Comment", "hidden needle"),
        ("Title", "<title>a title</title>"),
        ("Lower", "<body onload=\"go()\">"),
        ("Script", "secret = unescape('%41%42');"),
        ("Decoded", "eval(secret);"),
        ("Link", "href=\"javascript:go('now')\""),
        ("Words", "click <here>"),
        ("Entities", "click &lt;here&gt;"),
        ("Bare", "<form action=post.php>"),
        ("Added", "<form action=\"post.php\">"),
        ("Doctype", "<!doctype html>"),
        ("NoTags", "a title click"),
    ];
    for (name, text) in page {
        ndb.push(format!("Html.{name}:3:*:{}", hex(text)));
        ndb.push(format!("HtmlAny.{name}:0:*:{}", hex(text)));
        ndb.push(format!("HtmlText.{name}:7:*:{}", hex(text)));
    }
    ndb.push(format!("Js.Joined:7:*:{}", hex("vara=\"bc\"")));
    ndb.push(format!("Js.Plain:7:*:{}", hex("eval( unescape('%41') );")));
    let a = hex("aaaa");
    // As many sub-signatures as the expression has: the reference refuses others.
    let logic = |name: &str, logic: &str, count: usize| {
        let subs = ["aaaa", "bbbb", "cccc", "dddd"].map(hex);
        let subs = subs[..count].join(";");
        format!("{name};Engine:51-255,Target:0;{logic};{subs}")
    };
    let ldb = [
        logic("And", "0&1", 2),
        logic("Or", "3|1", 4),
        logic("Absent", "0&3=0", 4),
        logic("Twice", "0=2", 1),
        logic("More", "0>1", 1),
        logic("Fewer", "0<2", 1),
        logic("Block", "(0|1|2)>3,3", 3),
        logic("BlockFew", "(0|1|2)>2,4", 3),
        logic("Mixed", "3&0|1", 4),
        logic("MixedBlock", "(3&0|1)", 4),
        format!("NoCase;Engine:51-255,Target:0;0>2;{}::i", hex("alpha")),
        format!("Wide;Engine:51-255,Target:0;0;{}::w", hex("Wide Text")),
        format!(
            "WideNoCase;Engine:51-255,Target:0;0;{}::wi",
            hex("wide text")
        ),
        format!(
            "WideOrNot;Engine:51-255,Target:0;0;{}::wa",
            hex("alpha beta")
        ),
        format!("FullWord;Engine:51-255,Target:0;0=2;{}::f", hex("word")),
        format!(
            "Size;Engine:51-255,FileSize:40-60,Target:0;0;{}",
            hex("alpha")
        ),
        format!(
            "WrongSize;Engine:51-255,FileSize:1-9,Target:0;0;{}",
            hex("alpha")
        ),
        format!("OtherEngine;Engine:1-2,Target:0;0;{}", hex("alpha")),
        format!(
            "Regex;Engine:81-255,Target:0;0&1;{};0/alpha\\s+b[a-f]ta/",
            hex("alpha")
        ),
        format!(
            "RegexCase;Engine:81-255,Target:0;0&1;{};0/BETA/",
            hex("alpha")
        ),
        format!(
            "RegexNoCase;Engine:81-255,Target:0;0&1;{};0/BETA/i",
            hex("alpha")
        ),
        format!(
            "RegexLook;Engine:81-255,Target:0;0&1;{};0/alpha(?= beta)/",
            hex("alpha")
        ),
        format!("RegexBack;Engine:81-255,Target:0;0&1;{};0/(a)\\1{{3}}-/", a),
        format!(
            "RegexAt;Engine:81-255,Target:0;0&1;{};12:0/alpha/",
            hex("alpha")
        ),
        format!(
            "RegexNotAt;Engine:81-255,Target:0;0&1;{};11:0/alpha/",
            hex("alpha")
        ),
        format!(
            "RegexRoll;Engine:81-255,Target:0;0&1;{};3:0/again/r",
            hex("alpha")
        ),
        format!(
            "Compare;Engine:99-255,Target:0;0&1;{};0(>>4#d4#=1234)",
            hex("LEN:")
        ),
        format!(
            "CompareMore;Engine:99-255,Target:0;0&1;{};0(>>4#d4#>2000)",
            hex("LEN:")
        ),
        format!(
            "CompareHex;Engine:99-255,Target:0;0&1;{};0(>>4#h4#=0x1f)",
            hex("HEX:")
        ),
        format!(
            "Program;Engine:51-255,Target:6,NumberOfSections:1-1;0;{}",
            hex("entry-at")
        ),
        format!(
            "EntryIn;Engine:51-255,EntryPoint:170-180,Target:6;0;{}",
            hex("entry-at")
        ),
        format!(
            "NotThisContainer;Engine:51-255,Container:CL_TYPE_ZIP,Target:0;0;{}",
            hex("alpha")
        ),
    ];
    vec![
        ("a.ndb", ndb.join("\n") + "\n"),
        ("a.ldb", ldb.join("\n") + "\n"),
        (
            "a.hdb",
            format!("{}:{}:Hash\n{}:*:HashAny:73\n", known.0, known.1, known.0),
        ),
        ("a.fp", format!("{}:{}:Good\n", good.0, good.1)),
        ("a.ign2", "Elsewhere\n".to_owned()),
    ]
}

#[test]
fn the_reference_scanner_says_the_same() {
    if Command::new("clamscan").arg("--version").output().is_err() {
        println!("skipped: no clamscan");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (signatures_at, files_at) = (
        folder.path().join("signatures"),
        folder.path().join("files"),
    );
    std::fs::create_dir(&signatures_at).unwrap();
    std::fs::create_dir(&files_at).unwrap();
    let files = files();
    let signatures = signatures(&files);
    for (name, text) in &signatures {
        std::fs::write(signatures_at.join(name), text).unwrap();
    }
    for (name, bytes) in &files {
        std::fs::write(files_at.join(name), bytes).unwrap();
    }
    let (set, report) = SignatureSet::build(&signatures_at).unwrap();
    println!(
        "{} active, inactive {:?}",
        report.active,
        report.inactive_by_reason()
    );
    let mut ours = BTreeSet::new();
    for (name, bytes) in &files {
        let context = Context {
            as_reference: true,
            ..Context::default()
        };
        for detection in set.scan(bytes, &context).detections {
            ours.insert((name.clone(), detection.name));
        }
    }
    let output = Command::new("clamscan")
        .args(["--allmatch", "--no-summary", "--stdout", "-r", "-d"])
        .args([&signatures_at, &files_at])
        .output()
        .unwrap();
    let theirs: BTreeSet<(String, String)> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let (path, name) = line.strip_suffix(" FOUND")?.rsplit_once(": ")?;
            let name = name.strip_suffix(".UNOFFICIAL").unwrap_or(name);
            let file = path.rsplit('/').next()?;
            Some((file.to_owned(), name.to_owned()))
        })
        .collect();
    assert!(theirs.len() > 40, "{output:?}");
    println!("{} finds of ours, {} of theirs", ours.len(), theirs.len());
    let mut differences: BTreeSet<(String, String, bool)> = BTreeSet::new();
    for (file, name) in ours.symmetric_difference(&theirs) {
        let by_them = theirs.contains(&(file.clone(), name.clone()));
        differences.insert((file.clone(), name.clone(), by_them));
    }
    let known: BTreeSet<(String, String, bool)> = KNOWN
        .iter()
        .map(|(file, name, by_them, _)| ((*file).to_owned(), (*name).to_owned(), *by_them))
        .collect();
    let new: Vec<_> = differences.difference(&known).collect();
    let gone: Vec<_> = known.difference(&differences).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "new {new:#?}\ngone {gone:#?}"
    );
}
