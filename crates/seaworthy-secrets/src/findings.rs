//! What the secrets of an image mean: one finding a secret, with all places it stands in.
//!
//! A secret that a later layer deletes or overwrites is as bad as a visible one, because
//! whoever pulls the image has every layer: its severity stays. A key under a passphrase and a
//! token that has expired are less bad, and the finding says so.
//!
//! Not reported, but counted: what an allow list or a comment sets aside, and files of OS
//! packages below `usr`, `bin`, `sbin` and `lib*` in the layers that their package came in.
//! Distributions publish them, test keys included, and what everybody can download is no
//! secret. Files of packages elsewhere (`etc`, `var`) are meant to be edited, and are reported,
//! and so is what a later layer copied over a package's file.
//! What a programming language's package brings as test or example is reported as low.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use seaworthy_core::{
    Certainty, Detail, EvidenceItem, Finding, FindingEvidence, Fingerprint, ImageEvidence,
    Location, PrivateKeyFacts, PublicKeyEvidence, PublicKeyKind, Remediation, RuleId, SecretDetail,
    SecretEvidence, SecretNature, SecretState, Severity, Subject, TracedItem, WebTokenFacts,
};

use crate::allow::AllowList;
use crate::baseline::{Baseline, Hashes};
use crate::file_kind::is_published_sample;
use crate::jwt::day;
use crate::scanner::{GENERIC_RULE, RuleInfo};

/// Places of one secret that a finding names.
const PLACES: usize = 32;

/// What secrets are judged by, beside the rules that found them.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// Seconds since 1970: decides whether tokens and entries have expired.
    pub now: i64,
    /// What is set aside; the list that the scanner was made with.
    pub allow: &'a AllowList,
    /// What is known already; its key must have made the fingerprints.
    pub baseline: Option<&'a Baseline>,
}

/// What [`judge`] gives.
#[derive(Debug, Default)]
pub struct SecretFindings {
    /// One a secret, worst first.
    pub findings: Vec<Finding>,
    /// How many places in files of OS packages were left out.
    pub in_os_packages: u64,
    /// How many places were set aside, by the reason why, and the first of them.
    pub allowed: BTreeMap<String, Allowed>,
    /// Entries of the allow list that expired, name no rule, or set nothing aside.
    pub allow_notes: Vec<String>,
    /// Findings all of whose places stand in the baseline.
    pub known: Vec<KnownFinding>,
    /// Rule, place and fingerprint of everything found: what a baseline of today holds.
    pub places: Vec<(String, String, String)>,
}

/// Places that are set aside for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

/// Places of one reason that are named.
const EXAMPLES: usize = 3;

impl SecretFindings {
    fn allow(&mut self, reason: String, place: &Place<'_>) {
        let allowed = self.allowed.entry(reason).or_default();
        allowed.count += 1;
        let place = place.baseline_path();
        if allowed.examples.len() < EXAMPLES && !allowed.examples.contains(&place) {
            allowed.examples.push(place);
        }
    }
}

/// A finding that stands in the baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFinding {
    /// Which one.
    pub fingerprint: Fingerprint,
    /// What the baseline says of it.
    pub reason: Option<String>,
    /// The last day on which it is known, `YYYY-MM-DD`.
    pub expires: Option<String>,
}

/// Makes findings of the secrets in an image's evidence, without allow list or baseline.
/// `rules` are those that found them.
pub fn findings<'r>(
    image: &ImageEvidence,
    rules: impl Iterator<Item = RuleInfo<'r>>,
) -> SecretFindings {
    let judging = Judging {
        now: 0,
        allow: &AllowList::default(),
        baseline: None,
    };
    judge(image, rules, &judging)
}

