//! Matching one body pattern: its parts between gaps are found one after the other, each by
//! its longest literal, and linked by the distances the gaps allow. Time is linear in the file
//! times the number of parts; a budget bounds patterns without any literal.

use std::cell::{Cell, OnceCell};

use memchr::memmem;

use crate::clamav::body::{Boundary, Pattern, Token};
use crate::clamav::ldb::BodySub;
use crate::clamav::offset::{Base, Offset};
use crate::program::Program;

/// The bytes that are matched, in the forms that matching needs.
pub struct View<'b> {
    /// As they are.
    pub bytes: &'b [u8],
    folded: OnceCell<Vec<u8>>,
    /// The program they are, for offsets.
    pub program: Option<&'b Program>,
    /// Where they start in the file.
    base: u64,
    /// Size of the file in bytes, if known.
    size: Option<u64>,
    /// Matches only start below this.
    pub limit: usize,
    /// Whether a bound of the matching kept something from being looked at, so that the
    /// absence of a match says nothing.
    limited: Cell<bool>,
}

impl<'b> View<'b> {
    /// A view of bytes.
    pub fn new(bytes: &'b [u8], program: Option<&'b Program>) -> View<'b> {
        View {
            bytes,
            folded: OnceCell::new(),
            program,
            base: 0,
            size: Some(bytes.len() as u64),
            limit: usize::MAX,
            limited: Cell::new(false),
        }
    }

    /// A view of a part of a file: it starts at `base`, and matches that start at `limit` or
    /// behind belong to the next one. `size` is the file's, if it is known yet.
    pub fn window(
        bytes: &'b [u8],
        limit: usize,
        base: u64,
        size: Option<u64>,
        program: Option<&'b Program>,
    ) -> View<'b> {
        View {
            base,
            size,
            limit,
            ..View::new(bytes, program)
        }
    }

    /// Where the bytes start in the file.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// A range of places in the file as places in the view.
    fn within(&self, low: u64, high: u64) -> Option<(usize, usize)> {
        let last = self.limit.checked_sub(1)?;
        let high = usize::try_from(high.checked_sub(self.base)?).unwrap_or(usize::MAX);
        let low = usize::try_from(low.saturating_sub(self.base)).ok()?;
        let high = high.min(last);
        (low <= high).then_some((low, high))
    }

    /// Says that a bound was reached.
    pub fn reach_limit(&self) {
        self.limited.set(true);
    }

    /// Whether a bound was reached.
    pub fn is_limited(&self) -> bool {
        self.limited.get()
    }

    fn form(&self, ignore_case: bool) -> &[u8] {
        if ignore_case {
            self.folded.get_or_init(|| self.bytes.to_ascii_lowercase())
        } else {
            self.bytes
        }
    }
}

/// What was found of a sub-signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// How often, up to what was asked.
    pub count: u32,
    /// Where the first one starts.
    pub first: usize,
    /// Where the last one starts.
    pub last: usize,
}

/// Most places that one part of a pattern is remembered at.
const MAX_PLACES: usize = 1 << 16;
/// Most ends that the alternatives of one part can lead to.
const MAX_ENDS: usize = 256;
/// An area up to this size is folded to one case by itself, not with the whole file.
const SMALL_AREA: usize = 4096;
/// Places tried for a part without any literal.
const MAX_BLIND: usize = 4 << 20;

/// The range of starts an offset allows, both inclusive; `None` if there is no such place.
pub fn start_range(offset: Offset, view: &View<'_>) -> Option<(usize, usize)> {
    let base = match offset.base {
        Base::Any => return view.within(0, u64::MAX),
        Base::Start(at) => Some(u64::from(at)),
        Base::End(before) => view.size?.checked_sub(u64::from(before)),
        Base::EntryPoint(delta) => view.program?.entry?.checked_add_signed(delta),
        Base::Section(number, delta) => {
            let (start, _) = view.program?.sections.get(number as usize)?;
            start.checked_add_signed(delta)
        }
        Base::LastSection(delta) => view.program?.sections.last()?.0.checked_add_signed(delta),
        Base::WithinSection(number) => {
            let (start, size) = view.program?.sections.get(number as usize)?;
            let end = start
                .checked_add(*size)?
                .checked_add(u64::from(offset.shift))?;
            return view.within(*start, end);
        }
    }?;
    view.within(base, base.checked_add(u64::from(offset.shift))?)
}

