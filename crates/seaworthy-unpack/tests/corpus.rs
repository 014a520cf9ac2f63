//! ClamAV's own carriers of one harmless program, and EICAR in ordinary containers.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at what it does not expect and tells what it skips"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seaworthy_testkit::sha256;
use seaworthy_unpack::{Flow, Format, Incomplete, Limits, Member, Visitor, appended, unpack};

/// The program that every carrier carries.
const CLAM_EXE: &str = "71e7b604d18aefd839e51a39c88df8383bb4c071dc31f87f00a2b5df580d4495";

/// Carriers that are not opened, each with the reason.
const NOT_OPENED: &[(&str, &str)] = &[
    ("clam-aspack.exe", "ASPack-packed Windows program"),
    ("clam-fsg.exe", "FSG-packed Windows program"),
    ("clam-mew.exe", "MEW-packed Windows program"),
    ("clam-nsis.exe", "NSIS installer"),
    ("clam-pespin.exe", "PESpin-packed Windows program"),
    ("clam-petite.exe", "Petite-packed Windows program"),
    ("clam-upack.exe", "Upack-packed Windows program"),
    ("clam-upx.exe", "UPX-packed Windows program"),
    ("clam-v2.rar", "RAR"),
    ("clam-v3.rar", "RAR"),
    ("clam-wwpack.exe", "WWPack-packed Windows program"),
    ("clam-yc.exe", "yC-packed Windows program"),
    ("clam.arj", "ARJ"),
    ("clam.cab", "Microsoft cabinet"),
    ("clam.chm", "Microsoft help file"),
    ("clam.ea05.exe", "AutoIt program"),
    ("clam.ea06.exe", "AutoIt program"),
    ("clam.exe.2007.one", "OneNote"),
    ("clam.exe.2010.one", "OneNote"),
    ("clam.exe.binhex", "BinHex"),
    ("clam.exe.html", "data URL in HTML"),
    ("clam.exe.mbox.base64", "mail"),
    ("clam.exe.mbox.uu", "mail"),
    ("clam.exe.rtf", "RTF"),
    ("clam.exe.szdd", "Microsoft compress"),
    ("clam.exe.webapp-export.one", "OneNote"),
    ("clam.iso", "ISO 9660"),
    ("clam.mail-boundary-content-disposition.eml", "mail"),
    ("clam.mail-comment-header-name.eml", "mail"),
    ("clam.mail-disposition-rfc2231-boundary.eml", "mail"),
    ("clam.mail-multiple-boundaries.eml", "mail"),
    ("clam.mail-multiple-content-type.eml", "mail"),
    ("clam.mail-nested-comment-header-name.eml", "mail"),
    ("clam.mail-semicolon-boundary.eml", "mail"),
    ("clam.mail", "mail"),
    ("clam.ole.doc", "OLE document"),
    ("clam.pdf", "PDF"),
    ("clam.ppt", "OLE document"),
    ("clam.sis", "Symbian package"),
    ("clam.tnef", "TNEF mail attachment"),
    ("clam_IScab_ext.exe", "InstallShield program"),
    ("clam_IScab_int.exe", "InstallShield program"),
    ("clam_ISmsi_ext.exe", "InstallShield program"),
    ("clam_ISmsi_int.exe", "InstallShield program"),
    ("clamjol.iso", "ISO 9660"),
];

#[derive(Default)]
struct Collect {
    members: Vec<(String, Vec<u8>)>,
    incomplete: Vec<String>,
    open: bool,
}

impl Visitor for Collect {
    fn enter(&mut self, member: &Member<'_>, bytes: &[u8]) -> Flow {
        self.members
            .push((member.inside.to_owned(), bytes.to_vec()));
        if self.open || member.inside == "content" {
            Flow::Continue
        } else {
            Flow::SkipInside
        }
    }

    fn incomplete(&mut self, inside: Option<&str>, why: &Incomplete) {
        self.incomplete
            .push(format!("{}: {why}", inside.unwrap_or("itself")));
    }
}

fn collect(bytes: &[u8], open: bool) -> Collect {
    let mut collect = Collect {
        open,
        ..Collect::default()
    };
    let found = Format::of(bytes)
        .map(|format| (format, 0))
        .or_else(|| appended(bytes));
    if let Some((format, start)) = found {
        unpack(&bytes[start..], format, &Limits::default(), &mut collect);
    }
    collect
}

fn malware() -> Option<PathBuf> {
    let root = std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let folder = root.join("malware");
    if folder.is_dir() {
        Some(folder)
    } else {
        println!("skipped: no corpus at {}", folder.display());
        None
    }
}

