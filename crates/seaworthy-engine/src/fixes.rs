//! What to change in a Dockerfile so that a secret stays out of the image, written out.
//!
//! A secret is brought by an instruction: one that holds it (found in the Dockerfile by the
//! same keyed hash), one that the image's history names, or one that copies the file. For each
//! there is one way that leaves nothing behind: a secret mount for a step that needs it
//! (docs.docker.com/build/building/secrets), a line in `.dockerignore` for a file that nobody
//! needs, and the environment of the container for what the program reads when it runs. What is
//! written out is a proposal: it is checked against nothing but the file itself.

use std::collections::BTreeSet;
use std::ops::Range;

use seaworthy_core::{ConfigSecret, Detail, Finding, LayerInfo, SecretDetail, SecretFix};
use seaworthy_lint::dockerfile::{Dockerfile, Instruction};
use seaworthy_secrets::assignment::Quotes;
use seaworthy_secrets::file_kind::is_secret_file;
use seaworthy_secrets::scanner::{COPIED_FILE_RULE, SecretScanner};

/// Fixes written out for one finding.
const MAX_FIXES: usize = 8;
/// Characters of an instruction that a report shows.
const SHOWN: usize = 2000;

/// A Dockerfile, and how the user named it.
pub(crate) struct NamedDockerfile {
    pub name: String,
    pub file: Dockerfile,
}

/// A secret in an instruction: its keyed hash, and where in the instruction's text it lies.
struct Held<'d> {
    instruction: &'d Instruction,
    text: String,
    range: Range<usize>,
    fingerprint: String,
    /// What the rule finds.
    summary: String,
}

/// The secrets in a Dockerfile itself, and the files it copies that hold secrets by name.
pub(crate) fn secrets_of(
    dockerfile: &NamedDockerfile,
    scanner: &SecretScanner,
) -> Vec<ConfigSecret> {
    let mut found = Vec::new();
    for instruction in &dockerfile.file.instructions {
        let place = |line: u64| format!("line {line} of `{}`", dockerfile.name);
        for secret in scanner.cut_out(&text_of(instruction)).1 {
            found.push(ConfigSecret {
                place: place(instruction.line),
                layer: None,
                secret,
            });
        }
        let from_stage = instruction.flag("from").is_some();
        let sources = instruction.sources_and_target().map(|(sources, _)| sources);
        for source in sources.into_iter().flatten().filter(|_| !from_stage) {
            if is_secret_file(&source) {
                let what = format!("the file `{source}`");
                found.push(ConfigSecret {
                    place: place(instruction.line),
                    layer: None,
                    secret: scanner.by_name(COPIED_FILE_RULE, &what, instruction.line),
                });
            }
        }
    }
    found
}

/// Adds to each secret of `findings` what to change in the Dockerfile.
pub(crate) fn write_out(
    findings: &mut [Finding],
    dockerfile: &NamedDockerfile,
    scanner: &SecretScanner,
    layers: &[LayerInfo],
) {
    let held = held(&dockerfile.file, scanner);
    let history: Vec<String> = layers
        .iter()
        .filter_map(|layer| layer.created_by.clone())
        .collect();
    let writer = Writer {
        dockerfile,
        scanner,
        held: &held,
    };
    for finding in findings {
        let paths: Vec<(String, Option<String>)> = finding
            .evidence
            .iter()
            .filter_map(|evidence| {
                let place = evidence.location.as_ref()?;
                Some((place.path.to_string(), place.created_by.clone()))
            })
            .collect();
        let mut notes: Vec<String> = finding.evidence.iter().map(|e| e.note.clone()).collect();
        // Lines of history have the names of build arguments, and are not with the finding.
        if notes.iter().any(|note| note.starts_with("history line")) {
            notes.extend(history.iter().cloned());
        }
        let title = finding.title.clone();
        if let Detail::Secret(detail) = &mut finding.detail {
            let fixes = writer.fixes(detail, &title, &paths, &notes);
            if let (Some(first), Some(fix)) = (fixes.first(), &mut finding.remediation) {
                let place = match first.line {
                    Some(line) => format!("line {line} of `{}`", first.file),
                    None => format!("`{}`", first.file),
                };
                // What to write there is said once, with the fixes.
                fix.summary.push_str(&format!("; here: change {place}"));
            }
            detail.fixes = fixes;
        }
    }
}

