//! What the facts mean: checks of the CIS Docker Benchmark by their ids, and more.
//!
//! A check is a row: [`HostRule`]. Numbers are those of edition 1.6 of the benchmark, with
//! 1.7's rootless check (2.1); levels follow the machine-readable data that was published
//! for earlier editions, by topic. The benchmark's text is its makers' and not here: ids and
//! facts only, in words of our own.

mod beyond;
mod container;
mod daemon;
mod file;
mod host;
mod image;
mod operations;
mod outcome;
mod swarm;

use seaworthy_core::{Meta, Severity};
use serde::{Deserialize, Serialize};

use crate::facts::Facts;

pub use outcome::{Evidence, Outcome, Target, quote};

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// 1: the host.
    Host,
    /// 2: the daemon.
    Daemon,
    /// 3: the daemon's files.
    Files,
    /// 4: images.
    Images,
    /// 5: containers.
    Containers,
    /// 6: operations.
    Operations,
    /// 7: swarm.
    Swarm,
    /// Not in the benchmark.
    Beyond,
}

impl Section {
    /// All, in order.
    pub const ALL: [Section; 8] = [
        Section::Host,
        Section::Daemon,
        Section::Files,
        Section::Images,
        Section::Containers,
        Section::Operations,
        Section::Swarm,
        Section::Beyond,
    ];

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Section::Host => "1 host",
            Section::Daemon => "2 daemon",
            Section::Files => "3 files of the daemon",
            Section::Images => "4 images",
            Section::Containers => "5 containers",
            Section::Operations => "6 operations",
            Section::Swarm => "7 swarm",
            Section::Beyond => "beyond the benchmark",
        }
    }
}

/// Whether the benchmark calls a check automated (it scores) or manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It scores.
    Scored,
    /// A person judges; we say what we know.
    Manual,
}

/// A check.
#[derive(Debug, Clone, Copy)]
pub struct HostRule {
    /// Id, revision, summary, references.
    pub meta: Meta,
    /// Its number in the benchmark; empty for checks beyond it.
    pub cis: &'static str,
    /// Its part.
    pub section: Section,
    /// 1 or 2.
    pub level: u8,
    /// Scored or manual.
    pub mode: Mode,
    /// How bad a failure is.
    pub severity: Severity,
    /// What to do, in a sentence.
    pub remedy: &'static str,
    /// Judges.
    pub check: fn(&Facts) -> Outcome,
}

impl HostRule {
    /// Whether it only speaks of swarms.
    pub fn is_for_swarm(&self) -> bool {
        self.section == Section::Swarm
    }
}

/// Makes a row; the arguments stand in the order in which they are read.
#[expect(
    clippy::too_many_arguments,
    reason = "a row reads as a line of a table"
)]
pub(crate) const fn rule(
    section: Section,
    cis: &'static str,
    id: &'static str,
    level: u8,
    mode: Mode,
    severity: Severity,
    texts: (&'static str, &'static str),
    check: fn(&Facts) -> Outcome,
) -> HostRule {
    HostRule {
        meta: Meta {
            id,
            revision: 1,
            summary: texts.0,
            references: &[],
        },
        cis,
        section,
        level,
        mode,
        severity,
        remedy: texts.1,
        check,
    }
}

/// All checks, in the order of their numbers; those beyond the benchmark at the end.
pub fn rules() -> impl Iterator<Item = &'static HostRule> {
    [
        host::RULES,
        daemon::RULES,
        file::RULES,
        image::RULES,
        container::RULES,
        operations::RULES,
        swarm::RULES,
        beyond::RULES,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// All ids of sections 1 to 7.
    fn benchmark() -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        ids.extend((1..=18).map(|n| format!("1.1.{n}")));
        ids.extend((1..=2).map(|n| format!("1.2.{n}")));
        for (section, last) in [(2, 18), (3, 24), (4, 12), (5, 32), (6, 2), (7, 9)] {
            ids.extend((1..=last).map(|n| format!("{section}.{n}")));
        }
        ids
    }

    #[test]
    fn every_check_of_the_benchmark_is_there_once() {
        let numbered: Vec<&str> = rules().map(|r| r.cis).filter(|c| !c.is_empty()).collect();
        let there: BTreeSet<String> = numbered.iter().map(|c| (*c).to_owned()).collect();
        assert_eq!(there, benchmark());
        assert_eq!(numbered.len(), 117);
    }

    #[test]
    fn ids_are_unique_and_rows_are_whole() {
        let mut ids = BTreeSet::new();
        for rule in rules() {
            assert!(ids.insert(rule.meta.id), "{} is there twice", rule.meta.id);
            assert!(!rule.meta.summary.is_empty() && !rule.remedy.is_empty());
            assert!(matches!(rule.level, 1 | 2));
            assert_eq!(rule.cis.is_empty(), rule.section == Section::Beyond);
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(rule.meta.id.chars().all(word), "{}", rule.meta.id);
        }
    }

    #[test]
    fn nothing_known_never_passes() {
        let facts = Facts::default();
        for rule in rules() {
            let outcome = (rule.check)(&facts);
            assert!(
                matches!(outcome, Outcome::Undetermined(_)),
                "{}: {outcome:?}",
                rule.meta.id
            );
        }
    }
}
