//! The expression of a logical signature: which sub-signatures must be found, how often.
//!
//! There is no operator precedence. Outside of parentheses an expression is cut at its *first*
//! operator, inside at its *last*: `0|1&2` is `0|(1&2)` and `(0|1&2)` is `(0|1)&2`. Counts are
//! added up the tree; what is false adds nothing. All this was observed on the reference
//! scanner with small files, and the test below keeps the table.

use serde::{Deserialize, Serialize};

use super::Reason;

/// How a count is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `=n`
    Equal(u32),
    /// `<n`
    Less(u32),
    /// `>n`
    More(u32),
}

impl Comparison {
    /// Whether the count fits.
    pub const fn holds(self, count: u32) -> bool {
        match self {
            Comparison::Equal(n) => count == n,
            Comparison::Less(n) => count < n,
            Comparison::More(n) => count > n,
        }
    }

    const fn number(self) -> u32 {
        match self {
            Comparison::Equal(n) | Comparison::Less(n) | Comparison::More(n) => n,
        }
    }

    /// Whether no find at all can satisfy it.
    const fn holds_for_nothing(self) -> bool {
        self.holds(0)
    }
}

/// What it costs to look for some sub-signatures, and which.
type Necessary = (u64, Vec<u8>);

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Logic {
    /// A sub-signature, found at least once or as often as the comparison asks.
    Sub(u8, Option<Comparison>),
    /// Two expressions.
    Both {
        /// `&` or, if false, `|`.
        and: bool,
        /// Left side.
        left: Box<Logic>,
        /// Right side.
        right: Box<Logic>,
        /// Of a block in parentheses: comparison of the sum of counts, and how many
        /// different sub-signatures must be among them (0 for any number).
        block: Option<(Comparison, u32)>,
    },
}

/// Operators and parentheses in each other, deepest: 64 sub-signatures in a row are real.
const MAX_DEPTH: u32 = 130;

/// What an evaluation gave: whether it holds, the sum of counts, which sub-signatures.
type Value = (bool, u32, u64);

