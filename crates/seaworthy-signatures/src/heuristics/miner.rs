//! Miners: pools, wallets, configurations, command lines, and the tuning of a host for them.
//!
//! Followed: the configuration of XMRig (`pools[].url`, `user`, `algo`, `donate-level`),
//! xmr-stak (`pool_list[].pool_address`), ccminer and cpuminer (`url`, `user`, `algo`), lolMiner
//! (`POOLS[].POOL`), T-Rex and NBMiner, as their documentation shows them, and the stratum URL
//! schemes these programs share. A wallet alone is a donation address and says nothing; a list
//! of many pools is a block list.

use std::sync::LazyLock;

use regex::bytes::Regex;
use seaworthy_core::{MalwareBasis, Meta, Severity};
use serde_json::Value;

use super::rule::{HeuristicRule, Scope, script, text};
use super::shell::{Command, base_name};
use super::text::{lossy, pattern};
use super::{Seen, wallet};

const ADVICE: &str = "whoever runs the image pays for the mining: find out which instruction or \
    base image brought it, and rotate what the build could reach";

/// A configuration file.
pub(super) const CONFIGURATION: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "miner-configuration",
        revision: 1,
        summary: "configuration of a cryptocurrency miner",
        references: &["https://xmrig.com/docs/miner/config"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1496",
    scope: Scope::File,
    advice: ADVICE,
    positive: &[
        text(
            "opt/.x/config.json",
            r#"{"autosave":true,"donate-level":1,"pools":[{"algo":"rx/0","url":"pool.example.com:3333","user":"w","pass":"x","keepalive":true}]}"#,
        ),
        text(
            "app/pools.txt",
            "\"pool_list\" :\n[\n{\"pool_address\" : \"xmr.example.com:3333\", \"wallet_address\" : \"w\", \"pool_weight\" : 1},\n],\n\"currency\" : \"monero\",\n",
        ),
        text(
            "app/c.json",
            r#"{"pools":[{"url":"stratum+tcp://p.example.com:3333","user":"u.1","pass":"x"}],"algo":"x16r"}"#,
        ),
    ],
    negative: &[
        text(
            "app/config.json",
            r#"{"pools":[{"url":"postgres://db.example.com/x","user":"app","size":5}],"algo":"round-robin"}"#,
        ),
        text(
            "etc/ntp.json",
            r#"{"stratum":2,"pools":["0.pool.ntp.org"]}"#,
        ),
    ],
};

/// A miner's command line.
pub(super) const COMMAND_LINE: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "miner-command-line",
        revision: 1,
        summary: "command line of a cryptocurrency miner",
        references: &["https://xmrig.com/docs/miner/command-line-options"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1496",
    scope: Scope::File,
    advice: ADVICE,
    positive: &[
        script(
            "opt/run.sh",
            "#!/bin/sh\nnice ./d -o pool.example.com:443 -u w --donate-level 1 --tls -k\n",
        ),
        script(
            "start.sh",
            "#!/bin/sh\nexec /opt/worker -a randomx --url=stratum+ssl://p.example.com:443 --user=w\n",
        ),
    ],
    negative: &[
        script(
            "start.sh",
            "#!/bin/sh\nexec curl -o out.html -u user:secret https://example.com/\n",
        ),
        script("run.sh", "#!/bin/sh\nsort -u -o list list -k 2\n"),
    ],
};

/// The address of a pool in a script or configuration.
pub(super) const POOL: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "miner-pool",
        revision: 1,
        summary: "address of a mining pool",
        references: &["https://en.bitcoin.it/wiki/Stratum_mining_protocol"],
    },
    severity: Severity::Medium,
    basis: MalwareBasis::Behaviour,
    attack: "T1496",
    scope: Scope::File,
    advice: ADVICE,
    positive: &[
        text(
            "etc/app.conf",
            "server = stratum+tcp://a.example.com:3333\n",
        ),
        text("root/.env", "UPSTREAM=gulf.moneroocean.stream:10128\n"),
    ],
    negative: &[
        text(
            "etc/ntp.conf",
            "tos minclock 4 # stratum of the pool\npool 2.debian.pool.ntp.org iburst\n",
        ),
        text(
            "usr/share/doc/x/README",
            "server stratum+tcp://a.example.com:3333\n",
        ),
        text(
            "etc/adblock.txt",
            "||a.example.com^\n||b.example.com^\n||c.example.com^\n||d.example.com^\n||e.example.com^\n||f.example.com^\n||g.example.com^\n||2miners.com^\n",
        ),
        text(
            "etc/block.txt",
            "0.0.0.0 c3pool.com\n0.0.0.0 nanopool.org\n0.0.0.0 minexmr.com\n0.0.0.0 2miners.com\n0.0.0.0 f2pool.com\n0.0.0.0 nicehash.com\n0.0.0.0 hashvault.pro\n0.0.0.0 supportxmr.com\n",
        ),
    ],
};