/// The files of ClamAV's unit tests by path, those that are stored encoded decoded.
fn inputs(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let manifest = std::fs::read(folder.join("clamav-unit-test-inputs.manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let key = manifest["xor_key_ascii"].as_str().unwrap().as_bytes();
    let archive = std::fs::read(folder.join("clamav-unit-test-inputs.tar.zst")).unwrap();
    let all = collect(&archive, false);
    assert_eq!(all.incomplete, Vec::<String>::new());
    let mut files = BTreeMap::new();
    for (path, bytes) in all.members {
        match path.strip_suffix(".xor") {
            Some(plain) => {
                let decoded = bytes
                    .iter()
                    .zip(key.iter().cycle())
                    .map(|(a, b)| a ^ b)
                    .collect();
                files.insert(plain.to_owned(), decoded);
            }
            // The archive itself.
            None if path == "content" => {}
            None => {
                files.insert(path, bytes);
            }
        }
    }
    for file in manifest["files"].as_array().unwrap() {
        let path = file["file"].as_str().unwrap().strip_suffix(".xor").unwrap();
        let expected = file["decoded_sha256"].as_str().unwrap();
        assert_eq!(hash(&files[path]), expected, "{path}");
    }
    files
}

/// Bare lower-case hex.
fn hash(bytes: &[u8]) -> String {
    let digest = sha256(bytes);
    digest.strip_prefix("sha256:").unwrap_or(&digest).to_owned()
}

#[test]
fn every_carrier_of_a_claimed_format_yields_the_program() {
    let Some(folder) = malware() else { return };
    let (mut opened, mut faults) = (Vec::new(), Vec::new());
    for (path, bytes) in inputs(&folder) {
        let Some(name) = path.strip_prefix("clamav_hdb_scanfiles/") else {
            continue;
        };
        if name == "clam.exe" {
            continue;
        }
        let seen = collect(&bytes, true);
        let found = seen
            .members
            .iter()
            .find(|(_, bytes)| hash(bytes) == CLAM_EXE);
        let excused = NOT_OPENED.iter().find(|(file, _)| *file == name);
        match (found, excused) {
            (Some((inside, _)), None) => {
                opened.push(format!("{name}: {inside}"));
                // This one goes on below the depth at which it holds the program.
                let deep = |why: &String| why.ends_with("limit reached: nesting depth");
                let endless = name == "clam_cache_emax.tgz" && seen.incomplete.iter().all(deep);
                if !seen.incomplete.is_empty() && !endless {
                    faults.push(format!("{name}: {:?}", seen.incomplete));
                }
            }
            (None, Some((_, reason))) => println!("not opened: {name}: {reason}"),
            (Some(_), Some(_)) => faults.push(format!("{name} is opened after all")),
            (None, None) => faults.push(format!("{name}: not found, {:?}", seen.incomplete)),
        }
    }
    println!("{}", opened.join("\n"));
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(opened.len(), 14, "{opened:?}");
}

#[test]
fn eicar_comes_out_of_ordinary_containers() {
    let Some(folder) = malware() else { return };
    let file = std::fs::read(folder.join("eicar-encoded.json")).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let mut containers = 0;
    for (name, entry) in file["files"].as_object().unwrap() {
        let hex = entry["data"].as_str().unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap() ^ 0x5a)
            .collect();
        assert_eq!(hash(&bytes), entry["sha256"].as_str().unwrap());
        if name == "eicar.com" || name == "eicar.com.txt" {
            assert_eq!(Format::of(&bytes), None);
            continue;
        }
        let expected = file["files"]["eicar.com"]["sha256"].as_str().unwrap();
        let seen = collect(&bytes, true);
        let found = seen
            .members
            .iter()
            .any(|(_, bytes)| hash(bytes) == expected);
        assert!(found, "{name}: {:?}", seen.incomplete);
        assert_eq!(seen.incomplete, Vec::<String>::new(), "{name}");
        containers += 1;
    }
    assert_eq!(containers, 6);
}

#[test]
fn zstd_streams_of_clamav_come_out() {
    let Some(folder) = malware() else { return };
    let files = inputs(&folder);
    for (name, text) in [
        (
            "concat",
            "BENIGN_FIRST_FRAME_PADDINGZSTD_TEST_PAYLOAD_FOR_CLAMAV",
        ),
        ("skip_prefix", "ZSTD_TEST_PAYLOAD_FOR_CLAMAV"),
        ("testfile", "ZSTD_TEST_PAYLOAD_FOR_CLAMAV"),
    ] {
        let seen = collect(
            &files[&format!("other_scanfiles/zstd/{name}.txt.zst")],
            true,
        );
        assert_eq!(seen.incomplete, Vec::<String>::new());
        assert_eq!(
            seen.members,
            [("content".to_owned(), text.as_bytes().to_vec())]
        );
    }
}

#[test]
fn only_what_is_broken_or_too_deep_is_incomplete() {
    let Some(folder) = malware() else { return };
    let mut broken = Vec::new();
    for (path, bytes) in inputs(&folder) {
        if !collect(&bytes, true).incomplete.is_empty() {
            broken.push(path);
        }
    }
    // The last two: the volumes of an archive over two.
    assert_eq!(
        broken,
        [
            "clamav_hdb_scanfiles/clam_cache_emax.tgz",
            "other_scanfiles/zip/logos.z01",
            "other_scanfiles/zip/logos.zip"
        ]
    );
}
