//! One file, given to every engine.

use seaworthy_core::{EvidenceItem, ProblemKind};
use seaworthy_signatures::Context;

use super::{secrets, signatures};
use crate::{FileMeta, Sink, Tools};

/// Items of malware engines kept of one file: an archive of ten thousand copies is said well
/// enough by the first.
const MAX_FINDS: usize = 1000;

/// Looks at a whole file.
pub(super) fn look(file: &FileMeta<'_>, bytes: &[u8], tools: &Tools, sink: &mut Sink) {
    let mut examiner = Examiner {
        tools,
        sink,
        finds_left: MAX_FINDS,
        secrets_left: secrets::MAX_SECRETS,
    };
    let name = file.path.as_str();
    examiner.content(name, None, None, bytes);
    if examiner.finds_left == 0 {
        let message = format!("matches {MAX_FINDS} signatures or more; the rest is not listed");
        sink.problem(ProblemKind::Notice, message);
    }
}

/// Adds an item as long as there is room.
pub(super) fn push(item: EvidenceItem, room: &mut usize, sink: &mut Sink) {
    if let Some(left) = room.checked_sub(1) {
        *room = left;
        sink.push(item);
    }
}

/// The start of a message about a member: its way, and nothing for the file itself.
pub(super) fn place(inside: Option<&str>) -> String {
    inside.map_or_else(String::new, |way| format!("`{way}` inside: "))
}

struct Examiner<'e> {
    tools: &'e Tools,
    sink: &'e mut Sink,
    finds_left: usize,
    secrets_left: usize,
}

impl Examiner<'_> {
    /// Gives one file or member to every engine. Returns whether an allow list names it.
    fn content(
        &mut self,
        name: &str,
        inside: Option<&str>,
        container: Option<&str>,
        bytes: &[u8],
    ) -> bool {
        if let Some(scanner) = &self.tools.secrets {
            secrets::look(
                scanner,
                name,
                inside,
                bytes,
                &mut self.secrets_left,
                self.sink,
            );
        }
        let Some(set) = &self.tools.signatures else {
            return false;
        };
        let context = Context {
            container,
            ..Context::default()
        };
        signatures::look(
            set,
            inside,
            bytes,
            &context,
            &mut self.finds_left,
            self.sink,
        )
    }
}