fn text_of(instruction: &Instruction) -> String {
    match instruction.flags.is_empty() {
        true => format!("{} {}", instruction.keyword, instruction.text()),
        false => {
            let flags: Vec<String> = instruction
                .flags
                .iter()
                .map(|(name, value)| match value.is_empty() {
                    true => format!("--{name}"),
                    false => format!("--{name}={value}"),
                })
                .collect();
            format!(
                "{} {} {}",
                instruction.keyword,
                flags.join(" "),
                instruction.text()
            )
        }
    }
}

fn held<'d>(file: &'d Dockerfile, scanner: &SecretScanner) -> Vec<Held<'d>> {
    let mut all = Vec::new();
    for instruction in &file.instructions {
        let text = text_of(instruction);
        for found in scanner.find(text.as_bytes(), Quotes::Optional) {
            let evidence = scanner.evidence(text.as_bytes(), &found, 0, None);
            all.push(Held {
                instruction,
                text: text.clone(),
                range: found.range,
                summary: scanner
                    .rules()
                    .find(|rule| rule.id == evidence.rule)
                    .map(|rule| rule.summary.to_owned())
                    .unwrap_or_default(),
                fingerprint: evidence.fingerprint,
            });
        }
    }
    all
}

struct Writer<'a> {
    dockerfile: &'a NamedDockerfile,
    scanner: &'a SecretScanner,
    held: &'a [Held<'a>],
}

