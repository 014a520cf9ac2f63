#![no_main]
//! Berkeley DB hash files: the marks that make them one are put in, so that the fuzzer
//! spends its time behind them.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (bool, &[u8])| {
    let (big_endian, bytes) = data;
    let mut bytes = bytes.to_vec();
    if let Some(head) = bytes.get_mut(..27) {
        let magic = 0x0006_1561_u32;
        head[12..16].copy_from_slice(&if big_endian {
            magic.to_be_bytes()
        } else {
            magic.to_le_bytes()
        });
        let page = 512_u32;
        head[20..24].copy_from_slice(&if big_endian {
            page.to_be_bytes()
        } else {
            page.to_le_bytes()
        });
        head[24..27].copy_from_slice(&[0, 8, 0]);
    }
    seaworthy_scan::catalogers::rpm::parse_database(&bytes);
});
