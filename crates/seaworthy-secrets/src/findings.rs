//! What the secrets of an image mean: one finding a secret, with all places it stands in.
//!
//! A secret that a later layer deletes or overwrites is as bad as a visible one, because
//! whoever pulls the image has every layer: its severity stays.
//!
//! Not reported, but counted: files of OS packages below `usr`, `bin`, `sbin` and `lib*`.
//! Distributions publish them, test keys included, and what everybody can download is no
//! secret. Files of packages elsewhere (`etc`, `var`) are meant to be edited, and are reported.
//! What a programming language's package brings as test or example is reported as low.
//! Left out: whether a package's file still is what the package brought.

use std::collections::{BTreeMap, HashMap};

use seaworthy_core::{
    Certainty, Detail, EvidenceItem, Finding, FindingEvidence, Fingerprint, ImageEvidence,
    Location, Remediation, RuleId, SecretDetail, SecretEvidence, SecretState, Severity, Subject,
    TracedItem,
};

use crate::file_kind::is_published_sample;
use crate::scanner::{GENERIC_RULE, RuleInfo};

/// Places of one secret that a finding names.
const PLACES: usize = 32;

/// What [`findings`] gives.
#[derive(Debug, Default)]
pub struct SecretFindings {
    /// One a secret, worst first.
    pub findings: Vec<Finding>,
    /// How many places in files of OS packages were left out.
    pub in_os_packages: u64,
}

/// Makes findings of the secrets in an image's evidence. `rules` are those that found them.
pub fn findings<'r>(
    image: &ImageEvidence,
    rules: impl Iterator<Item = RuleInfo<'r>>,
) -> SecretFindings {
    let rules: HashMap<&str, RuleInfo<'_>> = rules.map(|rule| (rule.id, rule)).collect();
    let mut out = SecretFindings::default();
    let mut groups: BTreeMap<&str, Vec<Place<'_>>> = BTreeMap::new();
    for traced in &image.items {
        let EvidenceItem::Secret(secret) = &traced.item else {
            continue;
        };
        if is_os_package_content(traced) {
            out.in_os_packages += 1;
            continue;
        }
        groups
            .entry(&secret.fingerprint)
            .or_default()
            .push(Place::File(traced, secret));
    }
    for found in &image.config_secrets {
        groups
            .entry(&found.secret.fingerprint)
            .or_default()
            .push(Place::Config(&found.place, found.layer, &found.secret));
    }
    // By place and not by keyed hash, so that every installation numbers them alike.
    let mut groups: Vec<Vec<Place<'_>>> = groups.into_values().collect();
    for places in &mut groups {
        places.sort_by_cached_key(Place::order);
    }
    groups.sort_by_cached_key(|places| places.first().map(Place::order));
    let mut seen: HashMap<(String, String, String), u32> = HashMap::new();
    for places in &groups {
        out.findings
            .extend(finding(image, places, &rules, &mut seen));
    }
    out.findings
        .sort_by(|a, b| b.severity.cmp(&a.severity).then(a.title.cmp(&b.title)));
    out
}

fn is_os_package_content(traced: &TracedItem) -> bool {
    let top = traced.path.as_str().split('/').next().unwrap_or_default();
    traced.owner.is_some()
        && (matches!(top, "usr" | "bin" | "sbin") || top.starts_with("lib"))
        && !traced.path.is_within("usr/local")
}

/// One place of a secret.
enum Place<'a> {
    File(&'a TracedItem, &'a SecretEvidence),
    Config(&'a str, Option<u32>, &'a SecretEvidence),
}