impl Writer<'_> {
    fn fixes(
        &self,
        detail: &SecretDetail,
        title: &str,
        paths: &[(String, Option<String>)],
        notes: &[String],
    ) -> Vec<SecretFix> {
        let mut fixes = Vec::new();
        for held in self
            .held
            .iter()
            .filter(|held| held.fingerprint == detail.secret)
        {
            fixes.extend(self.in_instruction(held));
        }
        // A build argument or variable whose value came from outside.
        let names: BTreeSet<String> = paths
            .iter()
            .filter_map(|(_, created_by)| created_by.as_deref())
            .chain(notes.iter().map(String::as_str))
            .chain([title])
            .flat_map(|text| given_names(text, &detail.redacted))
            .collect();
        if fixes.is_empty() {
            for name in &names {
                fixes.extend(self.named(name));
            }
        }
        for (path, created_by) in paths {
            fixes.extend(self.file(path, created_by.as_deref()));
        }
        if detail.summary.starts_with("File that holds secrets") {
            fixes.extend(self.copied(&detail.redacted));
        }
        let mut said = Vec::new();
        fixes.retain(|fix| {
            let is_new = !said.contains(fix);
            if is_new {
                said.push(fix.clone());
            }
            is_new
        });
        fixes.truncate(MAX_FIXES);
        fixes
    }

    fn fix(&self, instruction: &Instruction, after: String, note: String) -> SecretFix {
        SecretFix {
            file: self.dockerfile.name.clone(),
            line: Some(instruction.line),
            before: Some(self.shown(&text_of(instruction))),
            after,
            note,
        }
    }

    /// A text of the Dockerfile without any secret.
    fn shown(&self, text: &str) -> String {
        let cut = self.scanner.cut_out(text).0;
        cut.chars().take(SHOWN).collect()
    }

    /// An instruction to paste, without any secret and without a mask in its place: a RUN reads
    /// the values from mounts, whose ids are given too. Of what else holds a secret only the
    /// keyword is left.
    fn pasted(&self, instruction: &Instruction) -> (String, Vec<String>) {
        let mut text = text_of(instruction);
        let mut ids: Vec<(String, &str)> = Vec::new();
        if instruction.keyword == "RUN" {
            let held: Vec<&Held<'_>> = self
                .held
                .iter()
                .filter(|held| std::ptr::eq(held.instruction, instruction))
                .collect();
            for held in &held {
                if ids.iter().any(|(_, known)| *known == held.fingerprint) {
                    continue;
                }
                let kind = kind_of(&held.summary);
                let mut id = kind.clone();
                let mut number = 1;
                while ids.iter().any(|(known, _)| *known == id) {
                    number += 1;
                    id = format!("{kind}_{number}");
                }
                ids.push((id, &held.fingerprint));
            }
            // From behind, so that the places before stay.
            for held in held.iter().rev() {
                let start = text.floor_char_boundary(held.range.start);
                let end = text.ceil_char_boundary(held.range.end);
                let known = ids.iter().find(|(_, known)| *known == held.fingerprint);
                if let (Some((id, _)), true) = (known, start <= end) {
                    text.replace_range(start..end, &format!("$(cat /run/secrets/{id})"));
                }
            }
        }
        if !self.scanner.cut_out(&text).1.is_empty() {
            return (
                format!("{} …  # without the secret", instruction.keyword),
                Vec::new(),
            );
        }
        let mut text: String = text.chars().take(SHOWN).collect();
        let ids: Vec<String> = ids.into_iter().map(|(id, _)| id).collect();
        for id in ids.iter().rev() {
            text = mounted(&text, &format!("type=secret,id={id}"));
        }
        (text, ids)
    }

    /// The value stands in the instruction.
    fn in_instruction(&self, held: &Held<'_>) -> Vec<SecretFix> {
        let instruction = held.instruction;
        match instruction.keyword.as_str() {
            "ENV" | "ARG" => {
                let value = held.text.get(held.range.clone()).unwrap_or_default();
                let name = instruction
                    .pairs()
                    .into_iter()
                    .find(|(_, text)| text.as_deref().is_some_and(|text| text.contains(value)))
                    .map(|(name, _)| name);
                name.map_or_else(Vec::new, |name| self.named_at(instruction, &name))
            }
            "RUN" => {
                let single_quoted = held.text[..held.text.floor_char_boundary(held.range.start)]
                    .matches('\'')
                    .count()
                    % 2
                    == 1;
                let (after, ids) = self.pasted(instruction);
                let secrets: Vec<String> = ids
                    .iter()
                    .map(|id| format!("--secret id={id},src=FILE"))
                    .collect();
                let mut note = format!("build with `docker build {} .`", secrets.join(" "));
                if single_quoted {
                    note.push_str("; use double quotes around it, single ones keep `$(…)` as it is");
                }
                vec![self.fix(instruction, after, note)]
            }
            "LABEL" => vec![self.fix(
                instruction,
                "# no label: everybody who pulls the image can read it".to_owned(),
                "leave the label out".to_owned(),
            )],
            _ => vec![self.fix(
                instruction,
                format!("{} …  # reading the value from a file or the environment", instruction.keyword),
                "give it to the container when it runs, as a mounted secret or with `--env-file`"
                    .to_owned(),
            )],
        }
    }

    /// A variable, wherever the file sets or declares it.
    fn named(&self, name: &str) -> Vec<SecretFix> {
        let file = &self.dockerfile.file;
        let declares = |instruction: &&Instruction| {
            matches!(instruction.keyword.as_str(), "ENV" | "ARG")
                && instruction.pairs().iter().any(|(known, _)| known == name)
        };
        file.instructions
            .iter()
            .filter(declares)
            .flat_map(|instruction| self.named_at(instruction, name))
            .collect()
    }

    /// Takes a variable out of an instruction, and gives the steps that use it a mount.
    fn named_at(&self, instruction: &Instruction, name: &str) -> Vec<SecretFix> {
        let kept: Vec<String> = instruction
            .pairs()
            .into_iter()
            .filter(|(known, value)| {
                // Another secret beside it has its own fix.
                let pair = format!(
                    "{} {known}={}",
                    instruction.keyword,
                    value.as_deref().unwrap_or_default()
                );
                known != name && self.scanner.cut_out(&pair).1.is_empty()
            })
            .map(|(known, value)| match value {
                Some(value) => format!("{known}=\"{}\"", value.replace('"', "\\\"")),
                None => known,
            })
            .collect();
        let rest = match kept.is_empty() {
            true => String::new(),
            false => format!("{} {}\n", instruction.keyword, kept.join(" ")),
        };
        let id = name.to_ascii_lowercase();
        let users = self.users(name, instruction);
        let mut fixes = Vec::new();
        let is_for_run_time = instruction.keyword == "ENV";
        let (after, note) = if is_for_run_time {
            (
                format!(
                    "{}# {name} is set when the container runs",
                    self.shown(&rest)
                ),
                format!(
                    "run with `docker run --env-file FILE …`, or mount a secret and read /run/secrets/{id}"
                ),
            )
        } else if users.is_empty() {
            (
                format!("{}# {name} is not declared", self.shown(&rest)),
                format!(
                    "no RUN below uses `${name}`: drop it from line {}; should a program in a RUN \
                     read it by itself, give that RUN `--mount=type=secret,id={id},env={name}`",
                    instruction.line
                ),
            )
        } else {
            (
                format!("{}# {name} comes as a secret mount", self.shown(&rest)),
                format!(
                    "build with `docker build --secret id={id},env={name} .` instead of `--build-arg {name}=…`"
                ),
            )
        };
        fixes.push(self.fix(instruction, after, note));
        for user in users {
            let after = mounted(
                &self.pasted(user).0,
                &format!("type=secret,id={id},env={name}"),
            );
            let note = format!(
                "the step sees `{name}` and the layer does not; before Dockerfile syntax 1.10 leave \
                 `env={name}` out and read /run/secrets/{id}"
            );
            fixes.push(self.fix(user, after, note));
        }
        fixes
    }

    fn runs_after<'s>(
        &'s self,
        instruction: &'s Instruction,
    ) -> impl Iterator<Item = &'s Instruction> {
        self.dockerfile
            .file
            .instructions
            .iter()
            .filter(move |other| {
                other.keyword == "RUN"
                    && other.stage == instruction.stage
                    && other.line > instruction.line
            })
    }

    /// The steps behind an instruction that name a variable.
    fn users<'s>(&'s self, name: &'s str, instruction: &'s Instruction) -> Vec<&'s Instruction> {
        self.runs_after(instruction)
            .filter(|run| uses(&run.text(), name))
            .take(MAX_FIXES)
            .collect()
    }

    /// The file of an image that an instruction brought.
    fn file(&self, path: &str, created_by: Option<&str>) -> Vec<SecretFix> {
        let instructions = &self.dockerfile.file.instructions;
        let by_history = created_by.and_then(|line| {
            let wanted = comparable(line);
            let same = |i: &&Instruction| {
                !wanted.is_empty() && comparable(&self.shown(&text_of(i))) == wanted
            };
            instructions.iter().rev().find(same).or_else(|| {
                // The classic builder names what it copied by digest: `COPY dir:… in /app`.
                let target = wanted.rsplit_once(" in ")?.1.trim_end_matches('/');
                instructions.iter().rev().find(|i| {
                    i.sources_and_target()
                        .is_some_and(|(_, to)| to.trim_end_matches('/') == target)
                })
            })
        });
        let copies = instructions
            .iter()
            .rev()
            .find(|i| created_by.is_none() && i.flag("from").is_none() && copies(i, path));
        let Some(instruction) = by_history.or(copies) else {
            return Vec::new();
        };
        if instruction.keyword == "RUN" {
            let id = id_of(name_of(path));
            let target = path.trim_start_matches('/');
            let after = mounted(
                &self.pasted(instruction).0,
                &format!("type=secret,id={id},target=/{target}"),
            );
            let note = format!(
                "leave out what writes the file; build with `docker build --secret id={id},src=FILE .`"
            );
            let mut fixes = vec![self.fix(instruction, after, note)];
            fixes.extend(self.multi_stage(instruction, &format!("`/{target}`")));
            return fixes;
        }
        if instruction.keyword == "COPY" || instruction.keyword == "ADD" {
            return self.copied_by(instruction, path);
        }
        Vec::new()
    }

    /// `COPY` names a file that holds secrets.
    fn copied(&self, what: &str) -> Vec<SecretFix> {
        let Some(source) = what
            .strip_prefix("the file `")
            .and_then(|rest| rest.strip_suffix('`'))
        else {
            return Vec::new();
        };
        let names = |i: &&Instruction| {
            i.sources_and_target()
                .is_some_and(|(sources, _)| sources.iter().any(|known| known == source))
        };
        let Some(instruction) = self.dockerfile.file.instructions.iter().find(names) else {
            return Vec::new();
        };
        self.copied_by(instruction, source)
    }

    fn copied_by(&self, instruction: &Instruction, path: &str) -> Vec<SecretFix> {
        let name = name_of(path);
        let mut fixes = Vec::new();
        if instruction.flag("from").is_some() {
            return vec![self.fix(
                instruction,
                self.shown(&text_of(instruction)),
                format!("copy only what the image needs from that stage, without `{name}`"),
            )];
        }
        let Some(copied) = self.copied_file(instruction, path) else {
            return Vec::new();
        };
        let name = name_of(&copied.source);
        let id = id_of(name);
        if copied.is_named {
            let after = match copied.others.is_empty() {
                true => format!("# {name} is not copied"),
                false => self.shown(&copied.rest(instruction)),
            };
            let note = format!(
                "leave `{}` out of line {}; a container that needs it gets it mounted",
                copied.source, instruction.line
            );
            fixes.push(self.fix(instruction, after, note));
        } else if is_plain(name) {
            fixes.push(SecretFix {
                file: ".dockerignore".to_owned(),
                line: None,
                before: None,
                after: format!("**/{name}"),
                note: format!(
                    "line {} of `{}` copies it from the build context",
                    instruction.line, self.dockerfile.name
                ),
            });
        }
        for run in self
            .runs_after(instruction)
            .filter(|run| needs(&run.text(), name) || run.text().contains(&copied.target))
            .take(4)
        {
            let after = mounted(
                &self.pasted(run).0,
                &format!("type=secret,id={id},target={}", copied.target),
            );
            let note = format!(
                "build with `docker build --secret id={id},src={} .`",
                copied.source
            );
            fixes.push(self.fix(run, after, note));
        }
        fixes
    }

    /// Which file of the build context a COPY puts where. `path` is either a path of the
    /// context or one of the image.
    fn copied_file(&self, instruction: &Instruction, path: &str) -> Option<Copied> {
        let (sources, to) = instruction.sources_and_target()?;
        let folder = self.work_folder(instruction);
        let to = match to.starts_with(['/', '$']) {
            true => to,
            false => joined(&folder, to.trim_start_matches("./")),
        };
        let in_image = path.trim_start_matches('/');
        let to_folder = to.trim_matches('/');
        let is_folder = sources.len() > 1
            || to.ends_with('/')
            || to.ends_with("/.")
            || to_folder == folder.trim_matches('/')
            || FOLDERS.contains(&name_of(to_folder))
            || self.dockerfile.file.instructions.iter().any(|other| {
                other.line < instruction.line
                    && other.keyword == "RUN"
                    && other.text().split_whitespace().any(|word| word == "mkdir")
                    && other
                        .text()
                        .split_whitespace()
                        .any(|word| word.trim_end_matches([';', '/']) == to.trim_end_matches('/'))
            });
        let to_folder = to_folder.trim_end_matches("/.");
        let base = format!("/{to_folder}");
        let base = match to.starts_with('$') {
            true => to.trim_end_matches('/').to_owned(),
            false => base,
        };
        for source in &sources {
            let plain = source.trim_start_matches("./").trim_matches('/');
            let name = name_of(plain);
            let below = joined(&base, name);
            let is_this = !plain.is_empty()
                && plain != "."
                && (plain == in_image
                    || (in_image == base.trim_start_matches('/') && sources.len() == 1)
                    || (in_image == below.trim_start_matches('/') && is_secret_file(name)));
            if is_this {
                let at_below = in_image == below.trim_start_matches('/') && plain != in_image;
                return Some(Copied {
                    source: plain.to_owned(),
                    target: match is_folder || at_below {
                        true => below,
                        false => base,
                    },
                    is_named: true,
                    others: sources
                        .iter()
                        .filter(|other| *other != source && !is_secret_file(other))
                        .cloned()
                        .collect(),
                });
            }
        }
        // A folder of the context, whose content goes below the target.
        for source in &sources {
            let plain = source.trim_start_matches("./").trim_matches('/');
            let plain = if plain == "." { "" } else { plain };
            let from_context = match plain.is_empty() {
                true => None,
                false => below_of(in_image, plain),
            };
            let from_image = below_of(in_image, base.trim_start_matches('/'));
            let rest = match (from_context, from_image) {
                (Some(rest), _) | (None, Some(rest)) => rest,
                (None, None) if plain.is_empty() => in_image,
                (None, None) => continue,
            };
            return Some(Copied {
                source: joined(plain, rest),
                target: joined(&base, rest),
                is_named: false,
                others: Vec::new(),
            });
        }
        // A pattern: the file keeps its name.
        let name = name_of(in_image);
        Some(Copied {
            source: in_image.to_owned(),
            target: joined(&base, name),
            is_named: false,
            others: Vec::new(),
        })
    }

    /// The folder that relative destinations of an instruction are in.
    fn work_folder(&self, instruction: &Instruction) -> String {
        let mut folder = "/".to_owned();
        for other in &self.dockerfile.file.instructions {
            if other.keyword == "WORKDIR"
                && other.stage == instruction.stage
                && other.line < instruction.line
            {
                let to = other.text();
                let to = to.trim().trim_matches('"');
                folder = match to.starts_with(['/', '$']) {
                    true => to.to_owned(),
                    false => joined(&folder, to),
                };
            }
        }
        folder
    }

    /// The same step in a stage of its own, whose layers stay at home.
    fn multi_stage(&self, step: &Instruction, what: &str) -> Option<SecretFix> {
        let stage = step.stage?;
        let from = self
            .dockerfile
            .file
            .instructions
            .iter()
            .find(|i| i.keyword == "FROM" && i.stage == Some(stage))?;
        let base = from.arguments.split_whitespace().next()?;
        Some(self.fix(
            step,
            format!(
                "FROM {} AS with-secret\n{}\nFROM {}\nCOPY --from=with-secret RESULT RESULT",
                self.shown(base),
                self.pasted(step).0,
                self.shown(&from.arguments)
            ),
            format!(
                "or: the step that needs {what} in a stage of its own, of which only the result is \
                 copied; RESULT: the files the step makes"
            ),
        ))
    }
}

