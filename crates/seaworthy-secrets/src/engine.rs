//! The engine: keywords, then patterns in windows around them, then checks.

use std::collections::BTreeMap;
use std::ops::Range;

use regex::bytes::Regex;

use crate::assignment::{self, Quotes};
use crate::check::Check;
use crate::decode;
use crate::entropy::shannon;
use crate::file_kind::quotes_of;
use crate::placeholder::is_placeholder;
use crate::prefilter::{Hit, Prefilter};
use crate::rule::Rule;

/// A secret found in a buffer. Ranges are bytes of that buffer; the value stays there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Where the value lies.
    pub range: Range<usize>,
    /// What it is.
    pub kind: MatchKind,
    /// The value, where it does not stand in the buffer as it is.
    pub(crate) decoded: Option<Box<Decoded>>,
}

/// A value that had to be decoded first.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// How, from the outside in, joined by `!/`.
    pub way: String,
    pub value: Vec<u8>,
}

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [redacted]", self.way)
    }
}

/// What made a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchKind {
    /// A rule, by its place in [`Engine::rules`].
    Rule(usize),
    /// The generic rule: a suspicious name with a value. Last in order, because every other
    /// rule knows more.
    Assignment,
}

/// All rules, compiled for one pass.
pub struct Engine {
    rules: Vec<Rule>,
    prefilter: Prefilter,
    /// For each keyword the rules that have it.
    keyword_rules: Vec<Vec<u32>>,
    /// For each keyword whether it makes a name suspicious.
    assignments: Vec<bool>,
    /// Rules that are tried on every byte.
    anywhere: Vec<usize>,
    /// Rules that only look at paths.
    by_path: Vec<usize>,
}

/// Most matches reported from one buffer: a file made of tokens must not fill the memory.
const MAX_MATCHES: usize = 10_000;

impl Engine {
    /// Compiles rules. Patterns are compiled when first needed.
    pub fn new(rules: Vec<Rule>) -> Engine {
        let mut keywords: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (number, rule) in (0u32..).zip(&rules) {
            for keyword in &rule.keywords {
                let rules = keywords.entry(keyword.to_ascii_lowercase()).or_default();
                if rules.last() != Some(&number) {
                    rules.push(number);
                }
            }
        }
        for keyword in assignment::KEYWORDS {
            keywords.entry((*keyword).to_owned()).or_default();
        }
        let prefilter = Prefilter::new(keywords.keys().map(String::as_bytes));
        let assignments = keywords
            .keys()
            .map(|k| assignment::KEYWORDS.contains(&k.as_str()))
            .collect();
        let numbers = |wanted: fn(&Rule) -> bool| {
            let all = rules.iter().enumerate();
            all.filter(|(_, rule)| wanted(rule))
                .map(|(number, _)| number)
                .collect()
        };
        Engine {
            anywhere: numbers(|rule| rule.anywhere && !rule.pattern.is_empty()),
            by_path: numbers(|rule| rule.pattern.is_empty()),
            rules,
            prefilter,
            assignments,
            keyword_rules: keywords.into_values().collect(),
        }
    }

    /// The rules back.
    pub(crate) fn into_rules(self) -> Vec<Rule> {
        self.rules
    }

