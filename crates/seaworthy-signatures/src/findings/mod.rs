//! What the malware evidence of an image means. Pure: evidence in, findings out.
//!
//! * A detection by a signature, YARA rule or daemon is a finding; engines, inner paths and
//!   copies with the same bytes join into one.
//! * What our own rules saw is one finding a file and rule, except that rules of mere placement
//!   join: two that agree weigh more, and beside a surer finding they only support it.
//! * Files of packages are compared with the packages' records ([`integrity`]).
//! * The configuration's commands are read as scripts are ([`start`]).
//!
//! Severity follows from what the rule says, from whether the final view holds the file, and
//! from what starts it. A file that only a lower layer holds is one step lower, because it runs
//! in no container of this image, and is still told, because everybody who pulls the image has
//! it. A file that is byte for byte what its distribution package installed is taken for what
//! the distribution meant: our own rules keep silent about it, and a signature's word for it is
//! passed on as unverified.

pub(crate) mod integrity;
pub(crate) mod start;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::{
    Certainty, Detail, DetectionEvidence, EvidenceItem, ExecutableEvidence, ExecutableKind as Kind,
    Finding, FindingEvidence, Fingerprint, ImageEvidence, ImagePath, Location, MalwareBasis,
    MalwareDetail, Meta, PackageType, Remediation, RuleId, Severity, StartedBy, StarterEvidence,
    StarterKind, Subject, SuspicionEvidence, TracedItem,
};

use crate::heuristics::{self, HeuristicRule, Scope};
pub use integrity::IntegrityCounts;
use integrity::{Integrity, Records, TAMPERED, UNOWNED};
use start::{Starts, Up};

/// Recognised by an engine.
pub(crate) const KNOWN_MALWARE: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "known-malware",
        revision: 1,
        summary: "file that signatures or YARA rules recognise as malware",
        references: &[],
    },
    severity: Severity::High,
    basis: MalwareBasis::Signature,
    attack: "T1204.003",
    scope: Scope::Image,
    advice: "treat what the container could reach as known to others, and rotate its credentials",
    positive: &[],
    negative: &[],
};

/// How the finding about owned files without a recorded digest describes itself; it is no more
/// than negligible.
pub const UNVERIFIABLE_FILES: Meta = Meta {
    id: "unverifiable-files",
    revision: 1,
    summary: "executable files whose integrity is unknown",
    references: &["https://attack.mitre.org/techniques/T1554/"],
};

/// Places that a finding names.
const PLACES: usize = 32;
/// Findings of one rule about files without an owner: an image that copies a whole system's
/// programs is one thing to look at, not thousands.
const UNOWNED_FINDINGS: usize = 64;

/// What [`findings`] gives.
#[derive(Debug, Default)]
pub struct MalwareFindings {
    /// Worst first, then by title.
    pub findings: Vec<Finding>,
    /// Suspicions about files that are byte for byte what their OS package installed: left out.
    pub in_os_packages: u64,
    /// Findings about files without an owner beyond the first 64: left out.
    pub unowned_left_out: u64,
    unowned_told: usize,
    /// How the comparison with the package records went.
    pub integrity: IntegrityCounts,
}

/// Judges all malware evidence of an image.
pub fn findings(image: &ImageEvidence) -> MalwareFindings {
    let judge = Judge {
        image,
        starts: Starts::new(image),
        records: Records::new(image),
    };
    let mut out = MalwareFindings {
        integrity: judge.records.counts,
        ..MalwareFindings::default()
    };
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    let mut known: BTreeMap<(String, Vec<String>), usize> = BTreeMap::new();
    for items in image.items.chunk_by(|a, b| a.path == b.path) {
        let Some(file) = File::new(items) else {
            continue;
        };
        for draft in judge.file(&file, &mut out) {
            // Copies of the same malware are one finding with several places.
            let same = draft
                .content
                .clone()
                .map(|content| (content, draft.names.clone()));
            match same
                .as_ref()
                .and_then(|same| drafts.get_mut(*known.get(same)?))
            {
                Some(first) => first.join(draft),
                None => {
                    if let Some(same) = same {
                        known.insert(same, drafts.len());
                    }
                    drafts.push(draft);
                }
            }
        }
    }
    out.findings
        .extend(drafts.into_iter().map(|draft| judge.finding(draft)));
    out.findings.extend(judge.configuration());
    out.findings.extend(judge.unverifiable());
    out.findings.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| a.title.cmp(&b.title))
            .then_with(|| a.fingerprint.cmp(&b.fingerprint))
    });
    out
}