/// Destinations with such a name are folders.
const FOLDERS: &[&str] = &[
    "", ".ssh", ".aws", ".docker", ".kube", ".gnupg", ".config", "root", "home", "etc", "tmp",
    "opt", "srv", "bin", "usr", "var",
];

/// A file that a COPY brings.
struct Copied {
    /// Where it is in the build context.
    source: String,
    /// Where it goes.
    target: String,
    /// The instruction names it, and not only a folder it is in.
    is_named: bool,
    /// What else the instruction names, without other files that hold secrets by name.
    others: Vec<String>,
}

impl Copied {
    /// The instruction without it.
    fn rest(&self, instruction: &Instruction) -> String {
        let Some((_, to)) = instruction.sources_and_target() else {
            return String::new();
        };
        let mut out = instruction.keyword.clone();
        for (name, value) in &instruction.flags {
            out.push_str(&format!(" --{name}"));
            if !value.is_empty() {
                out.push_str(&format!("={value}"));
            }
        }
        let words = self.others.iter().chain([&to]);
        if words.clone().any(|word| word.contains(char::is_whitespace)) {
            let quoted: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
            return format!("{out} [{}]", quoted.join(", "));
        }
        for word in words {
            out.push(' ');
            out.push_str(word);
        }
        out
    }
}

