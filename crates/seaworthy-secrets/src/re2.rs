//! Patterns in the dialect of Go's `regexp` (RE2) in the words of the `regex` crate.
//!
//! Both are automata without look-around; what differs is small (pkg.go.dev/regexp/syntax
//! against docs.rs/regex): `\<` and `\>` are plain characters in Go, `\Q…\E` quotes, a brace
//! that counts nothing is a plain one, and in a class `[`, `&&`, `--` and `~~` mean nothing.
//! Unicode classes are not there, because secrets are matched as bytes.

/// Translates a pattern. What the `regex` crate refuses then, it has to say itself.
///
/// # Errors
///
/// What neither dialect can share, in a few words.
pub fn translate(pattern: &str) -> Result<String, String> {
    let text: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut at = 0;
    let mut in_class = false;
    let mut class_start = 0;
    while let Some(&c) = text.get(at) {
        let next = text.get(at + 1).copied();
        match c {
            '\\' => match next {
                None => return Err("it ends with a backslash".to_owned()),
                Some('Q') => {
                    at += 2;
                    while let Some(&quoted) = text.get(at) {
                        if quoted == '\\' && text.get(at + 1) == Some(&'E') {
                            break;
                        }
                        if quoted.is_ascii_punctuation() {
                            out.push('\\');
                        }
                        out.push(quoted);
                        at += 1;
                    }
                    at += 2;
                    continue;
                }
                Some('E') => at += 2,
                Some('p' | 'P') => return Err("it uses a Unicode class".to_owned()),
                Some('C') => return Err("it uses `\\C`".to_owned()),
                Some(plain @ ('<' | '>')) => {
                    out.push(plain);
                    at += 2;
                }
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                    at += 2;
                }
            },
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                at += 1;
                if text.get(at) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
                class_start = at;
                // A bracket that comes first is a member.
                if text.get(at) == Some(&']') {
                    out.push_str("\\]");
                    at += 1;
                }
            }
            '[' if next == Some(':') => {
                let rest: String = text[at..].iter().take(16).collect();
                match rest.find(":]") {
                    Some(end) => {
                        out.push_str(&rest[..end + 2]);
                        at += end + 2;
                    }
                    None => {
                        out.push_str("\\[");
                        at += 1;
                    }
                }
            }
            '[' => {
                out.push_str("\\[");
                at += 1;
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
                at += 1;
            }
            '&' | '~' if in_class && next == Some(c) => {
                out.push('\\');
                out.push(c);
                at += 1;
            }
            // The first member, or the end of a range.
            '-' if in_class && next == Some('-') && at == class_start => {
                out.push_str("\\-");
                at += 1;
            }
            '-' if in_class && next == Some('-') => {
                out.push_str("-\\-");
                at += 2;
            }
            '{' if !in_class && !is_count(&text[at..]) => {
                out.push_str("\\{");
                at += 1;
            }
            '}' if !in_class && !closes_count(&text[..at]) => {
                out.push_str("\\}");
                at += 1;
            }
            _ => {
                out.push(c);
                at += 1;
            }
        }
    }
    Ok(out)
}

/// `{2}`, `{2,}`, `{2,5}`.
fn is_count(text: &[char]) -> bool {
    let Some(end) = text.iter().take(16).position(|c| *c == '}') else {
        return false;
    };
    let inner: String = text[1..end].iter().collect();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match inner.split_once(',') {
        None => is_number(&inner),
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
    }
}

fn closes_count(before: &[char]) -> bool {
    let start = before.len().saturating_sub(16);
    before[start..]
        .iter()
        .rposition(|c| *c == '{')
        .is_some_and(|open| {
            let mut text = before[start + open..].to_vec();
            text.push('}');
            is_count(&text)
        })
}

#[cfg(test)]
mod tests {
    use regex::bytes::RegexBuilder;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, matches: &str, refuses: &str) {
        let ours = translate(pattern).unwrap();
        let regex = RegexBuilder::new(&ours).unicode(false).build().unwrap();
        assert!(regex.is_match(matches.as_bytes()), "{pattern} as {ours}");
        assert!(!regex.is_match(refuses.as_bytes()), "{pattern} as {ours}");
    }

    #[test]
    fn what_go_writes_otherwise_means_the_same() {
        check(r"^\<a\>$", "<a>", "a");
        check(r"^\Qa.b{\E$", "a.b{", "axb{");
        check(r"^{{ x }}$", "{{ x }}", "x");
        check(r"^a{2,3}{b}$", "aa{b}", "a{b}");
        check(r"^[[a]+$", "[a", "b");
        check(r"^[]a]+$", "a]", "b");
        check(r"^[a&&b~~]+$", "a&b~", "c");
        check(r"^[+--]+$", "+,-", "a");
        check(r"^[[:alnum:]_-]{3}$", "a1_", "a!_");
        check(
            r#"(?i)(?:x)(?:[\s'"]{0,5})(?:=|:=)(?P<v>[a-z\-_\/]+)"#,
            "X =a",
            "x",
        );
    }

    #[test]
    fn what_can_not_be_said_here_is_an_error() {
        assert!(translate(r"\p{Greek}").is_err());
        assert!(translate("a\\").is_err());
    }
}
