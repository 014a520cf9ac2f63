//! One file, given to every engine, with all that is packed in it.
//!
//! A file is unpacked once, and every member goes to the same engines as the file itself.
//! Passing a limit of unpacking makes the result incomplete. What is encrypted, damaged or packed
//! by a method that is not decoded is told as a notice and no more: language packages bring broken
//! archives as test data, and no image could be judged otherwise.

use std::collections::HashMap;

use seaworthy_core::{EvidenceItem, ProblemKind};
use seaworthy_signatures::heuristics::FileFacts;
use seaworthy_signatures::{Context, Digests};
use seaworthy_unpack::{Flow, Format, Incomplete, Member, Visitor, appended, unpack, upx};

use super::{clamd, heuristics, secrets, signatures, yara};
use crate::{FileMeta, Sink, Tools};

/// Items of one malware engine kept of one file: an archive of ten thousand copies is said well
/// enough by the first.
const MAX_FINDS: usize = 1000;
/// Places of one rule or signature kept of one file.
const MAX_PLACES: usize = 20;
/// Characters of a way into archives that are kept: names in hostile archives are long.
const MAX_INSIDE: usize = 1024;

/// Looks at a whole file with all engines that `tools` have, and at what is packed in it.
pub fn look(file: &FileMeta<'_>, bytes: &[u8], tools: &Tools, sink: &mut Sink) {
    let format = Format::of(bytes)
        .map(|format| (format, 0))
        .or_else(|| appended(bytes));
    let mut examiner = Examiner {
        file,
        tools,
        sink,
        rooms: Rooms::default(),
        secrets_room: secrets::Room::default(),
        allowed: Vec::new(),
        chain: Vec::new(),
        is_damaged: false,
    };
    let name = file.path.as_str();
    let is_container = matches!(format, Some((_, 0)));
    let facts = examiner.facts(None, file.entry.mode, bytes);
    let digests = match tools.heuristics {
        true => heuristics::digests(&facts, bytes, examiner.sink),
        false => Digests::default(),
    };
    let allowed = examiner.malware(&facts, None, digests, bytes);
    if let Some(tool) = &tools.clamd {
        clamd::look(tool, bytes, &mut examiner.rooms.clamd, examiner.sink);
    }
    if let Some((format, start)) = format {
        examiner.allowed.push(allowed);
        let packed = bytes.get(start..).unwrap_or_default();
        unpack(packed, format, &tools.unpack, &mut examiner);
    }
    // What an archive holds is searched member by member. Its raw bytes say something only where
    // that failed.
    if !is_container || examiner.is_damaged {
        examiner.secrets(name, None, bytes);
    }
    let rooms = [
        &examiner.rooms.heuristics,
        &examiner.rooms.signatures,
        &examiner.rooms.yara,
        &examiner.rooms.clamd,
    ];
    let is_full = rooms.iter().any(|room| room.is_full);
    let has_more_places = rooms.iter().any(|room| room.has_more_places);
    let secrets_room = examiner.secrets_room;
    if upx(bytes).is_some() {
        let message = "not looked into: packed with UPX, which is not unpacked";
        sink.problem(ProblemKind::Notice, message);
    }
    if is_full {
        let message = format!(
            "matches rules or signatures at more than {MAX_FINDS} places; the rest is not listed"
        );
        sink.problem(ProblemKind::LimitReached, message);
    }
    if has_more_places {
        let message = format!(
            "matches a rule or signature at more than {MAX_PLACES} places; those are enough"
        );
        sink.problem(ProblemKind::Notice, message);
    }
    secrets_room.tell(sink);
}

/// How much one engine may still say about a file. Each has its own, and each rule in it: what
/// matches a thousand times hides nothing but itself.
#[derive(Default)]
pub(super) struct Room {
    count: usize,
    by_name: HashMap<Box<str>, usize>,
    /// Whether something that may be new was left out.
    is_full: bool,
    /// Whether more places of what is reported already were left out.
    has_more_places: bool,
}

impl Room {
    /// Adds an item of the rule or signature as long as there is room.
    pub(super) fn push(&mut self, name: &str, item: EvidenceItem, sink: &mut Sink) {
        if self.count >= MAX_FINDS {
            self.is_full = true;
            return;
        }
        let places = self.by_name.entry(name.into()).or_default();
        if *places >= MAX_PLACES {
            self.has_more_places = true;
            return;
        }
        *places += 1;
        self.count += 1;
        sink.push(item);
    }
}