/// Looks for a sub-signature up to `enough` times.
pub fn find(sub: &BodySub, view: &View<'_>, enough: u32) -> Found {
    let Some(range) = start_range(sub.offset, view) else {
        return Found::default();
    };
    let mut total = Found::default();
    for pattern in &sub.patterns {
        let found = find_pattern(
            pattern,
            sub,
            view,
            range,
            enough.saturating_sub(total.count),
        );
        if found.count == 0 {
            continue;
        }
        total.first = if total.count == 0 {
            found.first
        } else {
            total.first.min(found.first)
        };
        total.last = total.last.max(found.last);
        total.count = total.count.saturating_add(found.count);
        if total.count >= enough {
            break;
        }
    }
    total
}

struct Part<'t> {
    gap: (usize, Option<usize>),
    tokens: &'t [Token],
    first: bool,
    last: bool,
}

fn find_pattern(
    pattern: &Pattern,
    sub: &BodySub,
    view: &View<'_>,
    range: (usize, usize),
    enough: u32,
) -> Found {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let mut gap = (0, Some(0));
    let mut rest = pattern.tokens.as_slice();
    loop {
        let end = rest
            .iter()
            .position(|token| matches!(token, Token::Gap { .. }))
            .unwrap_or(rest.len());
        let (tokens, behind) = rest.split_at(end);
        parts.push(Part {
            gap,
            tokens,
            first: parts.is_empty(),
            last: behind.is_empty(),
        });
        match behind.split_first() {
            Some((Token::Gap { min, max }, behind)) => {
                gap = (*min as usize, max.map(|max| max as usize));
                rest = behind;
            }
            _ => break,
        }
    }
    // Starts and ends of the parts so far.
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut found = Found::default();
    for (number, part) in parts.iter().enumerate() {
        let open_behind = parts
            .get(number + 1)
            .is_some_and(|next| next.gap.1.is_none());
        let most = if part.last {
            enough.max(1) as usize
        } else if open_behind {
            1
        } else {
            MAX_PLACES
        };
        let (low, high) = if part.first {
            range
        } else {
            let (Some(first), Some(last)) = (
                places.iter().map(|p| p.1).min(),
                places.iter().map(|p| p.1).max(),
            ) else {
                return Found::default();
            };
            (
                first.saturating_add(part.gap.0),
                part.gap
                    .1
                    .map_or(usize::MAX, |max| last.saturating_add(max)),
            )
        };
        let mut next: Vec<(usize, usize)> = Vec::new();
        let mut starts = 0usize;
        search(part, view, sub.ignore_case, low, high, |start, ends| {
            let linked = if part.first {
                Some(start)
            } else {
                // The nearest end that is far enough; sorted, so that this stays cheap.
                start.checked_sub(part.gap.0).and_then(|latest| {
                    let behind = places.partition_point(|(_, end)| *end <= latest);
                    let (origin, end) = places.get(behind.checked_sub(1)?)?;
                    part.gap
                        .1
                        .is_none_or(|max| start - end <= max)
                        .then_some(*origin)
                })
            };
            let Some(origin) = linked else {
                return true;
            };
            let wide = sub.full_word;
            for end in ends {
                if wide && part.last && !word_alone(view.bytes, origin, *end) {
                    continue;
                }
                if part.last {
                    if starts == 0 {
                        found.first = origin;
                    }
                    found.last = origin;
                    starts += 1;
                    break;
                }
                next.push((origin, *end));
            }
            if part.last {
                starts < most
            } else {
                if next.len() >= MAX_PLACES {
                    view.reach_limit();
                }
                next.len() < most
            }
        });
        if part.last {
            found.count = u32::try_from(starts).unwrap_or(u32::MAX);
            return found;
        }
        if next.is_empty() {
            return Found::default();
        }
        next.sort_unstable_by_key(|(_, end)| *end);
        places = next;
    }
    found
}

