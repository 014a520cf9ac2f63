//! The walk: what is entered, how deep, and what it may cost.

use std::time::Instant;

use flate2::Decompress;

use crate::container;
use crate::format::{Format, appended};
use crate::limits::{Incomplete, Limit, Limits};
use crate::output::Output;
use crate::stream;

/// One file packed in another.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The way in from the outermost file, itself last, joined by `!/`
    /// (`data.tar.xz!/usr/bin/x`): what stands in a finding. A tar or cpio archive that is
    /// the content of a compressed file gives its own members no step of its own.
    pub inside: &'a str,
    /// Its name in its container, control characters escaped; `content` where there is none.
    pub name: &'a str,
    /// 1 for a member of the outermost file.
    pub depth: u8,
    /// What it lies in.
    pub container: Format,
    /// Permission and type bits, where the container has them.
    pub mode: Option<u32>,
    /// Whether these are all its bytes: if not, [`Visitor::incomplete`] says why, and the
    /// digest of the bytes is not the file's.
    pub complete: bool,
}

/// What to do after a member was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on; open it, if it is a container.
    Continue,
    /// Go on with its siblings; do not open it.
    SkipInside,
    /// End the whole unpacking.
    Stop,
}

/// Sees what is unpacked.
pub trait Visitor {
    /// Every regular file, a container before its members.
    fn enter(&mut self, member: &Member<'_>, bytes: &[u8]) -> Flow;

    /// After the members of an entered one, for all that were entered except where the walk
    /// was stopped.
    fn leave(&mut self, member: &Member<'_>) {
        let _ = member;
    }

    /// What could not be unpacked, or not to its end. `inside`: the member's way in, as
    /// [`Member::inside`]; `None` for the outermost file itself. Called a thousand times for
    /// one outermost file at most, and once more where a limit ends the walk: an archive can
    /// hold millions of broken entries, and is no less incomplete for the first thousand.
    fn incomplete(&mut self, inside: Option<&str>, why: &Incomplete);
}

/// Shows all that is packed in `bytes`, a file of `format`, to `visitor`. The file itself is
/// not entered: the caller has it.
pub fn unpack(bytes: &[u8], format: Format, limits: &Limits, visitor: &mut dyn Visitor) {
    let mut walk = Walk {
        limits,
        visitor,
        inside: String::new(),
        depth: 0,
        steps: 0,
        members: 0,
        reports: 0,
        total: 0,
        container: Budget::default(),
        // A time too far away to be one is none.
        deadline: limits
            .time
            .and_then(|time| Instant::now().checked_add(time)),
        inflater: Decompress::new(false),
    };
    // A stop has nobody left to tell.
    let _ = walk.open(bytes, format);
}

/// Why a reader of a container ended early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// This container can't be read further.
    Broken(Incomplete),
    /// Nothing is to be read further: the visitor's wish, or a limit that is reported already.
    Stop,
}

impl From<Incomplete> for Halt {
    fn from(why: Incomplete) -> Halt {
        Halt::Broken(why)
    }
}

pub(crate) type Step = Result<(), Halt>;

/// A member as its container describes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub container: Format,
    pub name: &'a str,
    pub mode: Option<u32>,
}

/// What the container that is being read may unpack to.
#[derive(Debug, Clone, Copy, Default)]
struct Budget {
    /// `Walk::total` when it was opened.
    before: u64,
    /// Bytes by its ratio.
    allowed: u64,
}

pub(crate) struct Walk<'v> {
    limits: &'v Limits,
    visitor: &'v mut dyn Visitor,
    inside: String,
    /// Containers that are open.
    depth: u8,
    /// The same, as [`Limits::depth`] counts.
    steps: u8,
    members: u64,
    reports: u32,
    /// Bytes unpacked.
    total: u64,
    container: Budget,
    deadline: Option<Instant>,
    /// Kept from member to member: making one costs more than most class files.
    pub inflater: Decompress,
}

/// Calls of [`Visitor::incomplete`] for one outermost file.
const MAX_REPORTS: u32 = 1000;

