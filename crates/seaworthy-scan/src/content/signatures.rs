//! Malware that signatures in ClamAV's formats know.
//!
//! An allow list counts for whatever lies inside the file it names (as in ClamAV, which looks
//! every level of the chain up before it reports): nothing below an allowed level is reported.

use seaworthy_core::{DetectionEngine, DetectionEvidence, EvidenceItem, Meta, ProblemKind};
use seaworthy_signatures::{Context, Detection, DetectionKind, SignatureSet};

use super::Engine;
use super::examine::Room;
use crate::Sink;

/// The row of the list of engines.
pub const ENGINE: Engine = Engine {
    meta: Meta {
        id: "signatures",
        revision: 2,
        summary: "Malware that ClamAV signatures know, in every file of every layer",
        references: &["https://docs.clamav.net/manual/Signatures.html"],
    },
    revision: |tools| Some(tools.signatures.as_ref()?.revision()),
};

/// Looks at a whole file or member. Returns whether an allow list names it.
pub(super) fn look(
    set: &SignatureSet,
    inside: Option<&str>,
    bytes: &[u8],
    context: &Context<'_>,
    room: &mut Room,
    sink: &mut Sink,
) -> bool {
    let scan = set.scan(bytes, context);
    if scan.allowed.is_some() {
        return true;
    }
    for detection in scan.detections {
        room.push(
            &detection.name.clone(),
            EvidenceItem::Detection(DetectionEvidence {
                engine: DetectionEngine::Signatures,
                note: note(&detection),
                name: detection.name,
                inside: inside.map(Into::into),
            }),
            sink,
        );
    }
    if scan.limited {
        let what = super::examine::place(inside);
        sink.problem(
            ProblemKind::LimitReached,
            format!("{what}malware signatures were not all tried to the end"),
        );
    }
    false
}

fn note(detection: &Detection) -> String {
    let kind = match detection.kind {
        DetectionKind::FileHash => return "digest of the file".to_owned(),
        DetectionKind::SectionHash => "digest of a section",
        DetectionKind::Body => "body signature",
        DetectionKind::Logical => "logical signature",
    };
    let text = if detection.normalised {
        " of the normalised text"
    } else {
        ""
    };
    format!("{kind} at byte {}{text}", detection.offset)
}
