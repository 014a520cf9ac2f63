//! A small database in memory, from documents at hand.

use std::collections::{BTreeMap, BTreeSet};

use super::BuildProblem;
use crate::ecosystems::{self, ECOSYSTEMS};
use crate::publishers::{self, Advisory, AdvisoryClass, Skip};
use crate::shard::{AdvisoryShardWriter, ShardError, TextWriter};

/// What was compiled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemoryBuild {
    /// Shards: name and bytes.
    pub shards: Vec<(String, Vec<u8>)>,
    /// Records that give no advisory, with the reason.
    pub problems: Vec<BuildProblem>,
}

/// Interprets records in memory into shards: how the built-in database is made.
///
/// # Errors
/// A shard can't be assembled.
pub fn compile_in_memory(documents: &[&[u8]]) -> Result<MemoryBuild, ShardError> {
    let mut problems = Vec::new();
    let mut advisories: BTreeMap<&'static str, Vec<Advisory>> = BTreeMap::new();
    for document in documents {
        let mut problem = |place: &str, message: String| {
            problems.push(BuildProblem {
                place: place.to_owned(),
                message,
            });
        };
        let record = match crate::osv::OsvRecord::parse(document) {
            Ok(record) => record,
            Err(error) => {
                problem("record", error.to_string());
                continue;
            }
        };
        let Some(publisher) = publishers::publisher_of(&record.id) else {
            problem(&record.id, "no interpreter for this publisher".to_owned());
            continue;
        };
        let mut bases: Vec<&'static str> = ECOSYSTEMS
            .iter()
            .map(|row| row.name)
            .filter(|name| {
                let is_base = |osv: &str| ecosystems::base_name(osv) == *name;
                record
                    .affected
                    .iter()
                    .any(|affected| is_base(&affected.package.ecosystem))
            })
            .collect();
        bases.dedup();
        if bases.is_empty() {
            problem(&record.id, Skip::EcosystemNotSupported.as_str().to_owned());
        }
        for base in bases {
            match publishers::interpret(publisher, &record, Some(base)) {
                Ok(advisory) => advisories.entry(base).or_default().push(advisory),
                Err(skip) => problem(&record.id, skip.as_str().to_owned()),
            }
        }
    }
    let mut shards = Vec::new();
    for (base, mut advisories) in advisories {
        advisories.sort_by(|a, b| a.id.cmp(&b.id));
        advisories.dedup_by(|a, b| a.id == b.id);
        let Some(row) = ecosystems::by_osv_name(base) else {
            continue;
        };
        let mut texts = TextWriter::new(base);
        let mut writers: BTreeMap<String, AdvisoryShardWriter> = BTreeMap::new();
        for advisory in advisories {
            let text = texts.add(&advisory.title, &advisory.details, &advisory.references)?;
            let names: BTreeSet<String> = advisory
                .packages
                .iter()
                .map(|package| package.shard.clone())
                .collect();
            for shard in names {
                let mut part = advisory.clone();
                part.packages.retain(|package| package.shard == shard);
                let name = if advisory.class == AdvisoryClass::Malicious {
                    format!("malicious/{shard}")
                } else {
                    shard
                };
                writers
                    .entry(name)
                    .or_insert_with_key(|name| AdvisoryShardWriter::new(name, row.scheme))
                    .add(part, text);
            }
        }
        for (name, writer) in writers {
            shards.push((name, writer.finish()?));
        }
        shards.push((format!("text/{base}"), texts.finish(0)?));
    }
    Ok(MemoryBuild { shards, problems })
}
