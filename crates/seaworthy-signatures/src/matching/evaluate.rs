//! Whether one signature matches a file: its description, then its logic, asking for
//! sub-signatures only as far as they can change the answer.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clamav::ldb::{Description, Sub};
use crate::clamav::logic::Logic;
use crate::program::Program;

use super::body::{self, Found, View};
use super::compare;
use super::regular::{self, Compiled};

/// A body or logical signature as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Name of the signature.
    pub name: String,
    /// Whether it is a logical signature, else a body signature.
    pub logical: bool,
    /// What the file must be.
    pub description: Description,
    /// What must be found.
    pub logic: Logic,
    /// What to look for.
    pub subs: Vec<Sub>,
    /// The sub-signatures whose every match holds an anchor, as bits; none for a signature
    /// without anchors.
    pub anchored: u64,
}

/// Sub-signatures whose triggers lead to each other stop here.
const MAX_DEPTH: u32 = 4;

/// Whether a file is what a signature is for; `size` of `None` is not asked for. `chain` are
/// the types of the containers around it, the nearest first.
pub fn fits(record: &Record, size: Option<u64>, program: Option<&Program>, chain: &[&str]) -> bool {
    let inside = |range: Option<(u32, u32)>, value: Option<u64>| match range {
        None => true,
        Some((min, max)) => {
            value.is_some_and(|value| (u64::from(min)..=u64::from(max)).contains(&value))
        }
    };
    let description = &record.description;
    let around = description.intermediates.len();
    (size.is_none() || inside(description.file_size, size))
        && inside(description.entry_point, program.and_then(|p| p.entry))
        && inside(
            description.sections,
            program.map(|program| program.sections.len() as u64),
        )
        && description
            .container
            .as_deref()
            .is_none_or(|wanted| chain.first() == Some(&wanted))
        // Written from the outermost inwards, ending with what the file lies in.
        && chain.get(..around).is_some_and(|chain| {
            chain.iter().rev().eq(description.intermediates.iter())
        })
}

/// Evaluates `record`; the place of its first find when it matches. `seen` says which of its
/// anchored sub-signatures had an anchor anywhere; `compiled` gives the regular expression of
/// a sub-signature.
pub fn matches(
    record: &Record,
    seen: u64,
    view: &View<'_>,
    chain: &[&str],
    compiled: &dyn Fn(u8) -> Option<Arc<Compiled>>,
) -> Option<usize> {
    if !fits(record, Some(view.bytes.len() as u64), view.program, chain) {
        return None;
    }
    let absent = record.anchored & !seen;
    if !record.logic.possible(absent) {
        return None;
    }
    let mut state = State {
        record,
        view,
        compiled,
        enough: enough(record),
        absent,
        found: HashMap::new(),
    };
    // No match without one of those that have anchors: most candidates end here.
    let mut hopes = (0u8..64).filter(|id| (record.anchored & seen) >> id & 1 != 0);
    if record.anchored != 0 && !hopes.any(|id| state.find(id, 0).count > 0) {
        return None;
    }
    let holds = record.logic.holds(&mut |id| state.find(id, 0).count);
    holds.then(|| {
        state
            .found
            .values()
            .filter(|found| found.count > 0)
            .map(|found| found.first)
            .min()
            .unwrap_or(0)
    })
}

/// How many finds of a sub-signature can matter.
fn enough(record: &Record) -> u32 {
    let triggers = record.subs.iter().filter_map(|sub| match sub {
        Sub::Regex(regex) => Some(regex.trigger.most_counted()),
        _ => None,
    });
    let enough = triggers.fold(record.logic.most_counted(), u32::max);
    // The last match counts for byte comparisons, so all must be seen.
    let compares = |sub: &Sub| matches!(sub, Sub::ByteCompare(_));
    if record.subs.iter().any(compares) {
        enough.max(1 << 16)
    } else {
        enough
    }
}

/// What was found of a signature's parts, added up over the windows of a large file.
pub struct Tally {
    counts: Vec<u32>,
    first: Option<u64>,
}

