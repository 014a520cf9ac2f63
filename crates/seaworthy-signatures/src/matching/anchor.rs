//! Choosing the anchors of a signature: literals of which at least one stands in every match.

use crate::clamav::body::Token;
use crate::clamav::ldb::{BodySub, Sub};
use crate::clamav::logic::Logic;
use crate::clamav::offset::Base;

use super::prefilter::{MAX_ANCHOR, MAX_PLACES, best_part, placed_cost};

/// A chosen literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The bytes, lower-cased if case is ignored.
    pub bytes: Vec<u8>,
    /// Whether ASCII case is ignored.
    pub ignore_case: bool,
    /// The sub-signature it is of.
    pub sub: u8,
    /// First place in a file where it can start.
    pub low: u32,
    /// Last place in a file where it can start; the highest number for no end.
    pub high: u32,
}

/// The anchors of a signature, or `None` if it has none and must be tried on every file.
pub fn choose(logic: &Logic, subs: &[Sub]) -> Option<Vec<Literal>> {
    let bodies: Vec<Option<(u64, Vec<Literal>)>> = subs
        .iter()
        .map(|sub| match sub {
            Sub::Body(body) => of_body(body),
            _ => None,
        })
        .collect();
    let of = |id: u8| bodies.get(usize::from(id)).and_then(Option::as_ref);
    let body_cost = |id: u8| of(id).map(|(cost, _)| *cost);
    // What is behind another sub-signature can only be found where that one was.
    let behind = |id: u8| match subs.get(usize::from(id)) {
        Some(Sub::Regex(regex)) => regex.trigger.necessary(&body_cost),
        Some(Sub::ByteCompare(compare)) => {
            body_cost(compare.anchor).map(|cost| (cost, vec![compare.anchor]))
        }
        _ => body_cost(id).map(|cost| (cost, vec![id])),
    };
    let (_, ids) = logic.necessary(&|id| behind(id).map(|(cost, _)| cost))?;
    let mut literals = Vec::new();
    for id in ids {
        for id in behind(id)?.1 {
            let own = of(id)?.1.iter().cloned();
            literals.extend(own.map(|literal| Literal { sub: id, ..literal }));
        }
    }
    let key = |literal: &Literal| {
        (
            literal.bytes.clone(),
            literal.low,
            literal.high,
            literal.sub,
        )
    };
    literals.sort_by_cached_key(key);
    literals.dedup();
    Some(literals)
}

fn of_body(sub: &BodySub) -> Option<(u64, Vec<Literal>)> {
    let mut all = Vec::new();
    let mut cost = 0;
    for pattern in &sub.patterns {
        // A literal at a fixed place is worth more than a rare one: it is seldom elsewhere.
        let start = match sub.offset.base {
            Base::Start(at) => Some((at, at.saturating_add(sub.offset.shift))),
            _ => None,
        };
        let (own, literals) = best_of(&pattern.tokens, sub.ignore_case, start)?;
        cost += own;
        all.extend(literals);
    }
    Some((cost, all))
}

/// The best literals of tokens whose first one starts within `start`, or anywhere.
fn best_of(
    tokens: &[Token],
    ignore_case: bool,
    start: Option<(u32, u32)>,
) -> Option<(u64, Vec<Literal>)> {
    let mut best: Option<(u64, Vec<Literal>)> = None;
    let (mut low, mut high) = start.unwrap_or((0, u32::MAX));
    for token in tokens {
        let own = match token {
            Token::Bytes(bytes) => {
                let bytes = if ignore_case {
                    bytes.to_ascii_lowercase()
                } else {
                    bytes.clone()
                };
                of_bytes(&bytes, ignore_case, low, high)
            }
            Token::OneOf(choices) => of_choices(choices, ignore_case, start.map(|_| low)),
            _ => None,
        };
        if let Some(own) = own
            && best.as_ref().is_none_or(|best| own.0 < best.0)
        {
            best = Some(own);
        }
        let (least, most) = super::body::width(token, false, false);
        low = low.saturating_add(u32::try_from(least).unwrap_or(u32::MAX));
        high = high.saturating_add(u32::try_from(most).unwrap_or(u32::MAX));
        if matches!(token, Token::Boundary { .. }) {
            // At an edge it takes nothing; where it stands is not known here.
            low = low.saturating_sub(2);
        }
    }
    best
}