/// Room for each engine.
#[derive(Default)]
struct Rooms {
    heuristics: Room,
    signatures: Room,
    yara: Room,
    clamd: Room,
}

/// The start of a message about a member: its way, and nothing for the file itself.
pub(super) fn place(inside: Option<&str>) -> String {
    inside.map_or_else(String::new, |way| format!("`{}` inside: ", shortened(way)))
}

/// A way into archives, its end cut off where it is endless.
pub(super) fn shortened(way: &str) -> &str {
    &way[..way.floor_char_boundary(MAX_INSIDE)]
}

struct Examiner<'e> {
    file: &'e FileMeta<'e>,
    tools: &'e Tools,
    sink: &'e mut Sink,
    rooms: Rooms,
    secrets_room: secrets::Room,
    /// For the file and each member on the way to the current one: whether an allow list names it
    /// or one before it.
    allowed: Vec<bool>,
    /// The types of the containers on that way, as ClamAV calls them, the outermost first.
    chain: Vec<&'static str>,
    /// Whether the file itself could not be unpacked to its end.
    is_damaged: bool,
}

impl<'e> Examiner<'e> {
    fn facts<'f>(&self, inside: Option<&'f str>, mode: u32, bytes: &[u8]) -> FileFacts<'f>
    where
        'e: 'f,
    {
        FileFacts {
            path: self.file.path,
            inside,
            mode,
            uid: self.file.entry.uid,
            gid: self.file.entry.gid,
            size: bytes.len() as u64,
        }
    }

    /// Gives one file or member to the engines that look for malware. Returns whether an allow
    /// list names it.
    fn malware(
        &mut self,
        facts: &FileFacts<'_>,
        member: Option<&Member<'_>>,
        digests: Digests,
        bytes: &[u8],
    ) -> bool {
        if self.tools.heuristics {
            heuristics::look(facts, bytes, &mut self.rooms.heuristics, self.sink);
        }
        if self.allowed.last() == Some(&true) {
            return true;
        }
        let mut allowed = false;
        if let Some(set) = &self.tools.signatures {
            let chain: Vec<&str> = self.chain.iter().rev().copied().collect();
            let context = Context {
                chain: &chain,
                member: member.map(|member| seaworthy_signatures::Member {
                    name: member.name.as_bytes(),
                    size: Some(facts.size),
                    ..seaworthy_signatures::Member::default()
                }),
                digests,
                ..Context::default()
            };
            let room = &mut self.rooms.signatures;
            allowed = signatures::look(set, facts.inside, bytes, &context, room, self.sink);
        }
        if let Some(rules) = &self.tools.yara
            && !allowed
        {
            let name = facts.inside.unwrap_or(facts.path.as_str());
            let room = &mut self.rooms.yara;
            yara::look(&**rules, name, facts.inside, bytes, room, self.sink);
        }
        allowed
    }

    fn secrets(&mut self, name: &str, inside: Option<&str>, bytes: &[u8]) {
        if let Some(scanner) = &self.tools.secrets {
            let room = &mut self.secrets_room;
            secrets::look(scanner, name, inside, bytes, room, self.sink);
        }
    }
}

impl Visitor for Examiner<'_> {
    fn enter(&mut self, member: &Member<'_>, bytes: &[u8]) -> Flow {
        let inside = Some(shortened(member.inside));
        // As many levels as lie above this one.
        self.allowed.truncate(usize::from(member.depth));
        let facts = self.facts(inside, member.mode.unwrap_or(0o644), bytes);
        self.chain
            .truncate(usize::from(member.depth).saturating_sub(1));
        self.chain.push(member.container.clamav_type());
        let allowed = self.malware(&facts, Some(member), Digests::default(), bytes);
        self.allowed.push(allowed);
        if Format::of(bytes).is_none() {
            self.secrets(member.name, inside, bytes);
        }
        Flow::Continue
    }

    fn incomplete(&mut self, inside: Option<&str>, why: &Incomplete) {
        self.is_damaged |= inside.is_none();
        let place = place(inside);
        match why {
            Incomplete::Limit(_) => self.sink.problem(
                ProblemKind::LimitReached,
                format!("{place}not unpacked to its end: {why}"),
            ),
            _ => self.sink.problem(
                ProblemKind::Notice,
                format!("{place}not looked into to its end: {why}"),
            ),
        }
    }
}