impl Logic {
    /// Reads an expression.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Logic, Reason> {
        open(text.trim().as_bytes(), 0)
    }

    /// Evaluates with a function that tells how often a sub-signature was found. It is asked
    /// only for those that can still change the answer.
    pub fn holds(&self, count: &mut impl FnMut(u8) -> u32) -> bool {
        self.value(count, false).0
    }

    fn value(&self, count: &mut impl FnMut(u8) -> u32, counted: bool) -> Value {
        match self {
            Logic::Sub(id, comparison) => {
                let found = count(*id);
                let holds = comparison.map_or(found > 0, |comparison| comparison.holds(found));
                if holds {
                    (true, found, 1 << (*id & 63))
                } else {
                    (false, 0, 0)
                }
            }
            Logic::Both {
                and,
                left,
                right,
                block,
            } => {
                let inner = counted || block.is_some();
                let left = left.value(count, inner);
                match (and, left.0) {
                    (true, false) => return (false, 0, 0),
                    (false, true) if !inner => return left,
                    _ => {}
                }
                let right = right.value(count, inner);
                let holds = if *and {
                    left.0 && right.0
                } else {
                    left.0 || right.0
                };
                let sum = left.1.saturating_add(right.1);
                let ids = left.2 | right.2;
                let holds = match block {
                    None => holds,
                    Some((comparison, different)) => {
                        (!and || holds) && comparison.holds(sum) && ids.count_ones() >= *different
                    }
                };
                if holds {
                    (true, sum, ids)
                } else {
                    (false, 0, 0)
                }
            }
        }
    }

    /// Whether it can hold if the sub-signatures in `absent` (bits) are nowhere, whatever is
    /// found of the others.
    pub fn possible(&self, absent: u64) -> bool {
        self.possible_ids(absent).0
    }

    /// Whether it can hold, and which sub-signatures can be found then.
    fn possible_ids(&self, absent: u64) -> (bool, u64) {
        match self {
            Logic::Sub(id, comparison) => {
                let bit = 1 << (*id & 63);
                if absent & bit == 0 {
                    return (true, bit);
                }
                (comparison.is_some_and(Comparison::holds_for_nothing), 0)
            }
            Logic::Both {
                and,
                left,
                right,
                block,
            } => {
                let (left, right) = (left.possible_ids(absent), right.possible_ids(absent));
                let ids = left.1 | right.1;
                let holds = if *and {
                    left.0 && right.0
                } else {
                    left.0 || right.0
                };
                match block {
                    None => (holds, ids),
                    Some((comparison, different)) => (
                        (!and || holds)
                            && (ids != 0 || comparison.holds_for_nothing())
                            && ids.count_ones() >= *different,
                        ids,
                    ),
                }
            }
        }
    }

    /// Whether further finds can make it false once it holds.
    pub fn can_be_undone(&self) -> bool {
        let undone = |comparison: &Comparison| !matches!(comparison, Comparison::More(_));
        match self {
            Logic::Sub(_, comparison) => comparison.as_ref().is_some_and(undone),
            Logic::Both {
                left, right, block, ..
            } => {
                block
                    .as_ref()
                    .is_some_and(|(comparison, _)| undone(comparison))
                    || left.can_be_undone()
                    || right.can_be_undone()
            }
        }
    }

    /// The highest index in use.
    pub fn highest(&self) -> u8 {
        match self {
            Logic::Sub(id, _) => *id,
            Logic::Both { left, right, .. } => left.highest().max(right.highest()),
        }
    }

    /// How many finds of one sub-signature can matter.
    pub fn most_counted(&self) -> u32 {
        match self {
            Logic::Sub(_, comparison) => comparison.map_or(1, |c| c.number().saturating_add(1)),
            Logic::Both {
                left, right, block, ..
            } => {
                let own = block.map_or(1, |(c, _)| c.number().saturating_add(1));
                own.max(left.most_counted()).max(right.most_counted())
            }
        }
    }

    /// The cheapest set of sub-signatures of which at least one is found whenever the
    /// expression holds, by a cost per sub-signature (`None`: can't serve). `None` when
    /// there is no such set.
    pub fn necessary(&self, cost: &impl Fn(u8) -> Option<u64>) -> Option<Necessary> {
        match self {
            Logic::Sub(id, comparison) => {
                if comparison.is_some_and(Comparison::holds_for_nothing) {
                    return None;
                }
                cost(*id).map(|cost| (cost, vec![*id]))
            }
            Logic::Both {
                and,
                left,
                right,
                block,
            } => {
                if !and && block.is_some_and(|(c, _)| c.holds_for_nothing()) {
                    return None;
                }
                if let (false, Some((_, different @ 2..))) = (and, block) {
                    return self.necessary_of_many(*different, cost);
                }
                let (left, right) = (left.necessary(cost), right.necessary(cost));
                match (left, right) {
                    (Some(left), Some(right)) if *and => {
                        Some(if left.0 <= right.0 { left } else { right })
                    }
                    (Some(one), None) | (None, Some(one)) if *and => Some(one),
                    (Some(mut left), Some(right)) => {
                        left.0 = left.0.saturating_add(right.0);
                        left.1.extend(right.1);
                        Some(left)
                    }
                    _ => None,
                }
            }
        }
    }

    /// The cheapest necessary set of a block that asks for `different` sub-signatures: those
    /// that cost most can be left out, as long as they alone are too few.
    fn necessary_of_many(
        &self,
        different: u32,
        cost: &impl Fn(u8) -> Option<u64>,
    ) -> Option<Necessary> {
        let mut choices = Vec::new();
        self.choices(true, &mut choices);
        let mut sets: Vec<(Option<Necessary>, u32)> = choices
            .into_iter()
            .map(|choice| (choice.necessary(cost), choice.ids().count_ones()))
            .collect();
        // What can't serve comes first, then by cost, highest first.
        sets.sort_by_key(|(set, _)| {
            set.as_ref()
                .map_or((0, 0), |(cost, _)| (1, u64::MAX - cost))
        });
        let mut spare = different.saturating_sub(1);
        let mut all = (0u64, Vec::new());
        for (set, ids) in sets {
            if ids <= spare {
                spare -= ids;
                continue;
            }
            let (cost, ids) = set?;
            all.0 = all.0.saturating_add(cost);
            all.1.extend(ids);
        }
        Some(all)
    }

    /// The expressions that `|` joins, without those of blocks of their own.
    fn choices<'l>(&'l self, top: bool, into: &mut Vec<&'l Logic>) {
        match self {
            Logic::Both {
                and: false,
                left,
                right,
                block,
            } if top || block.is_none() => {
                left.choices(false, into);
                right.choices(false, into);
            }
            _ => into.push(self),
        }
    }

    /// The sub-signatures in use, as bits.
    fn ids(&self) -> u64 {
        match self {
            Logic::Sub(id, _) => 1 << (*id & 63),
            Logic::Both { left, right, .. } => left.ids() | right.ids(),
        }
    }
}

