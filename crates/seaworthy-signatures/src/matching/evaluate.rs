//! Whether one signature matches a file: its description, then its logic, asking for
//! sub-signatures only as far as they can change the answer.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clamav::ldb::{Description, Sub};
use crate::clamav::logic::Logic;

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

/// Evaluates `record`; the place of its first find when it matches. `seen` says which of its
/// anchored sub-signatures had an anchor anywhere; `compiled` gives the regular expression of
/// a sub-signature.
pub fn matches(
    record: &Record,
    seen: u64,
    view: &View<'_>,
    container: Option<&str>,
    compiled: &dyn Fn(u8) -> Option<Arc<Compiled>>,
) -> Option<usize> {
    let inside = |range: Option<(u32, u32)>, value: Option<u64>| match range {
        None => true,
        Some((min, max)) => {
            value.is_some_and(|value| (u64::from(min)..=u64::from(max)).contains(&value))
        }
    };
    let description = &record.description;
    let fits = inside(description.file_size, Some(view.bytes.len() as u64))
        && inside(
            description.entry_point,
            view.program.and_then(|program| program.entry),
        )
        && inside(
            description.sections,
            view.program.map(|program| program.sections.len() as u64),
        )
        && description
            .container
            .as_deref()
            .is_none_or(|wanted| container == Some(wanted));
    if !fits {
        return None;
    }
    let absent = record.anchored & !seen;
    if !record.logic.possible(absent) {
        return None;
    }
    let compares_bytes = record
        .subs
        .iter()
        .any(|sub| matches!(sub, Sub::ByteCompare(_)));
    let triggers = record.subs.iter().filter_map(|sub| match sub {
        Sub::Regex(regex) => Some(regex.trigger.most_counted()),
        _ => None,
    });
    let enough = triggers.fold(record.logic.most_counted(), u32::max);
    let mut state = State {
        record,
        view,
        compiled,
        // The last match counts for byte comparisons, so all must be seen.
        enough: if compares_bytes {
            enough.max(1 << 16)
        } else {
            enough
        },
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