fn word_alone(bytes: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !is_word(before) && !is_word(bytes.get(end))
}

/// Calls `found` with the start and all ends of every place where a part matches, in order of
/// starts, until it says to stop.
fn search(
    part: &Part<'_>,
    view: &View<'_>,
    ignore_case: bool,
    low: usize,
    high: usize,
    mut found: impl FnMut(usize, &[usize]) -> bool,
) {
    let length = view.bytes.len();
    if low > length {
        return;
    }
    let high = high.min(length);
    // A pattern may open with gaps only: an empty part is everywhere.
    if part.tokens.is_empty() {
        if part.last || part.first {
            found(low, &[low]);
        }
        return;
    }
    let mut tried: Option<usize> = None;
    let mut attempt = |start: usize| {
        if start < low || start > high || tried.is_some_and(|tried| start <= tried) {
            return true;
        }
        tried = Some(start);
        let ends = ends(part, view, ignore_case, start);
        ends.is_empty() || found(start, &ends)
    };
    let Some((before, spread, literal)) = literal(part.tokens) else {
        if high.saturating_sub(low) >= MAX_BLIND {
            view.reach_limit();
        }
        for start in (low..=high).take(MAX_BLIND) {
            if !attempt(start) {
                return;
            }
        }
        return;
    };
    let folded;
    let literal = if ignore_case {
        folded = literal.to_ascii_lowercase();
        folded.as_slice()
    } else {
        literal
    };
    let from = low.saturating_add(before).min(length);
    let to = high
        .saturating_add(before + spread)
        .saturating_add(literal.len())
        .min(length);
    let lowered;
    let area = match view.bytes.get(from..to) {
        Some(area) if ignore_case && area.len() <= SMALL_AREA => {
            lowered = area.to_ascii_lowercase();
            lowered.as_slice()
        }
        Some(area) if !ignore_case => area,
        _ => match view.form(ignore_case).get(from..to) {
            Some(area) => area,
            None => return,
        },
    };
    // Overlapping occurrences count as well, so each search starts one byte behind the last.
    let finder = memmem::Finder::new(literal);
    let mut at = 0;
    while let Some(hit) = area.get(at..).and_then(|rest| finder.find(rest)) {
        let hit = at + hit;
        for extra in (0..=spread).rev() {
            if let Some(start) = (from + hit).checked_sub(before + extra)
                && !attempt(start)
            {
                return;
            }
        }
        at = hit + 1;
    }
}

/// The longest literal of a part: bytes before it at least, how many more at most.
fn literal(tokens: &[Token]) -> Option<(usize, usize, &[u8])> {
    let mut best: Option<(usize, usize, &[u8])> = None;
    let (mut min, mut max) = (0usize, 0usize);
    for (number, token) in tokens.iter().enumerate() {
        if let Token::Bytes(bytes) = token {
            let longer = best.is_none_or(|(_, _, best)| bytes.len() > best.len());
            if longer && max - min <= 64 {
                best = Some((min, max - min, bytes));
            }
        }
        let (least, most) = width(token, number == 0, number + 1 == tokens.len());
        min = min.saturating_add(least);
        max = max.saturating_add(most);
    }
    best
}

