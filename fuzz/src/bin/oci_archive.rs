//! A saved image or layout of any bytes, with a walk over the layers it turns out to have.
#![no_main]

use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;

use libfuzzer_sys::fuzz_target;
use seaworthy_image::{Flow, Limits, OpenOptions, WalkContext, open_image};

fuzz_target!(|data: &[u8]| {
    thread_local! {
        static FILE: std::fs::File = {
            let path = std::env::temp_dir().join(format!("seaworthy-fuzz-{}", std::process::id()));
            let file = std::fs::File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)
                .expect("the temporary folder takes files");
            std::fs::remove_file(&path).expect("a file of ours");
            file
        };
    }
    let ctx = WalkContext {
        limits: Limits {
            layer_bytes: 1 << 24,
            ratio_floor_bytes: 1 << 20,
            ..Limits::default()
        },
        single_thread: true,
        ..WalkContext::default()
    };
    let image = FILE.with(|file| {
        let mut writer = file;
        file.set_len(0).expect("a file of ours");
        writer.seek(SeekFrom::Start(0)).expect("a file of ours");
        writer
            .write_all(data)
            .expect("the temporary folder takes files");
        let path = format!("archive:/proc/self/fd/{}", file.as_raw_fd());
        open_image(&path, &OpenOptions::default(), &ctx)
    });
    for layer in image.into_iter().flat_map(|image| image.layers) {
        let outcome = layer.walk(&ctx, &mut |_| Ok(Flow::Continue));
        assert!(outcome.is_ok_and(|outcome| outcome.complete || !outcome.problems.is_empty()));
    }
});
