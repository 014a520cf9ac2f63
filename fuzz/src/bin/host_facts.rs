//! What a host, its engine and its containers say of themselves: each parser by the first
//! byte, and whole recorded facts held against every check.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use seaworthy_host::facts::capability::CapSet;
use seaworthy_host::facts::seccomp::SeccompProfile;
use seaworthy_host::facts::{
    Fact, Facts, accounts, audit_rules, container, daemon, engine, mountinfo, packages, process,
    sockets, systemd,
};
use seaworthy_host::rules::rules;
use seaworthy_host::{exposure, resources};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    match kind % 8 {
        0 => {
            let (mounts, _) = mountinfo::parse(&text);
            for mount in &mounts {
                let _ = mountinfo::mount_of(&mounts, &mount.point);
            }
        }
        1 => drop(daemon::parse_config(&text)),
        2 => systemd::apply(&text, &mut BTreeMap::new()),
        3 => {
            if let Ok(value) = serde_json::from_slice(rest) {
                let mut facts = Facts::default();
                facts.engine.images = Fact::Known(vec![engine::parse_image(&value)]);
                facts.engine.info = engine::parse_info(&value, &value);
                facts.engine.networks = engine::parse_networks(&value);
                facts.containers = Fact::Known(vec![container::parse_container(&value)]);
                judge(&facts);
            }
        }
        4 => {
            if let Ok(profile) = SeccompProfile::parse(&text) {
                let _ = profile.dangerous(CapSet::DOCKER_DEFAULT);
            }
        }
        5 => {
            let _ = sockets::parse_tcp(&text);
            let _ = sockets::parse_unix(&text);
            let _ = audit_rules::parse(&text);
            let _ = accounts::parse(&text, &text);
        }
        6 => {
            let _ = process::parse_status(&text);
            let _ = process::parse_cgroup(&text);
            let _ = packages::parse_dpkg(&text);
            let _ = packages::parse_apk(&text);
            let words: Vec<String> = text.split('\0').map(str::to_owned).collect();
            let _ = daemon::parse_arguments(&words);
        }
        _ => {
            if let Ok(facts) = Facts::from_json(rest) {
                judge(&facts);
            }
        }
    }
});

fn judge(facts: &Facts) {
    for rule in rules() {
        let _ = (rule.check)(facts);
    }
    let _ = exposure::table(facts);
    let _ = resources::table(facts);
}
