//! The report for people, on a terminal.
//!
//! The first screen answers what a person came for: the verdict and why, what was looked
//! at, how much there is and what to do first. Then malware, secrets, findings by package, those
//! with a fix first, and what could not be judged. Severity is always a word, and what fails has a
//! mark; colour only repeats them.

mod findings;
mod head;
mod malware;
mod rest;
mod secrets;

use std::io::{self, Write};

pub(crate) use malware::started;

use anstyle::{AnsiColor, Style};

use crate::{RenderOptions, Report, Severity};

/// Writes the report.
pub(crate) fn write(
    report: &Report,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let pen = Pen {
        width: options.width.clamp(40, 200),
        colour: options.colour,
        unicode: options.unicode,
        details: options.details,
    };
    head::write(report, &pen, out)?;
    malware::write(report, &pen, out)?;
    secrets::write(report, &pen, out)?;
    findings::write(report, &pen, out)?;
    rest::write(report, &pen, out)
}

/// How to put things on this terminal.
pub(crate) struct Pen {
    pub width: usize,
    pub colour: bool,
    pub unicode: bool,
    pub details: bool,
}

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default().bold();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

impl Pen {
    /// The text in a style, where the terminal wants colours.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// One of two texts: for terminals with more than ASCII, and for the others.
    pub fn glyph(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }

    /// Between parts of one line.
    pub fn dot(&self) -> &'static str {
        self.glyph(" · ", " - ")
    }

    /// A heading on a line of its own, with an empty line before it.
    pub fn heading(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{}", self.paint(BOLD, text))
    }

    /// Wrapped text with a hanging indent.
    pub fn paragraph(&self, first: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
        use unicode_width::UnicodeWidthStr;
        let indent = first.width();
        let lines = crate::text::wrap(text, self.width.saturating_sub(indent).max(20));
        for (i, line) in lines.iter().enumerate() {
            if i == 0 {
                writeln!(out, "{first}{line}")?;
            } else {
                writeln!(out, "{:indent$}{line}", "")?;
            }
        }
        Ok(())
    }
}

/// The style that repeats a severity.
pub(crate) fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Critical => RED,
        Severity::High => AnsiColor::Red.on_default(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low => AnsiColor::Cyan.on_default(),
        Severity::Negligible => DIM,
        Severity::Unknown => AnsiColor::Magenta.on_default(),
    }
}

/// `1 layer`, `2 layers`.
pub(crate) fn counted(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
