//! What YARA rules match: ours, and those the user brings.

use seaworthy_core::{DetectionEngine, DetectionEvidence, EvidenceItem, Meta, ProblemKind};
use seaworthy_signatures::yara::{RuleEngine, YaraFile};

use super::Engine;
use super::examine::Room;
use crate::Sink;

/// The row of the list of engines.
pub const ENGINE: Engine = Engine {
    meta: Meta {
        id: "yara",
        revision: 2,
        summary: "Malware that YARA rules know, ours and those of the user, in every file",
        references: &["https://yara.readthedocs.io/en/stable/writingrules.html"],
    },
    revision: |tools| Some(tools.yara.as_ref()?.revision()),
};

/// Looks at a whole file or member, which is called `path`.
pub(super) fn look(
    rules: &dyn RuleEngine,
    path: &str,
    inside: Option<&str>,
    bytes: &[u8],
    room: &mut Room,
    sink: &mut Sink,
) {
    let file = YaraFile {
        path,
        ..YaraFile::default()
    };
    let scan = rules.scan(bytes, &file);
    for found in scan.matches {
        room.push(
            &found.rule.clone(),
            EvidenceItem::Detection(DetectionEvidence {
                engine: DetectionEngine::Yara,
                name: found.rule,
                inside: inside.map(Into::into),
                note: found.note,
            }),
            sink,
        );
    }
    if scan.limited {
        let what = super::examine::place(inside);
        sink.problem(
            ProblemKind::LimitReached,
            format!("{what}YARA rules were not all tried to the end"),
        );
    }
}
