//! Choosing the anchors of a signature: literals of which at least one stands in every match.

use crate::clamav::body::{Pattern, Token};
use crate::clamav::ldb::{BodySub, Sub};
use crate::clamav::logic::Logic;

use super::prefilter::best_part;

/// A chosen literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The bytes, lower-cased if case is ignored.
    pub bytes: Vec<u8>,
    /// Whether ASCII case is ignored.
    pub ignore_case: bool,
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
    literals.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    literals.dedup();
    Some(literals)
}

fn of_body(sub: &BodySub) -> Option<(u64, Vec<Literal>)> {
    let mut all = Vec::new();
    let mut cost = 0;
    for pattern in &sub.patterns {
        let (own, literals) = of_pattern(pattern, sub.ignore_case)?;
        cost += own;
        all.extend(literals);
    }
    Some((cost, all))
}

fn of_pattern(pattern: &Pattern, ignore_case: bool) -> Option<(u64, Vec<Literal>)> {
    best_of(&pattern.tokens, ignore_case)
}

fn best_of(tokens: &[Token], ignore_case: bool) -> Option<(u64, Vec<Literal>)> {
    tokens
        .iter()
        .filter_map(|token| match token {
            Token::Bytes(bytes) => {
                let bytes = if ignore_case {
                    bytes.to_ascii_lowercase()
                } else {
                    bytes.clone()
                };
                let (cost, part) = best_part(&bytes)?;
                Some((
                    u64::from(cost),
                    vec![Literal {
                        bytes: part.to_vec(),
                        ignore_case,
                    }],
                ))
            }
            Token::OneOf(choices) => {
                let mut all = Vec::new();
                let mut cost = 0;
                for choice in choices {
                    let (own, literals) = best_of(choice, ignore_case)?;
                    cost += own;
                    all.extend(literals);
                }
                Some((cost, all))
            }
            _ => None,
        })
        .min_by_key(|(cost, _)| *cost)
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
