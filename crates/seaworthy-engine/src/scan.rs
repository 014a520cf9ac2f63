use std::cmp::Ordering;
use std::time::Instant;

use jiff::Timestamp;
use seaworthy_advisory::{ecosystems, match_image};
use seaworthy_core::{ImageEvidence, Problem, ProblemKind};
use seaworthy_image::{Cancel, Image, Limits, OpenOptions, WalkContext, open_image};
use seaworthy_policy::{Policy, evaluate};
use seaworthy_report::{
    Inventory, MalwareEngine, Report, ReportParts, Suppressed, Timings, image_of,
};
use seaworthy_scan::{AnalyzerSet, Tools, scan_image};
use seaworthy_signatures::findings::{self as malware_findings, IntegrityCounts, MalwareFindings};

use crate::cache::{CacheChoice, open_cache};
use crate::detectors::{MalwareChoice, open_malware};
use crate::knowledge::{DatabaseChoice, Knowledge, open_database};
use crate::secrets::{JudgedSecrets, SecretOptions, SecretsChoice, judge_secrets, open_secrets};
use crate::{EngineError, Observer, Stage, VERSION};

/// All that a scan depends on.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// The image, as the user wrote it.
    pub reference: String,
    /// How to open it: platform, engine access.
    pub open: OpenOptions,
    /// Bounds on hostile input.
    pub limits: Limits,
    /// Which advisories to judge by.
    pub database: DatabaseChoice,
    /// Whether layer evidence is kept.
    pub cache: CacheChoice,
    /// Whether secrets are looked for.
    pub secrets: SecretsChoice,
    /// Whether malware is looked for, and with what.
    pub malware: MalwareChoice,
    /// What else they are looked for and judged by.
    pub secret_options: SecretOptions,
    /// What an image has to be like.
    pub policy: Policy,
    /// Threads that read layers, at least 1.
    pub threads: usize,
    /// The time to judge at: it decides on expiry of database, releases and exceptions.
    pub now: Timestamp,
    /// Whether the report says how long things took; without them the same input gives
    /// the same bytes.
    pub timings: bool,
}