/// Makes findings of the secrets in an image's evidence. `rules` are those that found them.
pub fn judge<'r>(
    image: &ImageEvidence,
    rules: impl Iterator<Item = RuleInfo<'r>>,
    judging: &Judging<'_>,
) -> SecretFindings {
    let judge = Judge {
        image,
        rules: rules.map(|rule| (rule.id, rule)).collect(),
        now: judging.now,
        today: day(judging.now).unwrap_or_default(),
        public: public_keys(image),
    };
    let mut out = SecretFindings::default();
    let mut used = BTreeSet::new();
    let packages = package_layers(image);
    let mut groups: BTreeMap<&str, Vec<Place<'_>>> = BTreeMap::new();
    let files = image.items.iter().filter_map(|traced| match &traced.item {
        EvidenceItem::Secret(secret) => Some(Place::File(traced, secret)),
        _ => None,
    });
    let configuration = image
        .config_secrets
        .iter()
        .map(|found| Place::Config(&found.place, found.layer, &found.secret));
    for place in files.chain(configuration) {
        if let Place::File(traced, _) = &place
            && is_os_package_content(traced, &packages)
        {
            out.in_os_packages += 1;
            continue;
        }
        let secret = place.secret();
        if secret.allowed_inline {
            let reason = "a comment on its line allows it".to_owned();
            out.allow(reason, &place);
            continue;
        }
        if let Some((number, entry)) = judging.allow.covering(secret, place.path(), &judge.today) {
            used.insert(number);
            let reason = format!("the allow list: {}", entry.reason);
            out.allow(reason, &place);
            continue;
        }
        groups.entry(&secret.fingerprint).or_default().push(place);
    }
    let is_rule = |id: &str| id == GENERIC_RULE.id || judge.rules.contains_key(id);
    out.allow_notes = judging.allow.notes(&judge.today, is_rule, &used);
    // By place and not by keyed hash, so that every installation numbers them alike.
    let mut groups: Vec<Vec<Place<'_>>> = groups.into_values().collect();
    for places in &mut groups {
        places.sort_by_cached_key(Place::order);
    }
    groups.sort_by_cached_key(|places| places.first().map(Place::order));
    let mut seen: HashMap<(String, String, String), u32> = HashMap::new();
    let mut hashes = Hashes::default();
    for places in &groups {
        let Some(finding) = judge.finding(places, &mut seen) else {
            continue;
        };
        out.places.extend(places.iter().map(|place| {
            let secret = place.secret();
            (
                secret.rule.clone(),
                place.baseline_path(),
                secret.fingerprint.clone(),
            )
        }));
        if let Some(baseline) = judging.baseline.filter(|baseline| !baseline.is_empty()) {
            let known = places.iter().map(|place| {
                let secret = place.secret();
                let hash = hashes.of(baseline, &secret.fingerprint);
                baseline.knows(&secret.rule, &place.baseline_path(), hash, &judge.today)
            });
            if let Some(known) = known.collect::<Option<Vec<_>>>() {
                out.known.push(KnownFinding {
                    fingerprint: finding.fingerprint.clone(),
                    reason: known.iter().find_map(|entry| entry.reason.clone()),
                    expires: known.iter().filter_map(|entry| entry.expires.clone()).min(),
                });
            }
        }
        out.findings.push(finding);
    }
    out.places.sort_unstable();
    out.places.dedup();
    out.findings
        .sort_by(|a, b| b.severity.cmp(&a.severity).then(a.title.cmp(&b.title)));
    out
}

/// The layers in which each OS package came or was upgraded.
fn package_layers(image: &ImageEvidence) -> HashMap<&str, BTreeSet<u32>> {
    let mut layers: HashMap<&str, BTreeSet<u32>> = HashMap::new();
    for traced in &image.items {
        if let Some(package) = traced.package() {
            layers
                .entry(&package.name)
                .or_default()
                .insert(traced.layer);
        }
    }
    layers
}

fn is_os_package_content(traced: &TracedItem, packages: &HashMap<&str, BTreeSet<u32>>) -> bool {
    let Some(owner) = traced.owner.as_deref() else {
        return false;
    };
    let top = traced.path.as_str().split('/').next().unwrap_or_default();
    let is_its_own = packages
        .get(owner)
        .is_none_or(|layers| layers.contains(&traced.layer));
    is_its_own
        && (matches!(top, "usr" | "bin" | "sbin") || top.starts_with("lib"))
        && !traced.path.is_within("usr/local")
}

type PublicKeys<'a> = HashMap<&'a str, Vec<(&'a TracedItem, &'a PublicKeyEvidence)>>;

/// The public keys of the image by name; certificates first, those of the final view first.
fn public_keys(image: &ImageEvidence) -> PublicKeys<'_> {
    let mut keys: PublicKeys<'_> = HashMap::new();
    for traced in &image.items {
        if let EvidenceItem::PublicKey(key) = &traced.item {
            keys.entry(&key.spki_sha256)
                .or_default()
                .push((traced, key));
        }
    }
    for places in keys.values_mut() {
        places.sort_by_key(|(traced, key)| (key.kind, traced.removed_by.is_some(), &traced.path));
    }
    keys
}