/// A pool and a wallet whose checksum is right.
pub(super) const WALLET: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "miner-wallet",
        revision: 1,
        summary: "mining pool together with a wallet's address",
        references: &["https://docs.getmonero.org/public-address/standard-address/"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1496",
    scope: Scope::File,
    advice: ADVICE,
    positive: &[text(
        "etc/app.conf",
        "host=xmr.pool-of.example.com:3333\nserver=stratum+tcp://a.example.com:3333\nid=44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A\n",
    )],
    negative: &[text(
        "app/README.txt",
        "Donate: 44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A or 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa\n",
    )],
};

/// Huge pages and processor registers set as miners want them.
pub(super) const TUNING: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "miner-tuning",
        revision: 1,
        summary: "script that tunes a host for mining",
        references: &["https://xmrig.com/docs/miner/randomx-optimization-guide"],
    },
    severity: Severity::Medium,
    basis: MalwareBasis::Behaviour,
    attack: "T1496",
    scope: Scope::File,
    advice: ADVICE,
    positive: &[script(
        "opt/boost.sh",
        "#!/bin/sh\nmodprobe msr\nwrmsr -a 0x1a4 0xf\nsysctl -w vm.nr_hugepages=1280\n",
    )],
    negative: &[
        script(
            "opt/db.sh",
            "#!/bin/sh\nsysctl -w vm.nr_hugepages=1280\nexec postgres\n",
        ),
        script("opt/msr.sh", "#!/bin/sh\nmodprobe msr\nrdmsr 0x1a0\n"),
    ],
};

/// A script that ends miners of others, as droppers do before they start their own.
pub(super) const RIVALS: HeuristicRule = HeuristicRule {
    meta: Meta {
        id: "ends-rival-miners",
        revision: 1,
        summary: "script that ends the miners of others",
        references: &["https://attack.mitre.org/techniques/T1489/"],
    },
    severity: Severity::High,
    basis: MalwareBasis::Behaviour,
    attack: "T1489",
    scope: Scope::File,
    advice: ADVICE,
    positive: &[script(
        "tmp/i.sh",
        "#!/bin/sh\npkill -9 xmrig\npkill -9 kdevtmpfsi\npkill -f kinsing\ncrontab -r\n",
    )],
    negative: &[
        text(
            "etc/rules.yaml",
            "- list: miners\n  items: [xmrig, kdevtmpfsi, kinsing, minerd]\n",
        ),
        script("opt/stop.sh", "#!/bin/sh\npkill -9 xmrig\n"),
    ],
};

static POOLS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut hosts: Vec<&str> = include_str!("pools.txt")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    hosts.sort_unstable();
    hosts
});

static STRATUM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:stratum[12]?|ethproxy|ethstratum2?|nicehash|xnsub)\+?(?:tcp|ssl|tls|tls12|udp|wss?)?://[^\s]{4,}",
    )
});

/// Whether a host, with or without a port, is that of a pool we know.
pub(super) fn is_pool_host(host: &str) -> bool {
    let host = host
        .split(':')
        .next()
        .unwrap_or(host)
        .trim_end_matches('.')
        .to_ascii_lowercase();
    let mut rest = host.as_str();
    loop {
        if POOLS.binary_search(&rest).is_ok() {
            return true;
        }
        match rest.split_once('.') {
            Some((_, parent)) if parent.contains('.') => rest = parent,
            _ => return false,
        }
    }
}

/// Block lists and detection rules name many pools; a configuration names one and its spares.
const POOLS_OF_A_LIST: usize = 6;

/// Looks at text that holds one of a miner's words.
pub(super) fn examine(bytes: &[u8], commands: Option<&[Command]>, seen: &mut Seen<'_>) {
    let text = lossy(bytes);
    let mut found = false;
    if let Some(what) = configuration(&text) {
        seen.add(&CONFIGURATION, None, what);
        found = true;
    }
    if let Some(commands) = commands
        && let Some(program) = commands.iter().find_map(command_line)
    {
        seen.add(
            &COMMAND_LINE,
            None,
            format!("`{program}` is given a pool and an account"),
        );
        found = true;
    }
    let pool = pool(&text);
    if let Some(pool) = pool {
        let at = pool.offset;
        if let Some((_, coin)) = wallet::find(&text) {
            seen.add(&WALLET, at, format!("{}, and a {coin} address", pool.what));
        } else if !found {
            seen.add(&POOL, at, pool.what);
        }
    }
}