/// Opens an image, reads its layers, judges what they hold, and reports.
///
/// # Errors
///
/// When there is nothing reliable to report: the image or the database can't be opened, or
/// the user cancels. Everything less is in the report.
pub fn scan(
    request: &ScanRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Report, EngineError> {
    let started = Instant::now();
    let ctx = context(request, cancel);
    // A database that can't be used is told before minutes of reading, not after.
    let knowledge = open_database(&request.database)?;
    observer.stage(Stage::Opening);
    let image = open_image(&request.reference, &request.open, &ctx)
        .map_err(|error| image_error(error, cancel))?;
    judge(request, knowledge, image, &ctx, observer, started)
}

/// The same for an image that is open already, such as one made in memory.
///
/// # Errors
///
/// As [`scan`], but for opening the image.
pub fn scan_opened(
    request: &ScanRequest,
    image: Image,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Report, EngineError> {
    let ctx = context(request, cancel);
    let started = Instant::now();
    let knowledge = open_database(&request.database)?;
    judge(request, knowledge, image, &ctx, observer, started)
}

/// Opens an image, reads its layers, and lists the packages. Looks at no advisory.
///
/// # Errors
///
/// When the image can't be opened or the user cancels.
pub fn inventory(
    request: &ScanRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Inventory, EngineError> {
    let ctx = context(request, cancel);
    observer.stage(Stage::Opening);
    let image = open_image(&request.reference, &request.open, &ctx)
        .map_err(|error| image_error(error, cancel))?;
    inventory_of(request, image, observer, cancel)
}

/// The same for an image that is open already.
///
/// # Errors
///
/// When the user cancels.
pub fn inventory_of(
    request: &ScanRequest,
    image: Image,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Inventory, EngineError> {
    let ctx = context(request, cancel);
    let read = read(request, &image, &ctx, observer)?;
    observer.stage(Stage::Done);
    Ok(Inventory::new(
        VERSION,
        image_of(identity(&image), &read.evidence),
        &read.evidence,
        &read.problems,
    ))
}

struct Read {
    evidence: ImageEvidence,
    /// The secrets in it.
    secrets: JudgedSecrets,
    /// The malware in it; without findings where nobody wants malware looked for.
    malware: MalwareFindings,
    /// What malware was looked for with.
    engines: Vec<MalwareEngine>,
    /// Of the image, the cache and the layers together.
    problems: Vec<Problem>,
    cached_layers: usize,
}

fn context(request: &ScanRequest, cancel: &Cancel) -> WalkContext {
    WalkContext {
        limits: request.limits.clone(),
        cancel: cancel.clone(),
        ..WalkContext::default()
    }
}

fn image_error(error: seaworthy_image::ImageError, cancel: &Cancel) -> EngineError {
    if cancel.is_cancelled() {
        EngineError::Cancelled
    } else {
        EngineError::Image(error)
    }
}

fn read(
    request: &ScanRequest,
    image: &Image,
    ctx: &WalkContext,
    observer: &dyn Observer,
) -> Result<Read, EngineError> {
    observer.stage(Stage::Reading {
        layers: image.layers.len(),
        bytes_seen: ctx.bytes_seen.clone(),
    });
    let secrets = open_secrets(&request.secrets, &request.secret_options, &request.policy)?;
    let (cache, notice) = match secrets.is_lasting {
        true => open_cache(&request.cache),
        false => (None, None),
    };
    let mut tools = Tools {
        secrets: secrets.scanner.clone(),
        redactor: Some(secrets.redactor),
        ..Tools::default()
    };
    let malware = open_malware(&request.malware, request.now, &mut tools)?;
    let analyzers = AnalyzerSet::builtin().with_content(tools);
    let scanned = scan_image(image, &analyzers, cache.as_ref(), ctx, request.threads)?;
    let mut problems = image.problems.clone();
    problems.extend(scanned.evidence.problems.iter().cloned());
    // Layers sort by number, and what belongs to none comes first: the same order always.
    problems.sort();
    problems.dedup();
    problems.extend(notice);
    problems.extend(secrets.notices);
    problems.extend(malware.notices);
    let judged = match malware.is_on {
        true => malware_findings::findings(&scanned.evidence),
        false => MalwareFindings::default(),
    };
    let mut evidence = scanned.evidence;
    let mut secrets = match &secrets.scanner {
        Some(scanner) => {
            judge_secrets(&mut evidence, scanner, &request.secret_options, request.now)?
        }
        None => JudgedSecrets::default(),
    };
    problems.append(&mut secrets.notices);
    Ok(Read {
        malware: judged,
        evidence,
        secrets,
        engines: malware.engines,
        problems,
        cached_layers: scanned.cached_layers,
    })
}

fn judge(
    request: &ScanRequest,
    knowledge: Knowledge,
    image: Image,
    ctx: &WalkContext,
    observer: &dyn Observer,
    started: Instant,
) -> Result<Report, EngineError> {
    let opened = started.elapsed();
    let read = read(request, &image, ctx, observer)?;
    let scanned = started.elapsed();
    observer.stage(Stage::Matching {
        packages: read.evidence.packages().count(),
        cached_layers: read.cached_layers,
    });
    let matched = match_image(&knowledge.database, &read.evidence, request.now.as_second());
    let mut findings = matched.findings;
    findings.extend(read.malware.findings);
    findings.extend(read.secrets.findings);
    let mut problems = read.problems;
    problems.extend(unowned_left_out(read.malware.unowned_left_out));
    problems.extend(records_in_doubt(&read.malware.integrity));
    let mut policy = request.policy.clone();
    policy.ignore.extend(read.secrets.known);
    let verdict = evaluate(&findings, &matched.gaps, &problems, &policy, request.now);
    let finished = started.elapsed();
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let timings = request.timings.then(|| Timings {
        open_ms: milliseconds(opened),
        scan_ms: milliseconds(scanned.saturating_sub(opened)),
        match_ms: milliseconds(finished.saturating_sub(scanned)),
        total_ms: milliseconds(finished),
        cached_layers: read.cached_layers as u64,
    });
    let report = Report::new(ReportParts {
        tool_version: VERSION,
        scanned_at: request.now.to_string(),
        image: image_of(identity(&image), &read.evidence),
        evidence: &read.evidence,
        database: knowledge.description,
        malware: read.engines,
        findings,
        gaps: &matched.gaps,
        suppressed: matched
            .suppressed
            .into_iter()
            .map(|left| Suppressed {
                reason: left.reason.as_str().to_owned(),
                summary: left.reason.summary().to_owned(),
                count: left.count,
                examples: left.examples,
            })
            .chain(read.secrets.suppressed)
            .collect(),
        problems: &problems,
        policy: &policy,
        verdict: &verdict,
        compare: &compare,
        timings,
    });
    observer.stage(Stage::Done);
    Ok(report)
}

/// Says how many programs that no package owns are not listed.
fn unowned_left_out(count: u64) -> Option<Problem> {
    let message = format!(
        "{count} more programs that no package owns lie where packages install; they are not listed"
    );
    (count > 0).then(|| Problem::new(ProblemKind::Notice, message))
}

/// Says where so many programs have no owner that none of them is told, or no record counts.
fn records_in_doubt(counts: &IntegrityCounts) -> Option<Problem> {
    if counts.unowned_fit || counts.unowned == 0 {
        return None;
    }
    let rest = if counts.records_fit {
        "files that packages do own were compared all the same"
    } else {
        "and no file was compared with what its package installed"
    };
    Some(Problem::new(
        ProblemKind::Notice,
        format!(
            "{} programs lie where packages install and no package owns them, more than packages \
             own: they are not listed; {rest}",
            counts.unowned
        ),
    ))
}

/// Orders two versions of a package type; `None` where the order is unknown.
fn compare(package_type: &str, a: &str, b: &str) -> Option<Ordering> {
    ecosystems::ECOSYSTEMS
        .iter()
        .find(|ecosystem| ecosystem.package_type.as_str() == package_type)?
        .scheme
        .compare(a, b)
        .ok()
}

/// What the report says of the image itself; its layers come from the evidence.
fn identity(image: &Image) -> seaworthy_report::Image {
    seaworthy_report::Image {
        reference: image.reference.clone(),
        source: image.source.as_str().to_owned(),
        names: image.names.clone(),
        image_id: image.image_id.as_ref().map(ToString::to_string),
        manifest_digest: image.manifest_digest.as_ref().map(ToString::to_string),
        platform: image.platform.as_ref().map(ToString::to_string),
        created: image.config.created.clone(),
        layers: Vec::new(),
    }
}
