//! The instructions of a Dockerfile (docs.docker.com/reference/dockerfile): keyword, flags,
//! arguments, here-documents, lines and stage.
//!
//! As BuildKit's parser does it: lines that end with the escape character go on, comment lines
//! and empty lines inside such an instruction are skipped, the escape character is that of the
//! `# escape=` directive at the top, and `<<WORD` in RUN, COPY and ADD takes the lines up to
//! `WORD`. Everything that is no instruction gives a problem and no stop: a file is read to
//! its end. Left out: expansion of variables, and the grammar of each instruction's arguments
//! but for names and values of ENV, ARG and LABEL.

/// Instructions of one file; what comes behind is not read.
const MAX_INSTRUCTIONS: usize = 10_000;
/// Bytes of one file.
const MAX_BYTES: usize = 4 << 20;
/// Here-documents of one instruction.
const MAX_HEREDOCS: usize = 32;

/// A Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dockerfile {
    /// Its instructions, in order.
    pub instructions: Vec<Instruction>,
    /// What could not be understood: line, counted from 1, and words.
    pub problems: Vec<(u64, String)>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its keyword in capitals: `RUN`.
    pub keyword: String,
    /// `--name=value` before the arguments; without `=` the value is empty.
    pub flags: Vec<(String, String)>,
    /// The arguments on one line: continuations joined, comments left out.
    pub arguments: String,
    /// The lines of its here-documents.
    pub heredocs: Vec<Heredoc>,
    /// Its first line, counted from 1.
    pub line: u64,
    /// Its last line.
    pub last_line: u64,
    /// The stage it belongs to, counted from 0; `None` before the first FROM.
    pub stage: Option<u32>,
}

/// A here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it.
    pub word: String,
    /// Its first line, counted from 1.
    pub line: u64,
    /// Its text, line breaks included.
    pub text: String,
}

const KEYWORDS: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Reads a Dockerfile.
pub fn parse(text: &str) -> Dockerfile {
    let mut file = Dockerfile::default();
    let text = match text.char_indices().nth(MAX_BYTES) {
        Some((end, _)) => {
            file.problems
                .push((1, format!("only the first {MAX_BYTES} characters are read")));
            &text[..end]
        }
        None => text,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = escape_of(text);
    let mut lines = (1_u64..).zip(text.lines());
    let mut stage: Option<u32> = None;
    while let Some((line, first)) = lines.next() {
        let trimmed = first.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if file.instructions.len() >= MAX_INSTRUCTIONS {
            let message =
                format!("more than {MAX_INSTRUCTIONS} instructions; the rest is not read");
            file.problems.push((line, message));
            break;
        }
        let mut whole = String::new();
        let mut last_line = line;
        let mut part = first.trim_start();
        loop {
            let end = part.trim_end();
            let Some(joined) = end.strip_suffix(escape) else {
                whole.push_str(end);
                break;
            };
            whole.push_str(joined);
            let next = lines.by_ref().find(|(_, next)| {
                let next = next.trim();
                !next.is_empty() && !next.starts_with('#')
            });
            let Some((number, next)) = next else { break };
            last_line = number;
            part = next;
        }
        let (word, rest) = whole
            .split_once(char::is_whitespace)
            .unwrap_or((&whole, ""));
        let keyword = word.to_ascii_uppercase();
        if !KEYWORDS.contains(&keyword.as_str()) {
            let shown: String = word.chars().take(32).collect();
            file.problems.push((
                line,
                format!("`{}` is no instruction", shown.escape_debug()),
            ));
            continue;
        }
        if keyword == "FROM" {
            stage = Some(stage.map_or(0, |stage| stage.saturating_add(1)));
        }
        let (flags, arguments) = flags(rest.trim_start());
        let mut heredocs = Vec::new();
        if matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
            for (word, strips_tabs) in heredoc_words(arguments) {
                let mut heredoc = Heredoc {
                    word,
                    line: last_line.saturating_add(1),
                    text: String::new(),
                };
                let mut ended = false;
                for (number, text) in lines.by_ref() {
                    last_line = number;
                    let bare = match strips_tabs {
                        true => text.trim_start_matches('\t'),
                        false => text,
                    };
                    if bare == heredoc.word {
                        ended = true;
                        break;
                    }
                    heredoc.text.push_str(text);
                    heredoc.text.push('\n');
                }
                if !ended {
                    let message = format!("the here-document `{}` has no end", heredoc.word);
                    file.problems.push((heredoc.line, message));
                }
                heredocs.push(heredoc);
            }
        }
        file.instructions.push(Instruction {
            keyword,
            flags,
            arguments: arguments.trim_end().to_owned(),
            heredocs,
            line,
            last_line,
            stage,
        });
    }
    file
}

