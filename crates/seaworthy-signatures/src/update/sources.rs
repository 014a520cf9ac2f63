//! Gathering signature files from folders, containers and the download cache.
//!
//! A file that can't be read, and a container that is broken or not the publisher's, is left
//! out whole and told; all others are used.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use seaworthy_fetch::{hash_file, hex};
use sha2::{Digest as _, Sha256};

use crate::build::Builder;
use crate::clamav::{FileKind, Reason, lines};
use crate::cvd::{Container, Header, verify_sign};
use crate::manifest::{Manifest, Source, SourceProblem, Trust, YaraFile};
use crate::sign::Certificate;
use crate::yara::{ScanLimits, YaraReport, YaraRules};
use crate::{BuildError, BuildReport, SignatureSet};

/// Folders inside folders.
const MAX_DEPTH: u32 = 8;
/// Files of one build.
const MAX_FILES: usize = 100_000;
/// Bytes of one build, packed and unpacked.
const MAX_BYTES: u64 = 8 << 30;
/// Bytes of a detached signature; real ones have some five thousand.
pub const MAX_SIGN_BYTES: u64 = 1 << 20;
/// Bytes of the YARA rules that are kept beside it.
const MAX_YARA_BYTES: u64 = 256 << 20;

/// Signature files, compiled, with all that is said about them.
pub struct Compiled {
    /// The set.
    pub set: SignatureSet,
    /// What it is made of; revision, size and digest are filled in by installing.
    pub manifest: Manifest,
    /// How the build went.
    pub report: BuildReport,
    /// The YARA rules among them, ready for use.
    pub rules: YaraRules,
    /// What of those can't be used, beyond the first that the manifest names too.
    pub rules_report: YaraReport,
    /// Contents of [`Manifest::yara`], in its order.
    pub(crate) yara: Vec<Vec<u8>>,
}

/// Gathers files in the order they are added; reads them when it compiles.
///
/// Beside a container `main.cvd` its detached signature `main.cvd.sign`, or `main-62.cvd.sign`
/// with its version, must fit where certificates are trusted.
#[derive(Debug, Default)]
pub struct Sources {
    certificates: Vec<Certificate>,
    entries: Vec<Entry>,
    names: HashSet<String>,
    problems: Vec<SourceProblem>,
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    name: String,
}

impl Sources {
    /// Nothing yet; detached signatures are looked at when certificates are given.
    pub fn new(certificates: &[Certificate]) -> Sources {
        Sources {
            certificates: certificates.to_vec(),
            ..Sources::default()
        }
    }

    /// Takes a file, or all files of a folder and of folders in it in the order of their names,
    /// but none whose name begins with a dot, and no folder behind a link. `name` is what the
    /// source is called, a prefix for those of a folder.
    pub fn add(&mut self, path: &Path, name: &str) {
        self.add_below(path, name, MAX_DEPTH);
    }

    fn add_below(&mut self, path: &Path, name: &str, depth: u32) {
        match std::fs::metadata(path) {
            Err(error) => self.problem(path, format!("it cannot be read: {error}")),
            Ok(found) if found.is_dir() => self.add_folder(path, name, depth),
            Ok(found) if found.is_file() => self.add_file(path, name, found.len()),
            Ok(_) => self.problem(path, "it is no plain file"),
        }
    }