    /// Rules that a file meets by its path alone.
    pub fn by_path(&self, path: &str) -> impl Iterator<Item = usize> {
        self.by_path.iter().copied().filter(move |&number| {
            let patterns = self.rules.get(number).and_then(Rule::compiled);
            patterns
                .and_then(|patterns| patterns.path.as_ref())
                .is_some_and(|pattern| pattern.is_match(path.as_bytes()))
        })
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Finds the secrets of a buffer, sorted by place; of several that overlap the one of the
    /// first rule in order.
    ///
    /// `quotes` says whether the generic rule takes bare values, which the caller knows from
    /// the file's name.
    pub fn scan(&self, haystack: &[u8], quotes: Quotes) -> Vec<Match> {
        self.scan_at(haystack, quotes, None)
    }

    /// The same for a file at `path`, without a leading slash, which some rules ask for. Texts
    /// in UTF-16, base64 and other clothes are decoded and searched too.
    pub fn scan_at(&self, haystack: &[u8], quotes: Quotes, path: Option<&str>) -> Vec<Match> {
        let mut matches = self.plain(haystack, quotes, path);
        self.decoded(haystack, quotes, path, decode::DEPTH, &mut matches);
        matches.sort_by_key(|found| (found.range.start, found.kind, found.range.end));
        drop_overlapped(matches)
    }

    /// Adds what stands in encoded texts.
    fn decoded(
        &self,
        haystack: &[u8],
        quotes: Quotes,
        path: Option<&str>,
        depth: u32,
        out: &mut Vec<Match>,
    ) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        decode::texts(haystack, |decoded| {
            if out.len() >= MAX_MATCHES {
                return;
            }
            let quotes = match (decoded.how, quotes) {
                // The zeros of UTF-16 make a file look like a binary.
                ("utf-16", _) => path.map_or(Quotes::Required, quotes_of),
                (_, Quotes::Never) => Quotes::Never,
                _ if decoded.text.len() <= decode::CONFIGURATION_BYTES => Quotes::Optional,
                _ => Quotes::Required,
            };
            let mut inner = self.plain(&decoded.text, quotes, path);
            self.decoded(&decoded.text, quotes, path, depth, &mut inner);
            out.extend(inner.into_iter().map(|found| {
                let (way, value) = match found.decoded {
                    Some(deeper) => (format!("{}!/{}", decoded.how, deeper.way), deeper.value),
                    None => (
                        decoded.how.to_owned(),
                        decoded.text[found.range.clone()].to_vec(),
                    ),
                };
                Match {
                    range: decoded.place(&found.range),
                    kind: found.kind,
                    decoded: Some(Box::new(Decoded { way, value })),
                }
            }));
        });
    }

    /// What stands in the bytes as they are, in no order.
    fn plain(&self, haystack: &[u8], quotes: Quotes, path: Option<&str>) -> Vec<Match> {
        // For each rule the window that its keywords opened and that was not looked at yet.
        // Windows that touch become one, so that dense keywords cost one pass of the pattern.
        let mut open: Vec<Option<Range<usize>>> = Vec::new();
        let mut matches = Vec::new();
        self.prefilter.find(haystack, |hit| {
            if open.is_empty() {
                open = vec![None; self.rules.len()];
            }
            if self.assignments[hit.keyword]
                && matches.len() < MAX_MATCHES
                && let Some(range) = assignment::value_at(haystack, hit.position, quotes)
            {
                matches.push(Match {
                    range,
                    kind: MatchKind::Assignment,
                    decoded: None,
                });
            }
            for &number in &self.keyword_rules[hit.keyword] {
                let number = number as usize;
                if !self.is_promising(number, hit, haystack) {
                    continue;
                }
                let window = self.window(number, hit, haystack.len());
                match &mut open[number] {
                    // Hits come in order up to one byte, so a window never grows to the left.
                    Some(former) if window.start <= former.end => {
                        former.end = former.end.max(window.end);
                    }
                    slot => {
                        if let Some(former) = slot.replace(window) {
                            self.look(haystack, former, number, path, &mut matches);
                        }
                    }
                }
            }
        });
        for (number, window) in open.into_iter().enumerate() {
            if let Some(window) = window {
                self.look(haystack, window, number, path, &mut matches);
            }
        }
        for &number in &self.anywhere {
            self.look(haystack, 0..haystack.len(), number, path, &mut matches);
        }
        matches
    }

    /// The cheap conditions that keep common words from costing a pattern each time.
    fn is_promising(&self, rule: usize, hit: Hit, haystack: &[u8]) -> bool {
        let rule = &self.rules[rule];
        if rule.assigned && !assignment::is_assigned(haystack, hit.position) {
            return false;
        }
        let Some(needed) = rule.needs else {
            return true;
        };
        let end = hit.position.saturating_add(rule.after).min(haystack.len());
        let line = haystack[hit.position..end]
            .split(|b| *b == b'\n')
            .next()
            .unwrap_or_default();
        line.iter().any(|b| char::from(*b) == needed)
    }

    fn window(&self, rule: usize, hit: Hit, len: usize) -> Range<usize> {
        let rule = &self.rules[rule];
        let end = hit.position.saturating_add(rule.after).min(len);
        hit.position.saturating_sub(rule.before)..end
    }