impl Tally {
    /// Nothing yet.
    pub fn new(record: &Record) -> Tally {
        Tally {
            counts: vec![0; record.subs.len()],
            first: None,
        }
    }

    /// Adds what a window holds.
    pub fn add(
        &mut self,
        record: &Record,
        view: &View<'_>,
        compiled: &dyn Fn(u8) -> Option<Arc<Compiled>>,
    ) {
        let enough = enough(record);
        let mut here: Vec<Found> = Vec::with_capacity(record.subs.len());
        for sub in &record.subs {
            here.push(match sub {
                Sub::Body(sub) => body::find(sub, view, enough),
                _ => Found::default(),
            });
        }
        self.sum(&here, view);
        // Behind the bodies, what hangs on them; a trigger counts what earlier windows had.
        let mut hanging = vec![Found::default(); record.subs.len()];
        for ((id, sub), found) in (0u8..).zip(&record.subs).zip(&mut hanging) {
            match sub {
                Sub::Regex(sub) => {
                    if sub.trigger.holds(&mut |id| self.count(id))
                        && let Some(compiled) = compiled(id)
                    {
                        *found = regular::find(sub, &compiled, view, enough);
                    }
                }
                Sub::ByteCompare(sub) => {
                    let anchor = here.get(usize::from(sub.anchor)).copied();
                    let anchor = anchor.unwrap_or_default();
                    if anchor.count > 0 && compare::holds(sub, view.bytes, anchor.last) {
                        *found = Found {
                            count: 1,
                            first: anchor.last,
                            last: anchor.last,
                        };
                    }
                }
                Sub::Body(_) => {}
            }
        }
        self.sum(&hanging, view);
    }

    fn sum(&mut self, found: &[Found], view: &View<'_>) {
        for (count, found) in self.counts.iter_mut().zip(found) {
            if found.count == 0 {
                continue;
            }
            *count = count.saturating_add(found.count);
            let at = view.base().saturating_add(found.first as u64);
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
        }
    }

    fn count(&self, id: u8) -> u32 {
        self.counts.get(usize::from(id)).copied().unwrap_or(0)
    }

    /// Whether the logic holds with what was found.
    pub fn holds(&self, record: &Record) -> bool {
        record.logic.holds(&mut |id| self.count(id))
    }

    /// Where the first find stands in the file.
    pub fn first(&self) -> usize {
        self.first
            .and_then(|first| usize::try_from(first).ok())
            .unwrap_or(0)
    }
}

struct State<'s, 'v> {
    record: &'s Record,
    view: &'s View<'v>,
    compiled: &'s dyn Fn(u8) -> Option<Arc<Compiled>>,
    enough: u32,
    /// Sub-signatures that can't be there, as bits.
    absent: u64,
    found: HashMap<u8, Found>,
}

impl State<'_, '_> {
    fn find(&mut self, id: u8, depth: u32) -> Found {
        if let Some(found) = self.found.get(&id) {
            return *found;
        }
        if depth > MAX_DEPTH {
            self.view.reach_limit();
            return Found::default();
        }
        let found = match self.record.subs.get(usize::from(id)) {
            _ if self.absent >> (id & 63) & 1 != 0 => Found::default(),
            None => Found::default(),
            Some(Sub::Body(sub)) => body::find(sub, self.view, self.enough),
            Some(Sub::Regex(sub)) => {
                if sub.trigger.holds(&mut |id| self.find(id, depth + 1).count) {
                    (self.compiled)(id).map_or_else(Found::default, |compiled| {
                        regular::find(sub, &compiled, self.view, self.enough)
                    })
                } else {
                    Found::default()
                }
            }
            Some(Sub::ByteCompare(sub)) => {
                let anchor = self.find(sub.anchor, depth + 1);
                let holds = anchor.count > 0 && compare::holds(sub, self.view.bytes, anchor.last);
                Found {
                    count: u32::from(holds),
                    first: anchor.last,
                    last: anchor.last,
                }
            }
        };
        self.found.insert(id, found);
        found
    }
}
