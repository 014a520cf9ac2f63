//! Secrets in source directories: the same rules, findings and reports as for an image.
//!
//! Files are listed first, sorted, and dealt out to threads; each thread walks its share as a
//! layer of its own, so that everything that reads files of images reads these too. Links are
//! not followed. Of `.git` only its configuration and loose objects are read, what it stages
//! or packs is said; `.gitignore` is not obeyed, because what git ignores (`.env`) is what an
//! image gets by `COPY .`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rustix::fs::OFlags;
use seaworthy_core::{Digest, ImagePath, LayerEvidence, Problem, ProblemKind};
use seaworthy_image::{
    Body, Cancel, Entry, EntryKind, EntryMeta, Flow, Layer, LayerError, Limits, WalkContext,
    WalkOutcome,
};
use seaworthy_policy::{Policy, evaluate};
use seaworthy_report::{Database, DatabaseKind, Image, Report, ReportParts, image_of};
use seaworthy_scan::{AnalyzerSet, coalesce, scan_layer};
use seaworthy_secrets::allow::glob_matches;

use crate::secrets::{SecretOptions, SecretsChoice, judge_secrets, open_secrets};
use crate::{EngineError, Observer, Stage, VERSION};

/// All that a scan of sources depends on.
#[derive(Debug, Clone)]
pub struct SourceRequest {
    /// Directories and files.
    pub paths: Vec<PathBuf>,
    /// Globs of paths, below each directory, that are not looked at.
    pub exclude: Vec<String>,
    /// Bounds on hostile input.
    pub limits: Limits,
    /// The key of fingerprints.
    pub secrets: SecretsChoice,
    /// What else secrets are looked for and judged by.
    pub secret_options: SecretOptions,
    /// What the sources have to be like.
    pub policy: Policy,
    /// Threads that read files, at least 1.
    pub threads: usize,
    /// The time to judge at.
    pub now: Timestamp,
}

/// Files up to this size are read whole.
const SLICE_BYTES: u64 = 1 << 20;

/// Looks for secrets in files and directories, and reports.
///
/// # Errors
///
/// Where a path can't be read at all, rules, allow list or baseline can't be used, or the user
/// cancels. A single unreadable file is in the report.
pub fn scan_sources(
    request: &SourceRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Report, EngineError> {
    let secrets = open_secrets(&request.secrets, &request.secret_options, &request.policy)?;
    let Some(scanner) = &secrets.scanner else {
        return Err(EngineError::Secrets {
            message: "secrets are switched off".to_owned(),
            source: "and nothing else is looked for here".into(),
        });
    };
    let ctx = WalkContext {
        limits: request.limits.clone(),
        cancel: cancel.clone(),
        single_thread: true,
        ..WalkContext::default()
    };
    observer.stage(Stage::Opening);
    let mut listing = Listing::default();
    for path in &request.paths {
        listing.add(path, request, cancel)?;
    }
    listing.files.sort_by(|a, b| a.path.cmp(&b.path));
    listing.files.dedup_by(|a, b| a.path == b.path);
    let threads = request.threads.clamp(1, listing.files.len().max(1));
    observer.stage(Stage::Reading {
        layers: request.paths.len(),
        bytes_seen: ctx.bytes_seen.clone(),
    });
    let analyzers = AnalyzerSet::new(&[]).with_secrets(scanner.clone());
    let mut shares: Vec<SourceLayer> = (0..threads).map(|_| SourceLayer::default()).collect();
    for (number, file) in listing.files.into_iter().enumerate() {
        shares[number % threads].files.push(file);
    }
    let done: Mutex<Vec<Result<LayerEvidence, LayerError>>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for share in &shares {
            scope.spawn(|| {
                let evidence = scan_layer(share, &analyzers, &ctx);
                let mut done = done
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                done.push(evidence);
            });
        }
    });
    let done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut whole = LayerEvidence {
        complete: listing.complete,
        problems: listing.problems,
        ..LayerEvidence::default()
    };
    for share in done {
        let share = share?;
        whole.files.extend(share.files);
        whole.problems.extend(share.problems);
        whole.complete &= share.complete;
        whole.stats.entries += share.stats.entries;
        whole.stats.files += share.stats.files;
        whole.stats.bytes += share.stats.bytes;
    }
    whole.files.sort_by(|a, b| a.path.cmp(&b.path));
    whole.problems.sort();
    let mut evidence = coalesce(&[whole], &[]);
    observer.stage(Stage::Matching {
        packages: 0,
        cached_layers: 0,
    });
    let mut judged = judge_secrets(&mut evidence, scanner, &request.secret_options, request.now)?;
    for finding in &mut judged.findings {
        // There is one tree, and no layer or image of it yet.
        for seen in &mut finding.evidence {
            if let Some(note) = seen.note.strip_suffix(", visible in the final image") {
                seen.note = note.to_owned();
            }
            if let Some(location) = &mut seen.location {
                location.layer = None;
            }
        }
    }
    let mut problems = evidence.problems.clone();
    for problem in &mut problems {
        problem.layer = None;
    }
    problems.extend(secrets.notices);
    problems.extend(judged.notices);
    let mut policy = request.policy.clone();
    policy.ignore.extend(judged.known);
    let verdict = evaluate(&judged.findings, &[], &problems, &policy, request.now);
    let names: Vec<String> = request
        .paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let image = Image {
        reference: names.join(" "),
        source: "sources".to_owned(),
        names: Vec::new(),
        image_id: None,
        manifest_digest: None,
        platform: None,
        created: None,
        layers: Vec::new(),
    };
    let report = Report::new(ReportParts {
        tool_version: VERSION,
        scanned_at: request.now.to_string(),
        image: image_of(image, &evidence),
        evidence: &evidence,
        database: Database {
            kind: DatabaseKind::NotUsed,
            serial: 0,
            built_at: None,
            expires_at: None,
            advisories: 0,
        },
        malware: Vec::new(),
        findings: judged.findings,
        gaps: &[],
        suppressed: judged.suppressed,
        problems: &problems,
        policy: &policy,
        verdict: &verdict,
        compare: &|_, _, _| None,
        timings: None,
    });
    observer.stage(Stage::Done);
    Ok(report)
}