    /// Tries a rule's pattern in a window.
    fn look(
        &self,
        haystack: &[u8],
        window: Range<usize>,
        number: usize,
        path: Option<&str>,
        out: &mut Vec<Match>,
    ) {
        let rule = &self.rules[number];
        let Some(patterns) = rule.compiled() else {
            return;
        };
        let Some(regex) = &patterns.regex else { return };
        let elsewhere = |wanted: &Regex| path.is_some_and(|path| !wanted.is_match(path.as_bytes()));
        if patterns.path.as_ref().is_some_and(elsewhere) {
            return;
        }
        // One byte more on the left, for `\b` to see; matches begin behind it.
        let base = window.start.saturating_sub(1);
        let text = &haystack[base..window.end];
        let mut at = window.start - base;
        while out.len() < MAX_MATCHES
            && at <= text.len()
            && let Some(captures) = regex.captures_at(text, at)
            && let Some(whole) = captures.get(0)
        {
            let value = rule.value(&captures).unwrap_or(whole);
            if Engine::accepts(rule, value.as_bytes())
                && !patterns.allows(text, &whole, value.as_bytes(), path)
            {
                let range = base + value.start()..base + value.end();
                out.push(Match {
                    range,
                    kind: MatchKind::Rule(number),
                    decoded: None,
                });
            }
            at = whole.end().max(whole.start() + 1);
        }
    }

    fn accepts(rule: &Rule, value: &[u8]) -> bool {
        rule.entropy.is_none_or(|floor| shannon(value) >= floor)
            && rule.check.passes(value)
            // Base64 of a key holds runs and words by chance, and a key that parses is one.
            && (rule.check == Check::PrivateKey || !is_placeholder(value))
    }
}

/// Of overlapping matches keeps the one whose rule comes first in the list: specific rules
/// stand before general ones.
fn drop_overlapped(matches: Vec<Match>) -> Vec<Match> {
    let mut kept: Vec<Match> = Vec::with_capacity(matches.len());
    for next in matches {
        match kept.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                if next.kind < last.kind {
                    *last = next;
                }
            }
            _ => kept.push(next),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> Engine {
        let rules = crate::rule::parse(
            r#"
            [[rule]]
            id = "test-token"
            summary = "a token"
            severity = "high"
            keywords = ["tok_"]
            pattern = '\btok_(?<secret>[A-Za-z0-9]{12})\b'
            reference = "https://example.com/"
            revoke = "nowhere"
            positive = ["tok_q8Zr2LmX0vTn"]
            negative = ["tok_short"]
            "#,
        );
        Engine::new(rules.unwrap())
    }

    fn values(text: &str, quotes: Quotes) -> Vec<(&str, MatchKind)> {
        engine()
            .scan(text.as_bytes(), quotes)
            .into_iter()
            .map(|found| (&text[found.range], found.kind))
            .collect()
    }

    #[test]
    fn a_specific_rule_beats_the_generic_one_on_the_same_value() {
        let text = "secret = 'tok_q8Zr2LmX0vTn'";
        assert_eq!(
            values(text, Quotes::Required),
            [("q8Zr2LmX0vTn", MatchKind::Rule(0))]
        );
        let text = "secret = 'q8Zr2LmX0vTn'";
        assert_eq!(
            values(text, Quotes::Required),
            [("q8Zr2LmX0vTn", MatchKind::Assignment)]
        );
    }

    #[test]
    fn what_is_encoded_is_found_with_its_value_and_its_way() {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let inner = format!(
            "key: {}",
            STANDARD.encode("the token is tok_q8Zr2LmX0vTn here")
        );
        let text = format!("data: {}", STANDARD.encode(inner));
        let found = engine().scan(text.as_bytes(), Quotes::Required);
        assert_eq!(found.len(), 1);
        let decoded = found[0].decoded.as_ref().unwrap();
        assert_eq!(decoded.way, "base64!/base64");
        assert_eq!(decoded.value, b"q8Zr2LmX0vTn");
        assert!(!format!("{found:?}").contains("q8Zr"));
    }

    #[test]
    fn every_match_of_dense_keywords_is_found_once() {
        let text = "tok_q8Zr2LmX0vTn ".repeat(500);
        assert_eq!(values(&text, Quotes::Required).len(), 500);
    }
}
