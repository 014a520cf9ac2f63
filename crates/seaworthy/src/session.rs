//! What all commands share: the terminal, the folders, the clock and the wish to stop.

use std::io::{IsTerminal, Write};

use jiff::Timestamp;
use seaworthy_engine::{Cancel, Folders};
use seaworthy_report::RenderOptions;

use crate::cli::{Colour, TerminalArgs};

/// Exit status of a program that was told to stop (128 + SIGINT).
pub const CANCELLED: u8 = 130;

pub struct Session {
    pub quiet: bool,
    pub verbose: bool,
    pub folders: Folders,
    pub now: Timestamp,
    colour: Colour,
    cancel: Cancel,
}

impl Session {
    pub fn new(args: &TerminalArgs) -> Session {
        Session {
            quiet: args.quiet,
            verbose: args.verbose,
            folders: Folders::from_environment(),
            now: Timestamp::now(),
            colour: args.color,
            cancel: Cancel::default(),
        }
    }

    /// The wish to stop, which Ctrl-C and SIGTERM set from here on. A second one ends the
    /// process at once.
    pub fn cancel_on_signals(&self) -> &Cancel {
        let cancel = self.cancel.clone();
        let installed = ctrlc::set_handler(move || {
            if cancel.is_cancelled() {
                std::process::exit(i32::from(CANCELLED));
            }
            cancel.cancel();
        });
        if let Err(error) = installed {
            self.warn(&format!("cannot listen for Ctrl-C: {error}"));
        }
        &self.cancel
    }

    /// A remark on standard error, unless nobody wants any.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            // Standard error may be closed; there is nobody left to tell.
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// A remark for `--verbose`.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// Something that went wrong and ends nothing.
    pub fn warn(&self, text: &str) {
        self.say(&format!("warning: {text}"));
    }

    /// How things look on standard output, or in a file.
    pub fn render_options(&self, to_file: bool) -> RenderOptions {
        let stdout = std::io::stdout();
        let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| width.0);
        let wanted = match self.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        };
        RenderOptions {
            width: match width {
                Some(width) if !to_file && width > 0 => usize::from(width),
                _ => columns_variable().unwrap_or(80),
            },
            colour: wanted && !to_file,
            unicode: to_file || speaks_unicode(),
            details: false,
        }
    }

    /// Whether progress can be drawn.
    pub fn draws_progress(&self) -> bool {
        !self.quiet && !self.verbose && std::io::stderr().is_terminal()
    }
}

/// `COLUMNS`, where a shell or a test set it.
fn columns_variable() -> Option<usize> {
    std::env::var("COLUMNS")
        .ok()?
        .parse()
        .ok()
        .filter(|columns| *columns > 0)
}

/// Whether the locale (the first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set; POSIX,
/// section 8.2) is a UTF-8 one. Unset says nothing: nearly every terminal is.
fn speaks_unicode() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
}