/// A path below a folder.
fn joined(folder: &str, rest: &str) -> String {
    let rest = if rest == "." { "" } else { rest };
    match (folder, rest) {
        ("", rest) => rest.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, rest) => format!("{}/{rest}", folder.trim_end_matches('/')),
    }
}

/// What of a path lies below a folder.
fn below_of<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let folder = folder.trim_matches('/');
    if folder.is_empty() {
        return Some(path);
    }
    path.strip_prefix(folder)?
        .strip_prefix('/')
        .filter(|rest| !rest.is_empty())
}

/// Whether a name stands in a shell and in `.dockerignore` as it is.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Adds a mount to a RUN.
fn mounted(run: &str, mount: &str) -> String {
    match run.strip_prefix("RUN ") {
        Some(rest) => format!("RUN --mount={mount} {rest}"),
        None => run.to_owned(),
    }
}

/// Names that a text with its secrets cut out gives this value to: `TOKEN=[ghp_... (40
/// characters)]`, and the variable of ``environment variable `TOKEN` ``.
fn given_names(text: &str, redacted: &str) -> Vec<String> {
    let mut names = Vec::new();
    let needle = format!("=[{redacted}]");
    for (at, _) in text.match_indices(&needle).take(16) {
        let name: String = text[..at]
            .chars()
            .rev()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        names.push(name.chars().rev().collect());
    }
    if let Some((_, rest)) = text.split_once("environment variable `")
        && let Some((name, _)) = rest.split_once('`')
    {
        names.push(name.to_owned());
    }
    names.retain(|name: &String| !name.is_empty() && name.len() <= 128);
    names
}

