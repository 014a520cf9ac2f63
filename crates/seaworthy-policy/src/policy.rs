use jiff::civil::Date;
use seaworthy_core::{Detail, Finding, GapKind, ProblemKind, SecretAllow, Severity};

/// What an image has to be like to be called seaworthy, and what of the findings is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Findings of this severity or worse are against the policy; `None` lets every
    /// severity pass.
    pub fail_on: Option<Severity>,
    /// Whether vulnerabilities without a fixed version count for `fail_on`.
    pub fail_on_unfixed: bool,
    /// Whether a vulnerability that is known to be exploited is against the policy,
    /// whatever its severity.
    pub fail_on_known_exploited: bool,
    /// Findings of this severity or worse are listed for people; the rest is counted. What
    /// nobody has rated is listed like medium ones, and what fails is always listed.
    /// Documents for machines always hold all of them.
    pub show: Severity,
    /// Gaps that do not make the verdict incomplete.
    pub accept_gaps: Vec<GapKind>,
    /// Kinds of problem that do not make the verdict incomplete.
    pub accept_problems: Vec<ProblemKind>,
    /// Exceptions, in the order of the file.
    pub ignore: Vec<Ignore>,
    /// Secrets that are known and meant to be where they are.
    pub secret_allow: Vec<SecretAllow>,
}

impl Default for Policy {
    /// High and critical findings fail, fixed or not; everything from low upwards is shown;
    /// no gap and no problem is accepted.
    fn default() -> Policy {
        Policy {
            fail_on: Some(Severity::High),
            fail_on_unfixed: true,
            fail_on_known_exploited: true,
            show: Severity::Low,
            accept_gaps: Vec::new(),
            accept_problems: Vec::new(),
            ignore: Vec::new(),
            secret_allow: Vec::new(),
        }
    }
}

/// One exception: findings that are known, judged by a person, and set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    /// A vulnerability's id or one of its aliases, a rule's id, a finding's fingerprint, or the
    /// keyed hash of a secret.
    pub id: String,
    /// Only in this package, by its name, its source package's name or its purl.
    pub package: Option<String>,
    /// Only where the evidence lies at or below this path of the image.
    pub path: Option<String>,
    /// Only for this container, image or network, by its name; `host` and `daemon` are the
    /// names of those. Speaks of checks of a host only.
    pub subject: Option<String>,
    /// Why it is set aside; never empty.
    pub reason: String,
    /// The last day (UTC) on which the exception applies.
    pub expires: Option<Date>,
    /// Line of the policy file, counted from 1; 0 for one that comes from no file.
    pub line: usize,
}

impl Ignore {
    /// Whether the exception has lapsed on `today`.
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| today > last)
    }

    /// Whether the exception speaks of this finding, expired or not.
    pub fn covers(&self, finding: &Finding) -> bool {
        self.subject.is_none()
            && self.id_covers(finding)
            && self.package_covers(finding)
            && self.path_covers(finding)
    }

    /// Whether the exception speaks of a check of a host, expired or not: by one of the ids
    /// it goes by, and for the thing that was checked. `None` stands for the check as a
    /// whole, which an exception for one thing does not cover.
    pub fn covers_check(&self, ids: &[&str], subject: Option<&str>) -> bool {
        self.package.is_none()
            && self.path.is_none()
            && ids.iter().any(|id| id.eq_ignore_ascii_case(&self.id))
            && match &self.subject {
                None => true,
                Some(wanted) => subject == Some(wanted.as_str()),
            }
    }

    fn id_covers(&self, finding: &Finding) -> bool {
        let same = |id: &str| id.eq_ignore_ascii_case(&self.id);
        same(finding.rule.as_str())
            || same(finding.fingerprint.as_str())
            || match &finding.detail {
                Detail::Vulnerability(detail) => {
                    same(&detail.id) || detail.aliases.iter().any(|alias| same(alias))
                }
                Detail::Secret(detail) => same(&detail.secret),
                Detail::Malware(detail) => detail.names.iter().any(|name| {
                    same(name) || name.split_once(": ").is_some_and(|(_, name)| same(name))
                }),
            }
    }

    fn package_covers(&self, finding: &Finding) -> bool {
        let Some(wanted) = self.package.as_deref() else {
            return true;
        };
        let Detail::Vulnerability(detail) = &finding.detail else {
            return false;
        };
        let purl = match &finding.subject {
            seaworthy_core::Subject::Package { purl } => Some(purl.as_str()),
            _ => None,
        };
        detail.package == wanted
            || detail.source_package.as_deref() == Some(wanted)
            || purl == Some(wanted)
    }

    fn path_covers(&self, finding: &Finding) -> bool {
        let Some(wanted) = self.path.as_deref() else {
            return true;
        };
        let wanted = seaworthy_core::ImagePath::new(wanted);
        finding
            .evidence
            .iter()
            .filter_map(|evidence| evidence.location.as_ref())
            .any(|location| location.path.is_within(wanted.as_str()))
    }
}