/// Reads what stands outside of parentheses: cut at the first operator.
fn open(text: &[u8], depth: u32) -> Result<Logic, Reason> {
    if depth > MAX_DEPTH {
        return Err(Reason::Malformed);
    }
    let mut operators = top_level_operators(text)?;
    let Some(at) = operators.next() else {
        return term(text, depth);
    };
    both(text, at, None, depth)
}

fn both(
    text: &[u8],
    at: usize,
    block: Option<(Comparison, u32)>,
    depth: u32,
) -> Result<Logic, Reason> {
    let (left, right) = text.split_at_checked(at).ok_or(Reason::Malformed)?;
    let (operator, right) = right.split_first().ok_or(Reason::Malformed)?;
    Ok(Logic::Both {
        and: *operator == b'&',
        left: Box::new(open(left, depth + 1)?),
        right: Box::new(open(right, depth + 1)?),
        block,
    })
}

/// A number with a comparison, or a block in parentheses with one.
fn term(text: &[u8], depth: u32) -> Result<Logic, Reason> {
    if let Some(rest) = text.strip_prefix(b"(") {
        let end = rest
            .iter()
            .rposition(|byte| *byte == b')')
            .ok_or(Reason::Malformed)?;
        let (inner, rest) = rest.split_at_checked(end).ok_or(Reason::Malformed)?;
        let block = modifier(rest.get(1..).unwrap_or_default())?;
        return match (top_level_operators(inner)?.last(), block) {
            (Some(at), block) => both(inner, at, block, depth + 1),
            (None, None) => open(inner, depth + 1),
            (None, Some(_)) => Err(Reason::Malformed),
        };
    }
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (id, rest) = text.split_at_checked(digits).ok_or(Reason::Malformed)?;
    let id: u8 = number(id)?.try_into().map_err(|_| Reason::Malformed)?;
    if id >= 64 {
        return Err(Reason::Malformed);
    }
    Ok(Logic::Sub(
        id,
        modifier(rest)?.map(|(comparison, _)| comparison),
    ))
}

fn modifier(text: &[u8]) -> Result<Option<(Comparison, u32)>, Reason> {
    let Some((sign, rest)) = text.split_first() else {
        return Ok(None);
    };
    let mut numbers = rest.splitn(2, |byte| *byte == b',');
    let value = number(numbers.next().unwrap_or_default())?;
    let different = match numbers.next() {
        // A comma with nothing behind it stands in real signatures.
        None | Some([]) => 0,
        Some(digits) => number(digits)?,
    };
    let comparison = match sign {
        b'=' => Comparison::Equal(value),
        b'<' => Comparison::Less(value),
        b'>' => Comparison::More(value),
        _ => return Err(Reason::Malformed),
    };
    Ok(Some((comparison, different)))
}

fn number(digits: &[u8]) -> Result<u32, Reason> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or(Reason::Malformed)
}

