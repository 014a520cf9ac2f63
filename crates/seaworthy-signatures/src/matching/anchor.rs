//! Choosing the anchors of a signature: literals of which at least one stands in every match.

use crate::clamav::body::Token;
use crate::clamav::ldb::{BodySub, Sub};
use crate::clamav::logic::Logic;
use crate::clamav::offset::Base;

use super::prefilter::best_part;

/// A chosen literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The bytes, lower-cased if case is ignored.
    pub bytes: Vec<u8>,
    /// Whether ASCII case is ignored.
    pub ignore_case: bool,
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
            literals.extend(of(id)?.1.iter().cloned());
        }
    }
    literals.sort_by(|a, b| (&a.bytes, a.low, a.high).cmp(&(&b.bytes, b.low, b.high)));
    literals.dedup();
    Some(literals)
}

fn of_body(sub: &BodySub) -> Option<(u64, Vec<Literal>)> {
    let mut all = Vec::new();
    let mut cost = 0;
    for pattern in &sub.patterns {
        let (own, mut literals) = best_of(&pattern.tokens, sub.ignore_case)?;
        // A literal at a fixed place is worth more than a rare one: it is seldom elsewhere.
        let fixed = match sub.offset.base {
            Base::Start(at) => Some((at, at.saturating_add(sub.offset.shift))),
            _ => None,
        };
        for literal in &mut literals {
            (literal.low, literal.high) = match fixed {
                Some((low, high)) if literal.high != u32::MAX => (
                    low.saturating_add(literal.low),
                    high.saturating_add(literal.high),
                ),
                Some((low, _)) => (low.saturating_add(literal.low), u32::MAX),
                None => (0, u32::MAX),
            };
        }
        cost += own;
        all.extend(literals);
    }
    Some((cost, all))
}

/// The best literals of tokens, each with how far behind the start it can be.
fn best_of(tokens: &[Token], ignore_case: bool) -> Option<(u64, Vec<Literal>)> {
    let mut best: Option<(u64, Vec<Literal>)> = None;
    let (mut low, mut high) = (0u32, 0u32);
    for token in tokens {
        let own = match token {
            Token::Bytes(bytes) => {
                let bytes = if ignore_case {
                    bytes.to_ascii_lowercase()
                } else {
                    bytes.clone()
                };
                best_part(&bytes).map(|(cost, part)| {
                    let at = bytes.windows(part.len()).position(|window| window == part);
                    let at = at.and_then(|at| u32::try_from(at).ok()).unwrap_or(0);
                    let high = if high == u32::MAX {
                        high
                    } else {
                        high.saturating_add(at)
                    };
                    let literal = Literal {
                        bytes: part.to_vec(),
                        ignore_case,
                        low: low.saturating_add(at),
                        high,
                    };
                    (u64::from(cost), vec![literal])
                })
            }
            Token::OneOf(choices) => of_choices(choices, ignore_case, low),
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
            low = low.saturating_sub(1);
        }
    }
    best
}

fn of_choices(choices: &[Vec<Token>], ignore_case: bool, low: u32) -> Option<(u64, Vec<Literal>)> {
    let mut all = Vec::new();
    let mut cost = 0;
    for choice in choices {
        let (own, literals) = best_of(choice, ignore_case)?;
        cost += own;
        all.extend(literals.into_iter().map(|literal| Literal {
            low,
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
    fn a_regular_expression_is_found_through_its_trigger() {
        assert_eq!(
            anchors("N;Target:0;1;6162636465;0/x.y/"),
            Some(vec![b"abcde".to_vec()])
        );
    }
}
