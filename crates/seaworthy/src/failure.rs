//! How an error is told: one line that names the thing, and a hint that says what to do.

use std::io::Write;
use std::process::ExitCode;

use seaworthy_engine::EngineError;

use crate::session::{CANCELLED, Session};

/// Exit status for "nothing reliable to report".
const ERROR: u8 = 2;

/// Tells the error and gives the exit status for it.
pub fn report(error: &anyhow::Error, session: &Session) -> ExitCode {
    if is_cancelled(error) {
        session.say("cancelled");
        return ExitCode::from(CANCELLED);
    }
    let (message, hint) = words(error);
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let mut out = anstream::stderr();
    // Where standard error is closed there is nobody left to tell; the status still says it.
    let _ = writeln!(out, "{red}error{red:#}: {message}");
    if let Some(hint) = hint {
        let _ = writeln!(out, "  hint: {hint}");
    }
    ExitCode::from(ERROR)
}

fn is_cancelled(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(EngineError::Cancelled)))
}

/// The message with all its causes on one line, and the outermost hint. A message may
/// carry its own hint behind `\n  hint: `.
fn words(error: &anyhow::Error) -> (String, Option<String>) {
    let mut hint: Option<String> = None;
    let mut parts: Vec<String> = Vec::new();
    let mut note = |text: String, own_hint: Option<&str>| {
        let (message, inline) = match text.split_once("\n  hint: ") {
            Some((message, inline)) => (message, Some(inline)),
            None => (text.as_str(), None),
        };
        if hint.is_none() {
            hint = own_hint.or(inline).map(clean);
        }
        let message = clean(message);
        // Some sources repeat what wraps them.
        if !parts
            .last()
            .is_some_and(|before| before.ends_with(&message))
        {
            parts.push(message);
        }
    };
    for cause in error.chain() {
        let engine = cause.downcast_ref::<EngineError>();
        note(cause.to_string(), engine.and_then(EngineError::hint));
        if let Some(EngineError::Image(image)) = engine {
            let mut inner = std::error::Error::source(image);
            while let Some(cause) = inner {
                note(cause.to_string(), None);
                inner = cause.source();
            }
        }
    }
    (parts.join(": "), hint)
}

/// Foreign text inside a message can't play tricks with the terminal; line breaks stay.
fn clean(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| seaworthy_report::printable(line).into_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn causes_stand_on_one_line_and_the_outermost_hint_below() {
        let error = Err::<(), _>(anyhow!("no such file\n  hint: inner"))
            .context("cannot read `a`\n  hint: outer")
            .unwrap_err();
        assert_eq!(
            words(&error),
            ("cannot read `a`: no such file".into(), Some("outer".into()))
        );
    }

    #[test]
    fn the_hint_of_an_image_error_is_told_once() {
        let image = seaworthy_image::ImageError::new("cannot open `x\x1b`")
            .hint("try `y`")
            .caused_by("connection refused");
        let error = anyhow::Error::new(EngineError::Image(image));
        assert_eq!(
            words(&error),
            (
                "cannot open `x\\u{1b}`: connection refused".into(),
                Some("try `y`".into())
            )
        );
    }
}