/// The same path by its other name on a merged `/usr` (`bin/x`, `usr/bin/x`).
fn merged_usr_alias(path: &str) -> Option<String> {
    let is_merged = |path: &str| {
        let top = path.split_once('/').map(|(top, _)| top);
        matches!(
            top,
            Some("bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32")
        )
    };
    match path.strip_prefix("usr/") {
        Some(rest) => is_merged(rest).then(|| rest.to_owned()),
        None => is_merged(path).then(|| format!("usr/{path}")),
    }
}

/// Directories in which language package managers install and upgrade.
fn in_language_package(path: &str) -> bool {
    [
        "/node_modules/",
        "/site-packages/",
        "/dist-packages/",
        "/gems/",
    ]
    .iter()
    .any(|part| path.contains(part))
}

/// One path with all that its versions say.
struct File<'i> {
    path: &'i ImagePath,
    owner: Option<&'i str>,
    detections: Vec<(&'i TracedItem, &'i DetectionEvidence)>,
    suspicions: Vec<(&'i TracedItem, &'i SuspicionEvidence)>,
    executable: Option<(&'i TracedItem, &'i ExecutableEvidence)>,
    starter: Option<&'i StarterEvidence>,
}

impl<'i> File<'i> {
    /// `None` for a file without evidence of malware.
    fn new(items: &'i [TracedItem]) -> Option<File<'i>> {
        let first = items.first()?;
        let mut file = File {
            path: &first.path,
            owner: None,
            detections: Vec::new(),
            suspicions: Vec::new(),
            executable: None,
            starter: None,
        };
        for traced in items {
            let live = traced.removed_by.is_none();
            match &traced.item {
                EvidenceItem::Detection(detection) => file.detections.push((traced, detection)),
                EvidenceItem::Suspicion(suspicion) => file.suspicions.push((traced, suspicion)),
                // The live version, where there is one.
                EvidenceItem::Executable(executable) if live || file.executable.is_none() => {
                    file.executable = Some((traced, executable));
                }
                EvidenceItem::Starter(starter) if live => file.starter = Some(starter),
                _ => continue,
            }
            if file.owner.is_none() {
                file.owner = traced.owner.as_deref();
            }
        }
        let says =
            !file.detections.is_empty() || !file.suspicions.is_empty() || file.executable.is_some();
        says.then_some(file)
    }
}

/// A finding in the making.
struct Draft<'i> {
    rule: &'static HeuristicRule,
    path: &'i ImagePath,
    severity: Severity,
    certainty: Certainty,
    names: Vec<String>,
    places: Vec<&'i TracedItem>,
    evidence: Vec<(Option<&'i TracedItem>, String)>,
    started_by: Vec<StartedBy>,
    command: Option<String>,
    /// Digest of the bytes, where copies can join.
    content: Option<String>,
}

impl<'i> Draft<'i> {
    fn join(&mut self, other: Draft<'i>) {
        self.severity = self.severity.max(other.severity);
        // The live one gives its name.
        let live = |places: &[&TracedItem]| places.iter().any(|place| place.removed_by.is_none());
        if live(&other.places) && !live(&self.places) {
            self.path = other.path;
        }
        self.places.extend(other.places);
        self.evidence.extend(other.evidence);
        self.started_by.extend(other.started_by);
        self.started_by.sort();
        self.started_by.dedup();
        self.started_by.truncate(start::STARTERS);
    }

    fn in_final_view(&self) -> bool {
        self.places.iter().any(|place| place.removed_by.is_none())
    }
}

struct Judge<'i> {
    image: &'i ImageEvidence,
    starts: Starts,
    records: Records<'i>,
}