/// Looks at scripts that hold one of the words of tuning or rivalry.
pub(super) fn examine_script(bytes: &[u8], seen: &mut Seen<'_>) {
    let text = lossy(bytes);
    let code = || {
        text.lines()
            .map(str::trim_start)
            .filter(|line| !line.starts_with('#'))
    };
    let has = |word: &str| code().any(|line| line.contains(word));
    if has("nr_hugepages") && has("wrmsr") {
        seen.add(
            &TUNING,
            None,
            "sets huge pages and processor registers".to_owned(),
        );
    }
    let rivals = KNOWN_MINERS
        .iter()
        .filter(|name| {
            code().any(|line| {
                line.contains(*name) && (line.contains("kill") || line.contains("rm -"))
            })
        })
        .count();
    if rivals >= 3 {
        seen.add(
            &RIVALS,
            None,
            format!("kills {rivals} programs known as miners"),
        );
    }
}

/// Program names of miners and of the malware that brings them.
pub(super) const KNOWN_MINERS: &[&str] = &[
    "xmrig",
    "xmr-stak",
    "xmrigdaemon",
    "xmrigminer",
    "minerd",
    "cpuminer",
    "ccminer",
    "cgminer",
    "bfgminer",
    "lolminer",
    "nbminer",
    "t-rex",
    "teamredminer",
    "phoenixminer",
    "ethminer",
    "gminer",
    "srbminer",
    "nanominer",
    "kdevtmpfsi",
    "kinsing",
    "kthrotlds",
    "kerberods",
    "watchbog",
    "ddgs",
    "sysrv",
    "dbused",
    "sustse",
    "kswapd00",
    "networkservice",
    "sysupdate",
    "cryptonight",
    "cnrig",
    "xmrmine",
    "moneroocean",
];

struct Pool {
    offset: Option<u64>,
    what: String,
}

fn pool(text: &str) -> Option<Pool> {
    let mut hosts: Vec<&str> = Vec::new();
    let mut first = None;
    for (at, host) in hosts_in(text) {
        if is_pool_host(host) && !hosts.contains(&host) {
            first.get_or_insert((at, host));
            hosts.push(host);
            if hosts.len() >= POOLS_OF_A_LIST {
                return None;
            }
        }
    }
    let url = STRATUM
        .find_iter(text.as_bytes())
        .take(POOLS_OF_A_LIST * 4)
        .collect::<Vec<_>>();
    if let Some(found) = url.first() {
        return (url.len() < POOLS_OF_A_LIST * 4).then(|| Pool {
            offset: super::text::offset(found.start()),
            what: "a stratum URL".to_owned(),
        });
    }
    if is_block_list(text) {
        return None;
    }
    first.map(|(at, host)| Pool {
        offset: super::text::offset(at),
        what: format!("the pool `{host}`"),
    })
}

/// Whether the text forbids hosts: a hosts file or a list of an ad blocker.
fn is_block_list(text: &str) -> bool {
    const STARTS: &[&str] = &[
        "0.0.0.0 ",
        "0.0.0.0\t",
        "127.0.0.1 ",
        "::1 ",
        "||",
        "@@||",
        "##",
    ];
    text.lines()
        .filter(|line| STARTS.iter().any(|start| line.starts_with(start)))
        .nth(7)
        .is_some()
}

fn hosts_in(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-')))
        .filter_map(move |word| {
            let start = at;
            at += word.len() + 1;
            (word.len() >= 6 && word.len() < 128 && word.contains('.')).then_some((start, word))
        })
}

const ALGORITHMS: &[&str] = &[
    "rx/",
    "cn/",
    "cn-",
    "argon2/",
    "ghostrider",
    "randomx",
    "cryptonight",
    "kawpow",
    "ethash",
    "etchash",
    "autolykos",
    "progpow",
    "equihash",
    "lyra2",
    "x11",
    "x16r",
    "x17",
    "yescrypt",
    "yespower",
    "octopus",
    "kheavyhash",
    "firopow",
    "beam",
    "cuckatoo",
    "cuckaroo",
    "verthash",
    "panthera",
    "minotaurx",
];

fn is_algorithm(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ALGORITHMS.iter().any(|known| word.starts_with(known))
}

/// Whether the text is a miner's configuration.
fn configuration(text: &str) -> Option<String> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if !start.starts_with(['{', '[', '"', '/']) {
        return None;
    }
    let clean = plain_json(start);
    // xmr-stak's files are the inside of an object.
    let value: Value = serde_json::from_str(&clean)
        .or_else(|_| serde_json::from_str(&format!("{{{}}}", clean.trim().trim_end_matches(','))))
        .ok()?;
    let mut facts = Facts::default();
    facts.collect(&value, 0, false);
    let is_miner = facts.pool && facts.user && (facts.marks > 0 || facts.pool_for_sure);
    is_miner.then(|| {
        format!(
            "names a pool and an account{}",
            if facts.marks > 0 {
                ", with options only miners have"
            } else {
                ""
            }
        )
    })
}