/// One place of a secret.
enum Place<'a> {
    File(&'a TracedItem, &'a SecretEvidence),
    Config(&'a str, Option<u32>, &'a SecretEvidence),
}

impl<'a> Place<'a> {
    fn secret(&self) -> &'a SecretEvidence {
        match self {
            Place::File(_, secret) | Place::Config(_, _, secret) => secret,
        }
    }

    /// The file's path; `None` in the configuration.
    fn path(&self) -> Option<&str> {
        match self {
            Place::File(traced, _) => Some(traced.path.as_str()),
            Place::Config(..) => None,
        }
    }

    /// How a baseline names the place.
    fn baseline_path(&self) -> String {
        match self {
            Place::File(traced, secret) => match &secret.inside {
                Some(inside) => format!("{}!/{inside}", traced.path),
                None => traced.path.to_string(),
            },
            Place::Config(place, ..) => (*place).to_owned(),
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
                let inside = match &secret.inside {
                    Some(inside) => format!("inside `{inside}`, "),
                    None => String::new(),
                };
                FindingEvidence {
                    location: Some(location(image, traced)),
                    note: format!("{inside}{place}, {state}"),
                }
            }
            Place::Config(place, ..) => FindingEvidence {
                location: None,
                note: match place.starts_with("line ") {
                    // A Dockerfile, which names itself.
                    true => (*place).to_owned(),
                    false => format!("{place} of the image's configuration"),
                },
            },
        }
    }
}

/// All that findings are made of.
struct Judge<'a> {
    image: &'a ImageEvidence,
    rules: HashMap<&'a str, RuleInfo<'a>>,
    now: i64,
    today: String,
    public: PublicKeys<'a>,
}

/// What parsing changes about a finding.
#[derive(Default)]
struct Nature {
    /// In a few words each.
    facts: Vec<String>,
    /// The most it can be, and why.
    at_most: Option<(Severity, String)>,
    /// For the title.
    belongs_to: Option<String>,
    /// Where the other half stands.
    evidence: Vec<FindingEvidence>,
}

