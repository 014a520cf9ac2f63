//! A container's seccomp profile, and what it lets through.
//!
//! The engine's format (`github.com/opencontainers/runtime-spec`, with the engine's
//! `includes` and `excludes`). "Custom" says nothing: one that allows everything is a
//! profile too, and the difference to none is a word.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::capability::CapSet;

/// Bytes of a profile.
pub const MAX_BYTES: usize = 1 << 20;
/// Rules kept of one profile.
const MAX_RULES: usize = 4096;

/// Which profile a container was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum SeccompChoice {
    /// The engine's own, or what the daemon was configured with.
    #[default]
    Default,
    /// None.
    Unconfined,
    /// One of its own.
    Custom(SeccompProfile),
    /// One that could not be understood, and why.
    Unreadable(String),
}

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct SeccompProfile {
    /// What happens to calls that no rule names, `SCMP_ACT_ERRNO`.
    pub default_action: String,
    /// Its rules.
    pub rules: Vec<SeccompRule>,
}

/// A rule of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct SeccompRule {
    /// System calls it speaks of.
    pub names: Vec<String>,
    /// What happens to them.
    pub action: String,
    /// Whether it only speaks of calls with certain arguments.
    pub has_arguments: bool,
    /// Its conditions on arguments: index, value, second value, comparison.
    pub arguments: Vec<(i64, i64, i64, String)>,
    /// Only for containers with one of these capabilities.
    pub only_with: Vec<String>,
    /// Not for containers with one of these.
    pub not_with: Vec<String>,
    /// Only from this kernel on.
    pub min_kernel: String,
}

/// Whether a call goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowed {
    /// Always.
    Yes,
    /// With some arguments, or depending on the kernel.
    Sometimes,
    /// Never.
    No,
}

/// Calls that no ordinary program needs and that open kernel routes when allowed to a
/// container without further privilege.
pub const DANGEROUS: &[&str] = &[
    "add_key",
    "bpf",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "init_module",
    "io_uring_setup",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "mount",
    "move_mount",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "reboot",
    "request_key",
    "setns",
    "swapon",
    "umount2",
    "unshare",
    "userfaultfd",
];

impl SeccompProfile {
    /// Reads a profile.
    ///
    /// # Errors
    ///
    /// What is wrong with it, where it is no profile.
    pub fn parse(text: &str) -> Result<SeccompProfile, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("it is over {MAX_BYTES} bytes"));
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let complaints = super::json::Complaints::default();
        let doc = super::json::Doc::new(&value, &complaints);
        let mut rules: Vec<SeccompRule> = Vec::new();
        for rule in doc.items("syscalls").into_iter().take(MAX_RULES) {
            let mut names = rule.texts("names");
            let single = rule.text("name");
            if !single.is_empty() {
                names.push(single);
            }
            let arguments = rule.items("args");
            rules.push(SeccompRule {
                names,
                action: rule.text("action"),
                has_arguments: !arguments.is_empty(),
                arguments: arguments
                    .iter()
                    .take(16)
                    .map(|argument| {
                        (
                            argument.number("index"),
                            argument.number("value"),
                            argument.number("valueTwo"),
                            argument.text("op"),
                        )
                    })
                    .collect(),
                only_with: rule.texts("includes.caps"),
                not_with: rule.texts("excludes.caps"),
                min_kernel: rule.text("includes.minKernel"),
            });
        }
        let default_action = doc.text("defaultAction");
        if let Some(complaint) = complaints.into_inner().into_iter().next() {
            return Err(complaint);
        }
        if default_action.is_empty() {
            return Err("it has no `defaultAction`".to_owned());
        }
        Ok(SeccompProfile {
            default_action,
            rules,
        })
    }

    /// Whether a call goes through for a container with these capabilities.
    pub fn allows(&self, call: &str, capabilities: CapSet) -> Allowed {
        let lets =
            |action: &str| matches!(action, "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG" | "SCMP_ACT_TRACE");
        let mut verdict = if lets(&self.default_action) {
            Allowed::Yes
        } else {
            Allowed::No
        };
        for rule in &self.rules {
            let has_any = |names: &[String]| names.iter().any(|name| capabilities.has(name));
            let applies = rule.names.iter().any(|name| name == call)
                && (rule.only_with.is_empty() || has_any(&rule.only_with))
                && !has_any(&rule.not_with);
            if !applies {
                continue;
            }
            let is_narrow = rule.has_arguments || !rule.min_kernel.is_empty();
            verdict = match (lets(&rule.action), is_narrow) {
                (true, false) => return Allowed::Yes,
                (false, false) => Allowed::No,
                (true, true) if verdict == Allowed::No => Allowed::Sometimes,
                (false, true) if verdict == Allowed::Yes => Allowed::Sometimes,
                _ => verdict,
            };
        }
        verdict
    }

    /// Those of [`DANGEROUS`] that always go through.
    pub fn dangerous(&self, capabilities: CapSet) -> BTreeSet<&'static str> {
        DANGEROUS
            .iter()
            .filter(|call| self.allows(call, capabilities) == Allowed::Yes)
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_allows_everything_is_seen_through() {
        let open = SeccompProfile::parse(r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["reboot"],"action":"SCMP_ACT_ERRNO"}]}"#).unwrap();
        let dangerous = open.dangerous(CapSet::DOCKER_DEFAULT);
        assert!(dangerous.contains("unshare") && !dangerous.contains("reboot"));
        assert!(SeccompProfile::parse("[]").is_err());
        assert!(SeccompProfile::parse(r#"{"defaultAction":5}"#).is_err());
    }

    #[test]
    fn conditions_on_capabilities_and_arguments_count() {
        let profile = SeccompProfile::parse(
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}},
            {"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]}]}"#,
        )
        .unwrap();
        assert_eq!(profile.allows("mount", CapSet::DOCKER_DEFAULT), Allowed::No);
        assert_eq!(profile.allows("mount", CapSet::ALL), Allowed::Yes);
        assert_eq!(profile.allows("clone", CapSet::ALL), Allowed::Sometimes);
    }
}