impl<'i> Judge<'i> {
    fn file(&self, file: &File<'i>, out: &mut MalwareFindings) -> Vec<Draft<'i>> {
        let integrity = file
            .executable
            .map_or(Integrity::NotJudged, |(traced, executable)| {
                self.records.compare(traced, executable)
            });
        let intact = integrity == Integrity::Intact;
        let mut drafts = Vec::new();
        drafts.extend(self.detected(file, intact));
        drafts.extend(self.tampered(file, &integrity));
        let live = |traced: &TracedItem| traced.removed_by.is_none();
        let mut placement: Vec<Seen<'i>> = Vec::new();
        let mut by_rule: BTreeMap<usize, Vec<Seen<'i>>> = BTreeMap::new();
        for &(traced, suspicion) in &file.suspicions {
            let Some((place, rule)) = heuristics::RULES
                .iter()
                .enumerate()
                .find(|(_, rule)| rule.meta.id == suspicion.rule)
            else {
                // Of a newer version's cache; this one does not know what it means.
                continue;
            };
            if intact && live(traced) || self.is_expected(file, rule, &integrity) {
                out.in_os_packages += 1;
                continue;
            }
            let note = match &suspicion.inside {
                Some(inside) => format!("{}, in `{inside}`", suspicion.note),
                None => suspicion.note.clone(),
            };
            let seen = Seen {
                rule,
                severity: rule.severity,
                traced,
                note,
            };
            if rule.basis == MalwareBasis::Placement {
                placement.push(seen);
            } else {
                by_rule.entry(place).or_default().push(seen);
            }
        }
        if integrity == Integrity::Unowned
            && let Some((traced, executable)) = file.executable
            && let Some((rule, severity, note)) = self.records.unowned(traced, executable)
        {
            placement.push(Seen {
                rule,
                severity,
                traced,
                note,
            });
        }
        drafts.extend(
            by_rule
                .into_values()
                .filter_map(|seen| self.suspected(file, seen)),
        );
        match drafts.first_mut() {
            // What is surer takes them as support.
            Some(first) => first.evidence.extend(placement.into_iter().map(|seen| {
                (
                    Some(seen.traced),
                    format!("{}: {}", seen.rule.meta.summary, seen.note),
                )
            })),
            None => {
                let unowned = placement
                    .iter()
                    .all(|seen| seen.rule.meta.id == UNOWNED.meta.id);
                let told = out.unowned_told;
                if !placement.is_empty() && unowned {
                    out.unowned_told += 1;
                }
                if unowned && told >= UNOWNED_FINDINGS {
                    out.unowned_left_out += u64::from(!placement.is_empty());
                } else {
                    drafts.extend(self.suspected(file, placement));
                }
            }
        }
        drafts
    }

    /// What a package brings on purpose: modules, helpers with odd names.
    fn is_expected(&self, file: &File<'i>, rule: &HeuristicRule, integrity: &Integrity) -> bool {
        let owned = file.owner.is_some();
        owned
            && rule.basis == MalwareBasis::Placement
            && !matches!(integrity, Integrity::Differs { .. })
    }

    fn started(&self, file: &File<'i>) -> Vec<StartedBy> {
        self.starts
            .of(file.path, file.starter.map(|starter| starter.kind))
    }

    fn content(file: &File<'_>) -> Option<String> {
        let (_, executable) = file.executable?;
        executable
            .digests
            .iter()
            .find(|digest| digest.starts_with("sha256:"))
            .map(|digest| digest.to_string())
    }

    fn detected(&self, file: &File<'i>, intact: bool) -> Option<Draft<'i>> {
        if file.detections.is_empty() {
            return None;
        }
        let names: BTreeSet<String> = file
            .detections
            .iter()
            .map(|(_, detection)| format!("{}: {}", detection.engine.as_str(), detection.name))
            .collect();
        let mut evidence = Vec::new();
        for &(traced, detection) in &file.detections {
            let inside = detection
                .inside
                .as_deref()
                .map(|inside| format!(" in `{inside}`"))
                .unwrap_or_default();
            let note = format!(
                "{}: `{}`{inside}, {}",
                detection.engine.as_str(),
                detection.name,
                detection.note
            );
            evidence.push((Some(traced), note.trim_end_matches([',', ' ']).to_owned()));
        }
        let mut draft = Draft {
            rule: &KNOWN_MALWARE,
            path: file.path,
            severity: KNOWN_MALWARE.severity,
            certainty: Certainty::Confirmed,
            names: names.into_iter().collect(),
            places: file.detections.iter().map(|(traced, _)| *traced).collect(),
            evidence,
            started_by: self.started(file),
            command: None,
            content: Self::content(file),
        };
        if intact {
            draft.certainty = Certainty::Unverified;
            draft.evidence.push((
                None,
                "the file is byte for byte what its package installed: a false alarm, or a bad package".to_owned(),
            ));
        } else if !draft.in_final_view() {
            draft.severity = Severity::Medium;
        } else if !draft.started_by.is_empty() {
            draft.severity = Severity::Critical;
        }
        Some(draft)
    }

    fn tampered(&self, file: &File<'i>, integrity: &Integrity) -> Option<Draft<'i>> {
        let Integrity::Differs {
            owner,
            recorded,
            actual,
        } = integrity
        else {
            return None;
        };
        let (traced, executable) = file.executable?;
        // `npm install -g npm` and `pip install --upgrade` write over what the distribution
        // brought: one finding a package, not one a file.
        let replaced = in_language_package(file.path.as_str());
        let severity = match executable.kind {
            _ if replaced => Severity::Low,
            Kind::Program | Kind::Library | Kind::KernelModule => TAMPERED.severity,
            // People edit scripts in place.
            Kind::Script | Kind::Other => Severity::Medium,
        };
        Some(Draft {
            rule: &TAMPERED,
            path: file.path,
            severity,
            certainty: Certainty::Confirmed,
            names: vec![format!("heuristics: {}", TAMPERED.meta.id)],
            places: vec![traced],
            evidence: vec![(
                Some(traced),
                format!("package `{owner}` installed `{recorded}`, the file is `{actual}`"),
            )],
            started_by: self.started(file),
            command: self.reinstall(owner),
            content: replaced.then(|| format!("package {owner}")),
        })
    }

    fn reinstall(&self, owner: &str) -> Option<String> {
        let plain = owner
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b));
        let name = owner.split(':').next().unwrap_or(owner);
        let (_, package) = self
            .image
            .packages()
            .find(|(_, package)| package.name == name && package.kind.is_os())?;
        let command = if package.kind == PackageType::DEB {
            "apt-get install --reinstall"
        } else if package.kind == PackageType::APK {
            "apk fix --reinstall"
        } else {
            "dnf reinstall"
        };
        plain.then(|| format!("{command} {name}"))
    }

    /// One finding from what rules saw in one file; the worst gives its name.
    fn suspected(&self, file: &File<'i>, seen: Vec<Seen<'i>>) -> Option<Draft<'i>> {
        let worst = seen
            .iter()
            .max_by_key(|seen| (seen.severity, std::cmp::Reverse(seen.rule.meta.id)))?;
        let rule = worst.rule;
        let mut severity = worst.severity;
        let ids: BTreeSet<&str> = seen.iter().map(|seen| seen.rule.meta.id).collect();
        if rule.basis == MalwareBasis::Placement && ids.len() > 1 && severity == Severity::Medium {
            severity = Severity::High;
        }
        let places: Vec<&TracedItem> = seen.iter().map(|seen| seen.traced).collect();
        let started_by = self.started(file);
        let in_final_view = places.iter().any(|place| place.removed_by.is_none());
        if in_final_view && is_code(rule) {
            // Programs of people's own that the image is made for are copied and packed by honest
            // builds too.
            let honest = |by: &StartedBy| {
                matches!(
                    by.kind,
                    StarterKind::Entrypoint
                        | StarterKind::Command
                        | StarterKind::HealthCheck
                        | StarterKind::Init
                        | StarterKind::Systemd
                )
            };
            let is_weak = rule.basis == MalwareBasis::Placement && severity <= Severity::Low;
            let counted: Vec<&StartedBy> = started_by
                .iter()
                .filter(|by| !is_weak || !honest(by))
                .collect();
            severity = raised(severity, &counted);
        }
        if !in_final_view {
            severity = lower(severity);
        }
        // Of a package, but without a record of its bytes, or in a folder that packages share
        // with people.
        let edited = file.path.is_within("etc")
            || file.path.is_within("root")
            || file.path.is_within("home");
        if file.owner.is_some() && !edited {
            severity = severity.min(Severity::Low);
        }
        Some(Draft {
            rule,
            path: file.path,
            severity,
            certainty: Certainty::Confirmed,
            names: ids.iter().map(|id| format!("heuristics: {id}")).collect(),
            places,
            evidence: seen
                .iter()
                .map(|seen| {
                    let note = if seen.rule.meta.id == rule.meta.id {
                        seen.note.clone()
                    } else {
                        format!("{}: {}", seen.rule.meta.summary, seen.note)
                    };
                    (Some(seen.traced), note)
                })
                .collect(),
            started_by,
            command: None,
            content: None,
        })
    }

