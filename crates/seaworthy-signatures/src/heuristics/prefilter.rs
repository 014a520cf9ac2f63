//! Which families of content rules a text can concern: one search for rare words.
//!
//! Measured over Python and JSON, the search is what the rules cost. So the words are chosen by
//! their first four bytes, which is what the vectorised search compares (`atum` and not
//! `stratum`, because `stra` begins thousands of words), a word that is common is looked at
//! again with what follows it, and a text is searched only for the words of its kind.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// What kind of text is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    /// Shell commands, as a script or in a crontab, unit, profile.
    Shell,
    /// A program in another language.
    Code,
    /// Anything else.
    Data,
}

/// Families that a text concerns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Families {
    pub miner: bool,
    pub host: bool,
    pub remote: bool,
    pub code: bool,
}

impl Families {
    pub(super) fn is_empty(&self) -> bool {
        *self == Families::default()
    }
}

struct Word {
    text: &'static str,
    set: fn(&mut Families),
    /// Whether what follows is right.
    then: fn(&[u8]) -> bool,
}

const fn word(text: &'static str, set: fn(&mut Families)) -> Word {
    Word {
        text,
        set,
        then: |_| true,
    }
}

const MINER: fn(&mut Families) = |families| families.miner = true;
const HOST: fn(&mut Families) = |families| families.host = true;
const REMOTE: fn(&mut Families) = |families| families.remote = true;
const CODE: fn(&mut Families) = |families| families.code = true;

fn is_top_domain(rest: &[u8]) -> bool {
    rest.strip_prefix(b".").is_some_and(|rest| {
        let len = rest.iter().take_while(|b| b.is_ascii_lowercase()).count();
        let known: &[&[u8]] = &[
            b"com", b"org", b"io", b"fr", b"net", b"de", b"eu", b"me", b"ca", b"xyz", b"nl", b"cc",
            b"to", b"rplant", b"binance",
        ];
        rest.get(..len).is_some_and(|name| known.contains(&name))
    })
}

fn starts_with_any(rest: &[u8], starts: &[&str]) -> bool {
    starts
        .iter()
        .any(|start| rest.starts_with(start.as_bytes()))
}

/// Words of miners, in any text. Case matters: programs and options have one.
const MINER_WORDS: &[Word] = &[
    Word {
        text: "atum",
        set: MINER,
        then: |rest| starts_with_any(rest, &["+", "1+", "2+", "://"]),
    },
    Word {
        text: "ethproxy",
        set: MINER,
        then: |rest| starts_with_any(rest, &["+", "://"]),
    },
    word("donate-", MINER),
    Word {
        text: "pool",
        set: MINER,
        then: |rest| {
            starts_with_any(
                rest,
                &[
                    "s\"", "_list", "_address", "y.com", "hub.com", "in.com", "mine.xyz", "s.com",
                    "x.com",
                ],
            ) || is_top_domain(rest)
        },
    },
    Word {
        text: "POOL",
        set: MINER,
        then: |rest| starts_with_any(rest, &["S\"", "\""]),
    },
    Word {
        text: "mine",
        set: MINER,
        then: |rest| {
            starts_with_any(
                rest,
                &["rs.", "rgate", "rrocks", "xmr", "able.", "-com", ".org"],
            )
        },
    },
    Word {
        text: "xmr",
        set: MINER,
        then: |rest| starts_with_any(rest, &[".", "ig", "pool", "fast"]),
    },
    word("monero", MINER),
    word("nicehash", MINER),
    word("shvault", MINER),
    word("ohashing", MINER),
    word("domx", MINER),
    word("onight", MINER),
    word("kawpow", MINER),
    word("kryptex", MINER),
    word("braiins", MINER),
    word("coinhive", MINER),
    word("suprnova", MINER),
    word("rplant", MINER),
];