/// A line of history and an instruction in one form: without the builder's words, flags and
/// the width of blanks.
fn comparable(text: &str) -> String {
    let text = text.trim();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim();
    let text = text
        .strip_prefix("/bin/sh -c #(nop)")
        .map_or(text, str::trim_start);
    let (keyword, mut rest) = match text.strip_prefix("/bin/sh -c ") {
        Some(rest) => ("RUN", rest),
        None if text.starts_with('|') => ("RUN", text),
        None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
    };
    // `|2 A=b C=d /bin/sh -c make`
    if rest.starts_with('|')
        && let Some((_, command)) = rest.split_once("/bin/sh -c ")
    {
        rest = command;
    }
    let rest = rest.strip_prefix("/bin/sh -c ").unwrap_or(rest);
    let words = rest.split_whitespace().filter(|word| {
        !word.starts_with("--mount=")
            && !word.starts_with("--network=")
            && !word.starts_with("--security=")
    });
    let mut out = keyword.to_ascii_uppercase();
    for word in words {
        out.push(' ');
        out.push_str(word);
    }
    out
}

/// Whether a shell text uses a variable.
fn uses(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = &text[..at];
        let after = text[at + name.len()..].chars().next();
        (before.ends_with('$') || before.ends_with("${"))
            && after.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_')
    })
}

