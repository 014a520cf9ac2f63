//! From the members of a layer's archive to its entries: paths, whiteouts, limits.
//!
//! Whiteouts follow the OCI image-spec, layer.md: `.wh.NAME` deletes its sibling, a file
//! `.wh..wh..opq` makes its directory opaque. Everything else that starts with `.wh..wh.`
//! is bookkeeping of AUFS and left out, but for the files in `.wh..wh.plnk`: hard links
//! point at them, and what they hold would otherwise be seen by nobody.

use std::io::{self, Read};
use std::sync::atomic::Ordering;

use seaworthy_core::{ImagePath, Problem, ProblemKind};

use crate::fault;
use crate::problem_log::ProblemLog;
use crate::tar::{Member, MemberKind, Place, SparseReader, TarEnd, TarFault, TarInput, TarReader};
use crate::{Body, Entry, EntryKind, EntryMeta, Flow, WalkContext};

/// How the walk over one archive ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// At its end, with the marker or without.
    Whole(TarEnd),
    /// The visitor wanted no more.
    Stopped,
    /// Something broke, and is in the log.
    Broken,
    /// The user asked to stop.
    Cancelled,
    /// The visitor failed.
    VisitFailed(io::Error),
}

/// Visits every entry.
pub(crate) fn walk_tar<I: TarInput>(
    tar: &mut TarReader<I>,
    ctx: &WalkContext,
    log: &mut ProblemLog,
    entries: &mut u64,
    visit: &mut dyn FnMut(Entry<'_>) -> io::Result<Flow>,
) -> Ending {
    let mut member = Member::default();
    let mut expanded = 0_u64;
    let mut absolute_noted = false;
    loop {
        if ctx.cancel.is_cancelled() {
            return Ending::Cancelled;
        }
        match tar.next_member(&mut member, &mut |problem| log.add(problem)) {
            Ok(None) => {}
            Ok(Some(end)) => return Ending::Whole(end),
            Err(fault) => return broken(&fault, log),
        }
        if *entries >= ctx.limits.layer_entries {
            log.add(Problem::new(
                ProblemKind::LimitReached,
                format!("more than {} entries", ctx.limits.layer_entries),
            ));
            return Ending::Broken;
        }
        *entries += 1;
        let Some(path) = path_of(&member.path, ctx, log) else {
            continue;
        };
        if member.path.first() == Some(&b'/') && !absolute_noted {
            absolute_noted = true;
            log.add(
                Problem::new(
                    ProblemKind::Notice,
                    "the layer holds absolute names; they were taken from its root",
                )
                .at(&path),
            );
        }
        let Some((path, kind)) = entry_kind(path, &member, log) else {
            continue;
        };
        let is_file = kind == EntryKind::File;
        let mut refused = Refused;
        let mut entry = Entry {
            path,
            kind,
            meta: EntryMeta {
                mode: member.mode,
                uid: member.uid,
                gid: member.gid,
                mtime: member.mtime,
                size: if is_file { member.size } else { 0 },
                has_capabilities: is_file && member.has_capabilities,
            },
            body: Body::Slice(&[]),
        };
        let result = if !is_file {
            visit(entry)
        } else if let Some(extents) = &member.sparse {
            // Zeros cost nothing to write down: all of them together are bounded as if they
            // were stored, and one file's as if they were compressed.
            expanded = expanded.saturating_add(member.size - member.stored.min(member.size));
            let is_bomb = member.size > ctx.limits.ratio_floor_bytes
                && member.size / member.stored.max(512) >= ctx.limits.ratio.max(1);
            if expanded > ctx.limits.layer_bytes || is_bomb {
                log.add(
                    Problem::new(
                        ProblemKind::LimitReached,
                        format!(
                            "a sparse file of {} bytes with {} stored was not read",
                            member.size, member.stored
                        ),
                    )
                    .at(&entry.path),
                );
                entry.body = Body::Reader(&mut refused);
                // Whatever the visitor says of a body that was refused is said already.
                visit(entry).or(Ok(Flow::Continue))
            } else {
                let mut reader = SparseReader::new(BodyReader { tar }, extents, member.size);
                entry.body = Body::Reader(&mut reader);
                visit(entry)
            }
        } else {
            match tar.place_body() {
                Place::Memory => {
                    entry.body = Body::Slice(tar.body_slice());
                    visit(entry)
                }
                Place::Stream => {
                    let mut reader = BodyReader { tar };
                    entry.body = Body::Reader(&mut reader);
                    visit(entry)
                }
            }
        };
        match result {
            Ok(Flow::Continue) => {}
            Ok(Flow::Stop) => return Ending::Stopped,
            // The next header meets the fault itself and tells it.
            Err(_) if tar.body_failed() => {}
            Err(error) => return Ending::VisitFailed(error),
        }
    }
}

fn broken(fault: &TarFault, log: &mut ProblemLog) -> Ending {
    let problem = match fault {
        TarFault::Input(error) => match fault::to_problem(error) {
            Some(problem) => problem,
            None => return Ending::Cancelled,
        },
        TarFault::Truncated => Problem::new(ProblemKind::Malformed, "the archive is cut short"),
        TarFault::Malformed(what) => Problem::new(ProblemKind::Malformed, *what),
        TarFault::Limit(what) => Problem::new(ProblemKind::LimitReached, *what),
    };
    log.add(problem);
    Ending::Broken
}

/// The normalised path, or `None` and a problem for one that can't be taken.
fn path_of(raw: &[u8], ctx: &WalkContext, log: &mut ProblemLog) -> Option<ImagePath> {
    let limits = &ctx.limits;
    if raw.len() > limits.path_bytes {
        log.add(Problem::new(
            ProblemKind::LimitReached,
            format!(
                "a path of {} bytes, which starts with `{}`",
                raw.len(),
                shorten(raw)
            ),
        ));
        return None;
    }
    let Some(path) = ImagePath::from_bytes(raw) else {
        log.add(Problem::new(
            ProblemKind::UnsafePath,
            format!("the name `{}` leaves the layer's root", shorten(raw)),
        ));
        return None;
    };
    // Fewer slashes than that can't be too deep, and nearly no path has so many.
    if path.as_str().len() / 2 >= limits.path_depth
        && path.as_str().split('/').count() > limits.path_depth
    {
        log.add(Problem::new(
            ProblemKind::LimitReached,
            format!(
                "a path more than {} directories deep, which starts with `{}`",
                limits.path_depth,
                shorten(raw)
            ),
        ));
        return None;
    }
    Some(path)
}

/// The first bytes of a name, printable.
fn shorten(raw: &[u8]) -> String {
    raw[..raw.len().min(64)].escape_ascii().to_string()
}

/// What an entry means. `None` for what is left out, with a problem where that loses something.
fn entry_kind(
    path: ImagePath,
    member: &Member,
    log: &mut ProblemLog,
) -> Option<(ImagePath, EntryKind)> {
    if path.as_str().is_empty() {
        if member.kind == MemberKind::Directory {
            return Some((path, EntryKind::Directory));
        }
        log.add(Problem::new(
            ProblemKind::UnsafePath,
            "something that is no directory is named as the root",
        ));
        return None;
    }
    // Cheap no for nearly every path.
    if path.as_str().contains(".wh.") {
        match whiteout(&path) {
            Whiteout::None => {}
            Whiteout::Bookkeeping => {
                let is_link_target =
                    member.kind == MemberKind::File && path.is_within(".wh..wh.plnk");
                if !is_link_target {
                    return None;
                }
            }
            Whiteout::Opaque(dir) => return Some((dir, EntryKind::OpaqueDirectory)),
            Whiteout::Of(path) => return Some((path, EntryKind::Whiteout)),
            Whiteout::OfNothing => {
                log.add(
                    Problem::new(
                        ProblemKind::UnsafePath,
                        "a whiteout of its own or the containing directory",
                    )
                    .at(&path),
                );
                return None;
            }
        }
    }
    let kind = match member.kind {
        MemberKind::File => EntryKind::File,
        MemberKind::Directory => EntryKind::Directory,
        MemberKind::Symlink => EntryKind::Symlink(member.link.clone()),
        MemberKind::HardLink => match ImagePath::from_bytes(&member.link) {
            Some(target) => EntryKind::HardLink(target),
            None => {
                log.add(
                    Problem::new(
                        ProblemKind::UnsafePath,
                        format!(
                            "a hard link to `{}`, which leaves the layer's root",
                            shorten(&member.link)
                        ),
                    )
                    .at(&path),
                );
                return None;
            }
        },
        MemberKind::CharDevice => EntryKind::CharDevice,
        MemberKind::BlockDevice => EntryKind::BlockDevice,
        MemberKind::Fifo => EntryKind::Fifo,
    };
    Some((path, kind))
}

enum Whiteout {
    None,
    Of(ImagePath),
    Opaque(ImagePath),
    OfNothing,
    Bookkeeping,
}

fn whiteout(path: &ImagePath) -> Whiteout {
    let parent = path.parent().unwrap_or_default();
    let name = path.file_name();
    if parent.split('/').any(|part| part.starts_with(".wh..wh.")) {
        return Whiteout::Bookkeeping;
    }
    match name.strip_prefix(".wh.") {
        None => Whiteout::None,
        Some(".wh..opq") => Whiteout::Opaque(path.parent_path()),
        Some("" | "." | "..") => Whiteout::OfNothing,
        Some(rest) if rest.starts_with(".wh.") => Whiteout::Bookkeeping,
        Some(rest) => Whiteout::Of(path.with_file_name(rest)),
    }
}

/// The content of the current member.
struct BodyReader<'a, I> {
    tar: &'a mut TarReader<I>,
}

impl<I: TarInput> Read for BodyReader<'_, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tar.read_body(buffer)
    }
}

/// The body of a file that is not read.
struct Refused;

impl Read for Refused {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(fault::problem(
            ProblemKind::LimitReached,
            "the file was not read: it is mostly holes",
        ))
    }
}

/// Adds to the counter for progress.
pub(crate) fn count_bytes(ctx: &WalkContext, count: usize) {
    ctx.bytes_seen.fetch_add(count as u64, Ordering::Relaxed);
}