/// Words of shell text.
const SHELL_WORDS: &[Word] = &[
    word("nr_hugepages", HOST),
    word("kinsing", HOST),
    word("kdevtmpfsi", HOST),
    word("watchbog", HOST),
    word("xmrig", HOST),
    word("release_agent", HOST),
    word("core_pattern", HOST),
    word("curl", REMOTE),
    word("wget", REMOTE),
    word("base64", REMOTE),
    word("base32", REMOTE),
    word("xxd -", REMOTE),
    word("openssl", REMOTE),
    word("/dev/tcp/", REMOTE),
    word("/dev/udp/", REMOTE),
    word(" nc ", REMOTE),
    word("\nnc ", REMOTE),
    word("|nc ", REMOTE),
    word(";nc ", REMOTE),
    word("/nc ", REMOTE),
    word("&nc ", REMOTE),
    word("nc.traditional", REMOTE),
    word("ncat", REMOTE),
    word("netcat", REMOTE),
    word("socat", REMOTE),
    word("telnet", REMOTE),
    word("aria2c", REMOTE),
    word("lynx", REMOTE),
    // One-liners of other languages.
    word("socket", REMOTE),
    word("Socket", REMOTE),
    word("/inet/", REMOTE),
    word("fsockopen", REMOTE),
];

/// Words of other languages.
const CODE_WORDS: &[Word] = &[
    word("dup2(", CODE),
    word("TCPSocket", CODE),
    word("fsockopen", CODE),
    word("_socket_client", CODE),
    word("spawn(", CODE),
    word("STDIN", CODE),
    word("t.tcp(", CODE),
    word("/inet/", CODE),
    word("b64decode", CODE),
    word("fromhex(", CODE),
    word("shal.loads", CODE),
    word("b.decompress(", CODE),
    word("e_base64", CODE),
    word("ode64", CODE),
    word("atob(", CODE),
    word("l(unpack", CODE),
    word("l unpack", CODE),
    Word {
        text: "Buffer.from(",
        set: CODE,
        then: |rest| rest.iter().take(4096).any(|&b| b == b','),
    },
];

struct Searcher {
    any: Regex,
    words: Vec<&'static Word>,
}

impl Searcher {
    fn new(lists: &[&'static [Word]]) -> Searcher {
        let words: Vec<&Word> = lists.iter().flat_map(|list| list.iter()).collect();
        let patterns: Vec<String> = words.iter().map(|word| regex::escape(word.text)).collect();
        Searcher {
            any: super::text::pattern(&format!("(?:{})", patterns.join("|"))),
            words,
        }
    }
}

static SHELL_SEARCH: LazyLock<Searcher> =
    LazyLock::new(|| Searcher::new(&[MINER_WORDS, SHELL_WORDS]));
static CODE_SEARCH: LazyLock<Searcher> =
    LazyLock::new(|| Searcher::new(&[MINER_WORDS, CODE_WORDS]));
static DATA_SEARCH: LazyLock<Searcher> = LazyLock::new(|| Searcher::new(&[MINER_WORDS]));

/// Hits after which a text is taken to concern every family: it is long and full of them.
const HITS: usize = 4096;

/// Looks a text through once.
pub(super) fn families(bytes: &[u8], kind: TextKind) -> Families {
    let searcher: &Searcher = match kind {
        TextKind::Shell => &SHELL_SEARCH,
        TextKind::Code => &CODE_SEARCH,
        TextKind::Data => &DATA_SEARCH,
    };
    let mut families = Families::default();
    for (hit, found) in searcher.any.find_iter(bytes).enumerate() {
        let rest = bytes.get(found.start()..).unwrap_or_default();
        for word in &searcher.words {
            // Words can begin alike: `xmr` stands before `xmrig`.
            if let Some(rest) = rest.strip_prefix(word.text.as_bytes())
                && (word.then)(rest)
            {
                (word.set)(&mut families);
            }
        }
        if hit > HITS {
            searcher
                .words
                .iter()
                .for_each(|word| (word.set)(&mut families));
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
        let found = families(b"kill xmrig", TextKind::Shell);
        assert!(found.miner && found.host && !found.remote);
        assert!(
            families(
                b"plain text about a stratum and pool.submit()",
                TextKind::Code
            )
            .is_empty()
        );
    }

    #[test]
    fn every_pool_passes_the_search() {
        for host in include_str!("pools.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
        {
            assert!(families(host.as_bytes(), TextKind::Data).miner, "{host}");
        }
    }
}