    fn location(&self, traced: &TracedItem) -> Location {
        let layer = self.image.layers.get(traced.layer as usize);
        Location {
            path: traced.path.clone(),
            layer: Some(traced.layer),
            diff_id: layer.and_then(|layer| layer.diff_id.clone()),
            created_by: layer.and_then(|layer| layer.created_by.clone()),
            removed_by: traced.removed_by,
        }
    }

    fn finding(&self, draft: Draft<'i>) -> Finding {
        let id = RuleId::new(draft.rule.meta.id);
        let in_final_view = draft.in_final_view();
        let paths: BTreeSet<&ImagePath> = draft.places.iter().map(|place| &place.path).collect();
        let mut evidence: Vec<FindingEvidence> = Vec::new();
        let mut more = 0_u64;
        for (traced, note) in &draft.evidence {
            if evidence.len() == PLACES {
                more += 1;
                continue;
            }
            let one = FindingEvidence {
                location: traced.map(|traced| self.location(traced)),
                note: match traced.and_then(|traced| Some((traced.layer, traced.removed_by?))) {
                    Some((layer, by)) => {
                        format!("{note}; layer {by} removed it, layer {layer} still holds it")
                    }
                    None => note.clone(),
                },
            };
            if !evidence.contains(&one) {
                evidence.push(one);
            }
        }
        if more > 0 {
            evidence.push(FindingEvidence {
                location: None,
                note: format!("and {more} more"),
            });
        }
        evidence.extend(draft.started_by.iter().map(|by| FindingEvidence {
            location: None,
            note: format!("started by {}", started_words(by, draft.path)),
        }));
        let mut title = match (draft.rule.basis, draft.names.as_slice()) {
            (MalwareBasis::Signature, [name]) => {
                format!("known malware `{}` in `{}`", bare(name), draft.path)
            }
            (MalwareBasis::Signature, [name, rest @ ..]) => {
                format!(
                    "known malware `{}` (and {} more names) in `{}`",
                    bare(name),
                    rest.len(),
                    draft.path
                )
            }
            _ => format!("{}: `{}`", draft.rule.meta.summary, draft.path),
        };
        if paths.len() > 1 {
            title.push_str(&format!(" and {} more", paths.len() - 1));
        }
        match draft.started_by.first() {
            Some(by) if in_final_view => {
                title.push_str(&format!(", started by {}", started_words(by, draft.path)))
            }
            _ => {}
        }
        if !in_final_view && let Some(place) = draft.places.first() {
            let by = place.removed_by.unwrap_or_default();
            title.push_str(&format!(
                ", removed by layer {by} but still in layer {}",
                place.layer
            ));
        }
        let names: Vec<&str> = draft.names.iter().map(String::as_str).collect();
        Finding {
            fingerprint: Fingerprint::of(&id, std::iter::once(draft.path.as_str()).chain(names)),
            rule: id,
            subject: Subject::File {
                path: draft.path.clone(),
            },
            severity: draft.severity,
            severity_origin: severity_origin(&draft, in_final_view),
            certainty: draft.certainty,
            title,
            evidence,
            remediation: Some(self.remediation(&draft, in_final_view)),
            references: references(draft.rule),
            detail: Detail::Malware(Box::new(MalwareDetail {
                summary: match draft.names.first() {
                    Some(name) if draft.rule.basis == MalwareBasis::Signature => {
                        bare(name).to_owned()
                    }
                    _ => draft.rule.meta.summary.to_owned(),
                },
                basis: draft.rule.basis,
                places: paths.len() as u64,
                names: draft.names,
                started_by: draft.started_by,
                in_final_view,
            })),
        }
    }

