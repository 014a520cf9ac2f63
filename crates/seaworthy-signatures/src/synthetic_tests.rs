//! Files made from the signatures of the corpus, each of which must then be found.

use std::path::{Path, PathBuf};

use crate::clamav::body::{Pattern, Token};
use crate::clamav::ldb::{BodySub, Sub};
use crate::clamav::logic::{Comparison, Logic};
use crate::clamav::offset::Base;
use crate::file_type::FileType;
use crate::matching::evaluate::Record;
use crate::{Context, SignatureSet};

/// Bytes for a pattern, with `~` for what may be anything.
fn bytes_of(tokens: &[Token]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for token in tokens {
        match token {
            Token::Bytes(literal) => bytes.extend(literal),
            Token::Masked { value, .. } => bytes.push(*value),
            Token::Any(count) => bytes.resize(bytes.len() + *count as usize, b'~'),
            Token::Gap { min, .. } => bytes.resize(bytes.len() + *min as usize, b'~'),
            Token::OneOf(choices) => bytes.extend(bytes_of(&choices[0])),
            Token::NoneOf(choices) => {
                let other = (0x21..=255u8).find(|byte| choices.iter().all(|c| !c.contains(byte)));
                bytes.resize(bytes.len() + choices[0].len(), other.unwrap());
            }
            Token::Boundary { .. } => {}
        }
    }
    bytes
}

fn inner_boundary(pattern: &Pattern) -> bool {
    let last = pattern.tokens.len() - 1;
    (1..last).any(|at| matches!(pattern.tokens[at], Token::Boundary { .. }))
}

/// How often each sub-signature is to stand in the file; `None` if that can't be told here.
fn wanted(logic: &Logic, all: bool, counts: &mut Vec<(u8, u32)>) -> Option<()> {
    match logic {
        Logic::Sub(id, comparison) => {
            let count = match comparison {
                None => 1,
                Some(Comparison::Equal(n)) => *n,
                Some(Comparison::More(n)) => n + 1,
                Some(Comparison::Less(0)) => return None,
                Some(Comparison::Less(_)) => 0,
            };
            counts.push((*id, count));
        }
        Logic::Both {
            and,
            left,
            right,
            block,
        } => {
            let before = counts.len();
            wanted(left, all || block.is_some(), counts)?;
            match block {
                None if *and || all => wanted(right, all, counts)?,
                None => {}
                Some((Comparison::More(n) | Comparison::Equal(n), _)) => {
                    let target = match block {
                        Some((Comparison::More(n), _)) => n + 1,
                        _ => *n,
                    };
                    wanted(right, true, counts)?;
                    if target == 0 {
                        counts.truncate(before);
                        return Some(());
                    }
                    let sum: u32 = counts[before..].iter().map(|c| c.1).sum();
                    if let Some(rest) = target.checked_sub(sum) {
                        counts[before].1 += rest;
                    } else if matches!(block, Some((Comparison::Equal(_), _))) {
                        return None;
                    }
                }
                Some((Comparison::Less(_), _)) if !and => counts.truncate(before),
                Some(_) => return None,
            }
        }
    }
    Some(())
}

/// A file for a record, or `None` where making one takes more than placing bytes.
fn file_of(record: &Record) -> Option<Vec<u8>> {
    let description = &record.description;
    if description.entry_point.is_some() || description.sections.is_some() {
        return None;
    }
    let mut counts = Vec::new();
    wanted(&record.logic, false, &mut counts)?;
    let mut placed: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut free: Vec<Vec<u8>> = Vec::new();
    let mut tail: Vec<(usize, Vec<u8>)> = Vec::new();
    for (id, count) in counts {
        let Sub::Body(BodySub {
            offset, patterns, ..
        }) = &record.subs[usize::from(id)]
        else {
            return None;
        };
        if inner_boundary(&patterns[0]) {
            return None;
        }
        let bytes = bytes_of(&patterns[0].tokens);
        match offset.base {
            Base::Any => (0..count).for_each(|_| free.push(bytes.clone())),
            Base::Start(at) if count == 1 => placed.push((at as usize, bytes)),
            Base::End(before) if count == 1 => tail.push((before as usize, bytes)),
            _ if count == 0 => {}
            _ => return None,
        }
    }
    placed.sort();
    let mut file = Vec::new();
    for (at, bytes) in placed {
        if file.len() > at {
            // Two on one place only fit if they are the same there.
            if file.len() >= at + bytes.len() && file[at..at + bytes.len()] == bytes {
                continue;
            }
            return None;
        }
        file.resize(at, b'~');
        file.extend(bytes);
    }
    for bytes in free {
        file.push(b'~');
        file.extend(bytes);
        file.push(b'~');
    }
    let (least, most) = description.file_size.unwrap_or((0, u32::MAX));
    let end: usize = tail.iter().map(|(before, _)| *before).max().unwrap_or(0);
    file.resize((file.len() + end).max(least as usize), b'~');
    let length = file.len();
    for (before, bytes) in tail {
        file.get_mut(length - before..length - before + bytes.len())?
            .copy_from_slice(&bytes);
    }
    (file.len() <= most as usize && file.len() < 8 << 20).then_some(file)
}

#[test]
fn nearly_every_signature_finds_the_file_that_was_made_from_it() {
    let Ok(folder) = std::env::var("SEAWORTHY_SIGNATURES_UNPACKED").map(PathBuf::from) else {
        println!("skipped: set SEAWORTHY_SIGNATURES_UNPACKED to the unpacked signature sets");
        return;
    };
    let (set, _) = SignatureSet::build(&folder).unwrap();
    let dump = std::env::var("SEAWORTHY_SYNTHETIC_DUMP").ok();
    let types = [
        FileType::Other,
        FileType::Pe,
        FileType::Ole2,
        FileType::Html,
        FileType::Mail,
        FileType::Graphics,
        FileType::Elf,
        FileType::Text,
        FileType::MachO,
        FileType::Pdf,
        FileType::Flash,
        FileType::JavaClass,
    ];
    let (mut made, mut fired, mut skipped) = (0u32, 0u32, 0u32);
    for number in 0..u32::try_from(set.pattern_count()).unwrap() {
        let record = set.record(number).unwrap();
        let Some(file) = file_of(&record) else {
            skipped += 1;
            continue;
        };
        if let (Some(dump), true) = (&dump, record.description.target == 0) {
            std::fs::write(Path::new(dump).join(number.to_string()), &file).unwrap();
        }
        made += 1;
        let file_type = types
            .iter()
            .copied()
            .find(|t| t.target() == record.description.target);
        let context = Context {
            file_type: Some(file_type.unwrap_or(FileType::Other)),
            container: record.description.container.as_deref(),
            ..Context::default()
        };
        if set
            .scan(&file, &context)
            .detections
            .iter()
            .any(|d| d.name == record.name)
        {
            fired += 1;
        } else if made - fired < 60 {
            println!(
                "silent: {} target {}",
                record.name, record.description.target
            );
        }
    }
    println!("{made} made, {fired} fired, {skipped} not made");
    assert!(u64::from(fired) * 100 >= u64::from(made) * 99);
    assert!(made > 38_000);
}