/// Fewest and most bytes a token takes.
pub fn width(token: &Token, first: bool, last: bool) -> (usize, usize) {
    match token {
        Token::Bytes(bytes) => (bytes.len(), bytes.len()),
        Token::Masked { .. } => (1, 1),
        Token::Any(count) => (*count as usize, *count as usize),
        Token::Gap { min, max } => (*min as usize, max.map_or(usize::MAX, |max| max as usize)),
        Token::NoneOf(choices) => choices
            .first()
            .map_or((0, 0), |choice| (choice.len(), choice.len())),
        Token::OneOf(choices) => {
            let widths = choices.iter().map(|choice| {
                choice
                    .iter()
                    .map(|token| width(token, false, false))
                    .fold((0usize, 0usize), |sum, one| {
                        (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1))
                    })
            });
            widths.fold((usize::MAX, 0), |all, one| {
                (all.0.min(one.0), all.1.max(one.1))
            })
        }
        Token::Boundary { .. } if first || last => (0, 0),
        Token::Boundary {
            kind: Boundary::Line,
            ..
        } => (1, 2),
        Token::Boundary { .. } => (1, 1),
    }
}

/// All ends of a part that starts at `start`.
fn ends(part: &Part<'_>, view: &View<'_>, ignore_case: bool, start: usize) -> Vec<usize> {
    let mut places = vec![start];
    let count = part.tokens.len();
    for (number, token) in part.tokens.iter().enumerate() {
        let edge = Edge {
            first: part.first && number == 0,
            last: part.last && number + 1 == count,
        };
        places = step(token, view, ignore_case, &places, edge);
        if places.is_empty() {
            break;
        }
    }
    places
}

/// Whether a token stands at the edges of its pattern.
#[derive(Clone, Copy, Default)]
struct Edge {
    first: bool,
    last: bool,
}

fn step(
    token: &Token,
    view: &View<'_>,
    ignore_case: bool,
    places: &[usize],
    edge: Edge,
) -> Vec<usize> {
    let bytes = view.bytes;
    let mut next = Vec::new();
    for at in places {
        match token {
            Token::Bytes(expected) => {
                let end = at + expected.len();
                let same = bytes.get(*at..end).is_some_and(|there| {
                    if ignore_case {
                        there.eq_ignore_ascii_case(expected)
                    } else {
                        there == expected
                    }
                });
                if same {
                    next.push(end);
                }
            }
            Token::Masked { mask, value } => {
                if let Some(there) = bytes.get(*at) {
                    let fits = |byte: u8| byte & mask == *value;
                    if fits(*there)
                        || (ignore_case
                            && (fits(there.to_ascii_lowercase())
                                || fits(there.to_ascii_uppercase())))
                    {
                        next.push(at + 1);
                    }
                }
            }
            Token::Any(count) => {
                let end = at.saturating_add(*count as usize);
                if end <= bytes.len() {
                    next.push(end);
                }
            }
            // Gaps part a pattern; inside of alternatives the reader refuses them.
            Token::Gap { .. } => {}
            Token::NoneOf(choices) => {
                let length = choices.first().map_or(0, Vec::len);
                if let Some(there) = bytes.get(*at..at + length) {
                    let hit = choices.iter().any(|choice| {
                        if ignore_case {
                            there.eq_ignore_ascii_case(choice)
                        } else {
                            there == choice
                        }
                    });
                    if !hit {
                        next.push(at + length);
                    }
                }
            }
            Token::OneOf(choices) => {
                for choice in choices {
                    let mut inner = vec![*at];
                    for token in choice {
                        inner = step(token, view, ignore_case, &inner, Edge::default());
                    }
                    next.extend(inner);
                }
            }
            Token::Boundary { kind, negated } => {
                next.extend(boundary(*kind, *negated, bytes, *at, edge))
            }
        }
    }
    next.sort_unstable();
    next.dedup();
    if next.len() > MAX_ENDS {
        view.reach_limit();
    }
    next.truncate(MAX_ENDS);
    next
}