/// The best part of fixed bytes that start between two places.
fn of_bytes(bytes: &[u8], ignore_case: bool, low: u32, high: u32) -> Option<(u64, Vec<Literal>)> {
    let literal = |bytes: &[u8], low, high| Literal {
        bytes: bytes.to_vec(),
        ignore_case,
        sub: 0,
        low,
        high,
    };
    let head = bytes.get(..bytes.len().min(MAX_ANCHOR))?;
    if !head.is_empty() && high != u32::MAX && high.saturating_sub(low) <= MAX_PLACES {
        return Some((placed_cost(head, low), vec![literal(head, low, high)]));
    }
    let (cost, at, length) = best_part(bytes)?;
    let part = bytes.get(at..at + length)?;
    let at = u32::try_from(at).unwrap_or(0);
    let high = if high == u32::MAX {
        high
    } else {
        high.saturating_add(at)
    };
    Some((cost, vec![literal(part, low.saturating_add(at), high)]))
}

fn of_choices(
    choices: &[Vec<Token>],
    ignore_case: bool,
    low: Option<u32>,
) -> Option<(u64, Vec<Literal>)> {
    let mut all = Vec::new();
    let mut cost = 0;
    for choice in choices {
        let (own, literals) = best_of(choice, ignore_case, None)?;
        cost += own;
        all.extend(literals.into_iter().map(|literal| Literal {
            low: low.unwrap_or(0),
            high: u32::MAX,
            ..literal
        }));
    }
    Some((cost, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clamav::ldb;

    fn anchors(line: &str) -> Option<Vec<Vec<u8>>> {
        let signature = ldb::parse(line.as_bytes()).unwrap();
        let literals = choose(&signature.logic, &signature.subs)?;
        Some(literals.into_iter().map(|literal| literal.bytes).collect())
    }

    #[test]
    fn the_rarest_literal_of_an_and_and_all_of_an_or() {
        assert_eq!(
            anchors("N;Target:0;0&1;0000000000;d1e2f3a4b5"),
            Some(vec![vec![0xd1, 0xe2, 0xf3, 0xa4, 0xb5]])
        );
        assert_eq!(
            anchors("N;Target:0;0|1;6162636465;d1e2f3a4b5")
                .unwrap()
                .len(),
            2
        );
        assert_eq!(anchors("N;Target:0;0|1;6162636465;d1e2"), None);
        assert_eq!(anchors("N;Target:0;0=0;6162636465"), None);
    }

    #[test]
    fn of_seven_of_nine_three_must_be_there() {
        let words: Vec<String> = ["aaaaa", "eeeee", "qzxjk", "jqxzq", "zzqjx"]
            .iter()
            .map(|word| word.bytes().map(|b| format!("{b:02x}")).collect())
            .collect();
        let line = format!("N;Target:0;(0|1|2|3|4)>2,3;{}", words.join(";"));
        let kept = anchors(&line).unwrap();
        assert_eq!(kept, [b"jqxzq", b"qzxjk", b"zzqjx"]);
    }

    #[test]
    fn two_bytes_are_enough_at_a_fixed_place() {
        assert_eq!(
            anchors("N;Target:0;0&1;0:504b;0/x/"),
            Some(vec![b"PK".to_vec()])
        );
        assert_eq!(anchors("N;Target:0;0&1;504b;0/x/"), None);
    }

    #[test]
    fn a_regular_expression_is_found_through_its_trigger() {
        assert_eq!(
            anchors("N;Target:0;1;6162636465;0/x.y/"),
            Some(vec![b"abcde".to_vec()])
        );
    }
}
