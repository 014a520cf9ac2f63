//! Baselines: the secrets that were known when somebody looked, so that only new ones fail.
//!
//! A baseline must mean the same on every machine, so it brings the key of its fingerprints
//! with it: a scan that is given a baseline uses that key instead of the installation's. Who
//! has the file could then try guesses against it, and a short password is guessed soon. So
//! what stands in the file is no keyed hash of the value, but that hash drawn out over
//! [`ROUNDS`] rounds of SHA-256: one guess costs milliseconds, and a random token stays out of
//! reach. A baseline still is no file for the public.
//!
//! ```toml
//! version = 1
//! key = "…64 hexadecimal digits…"
//!
//! [[known]]
//! rule = "aws-access-key-id"
//! path = "/app/.env"
//! hash = "…32 hexadecimal digits…"
//! reason = "revoked on 2026-03-01"   # optional
//! expires = "2026-12-31"             # optional, the last day on which it is known
//! ```

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::allow::is_day;
use crate::redact::FingerprintKey;
use crate::rule::without_source;

/// Rounds of SHA-256 for one entry.
pub const ROUNDS: u32 = 1 << 14;
/// Entries of one baseline.
const MAX_ENTRIES: usize = 100_000;

/// Why a baseline can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the baseline: {0}\n  hint: `--write-baseline FILE` makes a new one")]
pub struct BaselineError(String);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    key: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    known: Vec<Known>,
}

/// One secret at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The rule that found it.
    pub rule: String,
    /// The file, or the place in the configuration.
    pub path: String,
    /// What [`Baseline::hash`] gives.
    pub hash: String,
    /// Why it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last day (UTC) on which it is known, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// A baseline.
pub struct Baseline {
    key: [u8; 32],
    known: HashMap<(String, String, String), Known>,
}