impl Place<'_> {
    fn secret(&self) -> &SecretEvidence {
        match self {
            Place::File(_, secret) | Place::Config(_, _, secret) => secret,
        }
    }

    /// Visible files before buried ones, files before configuration.
    fn state(&self) -> SecretState {
        match self {
            Place::File(traced, _) if traced.removed_by.is_none() => SecretState::Visible,
            Place::File(..) => SecretState::Buried,
            Place::Config(..) => SecretState::Configuration,
        }
    }

    fn label(&self) -> String {
        match self {
            Place::File(traced, _) => format!("`{}`", traced.path),
            Place::Config(place, ..) => (*place).to_owned(),
        }
    }

    fn order(&self) -> (SecretState, u32, String, u64, String) {
        let layer = match self {
            Place::File(traced, _) => traced.layer,
            Place::Config(_, layer, _) => layer.unwrap_or(u32::MAX),
        };
        (
            self.state(),
            layer,
            self.label(),
            self.secret().offset,
            self.secret().rule.clone(),
        )
    }

    fn is_sample(&self) -> bool {
        matches!(self, Place::File(traced, _) if is_published_sample(traced.path.as_str()))
    }

    fn evidence(&self, image: &ImageEvidence) -> FindingEvidence {
        match self {
            Place::File(traced, secret) => {
                let layer = image.layers.get(traced.layer as usize);
                let place = match secret.line {
                    Some(line) => format!("line {line}"),
                    None => format!("byte {}", secret.offset),
                };
                let state = match traced.removed_by {
                    None => "visible in the final image".to_owned(),
                    Some(by) => format!(
                        "buried: layer {by} removed it, layer {} still holds it",
                        traced.layer
                    ),
                };
                FindingEvidence {
                    location: Some(Location {
                        path: traced.path.clone(),
                        layer: Some(traced.layer),
                        diff_id: layer.and_then(|layer| layer.diff_id.clone()),
                        created_by: layer.and_then(|layer| layer.created_by.clone()),
                        removed_by: traced.removed_by,
                    }),
                    note: format!("{place}, {state}"),
                }
            }
            Place::Config(place, ..) => FindingEvidence {
                location: None,
                note: format!("{place} of the image's configuration"),
            },
        }
    }
}

