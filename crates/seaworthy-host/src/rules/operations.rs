//! Section 6: operations.

use std::collections::BTreeSet;

use seaworthy_core::Severity::Low;

use super::Mode::Manual;
use super::host::unknown;
use super::outcome::{Outcome, Target};
use super::{HostRule, Section, rule};
use crate::facts::{Fact, Facts};

const S: Section = Section::Operations;

pub(super) const RULES: &[HostRule] = &[
    rule(
        S,
        "6.1",
        "image-sprawl",
        1,
        Manual,
        Low,
        (
            "most images on this host are used by nothing",
            "remove them: `docker image prune --all`",
        ),
        images,
    ),
    rule(
        S,
        "6.2",
        "container-sprawl",
        1,
        Manual,
        Low,
        (
            "many containers on this host don't run",
            "remove them: `docker container prune`",
        ),
        containers,
    ),
];

fn images(facts: &Facts) -> Outcome {
    let images = match &facts.engine.images {
        Fact::Known(images) => images,
        other => return unknown(other),
    };
    if facts.containers.known().is_none() {
        return unknown(&facts.containers);
    }
    let used: BTreeSet<&str> = facts
        .containers()
        .iter()
        .map(|c| c.image_id.as_str())
        .collect();
    let unused = images
        .iter()
        .filter(|image| !used.contains(image.id.as_str()))
        .count();
    let found = format!(
        "{unused} of {} images are used by no container",
        images.len()
    );
    // A few for the next start are no sprawl.
    if unused > 5 && unused * 2 > images.len() {
        Outcome::fail(Target::Daemon, "images", found)
    } else {
        Outcome::Pass(found)
    }
}

fn containers(facts: &Facts) -> Outcome {
    if facts.containers.known().is_none() {
        return unknown(&facts.containers);
    }
    let all = facts.containers().len();
    let idle = facts
        .containers()
        .iter()
        .filter(|c| !c.state.running)
        .count();
    let found = format!("{idle} of {all} containers don't run");
    if idle > 25 {
        Outcome::fail(Target::Daemon, "containers", found)
    } else {
        Outcome::Pass(found)
    }
}
