//! Versions and scores of the real data in the corpus.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program; its helpers are outside of test functions"
)]

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use seaworthy_advisory::{Cvss, VersionScheme};
use serde_json::Value;

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("SEAWORTHY_CORPUS").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/corpus"
            ))
        },
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no corpus");
    None
}

/// Every JSON document in a zip.
fn each_json(zip: &std::path::Path, mut see: impl FnMut(&Value)) {
    let file = File::open(zip).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    for i in 0..archive.len() {
        let mut text = Vec::new();
        archive.by_index(i).unwrap().read_to_end(&mut text).unwrap();
        if let Ok(value) = serde_json::from_slice(&text) {
            see(&value);
        }
    }
}

/// All versions in the range events of an ecosystem's records.
fn event_versions(corpus: &std::path::Path, ecosystem: &str) -> BTreeSet<String> {
    let mut versions = BTreeSet::new();
    let zip = corpus.join("advisories").join(ecosystem).join("all.zip");
    each_json(&zip, |record| {
        let list = |value: &Value, key: &str| -> Vec<Value> {
            value[key].as_array().cloned().unwrap_or_default()
        };
        for affected in list(record, "affected") {
            for range in list(&affected, "ranges") {
                if range["type"] == "GIT" {
                    continue;
                }
                for event in list(&range, "events") {
                    versions.extend(
                        event
                            .as_object()
                            .into_iter()
                            .flatten()
                            .filter_map(|(_, version)| version.as_str())
                            .map(str::to_owned),
                    );
                }
            }
        }
    });
    versions
}

#[test]
fn versions_of_real_advisories_are_readable_and_sort() {
    let Some(corpus) = corpus() else { return };
    for ecosystem in [
        "Debian",
        "Ubuntu",
        "Alpine",
        "AlmaLinux",
        "Rocky Linux",
        "PyPI",
        "npm",
        "Go",
    ] {
        let scheme = seaworthy_advisory::ecosystems::by_osv_name(ecosystem)
            .unwrap()
            .scheme;
        let all = event_versions(&corpus, ecosystem);
        let (readable, unreadable): (Vec<_>, Vec<_>) = all
            .iter()
            .partition(|version| scheme.check(version).is_ok());
        println!(
            "{ecosystem}: {} versions readable, {} not: {:?}",
            readable.len(),
            unreadable.len(),
            unreadable.iter().take(10).collect::<Vec<_>>()
        );
        assert!(!readable.is_empty());
        assert!(
            unreadable.len() * 100 <= all.len(),
            "{ecosystem}: {unreadable:?}"
        );
        let mut sorted = readable;
        sorted.sort_by(|a, b| scheme.compare(a, b).unwrap());
        // A sort that was not total would leave a far pair out of order.
        for (i, pair) in sorted.windows(2).enumerate() {
            let far = sorted[(i * 7919) % (i + 1)];
            assert_ne!(scheme.compare(far, pair[1]).unwrap(), Ordering::Greater);
        }
    }
}

#[test]
fn dpkg_orders_a_sample_of_real_versions_as_we_do() {
    let Some(corpus) = corpus() else { return };
    if Command::new("dpkg").arg("--version").output().is_err() {
        println!("skipped: no `dpkg` on this machine");
        return;
    }
    let versions: Vec<String> = event_versions(&corpus, "Debian").into_iter().collect();
    let step = versions.len() / 400 + 1;
    for (a, b) in versions.iter().zip(versions.iter().skip(1)).step_by(step) {
        let operator = match VersionScheme::Dpkg.compare(a, b).unwrap() {
            Ordering::Less => "lt",
            Ordering::Equal => "eq",
            Ordering::Greater => "gt",
        };
        let status = Command::new("dpkg")
            .args(["--compare-versions", a, operator, b])
            .status()
            .unwrap();
        assert!(status.success(), "`{a}` {operator} `{b}`");
    }
}

