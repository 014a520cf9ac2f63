//! Which families of content rules a text can concern: one search for rare words.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// Families that a text concerns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Families {
    pub miner: bool,
    pub tuning: bool,
    pub rivals: bool,
    pub remote: bool,
    pub code: bool,
    pub exploit: bool,
}

impl Families {
    pub(super) fn is_empty(&self) -> bool {
        *self == Families::default()
    }
}

type Set = fn(&mut Families);

const MINER: Set = |families| families.miner = true;
const TUNING: Set = |families| families.tuning = true;
const RIVALS: Set = |families| families.rivals = true;
const REMOTE: Set = |families| families.remote = true;
const CODE: Set = |families| families.code = true;
const EXPLOIT: Set = |families| families.exploit = true;

/// Words without which no rule of a family speaks. Case matters: programs and options have one.
const WORDS: &[(&str, Set)] = &[
    ("stratum", MINER),
    ("donate-", MINER),
    ("pool_", MINER),
    ("pools\"", MINER),
    ("POOLS\"", MINER),
    ("pool.", MINER),
    ("ool.com", MINER),
    ("miner", MINER),
    ("minex", MINER),
    ("xmr", MINER),
    ("monero", MINER),
    ("nicehash", MINER),
    ("hashvault", MINER),
    ("unmineable", MINER),
    ("randomx", MINER),
    ("cryptonight", MINER),
    ("kawpow", MINER),
    ("kryptex", MINER),
    ("nr_hugepages", TUNING),
    ("xmrig", RIVALS),
    ("kinsing", RIVALS),
    ("kdevtmpfsi", RIVALS),
    ("watchbog", RIVALS),
    ("curl", REMOTE),
    ("wget", REMOTE),
    ("base64", REMOTE),
    ("xxd -", REMOTE),
    ("openssl", REMOTE),
    ("/dev/tcp/", REMOTE),
    ("/dev/udp/", REMOTE),
    (" nc ", REMOTE),
    ("\nnc ", REMOTE),
    ("|nc ", REMOTE),
    (";nc ", REMOTE),
    ("/nc ", REMOTE),
    ("&nc ", REMOTE),
    ("nc.traditional", REMOTE),
    ("ncat", REMOTE),
    ("netcat", REMOTE),
    ("socat", REMOTE),
    ("telnet", REMOTE),
    ("/inet/", REMOTE),
    ("aria2c", REMOTE),
    ("lynx", REMOTE),
    ("dup2(", CODE),
    ("TCPSocket", CODE),
    ("fsockopen", CODE),
    ("stream_socket_client", CODE),
    ("child_process", CODE),
    ("STDIN,", CODE),
    ("socket.tcp", CODE),
    ("b64decode", CODE),
    ("fromhex(", CODE),
    ("marshal.loads", CODE),
    ("zlib.decompress", CODE),
    ("decode_base64", CODE),
    ("decode64", CODE),
    ("atob(", CODE),
    ("release_agent", EXPLOIT),
    ("/proc/self/exe", EXPLOIT),
    ("/proc/self/fd/", EXPLOIT),
    ("core_pattern", EXPLOIT),
    ("docker.sock", EXPLOIT),
    ("nsenter", EXPLOIT),
];

#[expect(
    clippy::unwrap_used,
    reason = "the words are ours, and every test makes the pattern"
)]
static ANY: LazyLock<Regex> = LazyLock::new(|| {
    let words: Vec<String> = WORDS.iter().map(|(word, _)| regex::escape(word)).collect();
    Regex::new(&format!("(?-u){}", words.join("|"))).unwrap()
});

/// Hits after which a text is taken to concern every family: it is long and full of them.
const HITS: usize = 4096;

/// Looks a text through once.
pub(super) fn families(bytes: &[u8]) -> Families {
    let mut families = Families::default();
    for (hit, found) in ANY.find_iter(bytes).enumerate() {
        for (word, set) in WORDS {
            // Words can begin alike: `xmr` stands before `xmrig`.
            if bytes
                .get(found.start()..)
                .is_some_and(|rest| rest.starts_with(word.as_bytes()))
            {
                set(&mut families);
            }
        }
        if hit > HITS {
            WORDS.iter().for_each(|(_, set)| set(&mut families));
            break;
        }
    }
    families
}

/// Files that tell people about things instead of doing them.
pub(super) fn is_documentation(path: &str, name: &str) -> bool {
    const PLACES: &[&str] = &[
        "usr/share/doc/",
        "usr/share/man/",
        "usr/share/info/",
        "usr/share/locale/",
        "usr/share/help/",
        "usr/share/licenses/",
        "usr/share/common-licenses/",
        "usr/share/gtk-doc/",
        "usr/share/i18n/",
        "usr/share/vim/",
        "usr/share/zoneinfo/",
        "usr/share/perl/",
        "usr/include/",
        "usr/local/include/",
        "usr/share/bash-completion/",
        "usr/share/zsh/",
        "usr/share/fish/",
        "usr/share/clamav/",
        "var/lib/clamav/",
        "var/lib/dpkg/status",
        "var/lib/apt/lists/",
        "var/cache/apt/",
        "lib/apk/db/",
        "usr/lib/apk/db/",
        "var/lib/rpm/",
    ];
    const ENDS: &[&str] = &[
        ".md",
        ".rst",
        ".html",
        ".htm",
        ".adoc",
        ".tex",
        ".po",
        ".pot",
        ".svg",
        ".css",
        ".map",
        ".xml",
        ".csv",
        ".tsv",
        ".pem",
        ".crt",
        ".h",
        ".hpp",
        ".c",
        ".cc",
        ".cpp",
        ".go",
        ".rs",
        ".java",
        ".ts",
        ".d.ts",
        ".pyi",
        ".yar",
        ".yara",
        ".hdb",
        ".ndb",
        ".ldb",
        ".1",
        ".3",
        ".5",
        ".7",
        ".8",
        ".symbols",
        ".templates",
        ".list",
        ".md5sums",
        ".shlibs",
    ];
    PLACES.iter().any(|place| path.starts_with(place))
        || ENDS.iter().any(|end| name.ends_with(end))
        || [
            "README",
            "CHANGELOG",
            "LICENSE",
            "COPYING",
            "NEWS",
            "AUTHORS",
            "INSTALL",
        ]
        .iter()
        .any(|start| name.starts_with(start))
}

/// Names of files that some program runs as code.
pub(super) fn is_code(name: &str) -> bool {
    has_end(
        name,
        &[
            "sh", "bash", "py", "pl", "pm", "rb", "php", "phtml", "js", "cjs", "mjs", "lua", "tcl",
            "awk", "ps1", "service", "conf", "cfg", "jsp", "cgi",
        ],
    )
}

/// Names of files that an interpreter loads as code.
pub(super) fn is_loaded_code(name: &str) -> bool {
    has_end(
        name,
        &[
            "py", "pl", "pm", "rb", "php", "phtml", "js", "cjs", "mjs", "lua", "sh", "jsp", "cgi",
        ],
    )
}

fn has_end(name: &str, ends: &[&str]) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, end)| ends.contains(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_begins_another_hides_neither() {
        let found = families(b"kill xmrig");
        assert!(found.miner && found.rivals && !found.remote);
        assert!(families(b"plain text about nothing").is_empty());
    }
}