/// Whether a step may read a file of that name: it names it, or runs the program that does.
fn needs(text: &str, name: &str) -> bool {
    const READERS: &[(&str, &[&str])] = &[
        (".npmrc", &["npm ", "yarn", "pnpm"]),
        (".yarnrc.yml", &["yarn"]),
        (".pypirc", &["twine", "pip "]),
        (".netrc", &["curl", "git ", "pip ", "go mod", "wget"]),
        (".git-credentials", &["git "]),
        ("id_rsa", &["git ", "ssh"]),
        ("id_ed25519", &["git ", "ssh"]),
    ];
    text.contains(name)
        || READERS
            .iter()
            .filter(|(file, _)| *file == name)
            .any(|(_, programs)| programs.iter().any(|program| text.contains(program)))
}

/// Whether a COPY takes the file at this path of the build context.
fn copies(instruction: &Instruction, path: &str) -> bool {
    let path = path.trim_start_matches('/');
    instruction
        .sources_and_target()
        .is_some_and(|(sources, _)| {
            sources.iter().any(|source| {
                let source = source.trim_start_matches("./").trim_matches('/');
                source.is_empty()
                    || source == "."
                    || path == source
                    || path
                        .strip_prefix(source)
                        .is_some_and(|rest| rest.starts_with('/'))
                    || seaworthy_secrets::allow::glob_matches(source, path)
            })
        })
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A short word for `id=` from what a rule finds.
fn kind_of(summary: &str) -> String {
    let folded = summary.to_ascii_lowercase();
    let word = ["password", "token", "key"]
        .into_iter()
        .find(|word| folded.contains(word));
    word.unwrap_or("secret").to_owned()
}

/// A word for `id=`.
fn id_of(text: &str) -> String {
    let mut id = String::new();
    for c in text.chars().take(40) {
        if c.is_ascii_alphanumeric() {
            id.push(c.to_ascii_lowercase());
        } else if !id.is_empty() && !id.ends_with('_') {
            id.push('_');
        }
    }
    let id = id.trim_matches('_');
    if id.is_empty() {
        "secret".to_owned()
    } else {
        id.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_and_instruction_are_one_text() {
        for (history, instruction) in [
            ("RUN /bin/sh -c make   all # buildkit", "RUN make all"),
            (
                "RUN |1 A=b /bin/sh -c make all # buildkit",
                "RUN --mount=type=cache,target=/x make all",
            ),
            ("|1 A=b /bin/sh -c make all", "RUN make all"),
            ("/bin/sh -c #(nop) ENV A=b", "ENV A=b"),
            ("COPY . /app # buildkit", "COPY . /app"),
        ] {
            assert_eq!(comparable(history), comparable(instruction), "{history}");
        }
    }

    /// Fixes for what the Dockerfile itself holds.
    fn fixes_of(text: &str) -> Vec<SecretFix> {
        let key = seaworthy_secrets::redact::FingerprintKey::new([1; 32]);
        let scanner = SecretScanner::builtin(key).unwrap();
        let dockerfile = NamedDockerfile {
            name: "Dockerfile".to_owned(),
            file: seaworthy_lint::dockerfile::parse(text),
        };
        let evidence = seaworthy_core::ImageEvidence {
            config_secrets: secrets_of(&dockerfile, &scanner),
            ..Default::default()
        };
        let judging = seaworthy_secrets::findings::Judging {
            now: 0,
            allow: scanner.allow_list(),
            baseline: None,
        };
        let mut judged = seaworthy_secrets::findings::judge(&evidence, scanner.rules(), &judging);
        write_out(&mut judged.findings, &dockerfile, &scanner, &[]);
        let fixes = judged
            .findings
            .into_iter()
            .filter_map(|finding| match finding.detail {
                Detail::Secret(detail) => Some(detail.fixes),
                _ => None,
            });
        fixes.flatten().collect()
    }

    fn value() -> String {
        ["q8Zr2LmX0vTn", "5KdYw3Hs7Jb9Qf4G"].concat()
    }

    #[test]
    fn a_copied_key_is_mounted_where_the_copy_puts_it_and_read_from_where_it_lies() {
        for (target, mounted_at) in [
            ("/root/.ssh/id_rsa", "/root/.ssh/id_rsa"),
            ("/root/.ssh/", "/root/.ssh/id_rsa"),
            ("/root/.ssh", "/root/.ssh/id_rsa"),
            ("deploy", "/work/deploy"),
            (".", "/work/id_rsa"),
        ] {
            let fixes = fixes_of(&format!(
                "FROM debian:12\nWORKDIR /work\nCOPY conf/id_rsa {target}\nRUN git clone ssh://x/y\n"
            ));
            let run = fixes.iter().find(|fix| fix.line == Some(4)).unwrap();
            assert_eq!(
                run.after,
                format!(
                    "RUN --mount=type=secret,id=id_rsa,target={mounted_at} git clone ssh://x/y"
                )
            );
            assert!(
                run.note.contains("--secret id=id_rsa,src=conf/id_rsa"),
                "{}",
                run.note
            );
            let copy = fixes.iter().find(|fix| fix.line == Some(3)).unwrap();
            assert_eq!(copy.after, "# id_rsa is not copied");
        }
    }

    #[test]
    fn only_a_step_that_uses_a_build_argument_is_rewritten() {
        let token = value();
        let text = format!("FROM debian:12\nARG API_TOKEN={token}\nRUN make\n");
        let fixes = fixes_of(&text);
        assert_eq!(fixes.len(), 1, "{fixes:#?}");
        assert!(
            fixes[0].line == Some(2) && fixes[0].note.contains("no RUN below uses `$API_TOKEN`"),
            "{fixes:#?}"
        );
        let fixes = fixes_of(&format!("{text}RUN fetch ${{API_TOKEN}}\n"));
        let lines: Vec<Option<u64>> = fixes.iter().map(|fix| fix.line).collect();
        assert_eq!(lines, [Some(2), Some(4)]);
    }

    #[test]
    fn a_line_to_paste_holds_no_mask_and_no_value() {
        let (one, two) = (value(), value().chars().rev().collect::<String>());
        let fixes = fixes_of(&format!(
            "FROM debian:12\nARG API_TOKEN={one}\nRUN A_PASSWORD={two} B_TOKEN={one} fetch $API_TOKEN\n\
             ENV X_PASSWORD={one} Y_PASSWORD={two} Z=1\n"
        ));
        assert!(fixes.len() > 2, "{fixes:#?}");
        for fix in &fixes {
            assert!(!fix.after.contains("characters)"), "{fix:#?}");
            assert!(!fix.after.contains(&one[4..]) && !fix.after.contains(&two[4..]));
        }
        assert!(
            fixes
                .iter()
                .any(|fix| fix.after.contains("$(cat /run/secrets/")),
            "{fixes:#?}"
        );
    }

    #[test]
    fn one_fix_is_said_once_for_a_finding() {
        let token = value();
        let fixes = fixes_of(&format!(
            "FROM debian:12\nRUN A_TOKEN={token} make && B_TOKEN={token} make\n"
        ));
        assert_eq!(fixes.len(), 1, "{fixes:#?}");
    }

    #[test]
    fn names_and_uses_are_told_apart_from_longer_ones() {
        let text = "RUN |1 NPM_TOKEN=[q8Zr... (20 characters)] /bin/sh -c make";
        assert_eq!(given_names(text, "q8Zr... (20 characters)"), ["NPM_TOKEN"]);
        assert!(uses("echo ${TOKEN} x", "TOKEN") && uses("a $TOKEN", "TOKEN"));
        assert!(!uses("echo $TOKENS TOKEN", "TOKEN"));
    }
}