/// Collects every (vector, base score) pair, wherever it stands in a document.
fn scored_vectors(value: &Value, found: &mut BTreeMap<String, f64>) {
    match value {
        Value::Object(map) => {
            let vector = map.get("vectorString").or_else(|| map.get("vector"));
            let score = map.get("baseScore").or_else(|| {
                map.get("metrics")
                    .and_then(|metrics| metrics.get("base_score"))
            });
            if let (Some(Value::String(vector)), Some(score)) = (vector, score)
                && let Some(score) = score.as_f64()
            {
                found.insert(vector.clone(), score);
            }
            map.values().for_each(|value| scored_vectors(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| scored_vectors(value, found)),
        _ => {}
    }
}

#[test]
fn scores_of_real_vectors_are_the_published_ones() {
    let Some(corpus) = corpus() else { return };
    let mut found = BTreeMap::new();
    each_json(
        &corpus.join("enrichment/cve5-and-nvd-samples.zip"),
        |document| {
            scored_vectors(document, &mut found);
        },
    );
    println!("{} vectors with scores", found.len());
    assert!(found.len() > 20);
    for (vector, score) in &found {
        let ours = Cvss::parse(vector).map(|cvss| f64::from(cvss.score));
        assert!(
            ours.as_ref().is_ok_and(|ours| (ours - score).abs() < 0.01),
            "`{vector}` is {ours:?}, published {score}"
        );
    }
}

#[test]
fn vectors_of_real_advisories_are_readable() {
    let Some(corpus) = corpus() else { return };
    let (mut good, mut bad) = (0, BTreeSet::new());
    for ecosystem in ["PyPI", "Bitnami", "Julia", "crates.io", "Go", "Debian"] {
        let zip = corpus.join("advisories").join(ecosystem).join("all.zip");
        each_json(&zip, |record| {
            for severity in record["severity"].as_array().into_iter().flatten() {
                let vector = severity["score"].as_str().unwrap_or_default();
                match Cvss::parse(vector) {
                    Ok(_) => good += 1,
                    Err(_) => drop(bad.insert(vector.to_owned())),
                }
            }
        });
    }
    println!("{good} vectors readable, {} not: {bad:?}", bad.len());
    assert!(good > 1000);
    assert!(bad.len() * 200 < good, "{bad:?}");
}

#[test]
fn embedded_advisories_agree_with_the_corpus() {
    let Some(corpus) = corpus() else { return };
    type Key = (String, String, String);
    let mut fixes: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    let strings = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let facts = |record: &Value, ids: &[String], see: &mut dyn FnMut(Key, String)| {
        for affected in record["affected"].as_array().into_iter().flatten() {
            let package = &affected["package"];
            for range in affected["ranges"].as_array().into_iter().flatten() {
                if range["type"] == "GIT" {
                    continue;
                }
                for event in range["events"].as_array().into_iter().flatten() {
                    for id in ids {
                        if let Some(fixed) = event["fixed"].as_str() {
                            let text = |value: &Value| value.as_str().unwrap().to_owned();
                            let name = text(&package["name"]).to_lowercase();
                            see(
                                (id.clone(), text(&package["ecosystem"]), name),
                                fixed.to_owned(),
                            );
                        }
                    }
                }
            }
        }
    };
    for ecosystem in [
        "Debian",
        "Ubuntu",
        "Alpine",
        "AlmaLinux",
        "PyPI",
        "npm",
        "Go",
    ] {
        let zip = corpus.join("advisories").join(ecosystem).join("all.zip");
        each_json(&zip, |record| {
            if record["withdrawn"].is_string() {
                return;
            }
            let mut ids = vec![record["id"].as_str().unwrap_or_default().to_owned()];
            for field in ["aliases", "upstream", "related"] {
                ids.extend(strings(&record[field]));
            }
            facts(record, &ids, &mut |key, fixed| {
                fixes.entry(key).or_default().insert(fixed);
            });
        });
    }
    let (mut same, mut unknown) = (0, 0);
    for record in seaworthy_advisory::embedded::embedded_records() {
        let ids = strings(&record["aliases"]);
        facts(&record, &ids, &mut |key, fixed| match fixes.get(&key) {
            Some(known) => {
                assert!(
                    known.contains(&fixed),
                    "{key:?}: `{fixed}`, corpus has {known:?}"
                );
                same += 1;
            }
            None => unknown += 1,
        });
    }
    println!("{same} fixed versions agree with the corpus, {unknown} are not in it");
    assert!(same > 1000);
}