/// A file to read: its place for people, and where it lies.
struct SourceFile {
    path: ImagePath,
    at: PathBuf,
}

#[derive(Default)]
struct Listing {
    files: Vec<SourceFile>,
    problems: Vec<Problem>,
    complete: bool,
}

impl Listing {
    fn add(
        &mut self,
        path: &Path,
        request: &SourceRequest,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        // What the user names may be a link; nothing below it is followed.
        let meta = std::fs::metadata(path).map_err(|error| EngineError::Secrets {
            message: format!("cannot read `{}`", path.display()),
            source: error.into(),
        })?;
        self.complete = true;
        if meta.is_dir() {
            return self.directory(path, request, cancel);
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        self.push(Path::new(name), path);
        Ok(())
    }

    fn push(&mut self, name: &Path, at: &Path) {
        if let Some(path) = ImagePath::from_bytes(name.as_os_str().as_encoded_bytes()) {
            self.files.push(SourceFile {
                path,
                at: at.to_owned(),
            });
        }
    }

    fn directory(
        &mut self,
        root: &Path,
        request: &SourceRequest,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let mut waiting = vec![(PathBuf::new(), 0_usize)];
        let mut entries = 0_u64;
        while let Some((below, depth)) = waiting.pop() {
            if cancel.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            let here = root.join(&below);
            let listed = match std::fs::read_dir(&here) {
                Ok(listed) => listed,
                Err(error) if depth == 0 => {
                    return Err(EngineError::Secrets {
                        message: format!("cannot read the directory `{}`", here.display()),
                        source: error.into(),
                    });
                }
                Err(error) => {
                    self.unreadable(&below, "list this directory", &error);
                    continue;
                }
            };
            for entry in listed {
                let (entry, kind) = match entry.and_then(|entry| {
                    let kind = entry.file_type()?;
                    Ok((entry, kind))
                }) {
                    Ok(both) => both,
                    Err(error) => {
                        self.unreadable(&below, "list this directory whole", &error);
                        continue;
                    }
                };
                entries += 1;
                if entries > request.limits.layer_entries {
                    self.problems.push(Problem::new(
                        ProblemKind::LimitReached,
                        format!(
                            "`{}` has over {entries} entries; the rest was not read",
                            root.display()
                        ),
                    ));
                    self.complete = false;
                    return Ok(());
                }
                let name = below.join(entry.file_name());
                let shown = name.to_string_lossy();
                if request
                    .exclude
                    .iter()
                    .any(|glob| glob_matches(glob, &shown))
                {
                    continue;
                }
                if kind.is_dir() {
                    if entry.file_name() == ".git" {
                        self.git(root, &name);
                    } else if depth >= request.limits.path_depth {
                        self.problems.push(Problem::new(
                            ProblemKind::LimitReached,
                            format!("`{shown}` lies more than {depth} directories deep; not read"),
                        ));
                        self.complete = false;
                    } else {
                        waiting.push((name, depth + 1));
                    }
                } else if kind.is_file() {
                    self.push(&name, &root.join(&name));
                }
            }
        }
        Ok(())
    }

    /// The configuration and the loose objects of a repository; its packs are counted.
    fn git(&mut self, root: &Path, name: &Path) {
        let folder = root.join(name);
        self.push_if_file(root, &name.join("config"));
        let mut packs = 0;
        let names = |path: &Path| -> Vec<PathBuf> {
            let listed = std::fs::read_dir(path).into_iter().flatten().flatten();
            listed
                .take(100_000)
                .map(|entry| PathBuf::from(entry.file_name()))
                .collect()
        };
        for pair in names(&folder.join("objects")) {
            let objects = Path::new("objects").join(&pair);
            if pair.as_os_str().len() == 2 {
                for object in names(&folder.join(&objects)) {
                    self.push_if_file(root, &name.join(&objects).join(object));
                }
            } else if pair.as_os_str() == "pack" {
                let all = names(&folder.join(&objects));
                packs = all
                    .iter()
                    .filter(|p| p.extension().is_some_and(|e| e == "pack"))
                    .count();
            }
        }
        if packs > 0 {
            self.problems.push(Problem::new(
                ProblemKind::Notice,
                format!(
                    "`{}` has {packs} packs of history, which are not searched",
                    name.display()
                ),
            ));
        }
    }

    fn push_if_file(&mut self, root: &Path, name: &Path) {
        let at = root.join(name);
        if at.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            self.push(name, &at);
        }
    }