impl Judge<'_> {
    fn finding(
        &self,
        places: &[Place<'_>],
        seen: &mut HashMap<(String, String, String), u32>,
    ) -> Option<Finding> {
        let first = places.first()?;
        // The rule that knows most: any before the generic one, then the worst.
        let rule = places
            .iter()
            .filter_map(|place| self.rules.get(place.secret().rule.as_str()))
            .max_by_key(|rule| (rule.id != GENERIC_RULE.id, rule.severity))?;
        let secret = first.secret();
        let label = first.label();
        let id = RuleId::from(rule.id.to_owned());
        let ordinal = seen
            .entry((rule.id.to_owned(), label.clone(), secret.redacted.clone()))
            .and_modify(|count| *count += 1)
            .or_insert(0);
        let nature = places
            .iter()
            .find_map(|place| place.secret().nature.as_deref());
        let nature = match nature {
            Some(SecretNature::PrivateKey(key)) => self.private_key(key),
            Some(SecretNature::WebToken(token)) => self.web_token(token),
            None => Nature::default(),
        };
        let mut at_most = nature.at_most;
        if places.iter().all(Place::is_sample) {
            at_most = Some((Severity::Low, "a library's test or example".to_owned()));
        }
        let (severity, severity_origin) = match at_most {
            Some((most, why)) if most < rule.severity => (most, format!("rule, lowered: {why}")),
            _ => (rule.severity, "rule".to_owned()),
        };
        let mut evidence: Vec<FindingEvidence> = places
            .iter()
            .take(PLACES)
            .map(|place| place.evidence(self.image))
            .collect();
        if places.len() > PLACES {
            evidence.push(FindingEvidence {
                location: None,
                note: format!("and {} more places", places.len() - PLACES),
            });
        }
        evidence.extend(nature.evidence);
        let subject = match first {
            Place::File(traced, _) => Subject::File {
                path: traced.path.clone(),
            },
            Place::Config(..) => Subject::Image,
        };
        let mut title = title(rule, first, &label, places.len());
        if let Some(owner) = nature.belongs_to {
            title.push_str(&format!(", {owner}"));
        }
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
            severity,
            severity_origin,
            certainty: Certainty::Confirmed,
            title,
            evidence,
            remediation: Some(remediation(self.image, rule, first)),
            references: Some(rule.reference.to_owned())
                .filter(|reference| !reference.is_empty())
                .into_iter()
                .collect(),
            detail: Detail::Secret(Box::new(SecretDetail {
                summary: rule.summary.to_owned(),
                redacted: secret.redacted.clone(),
                secret: secret.fingerprint.clone(),
                state: first.state(),
                revoke: rule.revoke.to_owned(),
                places: places.len() as u64,
                facts: nature.facts,
                fixes: Vec::new(),
            })),
        })
    }

    fn private_key(&self, key: &PrivateKeyFacts) -> Nature {
        let mut nature = Nature::default();
        nature.facts.push(match key.bits {
            Some(bits) => format!("{}, {bits} bits", key.algorithm),
            None => key.algorithm.clone(),
        });
        if key.encrypted {
            nature.facts.push("protected by a passphrase".to_owned());
            nature.at_most = Some((Severity::Medium, "a passphrase protects it".to_owned()));
        }
        let name = key.public.as_deref();
        let Some(halves) = name.and_then(|name| self.public.get(name)) else {
            return nature;
        };
        for (number, (traced, half)) in halves.iter().take(PLACES).enumerate() {
            let what = match (half.kind, &half.name) {
                (PublicKeyKind::Certificate, Some(name)) => format!("certificate {name}"),
                (PublicKeyKind::Certificate, None) => "certificate".to_owned(),
                (PublicKeyKind::PublicKey, _) => "public key".to_owned(),
                (PublicKeyKind::SshKey, Some(name)) => format!("SSH public key of {name}"),
                (PublicKeyKind::SshKey, None) => "SSH public key".to_owned(),
            };
            if number == 0 {
                let owner = format!("private key of the {what} in `{}`", traced.path);
                nature.facts.push(owner.clone());
                nature.belongs_to = Some(owner);
            }
            nature.evidence.push(FindingEvidence {
                location: Some(location(self.image, traced)),
                note: format!("the {what}: its public half"),
            });
        }
        nature
    }

    fn web_token(&self, token: &WebTokenFacts) -> Nature {
        let mut nature = Nature::default();
        let is_signed = !token.algorithm.eq_ignore_ascii_case("none");
        nature.facts.push(match is_signed {
            true => format!("signed with {}", token.algorithm),
            false => "not signed (`alg` is `none`)".to_owned(),
        });
        if let Some(issuer) = &token.issuer {
            nature.facts.push(format!("issued by {issuer}"));
        }
        let date = |seconds| day(seconds).unwrap_or_else(|| "a far day".to_owned());
        match token.expires {
            None => nature.facts.push("never expires".to_owned()),
            Some(end) if end <= self.now => {
                nature.facts.push(format!("expired since {}", date(end)));
                nature.at_most = Some((Severity::Low, format!("it expired on {}", date(end))));
            }
            Some(end) => nature.facts.push(format!("expires on {}", date(end))),
        }
        if !is_signed {
            nature.at_most = Some((
                Severity::Low,
                "it is not signed: anybody can make it".into(),
            ));
        }
        nature
    }
}