fn finding(
    image: &ImageEvidence,
    places: &[Place<'_>],
    rules: &HashMap<&str, RuleInfo<'_>>,
    seen: &mut HashMap<(String, String, String), u32>,
) -> Option<Finding> {
    let first = places.first()?;
    // The rule that knows most: any before the generic one, then the worst.
    let rule = places
        .iter()
        .filter_map(|place| rules.get(place.secret().rule.as_str()))
        .max_by_key(|rule| (rule.id != GENERIC_RULE.id, rule.severity))?;
    let secret = first.secret();
    let label = first.label();
    let id = RuleId::from(rule.id.to_owned());
    let ordinal = seen
        .entry((rule.id.to_owned(), label.clone(), secret.redacted.clone()))
        .and_modify(|count| *count += 1)
        .or_insert(0);
    let is_sample = places.iter().all(Place::is_sample);
    let mut evidence: Vec<FindingEvidence> = places
        .iter()
        .take(PLACES)
        .map(|place| place.evidence(image))
        .collect();
    if places.len() > PLACES {
        evidence.push(FindingEvidence {
            location: None,
            note: format!("and {} more places", places.len() - PLACES),
        });
    }
    let subject = match first {
        Place::File(traced, _) => Subject::File {
            path: traced.path.clone(),
        },
        Place::Config(..) => Subject::Image,
    };
    Some(Finding {
        fingerprint: Fingerprint::of(
            &id,
            [
                label.as_str(),
                secret.redacted.as_str(),
                ordinal.to_string().as_str(),
            ],
        ),
        rule: id,
        subject,
        severity: if is_sample {
            rule.severity.min(Severity::Low)
        } else {
            rule.severity
        },
        severity_origin: if is_sample {
            "rule, lowered: a library's test or example".to_owned()
        } else {
            "rule".to_owned()
        },
        certainty: Certainty::Confirmed,
        title: title(rule, first, &label, places.len()),
        evidence,
        remediation: Some(remediation(image, rule, first)),
        references: vec![rule.reference.to_owned()],
        detail: Detail::Secret(Box::new(SecretDetail {
            summary: rule.summary.to_owned(),
            redacted: secret.redacted.clone(),
            secret: secret.fingerprint.clone(),
            state: first.state(),
            revoke: rule.revoke.to_owned(),
            places: places.len() as u64,
        })),
    })
}

fn title(rule: &RuleInfo<'_>, first: &Place<'_>, label: &str, places: usize) -> String {
    let mut title = format!("{} in {label}", rule.summary);
    if let Place::File(traced, _) = first
        && let Some(by) = traced.removed_by
    {
        title.push_str(&format!(
            ", removed by layer {by} but still in layer {}",
            traced.layer
        ));
    }
    match places {
        1 => {}
        2 => title.push_str(", and in one more place"),
        _ => title.push_str(&format!(", and in {} more places", places - 1)),
    }
    title
}

/// What put a file into a layer.
#[derive(PartialEq, Eq)]
enum Instruction {
    Copy,
    Run,
    Unknown,
}

fn instruction(created_by: Option<&str>) -> Instruction {
    let line = created_by.unwrap_or_default().trim_start();
    let line = line
        .strip_prefix("/bin/sh -c #(nop) ")
        .unwrap_or(line)
        .trim_start();
    if line.starts_with("COPY ") || line.starts_with("ADD ") {
        Instruction::Copy
    } else if line.starts_with("RUN ") || line.starts_with("/bin/sh -c ") || line.starts_with('|') {
        Instruction::Run
    } else {
        Instruction::Unknown
    }
}

/// Revoke first, then keep it out by the means that fits what brought it.
fn remediation(image: &ImageEvidence, rule: &RuleInfo<'_>, first: &Place<'_>) -> Remediation {
    let mut summary = format!(
        "treat it as leaked (to revoke: {}); then keep it out of the image: ",
        rule.revoke
    );
    let mut command = None;
    match first {
        Place::File(traced, _) => {
            let layer = image.layers.get(traced.layer as usize);
            match instruction(layer.and_then(|layer| layer.created_by.as_deref())) {
                Instruction::Copy => {
                    let name = traced.path.file_name();
                    summary.push_str(
                        "name the file in `.dockerignore` and mount it when the container runs",
                    );
                    let is_plain = !name.is_empty()
                        && name
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
                    command = is_plain.then(|| format!("echo '**/{name}' >> .dockerignore"));
                }
                Instruction::Run => summary.push_str(
                    "give it to the step with `RUN --mount=type=secret,id=NAME`, which leaves \
                     nothing in the layer, or do the step in an earlier stage and copy its result",
                ),
                Instruction::Unknown => summary.push_str(
                    "use `RUN --mount=type=secret,id=NAME` for build steps, `.dockerignore` for \
                     files of the build context, and a mounted secret at run time",
                ),
            }
            if traced.removed_by.is_some() {
                summary.push_str(
                    "; removing it in a later layer does not take it out, and a rebuilt or \
                     squashed image does not change tags that were pushed",
                );
            }
        }
        Place::Config(place, ..) if place.starts_with("environment") => summary.push_str(
            "set it when the container runs (`--env-file`, or a secret of the orchestrator) \
             instead of `ENV`",
        ),
        Place::Config(..) => summary.push_str(
            "build arguments and commands stay in the image's history: use \
             `RUN --mount=type=secret,id=NAME` for build steps and a mounted secret at run time",
        ),
    }
    Remediation { summary, command }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::{ConfigSecret, ImagePath, LayerInfo, LayerStats};

    use super::*;

    const RULES: [RuleInfo<'static>; 2] = [
        RuleInfo {
            id: "test-key",
            summary: "Test key",
            severity: Severity::Critical,
            revoke: "the test console",
            reference: "https://example.com/",
        },
        GENERIC_RULE,
    ];

    fn secret(rule: &str, fingerprint: &str) -> SecretEvidence {
        SecretEvidence {
            inside: None,
            offset: 7,
            line: Some(2),
            rule: rule.to_owned(),
            redacted: "q8Zr... (20 characters)".to_owned(),
            fingerprint: fingerprint.to_owned(),
        }
    }

    fn file(path: &str, fingerprint: &str, layer: u32, removed_by: Option<u32>) -> TracedItem {
        TracedItem {
            path: ImagePath::new(path),
            item: EvidenceItem::Secret(secret("test-key", fingerprint)),
            layer,
            removed_by,
            owner: None,
        }
    }

    fn image(items: Vec<TracedItem>) -> ImageEvidence {
        let layer = |index, created_by: &str| LayerInfo {
            index,
            diff_id: None,
            created_by: Some(created_by.to_owned()),
            stats: LayerStats::default(),
            complete: true,
        };
        ImageEvidence {
            layers: vec![layer(0, "COPY . /app # buildkit"), layer(1, "RUN make")],
            items,
            ..ImageEvidence::default()
        }
    }

    fn detail(finding: &Finding) -> &SecretDetail {
        match &finding.detail {
            Detail::Secret(detail) => detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_secret_in_two_places_is_one_finding_with_both() {
        let image = image(vec![
            file("a/key", "f1", 0, None),
            file("b/key", "f1", 1, None),
        ]);
        let found = findings(&image, RULES.into_iter()).findings;
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].title,
            "Test key in `/a/key`, and in one more place"
        );
        let paths: Vec<String> = found[0]
            .evidence
            .iter()
            .filter_map(|evidence| Some(evidence.location.as_ref()?.path.to_string()))
            .collect();
        assert_eq!(paths, ["/a/key", "/b/key"]);
        assert_eq!(detail(&found[0]).state, SecretState::Visible);
    }

    #[test]
    fn two_keys_at_one_path_of_two_layers_are_two_findings() {
        let image = image(vec![
            file("app/key", "f1", 0, Some(1)),
            file("app/key", "f2", 1, None),
        ]);
        let found = findings(&image, RULES.into_iter()).findings;
        assert_eq!(found.len(), 2);
        assert_ne!(found[0].fingerprint, found[1].fingerprint);
    }

    #[test]
    fn a_buried_secret_keeps_its_severity_and_says_where_it_still_is() {
        let image = image(vec![file("app/id_rsa", "f1", 0, Some(1))]);
        let found = findings(&image, RULES.into_iter()).findings;
        assert_eq!(found[0].severity, Severity::Critical);
        assert_eq!(
            found[0].title,
            "Test key in `/app/id_rsa`, removed by layer 1 but still in layer 0"
        );
        assert_eq!(detail(&found[0]).state, SecretState::Buried);
        let fix = found[0].remediation.as_ref().unwrap();
        assert_eq!(
            fix.command.as_deref(),
            Some("echo '**/id_rsa' >> .dockerignore")
        );
        assert!(fix.summary.contains("the test console") && fix.summary.contains("squashed"));
    }

    #[test]
    fn files_of_os_packages_are_counted_and_configuration_of_theirs_is_reported() {
        let owned = |path: &str| TracedItem {
            owner: Some("openssl".to_owned()),
            ..file(path, path, 0, None)
        };
        let image = image(vec![
            owned("usr/share/doc/openssl/key.pem"),
            owned("etc/app/key.pem"),
        ]);
        let found = findings(&image, RULES.into_iter());
        assert_eq!(found.in_os_packages, 1);
        assert_eq!(found.findings.len(), 1);
        assert_eq!(found.findings[0].title, "Test key in `/etc/app/key.pem`");
    }

    #[test]
    fn a_key_in_a_librarys_tests_is_low_unless_it_stands_elsewhere_too() {
        let sample = "app/node_modules/jwt/test/key.pem";
        let alone = image(vec![file(sample, "f1", 0, None)]);
        assert_eq!(
            findings(&alone, RULES.into_iter()).findings[0].severity,
            Severity::Low
        );
        let both = image(vec![
            file(sample, "f1", 0, None),
            file("app/key", "f1", 0, None),
        ]);
        assert_eq!(
            findings(&both, RULES.into_iter()).findings[0].severity,
            Severity::Critical
        );
    }

    #[test]
    fn a_secret_of_the_environment_is_about_the_image() {
        let mut image = image(Vec::new());
        image.config_secrets.push(ConfigSecret {
            place: "environment variable `TOKEN`".to_owned(),
            layer: None,
            secret: secret(GENERIC_RULE.id, "f1"),
        });
        let found = findings(&image, RULES.into_iter()).findings;
        assert_eq!(found[0].subject, Subject::Image);
        assert_eq!(detail(&found[0]).state, SecretState::Configuration);
        assert!(
            found[0]
                .remediation
                .as_ref()
                .is_some_and(|fix| fix.summary.contains("--env-file"))
        );
    }
}