/// Removes comments and commas before a closing bracket, outside of strings.
fn plain_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            match c {
                '"' => in_string = false,
                '\\' => out.extend(chars.next()),
                _ => {}
            }
            continue;
        }
        match (c, chars.peek()) {
            ('/', Some('/')) => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            ('/', Some('*')) => {
                let mut last = ' ';
                chars.next();
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            (']' | '}', _) => {
                let len = out.trim_end().trim_end_matches(',').len();
                out.truncate(len);
                out.push(c);
            }
            ('"', _) => {
                in_string = true;
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[derive(Default)]
struct Facts {
    pool: bool,
    pool_for_sure: bool,
    user: bool,
    marks: u32,
}

impl Facts {
    fn collect(&mut self, value: &Value, depth: usize, in_pools: bool) {
        if depth > 8 {
            return;
        }
        match value {
            Value::Array(values) => {
                for value in values.iter().take(64) {
                    self.collect(value, depth + 1, in_pools);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields.iter().take(256) {
                    let name = name.to_ascii_lowercase();
                    self.field(&name, value, in_pools);
                    let below = in_pools || matches!(name.as_str(), "pools" | "pool_list");
                    self.collect(value, depth + 1, below);
                }
            }
            _ => {}
        }
    }

    fn field(&mut self, name: &str, value: &Value, in_pools: bool) {
        let text = value.as_str().unwrap_or_default();
        match name {
            "url" | "pool" | "pool_address" | "host" => {
                let host = text.rsplit("://").next().unwrap_or(text);
                let sure = STRATUM.is_match(text.as_bytes())
                    || is_pool_host(host.split(['/', ':']).next().unwrap_or(host));
                self.pool_for_sure |= sure;
                self.pool |= sure
                    || (in_pools && !text.is_empty())
                    || (name == "pool_address" && text.contains(':'));
            }
            "user" | "wallet" | "wallet_address" | "username" => self.user |= !text.is_empty(),
            "algo" | "algorithm" => self.marks += u32::from(is_algorithm(text)),
            "donate-level" | "donate-over-proxy" | "rig-id" | "rig_id" | "use_nicehash"
            | "randomx" | "cpu_threads_conf" | "huge-pages-jit" | "pool_weight" | "asm-msr" => {
                self.marks += 1
            }
            "nicehash" if value.is_boolean() => self.marks += 1,
            _ => {}
        }
    }
}

/// The program of a command that is given a pool, an account and what only miners take.
pub(super) fn command_line(command: &Command) -> Option<&str> {
    let (program, arguments) = command.program()?;
    let mut pool = false;
    let mut account = false;
    let mut sure = KNOWN_MINERS.contains(&program.to_ascii_lowercase().as_str());
    let mut words = arguments.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, words.peek().copied()),
        };
        let value = value.unwrap_or_default();
        match name {
            "-o" | "--url" | "--pool" | "-pool" | "--server" | "-P" | "--proxy" => {
                sure |= STRATUM.is_match(value.as_bytes())
                    || is_pool_host(value.rsplit("://").next().unwrap_or(value));
                // An address with a port, or a URL of a pool.
                pool |= sure && !value.is_empty() || has_port(value);
            }
            "-u" | "--user" | "--wallet" | "-wal" | "--username" => account |= !value.is_empty(),
            "--donate-level"
            | "--donate-over-proxy"
            | "--randomx-mode"
            | "--randomx-1gb-pages"
            | "--cpu-max-threads-hint"
            | "--nicehash"
            | "--rig-id" => sure = true,
            "-a" | "--algo" | "--algorithm" | "--coin" => {
                sure |= is_algorithm(value) || (name == "--coin" && !value.is_empty())
            }
            _ => {}
        }
    }
    (pool && account && sure).then_some(base_name(program))
}

fn has_port(value: &str) -> bool {
    value.rsplit_once(':').is_some_and(|(host, port)| {
        host.contains('.')
            && (2..=5).contains(&port.len())
            && port.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_known_with_what_is_below_them_and_nothing_else() {
        assert!(is_pool_host("gulf.moneroocean.stream:10128"));
        assert!(is_pool_host("XMR.2Miners.com"));
        assert!(!is_pool_host("pool.ntp.org"));
        assert!(!is_pool_host("example.com"));
        assert!(!is_pool_host("notnanopool.org"));
    }

    #[test]
    fn json_with_comments_is_json() {
        let text = "{ // x\n \"a\": [1, 2,], /* b */ \"u\": \"http://x\", }";
        let value: Value = serde_json::from_str(&plain_json(text)).unwrap();
        assert_eq!(value["u"], "http://x");
    }

    #[test]
    fn the_list_of_pools_is_clean() {
        assert!(POOLS.len() > 50);
        assert!(
            POOLS
                .iter()
                .all(|host| host.contains('.') && *host == host.to_ascii_lowercase())
        );
    }
}