/// At the edges of a pattern a boundary looks beside it and takes nothing; inside it is a byte.
fn boundary(kind: Boundary, negated: bool, bytes: &[u8], at: usize, edge: Edge) -> Option<usize> {
    let fits = |byte: u8| match kind {
        Boundary::Word | Boundary::NonAlphanumeric => !byte.is_ascii_alphanumeric(),
        Boundary::Line => byte == b'\n' || byte == b'\r',
    };
    if edge.first || edge.last {
        let beside = if edge.first {
            at.checked_sub(1).and_then(|at| bytes.get(at))
        } else {
            bytes.get(at)
        };
        return (beside.is_none_or(|byte| fits(*byte)) != negated).then_some(at);
    }
    let there = bytes.get(at)?;
    if kind == Boundary::Line && !negated && bytes.get(at..at + 2) == Some(b"\r\n") {
        return Some(at + 2);
    }
    (fits(*there) != negated).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clamav::body::parse;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn count(pattern: &str, bytes: &[u8]) -> u32 {
        let sub = BodySub {
            offset: Offset::ANY,
            patterns: vec![parse(pattern).unwrap()],
            ignore_case: false,
            full_word: false,
        };
        find(&sub, &View::new(bytes, None), 100).count
    }

    #[test]
    fn gaps_link_parts_at_the_right_distance() {
        let pattern = format!("{}{{2-3}}{}", hex("aa"), hex("bb"));
        assert_eq!(count(&pattern, b"aa--bb"), 1);
        assert_eq!(count(&pattern, b"aa---bb"), 1);
        assert_eq!(count(&pattern, b"aa-bb"), 0);
        assert_eq!(count(&pattern, b"aa----bb"), 0);
        assert_eq!(count(&pattern, b"aa----aa--bb"), 1);
        let any = format!("{}*{}*{}", hex("one"), hex("two"), hex("three"));
        assert_eq!(count(&any, b"one xx two yy three"), 1);
        assert_eq!(count(&any, b"two one three two"), 0);
    }

    #[test]
    fn a_long_gap_never_reaches_backwards() {
        let pattern = format!("{}{{-5}}{}", hex("ab"), hex("b"));
        assert_eq!(count(&pattern, b"ab"), 0);
        assert_eq!(count(&pattern, b"abb"), 1);
    }

    #[test]
    fn alternatives_of_different_length_and_negation() {
        let pattern = format!("{}({}|{}){}", hex("<"), hex("a"), hex("bcd"), hex(">>"));
        assert_eq!(count(&pattern, b"<a>> <bcd>> <bc>>"), 2);
        let not = format!("{}!({}|{}){}", hex("x"), hex("a"), hex("b"), hex("yz"));
        assert_eq!(count(&not, b"xayz xbyz xcyz"), 1);
        assert_eq!(count("4?5a", b"MZ"), 1);
    }

    #[test]
    fn overlapping_matches_count() {
        assert_eq!(count(&hex("aa"), b"aaaa"), 3);
    }

    #[test]
    fn boundaries_look_beside_the_pattern_and_take_a_byte_inside() {
        let pattern = format!("(B){}(B)", hex("word"));
        assert_eq!(count(&pattern, b"word sword words (word)"), 2);
        let inner = format!("{}(L){}", hex("ab"), hex("cd"));
        assert_eq!(count(&inner, b"ab\ncd ab\r\ncd ab cd"), 2);
    }

    #[test]
    fn offsets_bound_the_start() {
        let at = |offset: &str, bytes: &[u8]| {
            let sub = BodySub {
                offset: Offset::parse(offset).unwrap(),
                patterns: vec![parse(&hex("key")).unwrap()],
                ignore_case: true,
                full_word: false,
            };
            let program = Program {
                entry: Some(4),
                sections: vec![(2, 4)],
            };
            find(&sub, &View::new(bytes, Some(&program)), 9).count
        };
        assert_eq!(at("4", b"----KEY"), 1);
        assert_eq!(at("3", b"----key"), 0);
        assert_eq!(at("0,4", b"----key"), 1);
        assert_eq!(at("EOF-3", b"----key"), 1);
        assert_eq!(at("EP+0", b"----key"), 1);
        assert_eq!(at("S0+2", b"----key"), 1);
        assert_eq!(at("SE0", b"----key"), 1);
        assert_eq!(at("S1+0", b"----key"), 0);
    }
}