    fn unreadable(&mut self, path: &Path, what: &str, error: &io::Error) {
        let path = ImagePath::from_bytes(path.as_os_str().as_encoded_bytes()).unwrap_or_default();
        let message = format!("cannot {what}: {error}");
        self.problems
            .push(Problem::new(ProblemKind::Unreadable, message).at(&path));
    }
}

/// A share of the files, walked as a layer.
#[derive(Default)]
struct SourceLayer {
    files: Vec<SourceFile>,
}

impl Layer for SourceLayer {
    fn diff_id(&self) -> Option<&Digest> {
        None
    }

    fn size_hint(&self) -> Option<u64> {
        None
    }

    fn walk(
        &self,
        ctx: &WalkContext,
        visit: &mut dyn FnMut(Entry<'_>) -> io::Result<Flow>,
    ) -> Result<WalkOutcome, LayerError> {
        let mut outcome = WalkOutcome {
            complete: true,
            ..WalkOutcome::default()
        };
        for file in &self.files {
            if ctx.cancel.is_cancelled() {
                return Err(LayerError::Cancelled);
            }
            outcome.entries += 1;
            match one(file, ctx, visit) {
                Ok((bytes, flow)) => {
                    outcome.bytes += bytes;
                    if flow == Flow::Stop {
                        outcome.complete = false;
                        break;
                    }
                }
                Err(error) => outcome.problems.push(
                    Problem::new(
                        ProblemKind::Unreadable,
                        format!("cannot read this file to its end: {error}"),
                    )
                    .at(&file.path),
                ),
            }
        }
        Ok(outcome)
    }
}

/// Opens a file without following links or waiting for a pipe, and gives it to the visitor.
fn one(
    file: &SourceFile,
    ctx: &WalkContext,
    visit: &mut dyn FnMut(Entry<'_>) -> io::Result<Flow>,
) -> io::Result<(u64, Flow)> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(&file.at)?;
    let meta = opened.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no file any more"));
    }
    let size = meta.len();
    if size > ctx.limits.layer_bytes {
        return Err(io::Error::other("it is larger than the limit"));
    }
    ctx.bytes_seen.fetch_add(size, Ordering::Relaxed);
    let mut small = Vec::new();
    let mut large = Exact {
        file: &opened,
        left: size,
    };
    let (size, body) = if size <= SLICE_BYTES {
        (&opened).take(SLICE_BYTES + 1).read_to_end(&mut small)?;
        (small.len() as u64, Body::Slice(&small))
    } else {
        (size, Body::Reader(&mut large))
    };
    let flow = visit(Entry {
        path: file.path.clone(),
        kind: EntryKind::File,
        meta: EntryMeta {
            mode: meta.mode() & 0o7777,
            uid: u64::from(meta.uid()),
            gid: u64::from(meta.gid()),
            mtime: meta.mtime(),
            size,
            has_capabilities: false,
        },
        body,
    })?;
    Ok((size, flow))
}