impl Baseline {
    /// An empty one with its own key: 32 random bytes.
    pub fn new(key: [u8; 32]) -> Baseline {
        Baseline {
            key,
            known: HashMap::new(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// What is no TOML of this shape, of another version, or has a key or day that is none.
    pub fn parse(text: &str) -> Result<Baseline, BaselineError> {
        let file: File =
            toml::from_str(text).map_err(|error| BaselineError(without_source(text, &error)))?;
        if file.version != 1 {
            return Err(BaselineError(format!(
                "it has version {}, and this program knows version 1",
                file.version
            )));
        }
        if file.known.len() > MAX_ENTRIES {
            return Err(BaselineError(format!("it has over {MAX_ENTRIES} entries")));
        }
        let key = unhex(&file.key)
            .ok_or_else(|| BaselineError("`key` is not 64 hexadecimal digits".to_owned()))?;
        let mut baseline = Baseline::new(key);
        for known in file.known {
            if known.expires.as_deref().is_some_and(|day| !is_day(day)) {
                return Err(BaselineError(format!(
                    "`expires` of `{}` at `{}` is not a date like \"2026-12-31\"",
                    known.rule.escape_debug(),
                    known.path.escape_debug()
                )));
            }
            let place = (known.rule.clone(), known.path.clone(), known.hash.clone());
            baseline.known.insert(place, known);
        }
        Ok(baseline)
    }

    /// The text of the file, entries sorted by place.
    pub fn to_toml(&self) -> String {
        let mut known: Vec<Known> = self.known.values().cloned().collect();
        known.sort_by(|a, b| (&a.path, &a.rule, &a.hash).cmp(&(&b.path, &b.rule, &b.hash)));
        let file = File {
            version: 1,
            key: hex(&self.key),
            known,
        };
        let body = toml::to_string(&file).unwrap_or_default();
        format!(
            "# Known secrets, by `seaworthy scan --write-baseline`. Add `reason` and `expires` (the \
             last day)\n# to an entry where that helps. Not for the public: guesses can be tried \
             against it.\n{body}"
        )
    }

    /// The key that a scan with this baseline makes its fingerprints with.
    pub fn key(&self) -> FingerprintKey {
        FingerprintKey::new(self.key)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What stands in the file for a fingerprint made with [`Baseline::key`].
    pub fn hash(&self, fingerprint: &str) -> String {
        let mut state: [u8; 32] = Sha256::new()
            .chain_update(b"seaworthy baseline")
            .chain_update(self.key)
            .chain_update(fingerprint)
            .finalize()
            .into();
        for _ in 0..ROUNDS {
            state = Sha256::digest(state).into();
        }
        hex(state.get(..16).unwrap_or_default())
    }

    /// The entry of a secret at a place, unless it has expired on `today`.
    pub fn knows(&self, rule: &str, path: &str, hash: &str, today: &str) -> Option<&Known> {
        self.known
            .get(&(rule.to_owned(), path.to_owned(), hash.to_owned()))
            .filter(|known| known.expires.as_deref().is_none_or(|last| today <= last))
    }

    /// The same baseline with the secrets that are there now and no others. What a person
    /// wrote beside an entry that stays is kept.
    #[must_use]
    pub fn renewed(&self, now: impl Iterator<Item = (String, String, String)>) -> Baseline {
        let mut renewed = Baseline::new(self.key);
        for (rule, path, fingerprint) in now.take(MAX_ENTRIES) {
            let hash = self.hash(&fingerprint);
            let place = (rule, path, hash);
            let known = self.known.get(&place).cloned().unwrap_or_else(|| Known {
                rule: place.0.clone(),
                path: place.1.clone(),
                hash: place.2.clone(),
                reason: None,
                expires: None,
            });
            renewed.known.insert(place, known);
        }
        renewed
    }
}

impl std::fmt::Debug for Baseline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Baseline({} known)", self.known.len())
    }
}

/// Fingerprints drawn out, each once.
#[derive(Default)]
pub(crate) struct Hashes(BTreeMap<String, String>);

impl Hashes {
    pub fn of(&mut self, baseline: &Baseline, fingerprint: &str) -> &str {
        self.0
            .entry(fingerprint.to_owned())
            .or_insert_with(|| baseline.hash(fingerprint))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    for (to, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *to = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: &str = "2026-06-01";

    #[test]
    fn a_baseline_survives_its_file_and_knows_rule_place_and_value() {
        let empty = Baseline::new([7; 32]);
        let fingerprint = empty.key().fingerprint(b"value");
        let now = [(
            "rule".to_owned(),
            "/a \"b\"".to_owned(),
            fingerprint.clone(),
        )];
        let text = empty.renewed(now.into_iter()).to_toml();
        let read = Baseline::parse(&text).unwrap();
        let hash = read.hash(&fingerprint);
        assert!(!text.contains(&fingerprint) && text.contains(&hash));
        assert!(read.knows("rule", "/a \"b\"", &hash, DAY).is_some());
        assert!(read.knows("rule", "/c", &hash, DAY).is_none());
        assert!(read.knows("other", "/a \"b\"", &hash, DAY).is_none());
    }

    #[test]
    fn reasons_stay_when_it_is_written_again_and_entries_end() {
        let empty = Baseline::new([7; 32]);
        let text = format!(
            "{}\n[[known]]\nrule = \"r\"\npath = \"/p\"\nhash = \"{}\"\nreason = \"old\"\nexpires = \"{DAY}\"\n",
            empty.to_toml(),
            empty.hash("f")
        );
        let read = Baseline::parse(&text).unwrap();
        let now = || [("r".to_owned(), "/p".to_owned(), "f".to_owned())].into_iter();
        let again = read.renewed(now());
        let hash = again.hash("f");
        let known = again.knows("r", "/p", &hash, DAY).unwrap();
        assert_eq!(known.reason.as_deref(), Some("old"));
        assert!(again.knows("r", "/p", &hash, "2026-06-02").is_none());
        assert!(read.renewed(std::iter::empty()).is_empty());
    }

    #[test]
    fn a_file_that_is_none_is_an_error() {
        for text in [
            "",
            "version = 2\nkey = \"\"",
            "version = 1\nkey = \"zz\"",
            "x",
        ] {
            assert!(Baseline::parse(text).is_err(), "{text}");
        }
    }
}