impl Walk<'_> {
    /// Reads a container at the current place.
    fn open(&mut self, bytes: &[u8], format: Format) -> Step {
        let outer = self.container;
        self.container = Budget {
            before: self.total,
            allowed: self.by_ratio(bytes.len()),
        };
        self.depth = self.depth.saturating_add(1);
        self.steps = self.steps.saturating_add(1);
        let read = if format.is_compressor() {
            stream::read(self, bytes, format)
        } else {
            container::read(self, bytes, format)
        };
        self.depth = self.depth.saturating_sub(1);
        self.steps = self.steps.saturating_sub(1);
        self.container = outer;
        match read {
            Err(Halt::Broken(why)) => {
                self.report(&why);
                Ok(())
            }
            done => done,
        }
    }

    fn by_ratio(&self, packed: usize) -> u64 {
        let packed = u64::try_from(packed).unwrap_or(u64::MAX);
        packed
            .saturating_mul(u64::from(self.limits.ratio))
            .max(self.limits.ratio_floor_bytes)
    }

    /// Says that the container being read is incomplete.
    pub fn report(&mut self, why: &Incomplete) {
        self.reports = self.reports.saturating_add(1);
        if self.reports > MAX_REPORTS {
            return;
        }
        self.tell(why);
    }

    fn tell(&mut self, why: &Incomplete) {
        let inside = (!self.inside.is_empty()).then_some(self.inside.as_str());
        self.visitor.incomplete(inside, why);
    }

    /// Says that a member of the container being read is incomplete.
    pub fn report_member(&mut self, name: &str, why: &Incomplete) {
        let mark = self.push(name);
        self.report(why);
        self.inside.truncate(mark);
    }

    fn push(&mut self, name: &str) -> usize {
        let mark = self.inside.len();
        if mark > 0 {
            self.inside.push_str("!/");
        }
        self.inside.push_str(name);
        mark
    }

    /// Ends everything because of a limit on everything.
    fn exhausted(&mut self, limit: Limit) -> Halt {
        self.tell(&Incomplete::Limit(limit));
        Halt::Stop
    }

    /// Fails when the time is over, for readers that skip much.
    pub fn check_time(&mut self) -> Step {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(self.exhausted(Limit::Time)),
            _ => Ok(()),
        }
    }

    /// A buffer for one member of `packed` bytes.
    pub fn output(&mut self, packed: usize) -> Result<Output, Halt> {
        self.bounded(packed, self.limits.member_bytes)
    }

    /// A buffer for what holds several members (a solid block, a package's payload), which
    /// only the total bounds.
    pub fn block_output(&mut self, packed: usize) -> Result<Output, Halt> {
        self.bounded(packed, u64::MAX)
    }

    fn bounded(&mut self, packed: usize, member_bytes: u64) -> Result<Output, Halt> {
        self.check_time()?;
        let total_left = self.limits.total_bytes.saturating_sub(self.total);
        if total_left == 0 {
            return Err(self.exhausted(Limit::TotalBytes));
        }
        let spent = self.total - self.container.before;
        let container_left = self.container.allowed.saturating_sub(spent);
        if container_left == 0 {
            return Err(Incomplete::Limit(Limit::Ratio).into());
        }
        let ratio = self.by_ratio(packed).min(container_left);
        let (cap, why) = [
            (member_bytes, Limit::MemberBytes),
            (total_left, Limit::TotalBytes),
            (ratio, Limit::Ratio),
        ]
        .into_iter()
        .min_by_key(|(bytes, _)| *bytes)
        .unwrap_or((0, Limit::TotalBytes));
        let cap = usize::try_from(cap).unwrap_or(usize::MAX);
        Ok(Output::new(cap, why, self.deadline))
    }

    /// Counts what a decoder unpacked.
    pub fn spend(&mut self, bytes: usize) {
        self.total = self
            .total
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Enters what a decoder made of a member, however far it got.
    pub fn decoded(
        &mut self,
        entry: &Entry<'_>,
        out: &Output,
        done: Result<(), Incomplete>,
    ) -> Step {
        self.spend(out.bytes.len());
        if let Err(why) = &done {
            self.report_member(entry.name, why);
        }
        if done.is_err() && out.bytes.is_empty() {
            return Ok(());
        }
        self.member(entry, &out.bytes, done.is_ok())
    }

    /// Enters a member that lies in its container as it is.
    pub fn stored(&mut self, entry: &Entry<'_>, bytes: &[u8], complete: bool) -> Step {
        let most = usize::try_from(self.limits.member_bytes).unwrap_or(usize::MAX);
        match bytes.get(..most) {
            Some(cut) if cut.len() < bytes.len() => {
                self.report_member(entry.name, &Incomplete::Limit(Limit::MemberBytes));
                self.member(entry, cut, false)
            }
            _ => self.member(entry, bytes, complete),
        }
    }

    /// Enters a member that lies in its container as it is, where members may share bytes
    /// and so are counted.
    pub fn counted(
        &mut self,
        entry: &Entry<'_>,
        bytes: &[u8],
        done: Result<(), Incomplete>,
    ) -> Step {
        let bound = self.output(bytes.len())?;
        let shown = bytes.get(..bound.room()).unwrap_or(bytes);
        let done = if shown.len() < bytes.len() {
            Err(bound.full())
        } else {
            done
        };
        self.spend(shown.len());
        if let Err(why) = &done {
            self.report_member(entry.name, why);
        }
        self.member(entry, shown, done.is_ok())
    }

    fn member(&mut self, entry: &Entry<'_>, bytes: &[u8], complete: bool) -> Step {
        if self.members >= self.limits.members {
            return Err(self.exhausted(Limit::Members));
        }
        self.members += 1;
        self.check_time()?;
        let mark = self.push(entry.name);
        let member = Member {
            inside: &self.inside,
            name: entry.name,
            depth: self.depth,
            container: entry.container,
            mode: entry.mode,
            complete,
        };
        let inner = match self.visitor.enter(&member, bytes) {
            Flow::Stop => return Err(Halt::Stop),
            Flow::SkipInside => None,
            Flow::Continue => Format::of(bytes)
                .map(|format| (format, 0))
                .or_else(|| appended(bytes)),
        };
        if let Some((format, start)) = inner {
            let same_thing =
                entry.container.is_compressor() && matches!(format, Format::Tar | Format::Cpio);
            let packed = bytes.get(start..).unwrap_or_default();
            if same_thing {
                self.open_content(packed, format, mark)?;
            } else if self.steps >= self.limits.depth {
                self.report(&Incomplete::Limit(Limit::Depth));
            } else {
                self.open(packed, format)?;
            }
        }
        let member = Member {
            inside: &self.inside,
            name: entry.name,
            depth: self.depth,
            container: entry.container,
            mode: entry.mode,
            complete,
        };
        self.visitor.leave(&member);
        self.inside.truncate(mark);
        Ok(())
    }

    /// Opens the archive that a compressed file holds, as one thing with it: neither the way
    /// in, whose last step begins at `mark`, nor the depth counts it.
    fn open_content(&mut self, bytes: &[u8], format: Format, mark: usize) -> Step {
        let step = self.inside.split_off(mark);
        self.steps = self.steps.saturating_sub(1);
        self.open(bytes, format)?;
        self.steps = self.steps.saturating_add(1);
        self.inside.push_str(&step);
        Ok(())
    }
}