fn top_level_operators(text: &[u8]) -> Result<std::vec::IntoIter<usize>, Reason> {
    let mut depth = 0u32;
    let mut found = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).ok_or(Reason::Malformed)?,
            b'&' | b'|' if depth == 0 => found.push(at),
            _ => {}
        }
    }
    if depth != 0 {
        return Err(Reason::Malformed);
    }
    Ok(found.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(expression: &str, found: &str) -> bool {
        let logic = Logic::parse(expression).unwrap();
        logic.holds(&mut |id| {
            let letter = char::from(b'a' + id);
            u32::try_from(found.chars().filter(|c| *c == letter).count()).unwrap()
        })
    }

    /// What the reference scanner answered for files that hold these sub-signatures
    /// (a for 0, b for 1 ...), every combination of them given here being tried.
    #[test]
    fn expressions_hold_where_the_reference_says_so() {
        let files = [
            "a", "aa", "aaa", "aab", "ab", "abc", "abcd", "ac", "b", "bc", "bd", "c", "cd", "d", "",
        ];
        let table: &[(&str, &[&str])] = &[
            (
                "0|1&2",
                &["a", "aa", "aaa", "aab", "ab", "abc", "abcd", "ac", "bc"],
            ),
            ("(0|1&2)", &["abc", "abcd", "ac", "bc"]),
            ("0&1|2", &["aab", "ab", "abc", "abcd", "ac"]),
            (
                "(0&1|2)",
                &["aab", "ab", "abc", "abcd", "ac", "bc", "c", "cd"],
            ),
            ("(0|1|2)>2", &["aaa", "aab", "abc", "abcd"]),
            ("(0|1|2)=2", &["aa", "ab", "ac", "bc"]),
            ("(0|1|2)>1,2", &["aab", "ab", "abc", "abcd", "ac", "bc"]),
            ("(0&1&2)>2", &["abc", "abcd"]),
            ("((0|1)&2)>1", &["abc", "abcd", "ac", "bc"]),
            ("(0|1)>1&2", &["abc", "abcd"]),
            ("(0|1|2)=1", &["a", "b", "bd", "c", "cd"]),
            ("(0|1|2)<2", &["a", "b", "bd", "c", "cd", "d", ""]),
            ("(0|1|2)<1", &["d", ""]),
            ("0>1", &["aa", "aaa", "aab"]),
            ("0=0", &["b", "bc", "bd", "c", "cd", "d", ""]),
            ("(0=0)&1", &["b", "bc", "bd"]),
            ("0<2&1", &["ab", "abc", "abcd", "b", "bc", "bd"]),
            ("(0|1)=0&2", &["c", "cd"]),
            ("0>1,1", &["aa", "aaa", "aab"]),
            ("((0|1)|2)>2", &["aaa", "aab", "abc", "abcd"]),
            ("(0|(1&2))>1", &["aa", "aaa", "aab", "abc", "abcd", "bc"]),
            ("(0|1|2)>1,3", &["abc", "abcd"]),
            ("(0|1)&2|3", &["abc", "abcd", "ac", "bc", "bd"]),
            ("(0|1|2|3)=3,2", &["aab", "abc"]),
            ("(0&1)|(2&3)", &["aab", "ab", "abc", "abcd", "cd"]),
            ("(0=2|1=1)&2", &["abc", "abcd", "bc"]),
            ("0&(1|2)=2", &["abc", "abcd"]),
        ];
        for (expression, expected) in table {
            let got: Vec<&str> = files
                .iter()
                .copied()
                .filter(|file| holds(expression, file))
                .collect();
            assert_eq!(&got, expected, "{expression}");
        }
    }

    #[test]
    fn broken_expressions_are_refused() {
        for bad in [
            "", "0&", "(0&1", "0)1", "64", "x", "0!1", "(0)>1", "0=", "1000",
        ] {
            assert_eq!(Logic::parse(bad), Err(Reason::Malformed), "{bad}");
        }
        let deep = format!("{}0{}", "(".repeat(500), ")".repeat(500));
        assert_eq!(Logic::parse(&deep), Err(Reason::Malformed));
    }

    #[test]
    fn what_is_absent_can_make_it_impossible() {
        let possible = |text, absent| Logic::parse(text).unwrap().possible(absent);
        assert!(!possible("0&1", 0b10) && possible("0|1", 0b10));
        assert!(possible("0=0", 0b1) && possible("(0|1)<2", 0b11));
        assert!(!possible("(0|1|2)>2,2", 0b110) && possible("(0|1|2)>2,2", 0b100));
        assert!(!possible("(0|1)>0", 0b11) && !possible("(0&1)=0", 0b1));
    }

    #[test]
    fn the_necessary_set_is_the_cheapest_that_no_match_can_avoid() {
        let cost = |id: u8| (id != 3).then_some(u64::from(id) + 1);
        let necessary = |text| {
            Logic::parse(text)
                .unwrap()
                .necessary(&cost)
                .map(|set| set.1)
        };
        assert_eq!(necessary("1&0"), Some(vec![0]));
        assert_eq!(necessary("1|0"), Some(vec![1, 0]));
        assert_eq!(necessary("(0|1)&2"), Some(vec![0, 1]));
        assert_eq!(necessary("3&2"), Some(vec![2]));
        assert_eq!(necessary("3|2"), None);
        assert_eq!(necessary("0=0"), None);
        assert_eq!(necessary("(0|1)<2"), None);
    }
}
