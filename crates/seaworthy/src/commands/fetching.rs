//! How both updates, of advisories and of signatures, tell what they fetch.

use seaworthy_fetch::{Event, Outcome};
use seaworthy_report::printable;

use crate::progress::Progress;
use crate::session::Session;
use crate::size::format_size;

/// Says what is being fetched.
pub fn tell(event: &Event, progress: &Progress<'_>) {
    match event {
        Event::Started { name } => progress.say(&format!("fetching {name}")),
        Event::Bytes { name, done, total } => {
            let total =
                total.map_or_else(String::new, |total| format!(" of {}", format_size(total)));
            progress.replace(&format!("fetching {name}: {}{total}", format_size(*done)));
        }
        Event::Retrying {
            name,
            pause,
            reason,
        } => progress.say(&format!(
            "fetching {name}: trying again in {} s: {}",
            pause.as_secs(),
            printable(reason)
        )),
    }
}

/// Says how it went with each file, and how many failed.
pub fn tell_outcomes(files: &[(String, Outcome)], session: &Session) -> usize {
    let mut failed = 0;
    for (name, outcome) in files {
        match outcome {
            Outcome::Downloaded(bytes) => {
                session.detail(&format!("{name}: {} fetched", format_size(*bytes)));
            }
            Outcome::Unchanged => session.detail(&format!("{name}: unchanged")),
            Outcome::Absent => session.detail(&format!("{name}: no mirror has it")),
            Outcome::Failed(reason) => {
                failed += 1;
                session.warn(&format!("{name}: {}", clean(reason)));
            }
        }
    }
    failed
}

/// Foreign text can't play tricks with the terminal; a hint stays on its own line.
fn clean(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n")
}
