//! Lists what is packed in files: `list [--digests] FILE ...`. For trying the readers on real
//! archives, and with a total and the time at the end for measuring them.

#![expect(clippy::print_stdout, reason = "the list is what it is for")]

use std::time::Instant;

use seaworthy_testkit::sha256;
use seaworthy_unpack::{Flow, Format, Incomplete, Limits, Member, Visitor, appended, unpack};

struct List {
    digests: bool,
    members: u64,
    bytes: u64,
    incomplete: u64,
}

impl Visitor for List {
    fn enter(&mut self, member: &Member<'_>, bytes: &[u8]) -> Flow {
        self.members += 1;
        self.bytes += bytes.len() as u64;
        if self.digests {
            println!("{} {} {}", sha256(bytes), bytes.len(), member.inside);
        }
        Flow::Continue
    }

    fn incomplete(&mut self, inside: Option<&str>, why: &Incomplete) {
        self.incomplete += 1;
        println!("incomplete {}: {why}", inside.unwrap_or("itself"));
    }
}

fn main() -> std::io::Result<()> {
    let mut list = List {
        digests: false,
        members: 0,
        bytes: 0,
        incomplete: 0,
    };
    let (mut packed, mut seconds) = (0, 0.0);
    for argument in std::env::args().skip(1) {
        if argument == "--digests" {
            list.digests = true;
            continue;
        }
        let bytes = std::fs::read(&argument)?;
        let found = Format::of(&bytes)
            .map(|format| (format, 0))
            .or_else(|| appended(&bytes));
        println!(
            "file {argument}: {}",
            found.map_or("none", |(format, _)| format.as_str())
        );
        let Some((format, start)) = found else {
            continue;
        };
        let begin = Instant::now();
        let inner = bytes.get(start..).unwrap_or_default();
        unpack(inner, format, &Limits::default(), &mut list);
        seconds += begin.elapsed().as_secs_f64();
        packed += bytes.len();
    }
    println!(
        "{packed} bytes packed, {} bytes in {} members, {} incomplete, {seconds:.3} s",
        list.bytes, list.members, list.incomplete
    );
    Ok(())
}