/// The escape character: directives stand at the top, before anything else.
fn escape_of(text: &str) -> char {
    for line in text.lines() {
        let Some(comment) = line.trim().strip_prefix('#') else {
            break;
        };
        let Some((name, value)) = comment.split_once('=') else {
            break;
        };
        if name.trim().eq_ignore_ascii_case("escape") {
            return match value.trim() {
                "`" => '`',
                _ => '\\',
            };
        }
    }
    '\\'
}

fn flags(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut flags = Vec::new();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, behind) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.push((name.to_owned(), value.to_owned()));
        rest = behind.trim_start();
    }
    (flags, rest)
}

/// The words of `<<WORD`, `<<-WORD` and `<<"WORD"`, and whether tabs are cut.
fn heredoc_words(arguments: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    let mut rest = arguments;
    let mut before = ' ';
    while let Some(at) = rest.find("<<") {
        if words.len() >= MAX_HEREDOCS {
            break;
        }
        before = rest[..at].chars().next_back().unwrap_or(before);
        rest = &rest[at + 2..];
        // `<<<` is a here-string, `1<<2` in arithmetic a shift.
        if rest.starts_with('<') || before == '<' {
            rest = rest.trim_start_matches('<');
            before = '<';
            continue;
        }
        let strips_tabs = rest.starts_with('-');
        let start = rest.strip_prefix('-').unwrap_or(rest);
        let quote = start.chars().next().filter(|c| matches!(c, '"' | '\''));
        let start = quote.map_or(start, |_| &start[1..]);
        let end = start
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(start.len());
        let word = &start[..end];
        let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let is_free = before.is_whitespace()
            || matches!(before, ';' | '&' | '|' | '(')
            || before.is_ascii_digit();
        if is_word && is_free {
            words.push((word.to_owned(), strips_tabs));
        }
        before = '<';
    }
    words
}

impl Instruction {
    /// The names and values of ENV, ARG and LABEL: `NAME=value …`, or `NAME value` for one.
    /// Values are without quotes and not expanded; an ARG without a value has none.
    pub fn pairs(&self) -> Vec<(String, Option<String>)> {
        if !matches!(self.keyword.as_str(), "ENV" | "ARG" | "LABEL") {
            return Vec::new();
        }
        let words = words(&self.arguments);
        let is_old = self.keyword != "ARG" && words.first().is_some_and(|word| !word.contains('='));
        if is_old {
            let (name, value) = self
                .arguments
                .split_once(char::is_whitespace)
                .unwrap_or((&self.arguments, ""));
            return vec![(name.to_owned(), Some(value.trim().to_owned()))];
        }
        words
            .into_iter()
            .map(|word| match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (word, None),
            })
            .collect()
    }

    /// What COPY and ADD take, and where they put it: the words of the shell or the JSON form.
    pub fn sources_and_target(&self) -> Option<(Vec<String>, String)> {
        if !matches!(self.keyword.as_str(), "COPY" | "ADD") {
            return None;
        }
        let arguments = self.arguments.trim();
        let mut all = match arguments
            .strip_prefix('[')
            .and_then(|r| r.strip_suffix(']'))
        {
            Some(list) => list
                .split(',')
                .map(|word| word.trim().trim_matches('"').to_owned())
                .collect(),
            None => words(arguments),
        };
        let target = all.pop()?;
        Some((all, target))
    }

    /// The value of a flag.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Everything an instruction does, its here-documents included.
    pub fn text(&self) -> String {
        let mut text = self.arguments.clone();
        for heredoc in &self.heredocs {
            text.push('\n');
            text.push_str(&heredoc.text);
        }
        text
    }
}

