//! Regular expressions of signatures, in Perl's syntax.
//!
//! Most compile with `regex`, whose time is linear. Those with look-around or
//! back-references go to `fancy-regex` with a bound on backtracking and on the bytes it sees;
//! both only run once the trigger of the expression has held.

use crate::clamav::Reason;
use crate::clamav::ldb::RegexSub;
use crate::clamav::offset::Base;

use super::body::{Found, View, start_range};

/// Most bytes a backtracking expression sees.
const MAX_BACKTRACKED_BYTES: usize = 4 << 20;
/// Most steps back.
const MAX_BACKTRACKS: usize = 1_000_000;
/// Most bytes a compiled expression may take.
const MAX_COMPILED: usize = 8 << 20;

/// A compiled expression.
pub enum Compiled {
    /// Linear.
    Linear(regex::bytes::Regex),
    /// Backtracking, bounded.
    Backtracking(Box<fancy_regex::Regex>),
}

/// Compiles an expression.
///
/// # Errors
/// Neither engine understands it.
pub fn compile(sub: &RegexSub) -> Result<Compiled, Reason> {
    let has = |letter| sub.flags.contains(letter);
    let mut expression = sub.expression.clone();
    // What other dialects escape without need.
    for (from, to) in [
        ("\\/", "/"),
        ("\\\"", "\""),
        ("\\'", "'"),
        ("\\;", ";"),
        ("\\x3B", "\\x3b"),
    ] {
        expression = expression.replace(from, to);
    }
    if has('A') {
        expression = format!("\\A(?:{expression})");
    }
    let linear = regex::bytes::RegexBuilder::new(&expression)
        .unicode(false)
        .case_insensitive(has('i'))
        .dot_matches_new_line(has('s'))
        .multi_line(has('m'))
        .ignore_whitespace(has('x'))
        .swap_greed(has('U'))
        .size_limit(MAX_COMPILED)
        .build();
    if let Ok(linear) = linear {
        return Ok(Compiled::Linear(linear));
    }
    let flags: String = ['i', 's', 'm', 'x']
        .into_iter()
        .filter(|letter| has(*letter))
        .collect();
    let expression = if flags.is_empty() {
        expression
    } else {
        format!("(?{flags}){expression}")
    };
    fancy_regex::RegexBuilder::new(&expression)
        .bytes_mode(fancy_regex::BytesMode::Ascii)
        .backtrack_limit(MAX_BACKTRACKS)
        .delegate_size_limit(MAX_COMPILED)
        .build()
        .map(|regex| Compiled::Backtracking(Box::new(regex)))
        .map_err(|_| Reason::RegularExpression)
}

/// Looks for an expression up to `enough` times; without the flag `g` once is all.
pub fn find(sub: &RegexSub, compiled: &Compiled, view: &View<'_>, enough: u32) -> Found {
    let Some((low, high)) = start_range(sub.offset, view) else {
        return Found::default();
    };
    let has = |letter| sub.flags.contains(letter);
    let enough = if has('g') { enough.max(1) } else { 1 };
    let anywhere = sub.offset.base == Base::Any || has('r');
    let area = if has('e') {
        view.bytes.get(..high.min(view.bytes.len()))
    } else {
        Some(view.bytes)
    };
    let Some(area) = area.filter(|area| low <= area.len()) else {
        return Found::default();
    };
    let mut found = Found::default();
    let mut at = low;
    while found.count < enough && at <= area.len() {
        let hit = match compiled {
            Compiled::Linear(regex) => regex.find_at(area, at).map(|hit| (hit.start(), hit.end())),
            Compiled::Backtracking(regex) => {
                let end = area.len().min(at.saturating_add(MAX_BACKTRACKED_BYTES));
                if end < area.len() {
                    view.reach_limit();
                }
                regex
                    .find_from_pos(area.get(..end).unwrap_or(area), at)
                    .unwrap_or_else(|_| {
                        // It gave up after `MAX_BACKTRACKS` steps.
                        view.reach_limit();
                        None
                    })
                    .map(|hit| (hit.start(), hit.end()))
            }
        };
        let Some((start, end)) = hit else {
            break;
        };
        if (!anywhere && start > high) || start >= view.limit {
            break;
        }
        found.first = if found.count == 0 { start } else { found.first };
        found.last = start;
        found.count += 1;
        at = end.max(start + 1);
    }
    found
}
