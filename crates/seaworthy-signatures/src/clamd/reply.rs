//! What a daemon answers: one line each, from a program that may be anything.

/// Most bytes of a name that are kept.
const MAX_NAME: usize = 512;

/// An answer to a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing was found.
    Clean,
    /// The name of what was found.
    Found(String),
    /// Not, or not wholly, scanned; with the daemon's words.
    Failed(String),
}

impl Reply {
    /// Reads a line without its end: `stream: OK`, `fd[9]: Name FOUND`,
    /// `INSTREAM size limit exceeded. ERROR`. In a session lines begin with the number of the
    /// command, which has to be the one expected. What is not understood is a failure.
    pub fn parse(line: &[u8], number: Option<u32>) -> Reply {
        let line = String::from_utf8_lossy(line);
        let mut text = line.trim();
        if let Some(number) = number {
            let rest = text
                .split_once(':')
                .filter(|(digits, _)| *digits == number.to_string());
            let Some((_, rest)) = rest else {
                // A stream that is too long may be told of outside the session's numbers.
                if let Some(reason) = text.strip_suffix(" ERROR") {
                    return Reply::Failed(printable(reason));
                }
                return Reply::Failed(format!("an answer to nothing asked: {}", printable(text)));
            };
            text = rest.trim_start();
        }
        if let Some(answer) = text.strip_suffix(" FOUND") {
            let name = answer.split_once(": ").map_or("", |(_, name)| name).trim();
            // With more detail switched on, digest and size follow in parentheses.
            let name = match name.rsplit_once('(') {
                Some((before, detail)) if detail.ends_with(')') && detail.contains(':') => before,
                _ => name,
            };
            return match name {
                "" => Reply::Failed(format!("an unknown answer: {}", printable(text))),
                // Not malware, but the daemon's way to say that it stopped looking.
                limit if limit.starts_with("Heuristics.Limits.Exceeded") => Reply::Failed(format!(
                    "a limit of the daemon was reached: {}",
                    printable(limit)
                )),
                name => Reply::Found(printable(name)),
            };
        }
        match text.strip_suffix(" ERROR") {
            Some(reason) => Reply::Failed(printable(reason)),
            None if text.ends_with(": OK") => Reply::Clean,
            None => Reply::Failed(format!("an unknown answer: {}", printable(text))),
        }
    }
}

/// Engine and database of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClamdVersion {
    /// The engine, as `ClamAV 1.4.3`.
    pub engine: String,
    /// Number of the daily database; none where only databases without numbers are loaded.
    pub database: Option<u64>,
    /// The whole line.
    pub text: String,
}

impl ClamdVersion {
    /// Reads `ClamAV 1.4.3/27500/Mon Nov 24 08:00:00 2026`; none for what is no such line.
    pub fn parse(line: &[u8]) -> Option<ClamdVersion> {
        let line = String::from_utf8_lossy(line);
        let text = line.trim();
        if !text.starts_with("ClamAV ") {
            return None;
        }
        let mut parts = text.split('/');
        Some(ClamdVersion {
            engine: printable(parts.next()?),
            database: parts.next().and_then(|number| number.parse().ok()),
            text: printable(text),
        })
    }
}

/// Without control characters, and not endless.
fn printable(text: &str) -> String {
    let mut kept = String::new();
    for character in text.chars() {
        if kept.len() >= MAX_NAME {
            kept.push('…');
            break;
        }
        kept.push(if character.is_control() {
            '?'
        } else {
            character
        });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_clean_only_if_they_say_so() {
        let failed = |line: &str, number| match Reply::parse(line.as_bytes(), number) {
            Reply::Failed(reason) => reason,
            other => format!("{other:?}"),
        };
        let found = |name: &str| Reply::Found(name.to_owned());
        assert_eq!(Reply::parse(b"stream: OK", None), Reply::Clean);
        assert_eq!(Reply::parse(b"1: stream: OK", Some(1)), Reply::Clean);
        assert_eq!(
            Reply::parse(b"7: fd[9]: A.B-1 FOUND", Some(7)),
            found("A.B-1")
        );
        assert_eq!(
            Reply::parse(b"stream: A.B-1(44d8:68) FOUND", None),
            found("A.B-1")
        );
        assert_eq!(
            Reply::parse(b"stream: A\x1b[2J FOUND", None),
            found("A?[2J")
        );
        assert_eq!(
            failed("INSTREAM size limit exceeded. ERROR", None),
            "INSTREAM size limit exceeded."
        );
        assert_eq!(
            failed("stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND", None),
            "a limit of the daemon was reached: Heuristics.Limits.Exceeded.MaxFileSize"
        );
        assert_eq!(
            failed("2: stream: OK", Some(1)),
            "an answer to nothing asked: 2: stream: OK"
        );
        for line in [
            "",
            "OK",
            "stream:OK",
            "stream: OK?",
            "FOUND",
            "stream:  FOUND",
            "PONG",
        ] {
            assert!(
                failed(line, None).starts_with("an unknown answer: "),
                "{line}"
            );
        }
        assert!(failed(&"x".repeat(100_000), None).len() < 1000);
    }

    #[test]
    fn versions_have_an_engine_and_perhaps_a_database() {
        let parse = |line: &str| ClamdVersion::parse(line.as_bytes());
        let full = parse("ClamAV 1.4.3/27500/Mon Nov 24 08:00:00 2026").unwrap();
        assert_eq!(
            (full.engine.as_str(), full.database),
            ("ClamAV 1.4.3", Some(27500))
        );
        assert_eq!(parse("ClamAV 1.4.3").unwrap().database, None);
        assert_eq!(parse("UNKNOWN COMMAND"), None);
    }
}