    fn add_folder(&mut self, folder: &Path, name: &str, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else {
            let reason = format!("it lies more than {MAX_DEPTH} folders deep");
            return self.problem(folder, reason);
        };
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.problem(folder, format!("it cannot be read: {error}")),
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(_) if self.entries.len() + paths.len() >= MAX_FILES => {
                    self.problem(folder, format!("there are more than {MAX_FILES} files"));
                    break;
                }
                Ok(entry) if is_hidden(&entry.file_name()) => {}
                Ok(entry) => paths.push(entry.path()),
                Err(error) => self.problem(folder, format!("it cannot be read: {error}")),
            }
        }
        paths.sort();
        for path in paths {
            if path.is_symlink() && path.is_dir() {
                self.problem(&path, "it is a link to a folder, which is not followed");
                continue;
            }
            let own = path.file_name().unwrap_or_default().to_string_lossy();
            let below = if name.is_empty() {
                own.into_owned()
            } else {
                format!("{name}/{own}")
            };
            self.add_below(&path, &below, depth);
        }
    }

    fn add_file(&mut self, path: &Path, name: &str, size: u64) {
        let bytes = self.bytes.saturating_add(size);
        if bytes > MAX_BYTES {
            return self.problem(path, too_much());
        }
        self.bytes = bytes;
        // Two files of one name, from two folders, stay two sources.
        let mut name = name.to_owned();
        while !self.names.insert(name.clone()) {
            name.insert(0, '+');
        }
        self.entries.push(Entry {
            path: path.to_owned(),
            name,
        });
    }

    fn problem(&mut self, path: &Path, reason: impl Into<String>) {
        self.problems.push(SourceProblem {
            path: path.display().to_string(),
            reason: reason.into(),
        });
    }

    /// A digest of names and contents: the same files compile to the same signatures.
    pub fn fingerprint(&self) -> String {
        let mut all = Sha256::new();
        for entry in &self.entries {
            let digest = hash_file(&entry.path).map(|(digest, _)| digest);
            // A file that can't be read now is another thing once it can.
            all.update(digest.as_deref().unwrap_or("unreadable"));
            all.update([b' ']);
            all.update(entry.name.as_bytes());
            all.update([0]);
            if self.certificates.is_empty() || !is_container(&entry.name) {
                continue;
            }
            let version = super::version_of(&entry.path).unwrap_or(0);
            for sign in sign_files(&entry.path, version) {
                let digest = hash_file(&sign).map(|(digest, _)| digest);
                all.update(digest.as_deref().unwrap_or("none"));
            }
        }
        // With other certificates others vouch.
        all.update(self.certificates.len().to_le_bytes());
        for certificate in &self.certificates {
            all.update(format!("{certificate:?}").as_bytes());
        }
        for problem in &self.problems {
            all.update(problem.path.as_bytes());
            all.update([0]);
        }
        hex(&all.finalize())
    }

    /// Reads and compiles what was added.
    ///
    /// # Errors
    ///
    /// It is too much for one compiled file.
    pub fn compile(self, builder: &str, now: Timestamp) -> Result<Compiled, BuildError> {
        let mut reader = Reader {
            certificates: self.certificates,
            builder: Builder::default(),
            sources: Vec::new(),
            problems: self.problems,
            yara: Vec::new(),
            bytes: 0,
            yara_bytes: 0,
        };
        for entry in &self.entries {
            reader.read(entry);
        }
        let (set, report) = SignatureSet::finish(reader.builder)?;
        let mut manifest = Manifest::describe(&report, reader.sources, builder, now);
        let files: Vec<(String, Vec<u8>)> = reader
            .yara
            .iter_mut()
            .map(|(file, bytes)| (file.file.clone(), std::mem::take(bytes)))
            .collect();
        let (rules, rules_report) = YaraRules::from_clamav(&files, ScanLimits::default());
        manifest.take_rules(&rules_report);
        manifest.yara = reader.yara.into_iter().map(|(file, _)| file).collect();
        let yara = files.into_iter().map(|(_, bytes)| bytes).collect();
        manifest.problems = reader.problems;
        Ok(Compiled {
            set,
            manifest,
            report,
            rules,
            rules_report,
            yara,
        })
    }
}

/// What is read so far.
struct Reader {
    certificates: Vec<Certificate>,
    builder: Builder,
    sources: Vec<Source>,
    problems: Vec<SourceProblem>,
    yara: Vec<(YaraFile, Vec<u8>)>,
    bytes: u64,
    yara_bytes: u64,
}

