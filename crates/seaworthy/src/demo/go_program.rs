//! A Go program whose build information names old modules and an old compiler.
//!
//! Only the build information is real: the file is an ELF image with no code in it.
//! Layout (Go 1.18 and later, `debug/buildinfo`): the section `.go.buildinfo` starts with
//! `\xff Go buildinf:`, pointer size, flags (2: strings follow in place), padding to 32 bytes,
//! then version and module information, each a varint length and its bytes.

use seaworthy_engine::MemoryLayer;

use super::Threat;

pub const THREAT: Threat = Threat {
    summary: "a Go program built from a container runtime and libraries with known holes",
    created_by: "COPY --from=build /out/agent /usr/local/bin/agent",
    plant,
    env: &[],
};

const GO_VERSION: &str = "go1.18";

const MODULES: &[(&str, &str)] = &[
    ("github.com/opencontainers/runc", "v1.1.0"),
    ("github.com/gin-gonic/gin", "v1.6.0"),
    ("golang.org/x/crypto", "v0.0.0-20200622213623-75b288015ac9"),
    ("golang.org/x/net", "v0.7.0"),
    ("golang.org/x/text", "v0.3.2"),
];

fn plant(layer: MemoryLayer) -> MemoryLayer {
    layer.file("usr/local/bin/agent", program())
}

fn program() -> Vec<u8> {
    elf_with_data(&build_info())
}

fn build_info() -> Vec<u8> {
    let mut modules = String::from("path\texample.org/agent\nmod\texample.org/agent\t(devel)\t\n");
    for (path, version) in MODULES {
        modules.push_str(&format!("dep\t{path}\t{version}\t\n"));
    }
    let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
    info.resize(32, 0);
    put_string(&mut info, GO_VERSION.as_bytes());
    // The linker puts 16 bytes around the module information, so that it can be found in a
    // running process as well.
    let mut framed = hex("3077af0c9274080241e1c107e6d618e6");
    framed.extend_from_slice(modules.as_bytes());
    framed.extend_from_slice(&hex("f932433186182072008242104116d8f2"));
    put_string(&mut info, &framed);
    info
}

fn hex(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// A length in base 128, low bits first, and the bytes.
fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        if length == 0 {
            out.push(low);
            break;
        }
        out.push(low | 0x80);
    }
    out.extend_from_slice(text);
}

/// A little-endian ELF64 executable of one writable segment, which is also the section
/// `.go.buildinfo` (System V ABI, "Object Files").
fn elf_with_data(data: &[u8]) -> Vec<u8> {
    const ADDRESS: u64 = 0x40_0000;
    // Behind both headers; the information is looked for at multiples of 16.
    const DATA: u64 = 0x80;
    let names = b"\0.go.buildinfo\0.shstrtab\0";
    let size = data.len() as u64;
    let names_at = DATA + size;
    let sections_at = (names_at + names.len() as u64).next_multiple_of(8);
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    let half = |elf: &mut Vec<u8>, value: u16| elf.extend_from_slice(&value.to_le_bytes());
    let word = |elf: &mut Vec<u8>, value: u32| elf.extend_from_slice(&value.to_le_bytes());
    let long = |elf: &mut Vec<u8>, value: u64| elf.extend_from_slice(&value.to_le_bytes());

    half(&mut elf, 2); // an executable
    half(&mut elf, 62); // for x86-64
    word(&mut elf, 1);
    long(&mut elf, 0); // with no entry point
    long(&mut elf, 64);
    long(&mut elf, sections_at);
    word(&mut elf, 0);
    for value in [64, 56, 1, 64, 3, 2] {
        half(&mut elf, value);
    }
    // The segment: loadable, readable and writable.
    word(&mut elf, 1);
    word(&mut elf, 6);
    for value in [DATA, ADDRESS, ADDRESS, size, size, 0x1000] {
        long(&mut elf, value);
    }
    elf.resize(elf.len().next_multiple_of(16), 0);
    elf.extend_from_slice(data);
    elf.extend_from_slice(names);
    while (elf.len() as u64) < sections_at {
        elf.push(0);
    }
    // Name, type, flags, address, offset, size of each section; the first is always empty.
    let sections: [(u32, u32, u64, u64, u64, u64); 3] = [
        (0, 0, 0, 0, 0, 0),
        (1, 1, 3, ADDRESS, DATA, size),
        (15, 3, 0, 0, names_at, names.len() as u64),
    ];
    for (name, kind, flags, address, offset, size) in sections {
        word(&mut elf, name);
        word(&mut elf, kind);
        for value in [flags, address, offset, size] {
            long(&mut elf, value);
        }
        word(&mut elf, 0);
        word(&mut elf, 0);
        long(&mut elf, 16);
        long(&mut elf, 0);
    }
    elf
}
