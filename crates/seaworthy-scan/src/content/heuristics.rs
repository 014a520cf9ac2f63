//! What no signature knows: our own rules, and the digests that integrity is judged by.

use md5::Md5;
use seaworthy_core::{EvidenceItem, ExecutableEvidence, ExecutableKind, Meta};
use seaworthy_signatures::Digests;
use seaworthy_signatures::heuristics::{self, FileFacts};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::Engine;
use super::examine::Room;
use crate::Sink;

/// The row of the list of engines.
pub const ENGINE: Engine = Engine {
    meta: Meta {
        id: "malware-rules",
        revision: 2,
        summary: "Miners, backdoors, persistence, tampered and misplaced programs, by rules of our own",
        references: &["https://attack.mitre.org/matrices/enterprise/containers/"],
    },
    revision: |tools| tools.heuristics.then_some(heuristics::REVISION as u64),
};

/// Makes the digests of a program that lies where packages install, and says what it is.
pub(super) fn digests(file: &FileFacts<'_>, bytes: &[u8], sink: &mut Sink) -> Digests {
    let Some(kind) = heuristics::wants_digests(file, bytes) else {
        return Digests::default();
    };
    let digests = Digests {
        md5: Some(Md5::digest(bytes).into()),
        sha1: Some(Sha1::digest(bytes).into()),
        sha256: Some(Sha256::digest(bytes).into()),
    };
    sink.push(EvidenceItem::Executable(executable(file, kind, &digests)));
    digests
}

fn executable(file: &FileFacts<'_>, kind: ExecutableKind, digests: &Digests) -> ExecutableEvidence {
    let parts: [(&str, Option<&[u8]>); 3] = [
        ("md5", digests.md5.as_ref().map(<[u8; 16]>::as_slice)),
        ("sha1", digests.sha1.as_ref().map(<[u8; 20]>::as_slice)),
        ("sha256", digests.sha256.as_ref().map(<[u8; 32]>::as_slice)),
    ];
    ExecutableEvidence {
        kind,
        mode: file.mode,
        uid: file.uid,
        gid: file.gid,
        size: file.size,
        digests: parts
            .into_iter()
            .filter_map(|(name, digest)| Some(written(name, digest?).into()))
            .collect(),
    }
}

/// `algorithm:hex`.
fn written(name: &str, digest: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{name}:");
    for byte in digest {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Asks the rules about a file or member.
pub(super) fn look(file: &FileFacts<'_>, bytes: &[u8], room: &mut Room, sink: &mut Sink) {
    let mut seen = Vec::new();
    heuristics::examine(file, bytes, &mut seen);
    for item in seen {
        match &item {
            EvidenceItem::Suspicion(suspicion) => {
                let rule = suspicion.rule.clone();
                room.push(&rule, item, sink);
            }
            // One of each at most, of the file itself.
            _ => sink.push(item),
        }
    }
}
