//! Packages and images of any bytes: rpm, 7z and squashfs, with whatever is recognised inside them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_unpack::{Flow, Format, Incomplete, Limits, Member, Visitor, unpack};

const FORMATS: &[Format] = &[Format::Rpm, Format::SevenZip, Format::Squashfs];

/// Counts what the limits promise.
#[derive(Default)]
struct Bounds {
    members: u64,
    open: u64,
    reports: u64,
}

impl Visitor for Bounds {
    fn enter(&mut self, member: &Member<'_>, bytes: &[u8]) -> Flow {
        self.members += 1;
        self.open += 1;
        assert!(bytes.len() <= 1 << 20);
        assert!(!member.name.chars().any(char::is_control));
        assert!(member.inside.ends_with(member.name));
        Flow::Continue
    }

    fn leave(&mut self, _: &Member<'_>) {
        self.open -= 1;
    }

    fn incomplete(&mut self, _: Option<&str>, why: &Incomplete) {
        self.reports += 1;
        assert!(!why.to_string().is_empty());
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let format = FORMATS[usize::from(choice) % FORMATS.len()];
    let limits = Limits {
        depth: 3,
        member_bytes: 1 << 20,
        total_bytes: 4 << 20,
        members: 500,
        ratio_floor_bytes: 1 << 20,
        ..Limits::default()
    };
    let mut bounds = Bounds::default();
    unpack(data, format, &limits, &mut bounds);
    assert!(bounds.members <= 500 && bounds.reports <= 1001);
    let _ = (
        seaworthy_unpack::appended(data),
        seaworthy_unpack::upx(data),
    );
});
