//! What is: the host, the engine and its containers, as plain data.
//!
//! [`collect`] looks once and writes down; nothing here judges. Facts are serde data, so
//! they can be recorded on one machine and judged on another, and a test can make them in
//! code. What could not be looked at is [`Fact::Unknown`] with its reason.

pub mod accounts;
pub mod audit_rules;
pub mod capability;
mod collect;
mod compare;
pub mod container;
pub mod daemon;
pub mod engine;
mod fact;
pub mod files;
mod image_scan;
mod json;
pub mod kernel;
pub mod mountinfo;
pub mod packages;
pub mod process;
pub mod reach;
pub mod reader;
pub mod redact;
pub mod seccomp;
pub mod sockets;
pub mod systemd;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use collect::{CollectRequest, collect};
pub use fact::Fact;
pub use image_scan::ImageScan;
pub use reader::HostRoot;

use accounts::Accounts;
use audit_rules::AuditRules;
use container::ContainerFacts;
use daemon::DaemonFacts;
use engine::EngineFacts;
use files::FileFacts;
use kernel::KernelFacts;
use mountinfo::Mount;
use packages::InstalledPackage;
use reach::ControlSocket;
use seccomp::SeccompProfile;
use sockets::Listeners;
use systemd::Unit;

/// Version of the recorded form; raised when old records can't be read any more.
pub const FORMAT: u32 = 1;

/// Namespaces of the host, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct HostNamespaces {
    /// `process 1`, `dockerd` or `this process`: the first that could be read.
    pub origin: String,
    /// Inodes by name.
    pub inodes: BTreeMap<String, Fact<u64>>,
}

/// Everything that was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Facts {
    /// See [`FORMAT`].
    pub format: u32,
    /// The program that took them.
    pub program: String,
    /// Effective user that looked.
    pub euid: u32,
    /// Kernel and distribution.
    pub kernel: KernelFacts,
    /// Users and groups.
    pub accounts: Fact<Accounts>,
    /// Packages of engine and kernel.
    pub packages: Fact<BTreeMap<String, InstalledPackage>>,
    /// The engine's word.
    pub engine: EngineFacts,
    /// How the daemon was configured.
    pub daemon: DaemonFacts,
    /// The daemon's own seccomp profile; absent where it has none.
    pub daemon_seccomp: Fact<SeccompProfile>,
    /// Units of systemd by name.
    pub units: BTreeMap<String, Fact<Unit>>,
    /// What listens on the host.
    pub listeners: Listeners,
    /// Mounts of the host.
    pub mounts: Fact<Vec<Mount>>,
    /// Namespaces of the host.
    pub namespaces: HostNamespaces,
    /// Owners and modes.
    pub files: FileFacts,
    /// Rules of the audit system.
    pub audit: Fact<AuditRules>,
    /// Sockets that give control over the host.
    pub control_sockets: Vec<ControlSocket>,
    /// Whether the Docker client's configuration of root holds passwords in the clear.
    pub client_passwords: Fact<bool>,
    /// Names of processes on the host that matter to rules (`docker-proxy`), how many.
    pub host_processes: BTreeMap<String, u32>,
    /// Containers.
    pub containers: Fact<Vec<ContainerFacts>>,
    /// What scans of its images say, by image id.
    pub scans: BTreeMap<String, ImageScan>,
    /// Containers that were there at first and gone when they were asked for.
    pub vanished: Vec<String>,
}

impl Facts {
    /// The containers, where they are known.
    pub fn containers(&self) -> &[ContainerFacts] {
        self.containers.known().map_or(&[], Vec::as_slice)
    }

    /// Reads recorded facts.
    ///
    /// # Errors
    ///
    /// When the text is no record, or one of a later version.
    pub fn from_json(text: &[u8]) -> Result<Facts, String> {
        let facts: Facts = serde_json::from_slice(text)
            .map_err(|error| format!("these are no recorded facts: {error}"))?;
        if facts.format == 0 {
            return Err(
                "these are no recorded facts\n  hint: record them with `seaworthy audit --write-facts FILE`"
                    .to_owned(),
            );
        }
        if facts.format > FORMAT {
            return Err(format!(
                "the facts have format {}, this program reads up to {FORMAT}\n  hint: use the program that recorded them, or record them again",
                facts.format
            ));
        }
        Ok(facts)
    }
}