    fn remediation(&self, draft: &Draft<'i>, in_final_view: bool) -> Remediation {
        let place = draft
            .places
            .iter()
            .find(|place| place.removed_by.is_none())
            .or(draft.places.first());
        let mut summary = String::new();
        if let Some(place) = place {
            let layer = self.image.layers.get(place.layer as usize);
            let line = layer
                .and_then(|layer| layer.created_by.as_deref())
                .map(short_line);
            summary = match line {
                Some(line) if !line.is_empty() => {
                    format!(
                        "it came with layer {} (`{line}`): change that instruction or its base image",
                        place.layer
                    )
                }
                _ => format!(
                    "it came with layer {}: change the instruction or base image that made it",
                    place.layer
                ),
            };
            if !in_final_view {
                summary.push_str(
                    "; removing the file in a later layer does not take it out, and a rebuilt image does not change \
                     tags that were pushed",
                );
            }
        }
        if draft.command.is_some() {
            summary.push_str("; or bring the package's own file back");
        }
        summary.push_str("; ");
        summary.push_str(draft.rule.advice);
        Remediation {
            summary,
            command: draft.command.clone(),
        }
    }

    fn configuration(&self) -> Vec<Finding> {
        let mut by_rule: BTreeMap<&str, Vec<Up>> = BTreeMap::new();
        for up in start::examine(self.image) {
            by_rule.entry(up.rule.meta.id).or_default().push(up);
        }
        by_rule
            .into_values()
            .filter_map(|ups| configured(&ups))
            .collect()
    }

