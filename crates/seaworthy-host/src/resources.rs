//! What keeps a container from taking everything: limits in force and limits missing.

use serde::{Deserialize, Serialize};

use crate::facts::container::{ContainerFacts, Declared};
use crate::facts::{Fact, Facts};

/// Limits of a container. Inner `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRow {
    /// Id of the container.
    pub id: String,
    /// Its name.
    pub container: String,
    /// Whether it runs.
    pub running: bool,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Thousandths of a processor.
    pub cpu_millis: Option<u64>,
    /// Processes.
    pub pids: Option<u64>,
    /// Whether its writable layer is bounded, or it has none.
    pub disk_bounded: bool,
    /// Whether its log is bounded.
    pub log_bounded: bool,
    /// What is missing: `memory`, `cpu`, `pids`, `disk`, `log`.
    pub missing: Vec<String>,
}

/// Limits of all containers, and what they come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// A row for each container.
    pub rows: Vec<ResourceRow>,
    /// Running containers of which each alone can use up all memory.
    pub can_exhaust_memory: usize,
    /// The same with processors.
    pub can_exhaust_cpu: usize,
    /// The same with processes.
    pub can_exhaust_pids: usize,
    /// The same with the data root's disk, through their writable layer or their log.
    pub can_exhaust_disk: usize,
    /// Memory promised to all running containers that have a limit.
    pub memory_promised_bytes: u64,
    /// Memory of the host; `None` where it is not known.
    pub memory_host_bytes: Option<u64>,
}

/// Looks at every container's limits: the control group's where it runs, else the declared.
pub fn table(facts: &Facts) -> Resources {
    let host_memory = facts.kernel.memory_bytes.known().copied();
    let host_millis = facts
        .kernel
        .processors
        .known()
        .map(|n| u64::from(*n) * 1000);
    let rows: Vec<ResourceRow> = facts
        .containers()
        .iter()
        .filter_map(|container| Some(row(container, container.declared.known()?)))
        .collect();
    let count =
        |can: &dyn Fn(&ResourceRow) -> bool| rows.iter().filter(|r| r.running && can(r)).count();
    Resources {
        can_exhaust_memory: count(&|r| {
            r.memory_bytes
                .is_none_or(|limit| host_memory.is_some_and(|all| limit >= all))
        }),
        can_exhaust_cpu: count(&|r| {
            r.cpu_millis
                .is_none_or(|limit| host_millis.is_some_and(|all| limit >= all))
        }),
        can_exhaust_pids: count(&|r| r.pids.is_none()),
        can_exhaust_disk: count(&|r| !r.disk_bounded || !r.log_bounded),
        memory_promised_bytes: rows
            .iter()
            .filter(|r| r.running)
            .filter_map(|r| r.memory_bytes)
            .fold(0, u64::saturating_add),
        memory_host_bytes: host_memory,
        rows,
    }
}

fn row(container: &ContainerFacts, declared: &Declared) -> ResourceRow {
    let limits = &declared.limits;
    let positive = |value: i64| u64::try_from(value).ok().filter(|v| *v > 0);
    let in_force = container.limits.known();
    let memory_bytes = match in_force.map(|l| &l.memory) {
        Some(Fact::Known(limit)) => *limit,
        _ => positive(limits.memory),
    };
    let pids = match in_force.map(|l| &l.pids) {
        Some(Fact::Known(limit)) => *limit,
        _ => limits.pids.and_then(positive),
    };
    let cpu_millis = match in_force.map(|l| &l.cpu_millis) {
        Some(Fact::Known(Some(limit))) => Some(*limit),
        _ => positive(limits.nano_cpus)
            .map(|nano| nano / 1_000_000)
            .or_else(|| {
                let period = positive(limits.cpu_period).unwrap_or(100_000);
                positive(limits.cpu_quota)?
                    .saturating_mul(1000)
                    .checked_div(period)
            })
            .or_else(|| cpuset_size(&limits.cpuset).map(|n| n.saturating_mul(1000))),
    };
    let disk_bounded = declared.read_only_root || limits.storage_options.contains_key("size");
    let log_bounded =
        declared.log_driver != "json-file" || declared.log_options.contains_key("max-size");
    let missing = [
        ("memory", memory_bytes.is_none()),
        ("cpu", cpu_millis.is_none()),
        ("pids", pids.is_none()),
        ("disk", !disk_bounded),
        ("log", !log_bounded),
    ];
    ResourceRow {
        id: container.id.clone(),
        container: container.name.clone(),
        running: container.state.running,
        memory_bytes,
        cpu_millis,
        pids,
        disk_bounded,
        log_bounded,
        missing: missing
            .iter()
            .filter(|(_, is)| *is)
            .map(|(name, _)| (*name).to_owned())
            .collect(),
    }
}

/// How many processors `0-2,5` names.
fn cpuset_size(set: &str) -> Option<u64> {
    let mut count = 0_u64;
    for part in set.split(',').filter(|part| !part.trim().is_empty()) {
        let (first, last) = part
            .trim()
            .split_once('-')
            .unwrap_or((part.trim(), part.trim()));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        count = count.saturating_add(last.checked_sub(first)?.saturating_add(1));
    }
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::container::{CgroupLimits, ContainerState};

    #[test]
    fn the_control_group_counts_before_the_declaration() {
        let mut facts = Facts::default();
        let mut declared = Declared {
            log_driver: "json-file".into(),
            read_only_root: true,
            ..Declared::default()
        };
        declared.limits.memory = 1 << 20;
        declared.limits.cpu_quota = 50_000;
        facts.kernel.memory_bytes = Fact::Known(1 << 30);
        facts.kernel.processors = Fact::Known(2);
        facts.containers = Fact::Known(vec![ContainerFacts {
            state: ContainerState {
                running: true,
                ..ContainerState::default()
            },
            declared: Fact::Known(declared),
            limits: Fact::Known(CgroupLimits {
                memory: Fact::Known(None),
                pids: Fact::Known(Some(10)),
                ..CgroupLimits::default()
            }),
            ..ContainerFacts::default()
        }]);
        let resources = table(&facts);
        assert_eq!(resources.rows[0].missing, ["memory", "log"]);
        assert_eq!(resources.rows[0].cpu_millis, Some(500));
        assert_eq!(
            (
                resources.can_exhaust_memory,
                resources.can_exhaust_cpu,
                resources.can_exhaust_disk
            ),
            (1, 0, 1)
        );
        assert_eq!(cpuset_size("0-2,5"), Some(4));
        assert_eq!(cpuset_size("9-1"), None);
    }
}