impl Reader {
    fn read(&mut self, entry: &Entry) {
        let Entry { path, name } = entry;
        let mut bytes = Vec::new();
        // The size was looked at before, but a file can grow.
        let read = File::open(path).and_then(|file| {
            let left = MAX_BYTES.saturating_sub(self.bytes);
            file.take(left.saturating_add(1)).read_to_end(&mut bytes)
        });
        if let Err(error) = read {
            return self.problem(path, format!("it cannot be read: {error}"));
        }
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes > MAX_BYTES {
            return self.problem(path, too_much());
        }
        let mut source = Source {
            name: name.clone(),
            version: None,
            published_at: None,
            trust: Trust::Unsigned,
            parsed: 0,
            active: 0,
            size: bytes.len() as u64,
            sha256: hex(&Sha256::digest(&bytes)),
        };
        if name.ends_with(".sign") {
            // Read with the container it belongs to.
            return;
        }
        if !is_container(name) {
            if FileKind::of_name(name).is_some() {
                self.sources.push(source);
            }
            return self.take(path, name, bytes);
        }
        let container = match read_container(&bytes) {
            Ok(container) => container,
            Err(reason) => return self.problem(path, reason),
        };
        source.version = Some(container.header.version);
        source.published_at = time_of(&container.header);
        source.trust = Trust::of(container.verified);
        match certified(path, &bytes, container.header.version, &self.certificates) {
            Ok(true) => source.trust = Trust::Certified,
            Ok(false) => {}
            Err(reason) => return self.problem(path, reason),
        }
        drop(bytes);
        let unpacked: u64 = container.members.values().map(|m| m.len() as u64).sum();
        self.bytes = self.bytes.saturating_add(unpacked);
        if self.bytes > MAX_BYTES {
            return self.problem(path, too_much());
        }
        self.sources.push(source);
        for (member, bytes) in container.members {
            // The licence text that every container carries.
            if member != "COPYING" {
                self.take(path, &format!("{name}/{member}"), bytes);
            }
        }
    }

    fn take(&mut self, path: &Path, name: &str, bytes: Vec<u8>) {
        if let Some((FileKind::Unsupported(Reason::Yara), _)) = FileKind::of_name(name) {
            let size = bytes.len() as u64;
            self.yara_bytes = self.yara_bytes.saturating_add(size);
            if self.yara_bytes > MAX_YARA_BYTES {
                let reason = format!("the yara rules are over {} MiB", MAX_YARA_BYTES >> 20);
                self.problem(path, reason);
            } else {
                let file = YaraFile {
                    file: name.to_owned(),
                    size,
                    sha256: hex(&Sha256::digest(&bytes)),
                };
                self.yara.push((file, bytes));
            }
            return;
        }
        self.builder.add_file(name, bytes);
    }

    fn problem(&mut self, path: &Path, reason: impl Into<String>) {
        self.problems.push(SourceProblem {
            path: path.display().to_string(),
            reason: reason.into(),
        });
    }
}

/// Whether a detached signature lies beside a container and fits. One that is there and does not
/// fit is an error: somebody changed something.
fn certified(
    path: &Path,
    container: &[u8],
    version: u32,
    trusted: &[Certificate],
) -> Result<bool, String> {
    if trusted.is_empty() {
        return Ok(false);
    }
    for sign in sign_files(path, version) {
        match File::open(sign) {
            Ok(file) => {
                let mut sign = String::new();
                file.take(MAX_SIGN_BYTES)
                    .read_to_string(&mut sign)
                    .map_err(|error| format!("its signature file cannot be read: {error}"))?;
                return verify_sign(container, &sign, trusted)
                    .map(|_| true)
                    .map_err(|error| error.to_string());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("its signature file cannot be read: {error}")),
        }
    }
    Ok(false)
}

/// Where the detached signature of a container may lie: beside it, with its version or without.
fn sign_files(path: &Path, version: u32) -> [PathBuf; 2] {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
    [
        path.with_file_name(format!("{stem}-{version}.{extension}.sign")),
        path.with_file_name(format!("{name}.sign")),
    ]
}

fn too_much() -> String {
    format!("the files are over {} GiB in all", MAX_BYTES >> 30)
}

fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Whether a file is a container by its name.
pub fn is_container(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["cvd", "cld", "cud"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

/// Reads a container. Version and time in its header, which no digest covers, must be those in
/// its list of files, which the publisher signs: else somebody could pass off old signatures as
/// new, or keep newer ones out.
pub fn read_container(bytes: &[u8]) -> Result<Container, String> {
    let container = Container::read(bytes).map_err(|error| error.to_string())?;
    let info = container
        .members
        .iter()
        .find(|(name, _)| name.ends_with(".info"));
    let listed = info.and_then(|(_, info)| Header::parse(lines(info).next()?).ok());
    let same = listed.is_some_and(|listed| {
        listed.version == container.header.version && listed.time == container.header.time
    });
    if same {
        Ok(container)
    } else {
        Err("its list of files is that of another header".to_owned())
    }
}

/// When a container was made: `22 Jun 2021 21-34 -0400`, a dash where others have a colon.
pub fn time_of(header: &Header) -> Option<Timestamp> {
    jiff::fmt::strtime::parse("%d %b %Y %H-%M %z", header.time.trim())
        .ok()?
        .to_timestamp()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cvd::unsigned;

    fn hex_of(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_folder_of_all_sorts_is_counted_by_file_and_kind() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        let body = format!("A:0:*:{}", hex_of("needle"));
        write("a.ndb", format!("{body}\nbroken\n").as_bytes());
        write("sub/a.ndb", body.as_bytes());
        write(
            "main.cvd",
            &unsigned(&[("main.ndb", body.as_bytes())], false),
        );
        write("broken.cvd", b"no container");
        write(
            "rules/x.yar",
            b"rule x { condition: false }\n\nrule y { condition: $none }\n",
        );
        write("README", b"text");
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        let gather = || {
            let mut sources = Sources::default();
            sources.add(folder.path(), "");
            sources
        };
        let before = gather().fingerprint();
        assert_eq!(gather().fingerprint(), before);
        let compiled = gather().compile("test", Timestamp::UNIX_EPOCH).unwrap();
        let manifest = &compiled.manifest;
        let row = |name: &str| {
            let found = manifest.sources.iter().find(|source| source.name == name);
            found.map(|source| (source.parsed, source.active, source.version))
        };
        assert_eq!(row("a.ndb"), Some((2, 1, None)));
        assert_eq!(row("sub/a.ndb"), Some((1, 1, None)));
        assert_eq!(row("main.cvd"), Some((1, 1, Some(6))));
        assert_eq!(row("rules/x.yar"), Some((2, 1, None)));
        assert_eq!((manifest.parsed, manifest.active), (6, 4));
        assert_eq!((manifest.yara_rules, compiled.rules.len()), (1, 1));
        let refused = manifest.inactive_named.iter().find(|row| row.name == "y");
        let refused = refused.unwrap();
        assert_eq!(
            (refused.file.as_str(), refused.line),
            ("rules/x.yar", Some(3))
        );
        assert!(refused.reason.contains("$none"), "{refused:?}");
        assert_eq!((row("broken.cvd"), row("README")), (None, None));
        assert!(manifest.unknown_files.contains(&"README".to_owned()));
        assert_eq!(manifest.yara[0].file, "rules/x.yar");
        let reasons: Vec<&str> = manifest
            .problems
            .iter()
            .map(|p| p.reason.as_str())
            .collect();
        assert!(
            reasons.contains(&"not a signature database container"),
            "{reasons:?}"
        );
        assert!(
            reasons
                .iter()
                .any(|reason| reason.contains("a link to a folder")),
            "{reasons:?}"
        );
    }

    #[test]
    fn the_time_of_a_container_is_read() {
        let bytes = unsigned(&[("a.ndb", b"")], true);
        let container = Container::read(&bytes).unwrap();
        assert_eq!(
            time_of(&container.header),
            Some("2021-06-23T01:34:00Z".parse().unwrap())
        );
        let header = Header {
            time: "yesterday".to_owned(),
            ..container.header
        };
        assert_eq!(time_of(&header), None);
    }
}