/// Exactly the bytes a file had when it was opened.
struct Exact<'a> {
    file: &'a File,
    left: u64,
}

impl Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self.file.read(&mut buffer[..want])?;
        if count == 0 && want > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it became shorter while it was read",
            ));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_secrets::redact::FingerprintKey;

    use super::*;
    use crate::Silent;

    const VALUE: &str = "q8Zr2LmX0vTn5KdYq8Zr";

    fn scan(root: &Path, threads: usize, change: impl FnOnce(&mut SourceRequest)) -> Report {
        let mut request = SourceRequest {
            paths: vec![root.to_owned()],
            exclude: Vec::new(),
            limits: Limits::default(),
            secrets: SecretsChoice::Key(FingerprintKey::new([1; 32])),
            secret_options: SecretOptions::default(),
            policy: Policy::default(),
            threads,
            now: Timestamp::UNIX_EPOCH,
        };
        change(&mut request);
        scan_sources(&request, &Silent, &Cancel::default()).unwrap()
    }

    fn titles(report: &Report) -> Vec<&str> {
        report.findings.iter().map(|f| f.title.as_str()).collect()
    }

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("app/.env", format!("DB_PASSWORD={VALUE}\n"));
        write(
            "app/big.conf",
            format!("{}API_TOKEN=Zb7Yt4Rw9Qp2Lk6Jh3Gf\n", "x\n".repeat(1 << 20)),
        );
        write(
            ".git/config",
            "[remote]\nurl = https://me:Qr8zR2LmX0vTn@git.example.com/x\n".into(),
        );
        write(".git/objects/pack/a.pack", String::new());
        std::os::unix::fs::symlink("/etc", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("app/link")).unwrap();
        dir
    }

    #[test]
    fn files_of_a_tree_are_searched_and_links_are_not_followed() {
        let dir = tree();
        let report = scan(dir.path(), 3, |_| {});
        let found = titles(&report).join("\n");
        for path in ["/app/.env", "/app/big.conf", "/.git/config"] {
            assert!(found.contains(path), "{path}: {found}");
        }
        assert_eq!(report.image.layers[0].files, 3, "{:?}", report.problems);
        let notices: Vec<&str> = report.problems.iter().map(|p| p.message.as_str()).collect();
        assert!(notices.iter().any(|n| n.contains("1 packs")), "{notices:?}");
    }

    #[test]
    fn any_number_of_threads_says_the_same() {
        let dir = tree();
        assert_eq!(scan(dir.path(), 1, |_| {}), scan(dir.path(), 4, |_| {}));
    }

    #[test]
    fn excluded_paths_are_left_out_and_single_files_are_taken() {
        let dir = tree();
        let report = scan(dir.path(), 1, |r| r.exclude = vec!["app/**".to_owned()]);
        assert_eq!(report.image.layers[0].files, 1);
        let report = scan(&dir.path().join("app/.env"), 1, |_| {});
        assert_eq!(report.findings.len(), 1);
        assert!(
            titles(&report)[0].ends_with("in `/.env`"),
            "{:?}",
            titles(&report)
        );
    }

    #[test]
    fn a_dockerfile_gets_its_fixes_written_out() {
        let dir = tree();
        let text = format!(
            "FROM node:20 AS build\nARG NPM_TOKEN={VALUE}\nRUN echo \"${{NPM_TOKEN}}\" > t && npm ci\n\
             COPY .npmrc app/.env /app/\nRUN npm ci\n"
        );
        let report = scan(dir.path(), 1, |r| {
            r.secret_options.dockerfile = Some(crate::NamedText {
                name: "Dockerfile".to_owned(),
                text,
            });
        });
        let all: Vec<_> = report
            .findings
            .iter()
            .filter_map(|f| f.secret())
            .flat_map(|s| &s.fixes)
            .collect();
        let after: Vec<&str> = all.iter().map(|fix| fix.after.as_str()).collect();
        let wanted = [
            "# NPM_TOKEN comes as a secret mount",
            "RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN echo \"${NPM_TOKEN}\" > t && npm ci",
            "# .env is not copied",
            "# .npmrc is not copied",
            "RUN --mount=type=secret,id=npmrc,target=/app/.npmrc npm ci",
        ];
        for wanted in wanted {
            assert!(after.contains(&wanted), "{wanted}: {after:#?}");
        }
        assert!(!format!("{report:?}").contains(&VALUE[6..]));
    }
}