    /// Owned executables that no record's digest speaks about, in one finding: not known to be
    /// right is not the same as right.
    fn unverifiable(&self) -> Option<Finding> {
        let counts = self.records.counts;
        if !self.records.fit || counts.unknown == 0 {
            return None;
        }
        let mut owners: BTreeMap<String, (u64, &TracedItem)> = BTreeMap::new();
        for traced in &self.image.items {
            if let EvidenceItem::Executable(executable) = &traced.item
                && let Integrity::Unknown { owner } = self.records.compare(traced, executable)
            {
                owners.entry(owner).or_insert((0, traced)).0 += 1;
            }
        }
        let id = RuleId::new(UNVERIFIABLE_FILES.id);
        let total: u64 = owners.values().map(|(count, _)| count).sum();
        let mut evidence: Vec<FindingEvidence> = owners
            .iter()
            .take(PLACES)
            .map(|(owner, (count, first))| FindingEvidence {
                location: Some(self.location(first)),
                note: format!("package `{owner}`: {count}"),
            })
            .collect();
        if owners.len() > PLACES {
            evidence.push(FindingEvidence {
                location: None,
                note: format!("and {} more packages", owners.len() - PLACES),
            });
        }
        (total > 0).then(|| Finding {
            fingerprint: Fingerprint::of(&id, owners.keys().map(String::as_str)),
            rule: id,
            subject: Subject::Image,
            severity: Severity::Negligible,
            severity_origin: "rule".to_owned(),
            certainty: Certainty::Unverified,
            title: format!(
                "{total} executable files of {} packages can't be compared with what was installed",
                owners.len()
            ),
            evidence,
            remediation: Some(Remediation {
                summary: "the packages recorded no digest for these files: reinstall them, or check them against the \
                          package archive"
                    .to_owned(),
                command: None,
            }),
            references: Vec::new(),
            detail: Detail::Malware(Box::new(MalwareDetail {
                summary: UNVERIFIABLE_FILES.summary.to_owned(),
                basis: MalwareBasis::Integrity,
                names: Vec::new(),
                started_by: Vec::new(),
                in_final_view: true,
                places: total,
            })),
        })
    }
}

/// What one rule saw.
struct Seen<'i> {
    rule: &'static HeuristicRule,
    severity: Severity,
    traced: &'i TracedItem,
    note: String,
}

fn configured(ups: &[Up]) -> Option<Finding> {
    let worst = ups.iter().max_by_key(|up| up.severity)?;
    let rule = worst.rule;
    let id = RuleId::new(rule.meta.id);
    let mut started_by: Vec<StartedBy> = ups
        .iter()
        .filter_map(|up| up.kind)
        .map(|kind| StartedBy { kind, path: None })
        .collect();
    started_by.sort();
    started_by.dedup();
    let kinds: Vec<&str> = started_by.iter().map(|by| by.kind.as_str()).collect();
    let names = vec![format!("heuristics: {}", rule.meta.id)];
    Some(Finding {
        fingerprint: Fingerprint::of(&id, std::iter::once("configuration").chain(kinds)),
        rule: id,
        subject: Subject::Image,
        severity: worst.severity,
        severity_origin: "rule".to_owned(),
        certainty: Certainty::Confirmed,
        title: format!("{}, in the image's configuration", rule.meta.summary),
        evidence: ups
            .iter()
            .take(PLACES)
            .map(|up| FindingEvidence {
                location: None,
                note: up.note.clone(),
            })
            .collect(),
        remediation: Some(Remediation {
            summary: rule.advice.to_owned(),
            command: None,
        }),
        references: references(rule),
        detail: Detail::Malware(Box::new(MalwareDetail {
            summary: rule.meta.summary.to_owned(),
            basis: rule.basis,
            names,
            started_by,
            in_final_view: true,
            places: 1,
        })),
    })
}

