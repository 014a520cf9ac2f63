//! A second opinion: the user's own ClamAV daemon. It unpacks by itself, so that it is asked about
//! outermost files only.

use seaworthy_core::{DetectionEngine, DetectionEvidence, EvidenceItem, Meta, ProblemKind};
use seaworthy_signatures::clamd::{Clamd, ClamdVerdict};

use super::Engine;
use super::examine::Room;
use crate::Sink;

/// The row of the list of engines.
pub const ENGINE: Engine = Engine {
    meta: Meta {
        id: "clamd",
        revision: 2,
        summary: "Malware that a ClamAV daemon of the user's knows, in every file of every layer",
        references: &["https://docs.clamav.net/manual/Usage/Scanning.html#clamd"],
    },
    revision: |tools| Some(tools.clamd.as_ref()?.revision),
};

/// A daemon that is asked.
pub struct ClamdTool {
    /// The daemon.
    pub clamd: Clamd,
    /// Its engine and databases when the scan began.
    pub revision: u64,
}

/// Asks about a whole file.
pub(super) fn look(tool: &ClamdTool, bytes: &[u8], room: &mut Room, sink: &mut Sink) {
    match tool.clamd.scan(bytes) {
        ClamdVerdict::Clean => {}
        ClamdVerdict::Found(name) => room.push(
            &name.clone(),
            EvidenceItem::Detection(DetectionEvidence {
                engine: DetectionEngine::Clamd,
                name,
                inside: None,
                note: "found by clamd".to_owned(),
            }),
            sink,
        ),
        ClamdVerdict::NotScanned(reason) => {
            sink.problem(ProblemKind::Unreadable, format!("not scanned: {reason}"));
        }
    }
}