/// Splits at blanks outside of quotes; quotes go, and a backslash keeps what follows.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut is_word = false;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                is_word = true;
            }
            (Some(open), _) if c == open => quote = None,
            (None | Some('"'), '\\') => {
                word.extend(letters.next());
                is_word = true;
            }
            (None, c) if c.is_whitespace() => {
                if is_word {
                    words.push(std::mem::take(&mut word));
                }
                is_word = false;
            }
            _ => {
                word.push(c);
                is_word = true;
            }
        }
    }
    if is_word {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = r#"# syntax=docker/dockerfile:1
# escape=\
ARG VERSION=12

FROM debian:${VERSION} AS build
ENV A=1 B="two words" \
    # a comment inside

    C=three
env OLD some value
RUN --mount=type=cache,target=/x --network=none apt-get update && \
    apt-get install -y curl
COPY --from=build --chown=1:1 ["a b", "/app/"]
RUN <<EOF cat > /x && sh <<-'END'
first
EOF
	second
	END
what is this
FROM scratch
COPY . /app
"#;

    #[test]
    fn instructions_have_flags_lines_stages_and_here_documents() {
        let file = parse(FILE);
        let shown: Vec<(&str, u64, u64, Option<u32>)> = file
            .instructions
            .iter()
            .map(|i| (i.keyword.as_str(), i.line, i.last_line, i.stage))
            .collect();
        assert_eq!(
            shown,
            [
                ("ARG", 3, 3, None),
                ("FROM", 5, 5, Some(0)),
                ("ENV", 6, 9, Some(0)),
                ("ENV", 10, 10, Some(0)),
                ("RUN", 11, 12, Some(0)),
                ("COPY", 13, 13, Some(0)),
                ("RUN", 14, 18, Some(0)),
                ("FROM", 20, 20, Some(1)),
                ("COPY", 21, 21, Some(1)),
            ]
        );
        assert_eq!(file.problems, [(19, "`what` is no instruction".to_owned())]);
        let run = &file.instructions[4];
        assert_eq!(run.flag("network"), Some("none"));
        assert_eq!(
            run.arguments,
            "apt-get update &&     apt-get install -y curl"
        );
        let texts: Vec<&str> = file.instructions[6]
            .heredocs
            .iter()
            .map(|h| h.text.as_str())
            .collect();
        assert_eq!(texts, ["first\n", "\tsecond\n"]);
    }

    #[test]
    fn names_values_and_sources_are_read() {
        let file = parse(FILE);
        let pair = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        assert_eq!(
            file.instructions[2].pairs(),
            [pair("A", "1"), pair("B", "two words"), pair("C", "three")]
        );
        assert_eq!(file.instructions[3].pairs(), [pair("OLD", "some value")]);
        assert_eq!(
            file.instructions[5].sources_and_target(),
            Some((vec!["a b".to_owned()], "/app/".to_owned()))
        );
        assert_eq!(
            parse("ARG TOKEN").instructions[0].pairs(),
            [("TOKEN".to_owned(), None)]
        );
    }

    #[test]
    fn the_escape_directive_counts_at_the_top_only() {
        let file = parse("# escape=`\nRUN dir `\n  C:\\\nUSER x\n");
        assert_eq!(file.instructions[0].arguments, "dir   C:\\");
        assert_eq!(file.instructions.len(), 2);
    }

    #[test]
    fn here_strings_and_shifts_are_no_here_documents() {
        for text in ["RUN cat <<< word\nUSER a", "RUN echo $((1<<2))\nUSER a"] {
            assert_eq!(parse(text).instructions.len(), 2, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_with_lines_in_order(text in r#"[RUNCOPYFM <#\n'"=\\-]{0,200}"#) {
            let mut last = 0;
            for instruction in parse(&text).instructions {
                prop_assert!(last < instruction.line && instruction.line <= instruction.last_line);
                last = instruction.line;
                let _ = (instruction.pairs(), instruction.sources_and_target());
            }
        }
    }
}
