//! Whether a version is inside an OSV range (OSV schema, "Evaluation").
//!
//! Events are sorted by version once, when the database is built; walking them, each
//! `introduced` at or below the version turns "affected" on, each `fixed` at or below it
//! (and each `last_affected` below it) turns it off. Events of one version keep the
//! record's order: `fixed 2, introduced 2` means that version 2 is affected again, the
//! other way round it means that it never was.

use std::cmp::Ordering;

use crate::publishers::{Event, EventKind};
use crate::version::{VersionError, VersionScheme};

/// How two versions compare.
pub trait Compare {
    /// Orders two versions.
    ///
    /// # Errors
    /// Either can't be read.
    fn order(&self, a: &str, b: &str) -> Result<Ordering, VersionError>;
}

impl Compare for VersionScheme {
    fn order(&self, a: &str, b: &str) -> Result<Ordering, VersionError> {
        self.compare(a, b)
    }
}

/// A scheme whose epochs don't count: the version of a source rpm never has one.
#[derive(Debug, Clone, Copy)]
pub struct WithoutEpoch(pub VersionScheme);

impl Compare for WithoutEpoch {
    fn order(&self, a: &str, b: &str) -> Result<Ordering, VersionError> {
        self.0.compare_ignoring_epoch(a, b)
    }
}

/// Compares with an event; OSV's `introduced: 0` is below every version.
fn against(scheme: &impl Compare, version: &str, event: &Event) -> Result<Ordering, VersionError> {
    if event.version == "0" && event.kind == EventKind::Introduced {
        return Ok(Ordering::Greater);
    }
    scheme.order(version, &event.version)
}

/// Sorts events by version; leaves them as they are where a version can't be read.
pub fn sort_events(scheme: VersionScheme, events: &mut [Event]) {
    // Insertion sort: stable, and comparisons may fail. Lists have two events mostly and
    // a few dozen at worst; past that the order of the record is kept.
    if events.len() > 2_000 {
        return;
    }
    let is_above = |a: &Event, b: &Event| -> Option<bool> {
        let zero = |event: &Event| event.kind == EventKind::Introduced && event.version == "0";
        match (zero(a), zero(b)) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => {
                Some(scheme.compare(&a.version, &b.version).ok()? == Ordering::Greater)
            }
        }
    };
    let mut sorted: Vec<Event> = Vec::with_capacity(events.len());
    for event in events.iter() {
        let mut at = sorted.len();
        while let Some(before) = at.checked_sub(1) {
            match sorted.get(before).map(|other| is_above(other, event)) {
                Some(Some(true)) => at = before,
                Some(Some(false)) => break,
                Some(None) | None => return,
            }
        }
        sorted.insert(at, event.clone());
    }
    events.clone_from_slice(&sorted);
}

/// What a range says of a version that is inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside<'a> {
    /// The event that turned "affected" on.
    pub introduced: &'a str,
    /// The fix that ends this part of the range.
    pub fixed: Option<&'a str>,
    /// The last affected version that ends this part of the range.
    pub last_affected: Option<&'a str>,
}

/// Where in sorted events a version lies; `None` for outside.
///
/// # Errors
/// A version can't be read, so that the question is undetermined.
pub fn locate<'a>(
    scheme: &impl Compare,
    events: &'a [Event],
    version: &str,
) -> Result<Option<Inside<'a>>, VersionError> {
    let mut inside: Option<Inside<'a>> = None;
    for event in events {
        let order = against(scheme, version, event)?;
        match event.kind {
            EventKind::Introduced if order != Ordering::Less => {
                inside.get_or_insert(Inside {
                    introduced: &event.version,
                    fixed: None,
                    last_affected: None,
                });
            }
            EventKind::Fixed | EventKind::Limit if order != Ordering::Less => inside = None,
            EventKind::LastAffected if order == Ordering::Greater => inside = None,
            // The first end above the version closes its part of the range.
            EventKind::Fixed => {
                if let Some(found) = &mut inside
                    && found.fixed.is_none()
                    && found.last_affected.is_none()
                {
                    found.fixed = Some(&event.version);
                }
            }
            EventKind::LastAffected => {
                if let Some(found) = &mut inside
                    && found.fixed.is_none()
                    && found.last_affected.is_none()
                {
                    found.last_affected = Some(&event.version);
                }
            }
            EventKind::Introduced | EventKind::Limit => {}
        }
    }
    Ok(inside)
}

/// Whether a version is inside sorted events.
///
/// # Errors
/// A version can't be read.
pub fn covers(
    scheme: VersionScheme,
    events: &[Event],
    version: &str,
) -> Result<bool, VersionError> {
    Ok(locate(&scheme, events, version)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<Event> {
        text.split(' ')
            .map(|word| {
                let (sign, version) = word.split_at(1);
                Event {
                    kind: match sign {
                        "+" => EventKind::Introduced,
                        "-" => EventKind::Fixed,
                        "=" => EventKind::LastAffected,
                        _ => EventKind::Limit,
                    },
                    version: version.to_owned(),
                }
            })
            .collect()
    }

    #[track_caller]
    fn check(range: &str, version: &str, expected: bool) {
        let mut events = events(range);
        sort_events(VersionScheme::Npm, &mut events);
        assert_eq!(
            covers(VersionScheme::Npm, &events, version),
            Ok(expected),
            "{version} in {range}"
        );
    }

    #[test]
    fn several_parts_in_any_order_are_one_range() {
        for range in ["+0 -1.5.0 +2.0.0 -2.3.0", "-2.3.0 +2.0.0 -1.5.0 +0"] {
            check(range, "1.4.9", true);
            check(range, "1.5.0", false);
            check(range, "1.9.0", false);
            check(range, "2.0.0", true);
            check(range, "2.3.0", false);
        }
    }

    #[test]
    fn ends_are_exclusive_for_fixes_and_inclusive_for_last_affected() {
        check("+0 =1.5.1", "1.5.1", true);
        check("+0 =1.5.1", "1.5.2", false);
        check("+1.0.0", "0.9.0", false);
        check("+1.0.0", "99.0.0", true);
        check("+0 *2.0.0", "2.0.0", false);
    }

    #[test]
    fn two_events_of_one_version_mean_what_their_order_says() {
        check("+0 -2.0.0 +2.0.0 -3.0.0", "2.0.0", true);
        check("+2.0.0 -2.0.0", "2.0.0", false);
    }

    #[test]
    fn the_fix_is_the_one_that_ends_the_part() {
        let events = events("+0 -1.5.0 +2.0.0 -2.3.0");
        let found = locate(&VersionScheme::Npm, &events, "2.1.0")
            .unwrap()
            .unwrap();
        assert_eq!((found.introduced, found.fixed), ("2.0.0", Some("2.3.0")));
    }
}