fn references(rule: &HeuristicRule) -> Vec<String> {
    let attack = format!(
        "https://attack.mitre.org/techniques/{}/",
        rule.attack.replace('.', "/")
    );
    let mut references: Vec<String> = rule
        .meta
        .references
        .iter()
        .map(|reference| (*reference).to_owned())
        .collect();
    if !references.contains(&attack) {
        references.push(attack);
    }
    references
}

/// Rules about code, which weighs more when something starts it; the others are about settings
/// that act by being there.
fn is_code(rule: &HeuristicRule) -> bool {
    const SETTINGS: &[&str] = &[
        "preload-variable",
        "second-root-account",
        "empty-password",
        "authorized-key",
        "sudo-without-password",
        "ssh-server-lets-in",
        "pam-permits-everybody",
        "pam-runs-program",
        "file-in-place-of-device",
    ];
    !SETTINGS.contains(&rule.meta.id)
}

fn raised(severity: Severity, started_by: &[&StartedBy]) -> Severity {
    let persistent = started_by.iter().any(|by| {
        matches!(
            by.kind,
            StarterKind::Cron
                | StarterKind::Systemd
                | StarterKind::ShellProfile
                | StarterKind::Loader
        )
    });
    let steps = if persistent {
        2
    } else {
        usize::from(!started_by.is_empty())
    };
    (0..steps).fold(severity, |severity, _| match severity {
        Severity::Unknown | Severity::Negligible | Severity::Low => Severity::Medium,
        // Critical is for what is known.
        Severity::Medium | Severity::High => Severity::High,
        Severity::Critical => Severity::Critical,
    })
}

fn lower(severity: Severity) -> Severity {
    match severity {
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium | Severity::Low => Severity::Low,
        other => other,
    }
}

fn severity_origin(draft: &Draft<'_>, in_final_view: bool) -> String {
    if draft.certainty == Certainty::Unverified {
        "rule, unverified: the file is its package's".to_owned()
    } else if !in_final_view {
        "rule, lowered: only in a lower layer".to_owned()
    } else if draft.severity > draft.rule.severity && !draft.started_by.is_empty() {
        "rule, raised: something starts it".to_owned()
    } else if draft.severity < draft.rule.severity {
        "rule, lowered: a package owns it".to_owned()
    } else {
        "rule".to_owned()
    }
}

fn started_words(by: &StartedBy, itself: &ImagePath) -> String {
    let kind = match by.kind {
        StarterKind::Entrypoint => "the entrypoint",
        StarterKind::Command => "the command",
        StarterKind::HealthCheck => "the health check",
        StarterKind::OnBuild => "`ONBUILD`",
        StarterKind::Cron => "cron",
        StarterKind::Systemd => "systemd",
        StarterKind::Init => "init",
        StarterKind::ShellProfile => "a shell's start",
        StarterKind::Loader => "the loader",
        StarterKind::Pam => "PAM",
        StarterKind::PackageHook => "a package hook",
        StarterKind::Interpreter => "the interpreter",
        StarterKind::KernelModules => "module loading",
        StarterKind::Script => "a script",
    };
    match &by.path {
        Some(path) if path != itself => format!("{kind} through `{path}`"),
        _ => kind.to_owned(),
    }
}

/// A name without its engine.
fn bare(name: &str) -> &str {
    name.split_once(": ").map_or(name, |(_, name)| name)
}

/// A history line, short enough for a sentence.
fn short_line(line: &str) -> String {
    let line = line
        .strip_prefix("/bin/sh -c #(nop) ")
        .unwrap_or(line)
        .trim();
    let mut short: String = line
        .chars()
        .filter(|c| !c.is_control() && *c != '`')
        .take(80)
        .collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