fn location(image: &ImageEvidence, traced: &TracedItem) -> Location {
    let layer = image.layers.get(traced.layer as usize);
    Location {
        path: traced.path.clone(),
        layer: Some(traced.layer),
        diff_id: layer.and_then(|layer| layer.diff_id.clone()),
        created_by: layer.and_then(|layer| layer.created_by.clone()),
        removed_by: traced.removed_by,
    }
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
            nature: None,
            allowed_inline: false,
            allowed_by: Vec::new(),
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
    fn what_a_later_layer_copied_over_a_packages_file_is_reported() {
        use seaworthy_core::{Package, PackageType};
        let owned = |path: &str, layer| TracedItem {
            owner: Some("openssl".to_owned()),
            ..file(path, path, layer, None)
        };
        let package = TracedItem {
            item: EvidenceItem::Package(Package::new(PackageType::DEB, "openssl", "1")),
            ..file("var/lib/dpkg/status", "", 0, None)
        };
        let image = image(vec![
            package,
            owned("usr/share/openssl/a.pem", 0),
            owned("usr/share/openssl/b.pem", 1),
        ]);
        let found = findings(&image, RULES.into_iter());
        assert_eq!(found.in_os_packages, 1);
        assert_eq!(
            found.findings[0].title,
            "Test key in `/usr/share/openssl/b.pem`"
        );
    }

    fn with_nature(nature: SecretNature) -> TracedItem {
        let mut item = file("app/key", "f1", 0, None);
        if let EvidenceItem::Secret(secret) = &mut item.item {
            secret.nature = Some(Box::new(nature));
        }
        item
    }

    fn key(encrypted: bool) -> SecretNature {
        SecretNature::PrivateKey(PrivateKeyFacts {
            algorithm: "RSA".to_owned(),
            bits: Some(2048),
            encrypted,
            public: Some("ab".repeat(32)),
        })
    }

    #[test]
    fn a_private_key_says_whose_certificate_it_is() {
        let certificate = TracedItem {
            item: EvidenceItem::PublicKey(PublicKeyEvidence {
                kind: PublicKeyKind::Certificate,
                spki_sha256: "ab".repeat(32),
                name: Some("CN=shop.example".to_owned()),
            }),
            ..file("etc/ssl/shop.crt", "", 1, None)
        };
        let image = image(vec![with_nature(key(false)), certificate]);
        let found = findings(&image, RULES.into_iter()).findings;
        assert_eq!(
            found[0].title,
            "Test key in `/app/key`, private key of the certificate CN=shop.example in `/etc/ssl/shop.crt`"
        );
        assert_eq!(found[0].evidence.len(), 2);
        assert_eq!(found[0].severity, Severity::Critical);
        assert_eq!(detail(&found[0]).facts[0], "RSA, 2048 bits");
    }

    #[test]
    fn a_passphrase_and_an_expired_token_lower_the_severity_and_are_said() {
        let sealed = image(vec![with_nature(key(true))]);
        let found = findings(&sealed, RULES.into_iter()).findings;
        assert_eq!(found[0].severity, Severity::Medium);
        assert!(found[0].severity_origin.contains("passphrase"));
        let token = image(vec![with_nature(SecretNature::WebToken(WebTokenFacts {
            algorithm: "RS256".to_owned(),
            issuer: Some("id.example".to_owned()),
            expires: Some(1_700_000_000),
        }))]);
        let at = |now| {
            let judging = Judging {
                now,
                allow: &AllowList::default(),
                baseline: None,
            };
            judge(&token, RULES.into_iter(), &judging)
                .findings
                .remove(0)
        };
        let (before, after) = (at(1_600_000_000), at(1_800_000_000));
        assert_eq!(before.severity, Severity::Critical);
        assert_eq!(after.severity, Severity::Low);
        assert_eq!(
            detail(&after).facts,
            [
                "signed with RS256",
                "issued by id.example",
                "expired since 2023-11-14"
            ]
        );
    }

    #[test]
    fn what_is_allowed_is_counted_by_reason_and_not_reported() {
        let mut commented = file("app/a", "f1", 0, None);
        if let EvidenceItem::Secret(secret) = &mut commented.item {
            secret.allowed_inline = true;
        }
        let image = image(vec![
            commented,
            file("app/b", "f2", 0, None),
            file("srv/c", "f3", 0, None),
        ]);
        let allow = AllowList::new(vec![seaworthy_core::SecretAllow {
            path: Some("app/*".to_owned()),
            reason: "made up".to_owned(),
            ..Default::default()
        }])
        .unwrap();
        let judging = Judging {
            now: 0,
            allow: &allow,
            baseline: None,
        };
        let found = judge(&image, RULES.into_iter(), &judging);
        let counts: Vec<(&str, u64)> = found
            .allowed
            .iter()
            .map(|(k, v)| (k.as_str(), v.count))
            .collect();
        assert_eq!(
            counts,
            [
                ("a comment on its line allows it", 1),
                ("the allow list: made up", 1)
            ]
        );
        assert_eq!(found.findings.len(), 1);
    }

    #[test]
    fn a_finding_is_known_when_all_its_places_are() {
        let one = image(vec![file("a/key", "f1", 0, None)]);
        let two = image(vec![
            file("a/key", "f1", 0, None),
            file("b/key", "f1", 1, None),
        ]);
        let empty = Baseline::new([3; 32]);
        let at = |image: &ImageEvidence, baseline: &Baseline| {
            let judging = Judging {
                now: 0,
                allow: &AllowList::default(),
                baseline: Some(baseline),
            };
            judge(image, RULES.into_iter(), &judging)
        };
        let baseline = empty.renewed(at(&one, &empty).places.into_iter());
        assert_eq!(baseline.len(), 1);
        let known = at(&one, &baseline);
        assert_eq!(known.known.len(), 1);
        assert_eq!(known.known[0].fingerprint, known.findings[0].fingerprint);
        assert_eq!(at(&two, &baseline).known, []);
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
