//! A container as the engine declares it: `GET /containers/ID/json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::capability::CapSet;
use super::json::{Complaints, Doc};
use super::process::ProcessView;
use super::redact::{self, EnvVar};
use super::seccomp::{SeccompChoice, SeccompProfile};
use super::{Fact, engine};

/// A device given to a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Device {
    /// On the host.
    pub host: String,
    /// In the container.
    pub container: String,
    /// Letters of `rwm`.
    pub permissions: String,
}

/// `--gpus` and its like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct DeviceRequest {
    /// `nvidia`, `cdi`, or empty.
    pub driver: String,
    /// Which.
    pub ids: Vec<String>,
    /// What they must be able to.
    pub capabilities: Vec<String>,
}

/// A mount as the engine declares it; what there really is, the kernel says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct DeclaredMount {
    /// `bind`, `volume`, `tmpfs`, `npipe`, `image`.
    pub kind: String,
    /// Name of a volume.
    pub name: String,
    /// Where on the host.
    pub source: String,
    /// The same with links resolved on the host.
    pub source_real: Fact<String>,
    /// What the source is: owner, mode, kind.
    pub source_file: Fact<super::reader::FileFact>,
    /// Where in the container.
    pub destination: String,
    /// Driver of a volume.
    pub driver: String,
    /// Options as given, `ro,Z`.
    pub mode: String,
    /// Whether it says that it can be written.
    pub writable: bool,
    /// `rprivate`, `rshared`, ….
    pub propagation: String,
}

/// Details of a mount that only `--mount` can give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct MountRequest {
    /// Where in the container.
    pub target: String,
    /// Only the mount itself, none below it.
    pub non_recursive: bool,
    /// Read-only for the mount itself alone, by request.
    pub read_only_non_recursive: bool,
    /// Fails where mounts below can't be made read-only too.
    pub read_only_force_recursive: bool,
    /// Options of the volume's driver.
    pub volume_options: BTreeMap<String, String>,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct PublishedPort {
    /// `80/tcp`.
    pub container: String,
    /// Address on the host; empty for all.
    pub host_ip: String,
    /// Port on the host; empty where the engine chooses one at the start.
    pub host_port: String,
}

impl PublishedPort {
    /// Whether every address of the host answers.
    pub fn is_on_all_addresses(&self) -> bool {
        matches!(self.host_ip.as_str(), "" | "0.0.0.0" | "::" | "[::]")
    }
}

/// A place on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Attachment {
    /// Name of the network.
    pub network: String,
    /// Its id; empty before the first start.
    pub network_id: String,
    /// IPv4 address.
    pub ip: String,
    /// IPv6 address.
    pub ip6: String,
    /// Hardware address.
    pub mac: String,
}

/// A resource limit of processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Ulimit {
    /// `nofile`.
    pub name: String,
    /// Hard limit.
    pub hard: i64,
    /// Soft limit.
    pub soft: i64,
}

/// Limits on what a container may use. Zero is no limit unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of memory and swap; -1 is no limit.
    pub memory_swap: i64,
    /// Bytes it is squeezed to under pressure.
    pub memory_reservation: i64,
    /// Billionths of a processor.
    pub nano_cpus: i64,
    /// Weight; a weight is no limit, but keeps others alive.
    pub cpu_shares: i64,
    /// Microseconds in each period.
    pub cpu_quota: i64,
    /// Length of a period.
    pub cpu_period: i64,
    /// Processors it may use.
    pub cpuset: String,
    /// Processes; none, 0 and -1 are no limit.
    pub pids: Option<i64>,
    /// Of its processes.
    pub ulimits: Vec<Ulimit>,
    /// Whether it is spared when memory runs out.
    pub oom_kill_disable: bool,
    /// How likely it is to be killed then.
    pub oom_score_adj: i64,
    /// Size of its writable layer, where the driver can bound it.
    pub storage_options: BTreeMap<String, String>,
    /// Bytes of `/dev/shm`.
    pub shm_size: i64,
    /// Weight of its block I/O.
    pub blkio_weight: i64,
}

/// What the engine was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Declared {
    /// User and group it runs as; empty is root.
    pub user: String,
    /// Environment, without values that rules don't need.
    pub env: Vec<EnvVar>,
    /// Entry point, redacted.
    pub entrypoint: Vec<String>,
    /// Arguments, redacted.
    pub command: Vec<String>,
    /// Labels, redacted.
    pub labels: BTreeMap<String, String>,
    /// Working directory.
    pub working_dir: String,
    /// Ports of image and command line, `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Health check.
    pub healthcheck: Vec<String>,
    /// All capabilities, all devices, no confinement.
    pub privileged: bool,
    /// Capabilities on top.
    pub cap_add: Vec<String>,
    /// Capabilities taken away.
    pub cap_drop: Vec<String>,
    /// Security options but seccomp: `no-new-privileges`, `label=disable`.
    pub security_options: Vec<String>,
    /// Seccomp profile.
    pub seccomp: SeccompChoice,
    /// AppArmor profile.
    pub apparmor_profile: String,
    /// SELinux label of the process.
    pub process_label: String,
    /// Read-only root file system.
    pub read_only_root: bool,
    /// `none`, `host`, `container:ID`, `bridge`, `default` or a network.
    pub network_mode: String,
    /// PID namespace: empty is its own.
    pub pid_mode: String,
    /// IPC namespace.
    pub ipc_mode: String,
    /// UTS namespace.
    pub uts_mode: String,
    /// User namespace: `host` opts out of the daemon's remapping.
    pub userns_mode: String,
    /// Control group namespace.
    pub cgroupns_mode: String,
    /// OCI runtime.
    pub runtime: String,
    /// Supplementary groups.
    pub group_add: Vec<String>,
    /// Devices.
    pub devices: Vec<Device>,
    /// Rules of the device control group, `c 10:200 rwm`.
    pub device_cgroup_rules: Vec<String>,
    /// Device requests.
    pub device_requests: Vec<DeviceRequest>,
    /// Hidden paths; `null` in the document means the engine's default list where the
    /// container is not privileged.
    pub masked_paths: Option<Vec<String>>,
    /// Read-only paths.
    pub read_only_paths: Option<Vec<String>>,
    /// Kernel settings of its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Temporary file systems and their options.
    pub tmpfs: BTreeMap<String, String>,
    /// Mounts.
    pub mounts: Vec<DeclaredMount>,
    /// More of the mounts given with `--mount`.
    pub mount_requests: Vec<MountRequest>,
    /// Containers whose volumes it has.
    pub volumes_from: Vec<String>,
    /// Limits.
    pub limits: Limits,
    /// `no`, `always`, `unless-stopped`, `on-failure`.
    pub restart_policy: String,
    /// How often at most; 0 is no bound.
    pub restart_retries: i64,
    /// Whether it is removed when it ends.
    pub auto_remove: bool,
    /// Whether a small init runs first.
    pub init: Option<bool>,
    /// Where its log goes.
    pub log_driver: String,
    /// Options of that, redacted.
    pub log_options: BTreeMap<String, String>,
    /// Ports that are asked for.
    pub port_bindings: Vec<PublishedPort>,
    /// Ports that are published now.
    pub ports: Vec<PublishedPort>,
    /// All declared ports, on ports of the engine's choice.
    pub publish_all: bool,
    /// Networks.
    pub networks: Vec<Attachment>,
    /// Lines of its `hosts`.
    pub extra_hosts: Vec<String>,
    /// Parent control group.
    pub cgroup_parent: String,
    /// Fields of the document that could not be understood. Where there are any, nothing
    /// can be said to be well.
    pub malformed: Vec<String>,
}

impl Declared {
    /// Whether a security option switches no-new-privileges on.
    pub fn no_new_privileges(&self) -> Option<bool> {
        self.security_options.iter().rev().find_map(|option| {
            match option.strip_prefix("no-new-privileges")? {
                "" => Some(true),
                rest => rest.get(1..)?.parse().ok(),
            }
        })
    }

    /// Capabilities the engine makes of what was asked for.
    pub fn capabilities(&self) -> CapSet {
        CapSet::of_flags(self.privileged, &self.cap_add, &self.cap_drop)
    }
}

/// How a container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ContainerState {
    /// `running`, `created`, `exited`, `paused`, ….
    pub status: String,
    /// Whether its process lives.
    pub running: bool,
    /// Number of its first process, where it runs.
    pub pid: Option<u32>,
    /// What its health check says; empty for none.
    pub health: String,
    /// How often it was restarted.
    pub restarts: i64,
    /// When it was started, RFC 3339.
    pub started: String,
    /// Whether it was killed for want of memory.
    pub oom_killed: bool,
}

/// A command run in a container beside its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ExecFacts {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Whether it runs now.
    pub running: bool,
    /// As whom; empty is the container's user.
    pub user: String,
    /// With all capabilities.
    pub privileged: bool,
    /// What, redacted.
    pub command: Vec<String>,
}

/// A process inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct InnerProcess {
    /// Its number on the host.
    pub pid: u32,
    /// Name of the program.
    pub name: String,
    /// Effective user, as the host sees it.
    pub uid: Option<u32>,
}

/// A socket of the host that a container can connect to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ReachableSocket {
    /// What answers there: `docker`, `containerd`, ….
    pub service: String,
    /// On the host.
    pub host_path: String,
    /// In the container.
    pub container_path: String,
    /// How it gets there, for people.
    pub through: String,
    /// Whether something listens there now. A folder where one will appear counts too.
    pub listening: Option<bool>,
}

/// Where the engine says one thing and the kernel another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Disagreement {
    /// What it is about.
    pub about: String,
    /// What the engine says.
    pub engine: String,
    /// What the kernel says.
    pub kernel: String,
}

/// Limits as the control group has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct CgroupLimits {
    /// Bytes of memory; `None` is no limit.
    pub memory: Fact<Option<u64>>,
    /// Processes; `None` is no limit.
    pub pids: Fact<Option<u64>>,
    /// Thousandths of a processor; `None` is no limit.
    pub cpu_millis: Fact<Option<u64>>,
    /// Rules of the device control group, version 1 only.
    pub devices: Fact<Vec<String>>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ContainerFacts {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name, without the leading slash.
    pub name: String,
    /// Id of its image.
    pub image_id: String,
    /// Name of its image as it was asked for.
    pub image: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// How it is.
    pub state: ContainerState,
    /// What the engine was asked for.
    pub declared: Fact<Declared>,
    /// What the kernel says of its first process; absent where it does not run.
    pub kernel: Fact<ProcessView>,
    /// Limits in force; absent where it does not run.
    pub limits: Fact<CgroupLimits>,
    /// Processes inside; absent where it does not run.
    pub processes: Fact<Vec<InnerProcess>>,
    /// Commands run beside.
    pub execs: Fact<Vec<ExecFacts>>,
    /// Control planes of the host within its reach.
    pub sockets: Fact<Vec<ReachableSocket>>,
    /// Namespaces it shares with the host, by name; unknown ones can't be compared.
    pub host_namespaces: BTreeMap<String, Fact<bool>>,
    /// Where engine and kernel don't say the same.
    pub disagreements: Vec<Disagreement>,
}

impl ContainerFacts {
    /// The capabilities that count: those of the kernel where it runs, else those that the
    /// engine would give.
    pub fn capabilities(&self) -> Option<CapSet> {
        if let Some(status) = self.kernel.known().and_then(|view| view.status.known()) {
            return Some(status.cap_bounding);
        }
        self.declared.known().map(Declared::capabilities)
    }
}

/// Reads `/containers/ID/json`.
pub fn parse_container(value: &Value) -> ContainerFacts {
    let complaints = Complaints::default();
    let doc = Doc::new(value, &complaints);
    let pid = doc.number("State.Pid");
    let running = doc.flag("State.Running");
    let mut container = ContainerFacts {
        id: doc.text("Id"),
        name: doc.text("Name").trim_start_matches('/').to_owned(),
        image_id: doc.text("Image"),
        image: doc.text("Config.Image"),
        created: doc.text("Created"),
        state: ContainerState {
            status: doc.text("State.Status"),
            running,
            pid: u32::try_from(pid).ok().filter(|pid| running && *pid > 0),
            health: doc.text("State.Health.Status"),
            restarts: doc.number("RestartCount"),
            started: doc.text("State.StartedAt"),
            oom_killed: doc.flag("State.OOMKilled"),
        },
        ..ContainerFacts::default()
    };
    for part in ["Config", "HostConfig", "State"] {
        if !doc.has(part) {
            complaints.borrow_mut().push(format!("`{part}` is missing"));
        }
    }
    let mut declared = declared(&doc);
    declared.malformed = complaints.into_inner();
    container.declared = Fact::Known(declared);
    container
}

fn declared(doc: &Doc<'_>) -> Declared {
    let config = doc.part("Config");
    let host = doc.part("HostConfig");
    let (seccomp, security_options) = security(&host);
    Declared {
        user: config.text("User"),
        env: config
            .texts("Env")
            .iter()
            .map(|line| EnvVar::parse(line))
            .collect(),
        entrypoint: redact::arguments(&config.texts("Entrypoint")),
        command: redact::arguments(&config.texts("Cmd")),
        labels: engine::labels(&config),
        working_dir: config.text("WorkingDir"),
        exposed_ports: config.keys("ExposedPorts"),
        healthcheck: redact::arguments(&config.texts("Healthcheck.Test")),
        privileged: host.flag("Privileged"),
        cap_add: host.texts("CapAdd"),
        cap_drop: host.texts("CapDrop"),
        security_options,
        seccomp,
        apparmor_profile: doc.text("AppArmorProfile"),
        process_label: doc.text("ProcessLabel"),
        read_only_root: host.flag("ReadonlyRootfs"),
        network_mode: host.text("NetworkMode"),
        pid_mode: host.text("PidMode"),
        ipc_mode: host.text("IpcMode"),
        uts_mode: host.text("UTSMode"),
        userns_mode: host.text("UsernsMode"),
        cgroupns_mode: host.text("CgroupnsMode"),
        runtime: host.text("Runtime"),
        group_add: host.texts("GroupAdd"),
        devices: host
            .items("Devices")
            .iter()
            .map(|device| Device {
                host: device.text("PathOnHost"),
                container: device.text("PathInContainer"),
                permissions: device.text("CgroupPermissions"),
            })
            .collect(),
        device_cgroup_rules: host.texts("DeviceCgroupRules"),
        device_requests: host
            .items("DeviceRequests")
            .iter()
            .map(|request| DeviceRequest {
                driver: request.text("Driver"),
                ids: request.texts("DeviceIDs"),
                capabilities: request
                    .items("Capabilities")
                    .iter()
                    .flat_map(|any| any.elements())
                    .filter_map(|word| word.value().as_str().map(str::to_owned))
                    .collect(),
            })
            .collect(),
        masked_paths: host.has("MaskedPaths").then(|| host.texts("MaskedPaths")),
        read_only_paths: host
            .has("ReadonlyPaths")
            .then(|| host.texts("ReadonlyPaths")),
        sysctls: host.text_map("Sysctls"),
        tmpfs: host.text_map("Tmpfs"),
        mounts: mounts(doc),
        mount_requests: mount_requests(&host),
        volumes_from: host.texts("VolumesFrom"),
        limits: limits(&host),
        restart_policy: host.text("RestartPolicy.Name"),
        restart_retries: host.number("RestartPolicy.MaximumRetryCount"),
        auto_remove: host.flag("AutoRemove"),
        init: host.maybe_flag("Init"),
        log_driver: host.text("LogConfig.Type"),
        log_options: host
            .text_map("LogConfig.Config")
            .into_iter()
            .map(|(name, value)| {
                let value = redact::value_of(&name, &value);
                (name, value)
            })
            .collect(),
        port_bindings: ports(&host, "PortBindings"),
        ports: ports(doc, "NetworkSettings.Ports"),
        publish_all: host.flag("PublishAllPorts"),
        networks: doc
            .members("NetworkSettings.Networks")
            .into_iter()
            .map(|(network, place)| Attachment {
                network,
                network_id: place.text("NetworkID"),
                ip: place.text("IPAddress"),
                ip6: place.text("GlobalIPv6Address"),
                mac: place.text("MacAddress"),
            })
            .collect(),
        extra_hosts: host.texts("ExtraHosts"),
        cgroup_parent: host.text("CgroupParent"),
        malformed: Vec::new(),
    }
}

/// Splits the seccomp profile from the other security options, which are made alike:
/// `name:value`, as old clients wrote, becomes `name=value`.
fn security(host: &Doc<'_>) -> (SeccompChoice, Vec<String>) {
    let mut seccomp = SeccompChoice::Default;
    let mut others = Vec::new();
    for option in host.texts("SecurityOpt") {
        let Some(profile) = option
            .strip_prefix("seccomp")
            .and_then(|rest| rest.strip_prefix(['=', ':']))
        else {
            let cut = option.find(['=', ':']);
            others.push(match cut {
                Some(at) => {
                    let (name, rest) = option.split_at(at);
                    format!("{name}={}", rest.get(1..).unwrap_or_default())
                }
                None => option,
            });
            continue;
        };
        seccomp = match profile {
            "unconfined" => SeccompChoice::Unconfined,
            "builtin" => SeccompChoice::Default,
            text => match SeccompProfile::parse(text) {
                Ok(profile) => SeccompChoice::Custom(profile),
                Err(why) => SeccompChoice::Unreadable(why),
            },
        };
    }
    (seccomp, others)
}

fn mounts(doc: &Doc<'_>) -> Vec<DeclaredMount> {
    doc.items("Mounts")
        .iter()
        .map(|mount| DeclaredMount {
            kind: mount.text("Type"),
            name: mount.text("Name"),
            source: mount.text("Source"),
            source_real: Fact::default(),
            source_file: Fact::default(),
            destination: mount.text("Destination"),
            driver: mount.text("Driver"),
            mode: mount.text("Mode"),
            writable: mount.flag("RW"),
            propagation: mount.text("Propagation"),
        })
        .collect()
}

fn mount_requests(host: &Doc<'_>) -> Vec<MountRequest> {
    host.items("Mounts")
        .iter()
        .map(|mount| MountRequest {
            target: mount.text("Target"),
            non_recursive: mount.flag("BindOptions.NonRecursive"),
            read_only_non_recursive: mount.flag("BindOptions.ReadOnlyNonRecursive"),
            read_only_force_recursive: mount.flag("BindOptions.ReadOnlyForceRecursive"),
            volume_options: mount
                .text_map("VolumeOptions.DriverConfig.Options")
                .into_iter()
                .map(|(name, value)| {
                    let value = redact::value_of(&name, &value);
                    (name, value)
                })
                .collect(),
        })
        .collect()
}

fn limits(host: &Doc<'_>) -> Limits {
    Limits {
        memory: host.number("Memory"),
        memory_swap: host.number("MemorySwap"),
        memory_reservation: host.number("MemoryReservation"),
        nano_cpus: host.number("NanoCpus"),
        cpu_shares: host.number("CpuShares"),
        cpu_quota: host.number("CpuQuota"),
        cpu_period: host.number("CpuPeriod"),
        cpuset: host.text("CpusetCpus"),
        pids: host.maybe_number("PidsLimit"),
        ulimits: host
            .items("Ulimits")
            .iter()
            .map(|limit| Ulimit {
                name: limit.text("Name"),
                hard: limit.number("Hard"),
                soft: limit.number("Soft"),
            })
            .collect(),
        oom_kill_disable: host.flag("OomKillDisable"),
        oom_score_adj: host.number("OomScoreAdj"),
        storage_options: host.text_map("StorageOpt"),
        shm_size: host.number("ShmSize"),
        blkio_weight: host.number("BlkioWeight"),
    }
}

fn ports(doc: &Doc<'_>, path: &str) -> Vec<PublishedPort> {
    let mut published: Vec<PublishedPort> = Vec::new();
    for (container, _) in doc.members(path) {
        // A port's name may hold no dot, but a hostile one may: it is then not found again.
        for binding in doc.part(path).items(&container) {
            published.push(PublishedPort {
                container: container.clone(),
                host_ip: binding.text("HostIp"),
                host_port: binding.text("HostPort"),
            });
        }
    }
    published.sort();
    published
}

/// Reads `/exec/ID/json`.
pub fn parse_exec(value: &Value) -> ExecFacts {
    let complaints = Complaints::default();
    let doc = Doc::new(value, &complaints);
    let mut command = vec![doc.text("ProcessConfig.entrypoint")];
    command.extend(doc.texts("ProcessConfig.arguments"));
    ExecFacts {
        id: doc.text("ID"),
        running: doc.flag("Running"),
        user: doc.text("ProcessConfig.user"),
        privileged: doc.flag("ProcessConfig.privileged"),
        command: redact::arguments(&command),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_inspection_is_read_with_its_odd_corners() {
        let container = parse_container(&json!({
            "Id":"ab","Name":"/web","State":{"Running":true,"Pid":7,"Status":"running"},
            "Config":{"User":"0:1000","Env":["DB_PASSWORD=x1y2z3"],"Labels":{"a":"b"}},
            "HostConfig":{"Privileged":false,"CapAdd":null,"SecurityOpt":["no-new-privileges:false","seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}","label:disable"],
                "PidsLimit":null,"MaskedPaths":[],"PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}},
            "Mounts":[{"Type":"bind","Source":"/","Destination":"/host","RW":false,"Propagation":"rprivate"}]
        }));
        assert_eq!(
            (container.name.as_str(), container.state.pid),
            ("web", Some(7))
        );
        let declared = container.declared.known().unwrap();
        assert_eq!(declared.no_new_privileges(), Some(false));
        assert!(matches!(declared.seccomp, SeccompChoice::Custom(_)));
        assert_eq!(declared.security_options[1], "label=disable");
        assert_eq!(declared.masked_paths.as_deref(), Some(&[][..]));
        assert_eq!(declared.limits.pids, None);
        assert!(declared.port_bindings[0].is_on_all_addresses());
        assert!(declared.env[0].is_secret);
        assert!(declared.malformed.is_empty(), "{:?}", declared.malformed);
    }

    #[test]
    fn a_hostile_inspection_is_marked_and_never_lost() {
        let container = parse_container(
            &json!({"Id":"ab","State":{"Pid":-1,"Running":true},"HostConfig":{"Privileged":"no"},"Config":[]}),
        );
        let declared = container.declared.known().unwrap();
        assert!(declared.malformed.iter().any(|m| m.contains("Privileged")));
        assert_eq!(container.state.pid, None);
        let empty = parse_container(&json!(3));
        assert!(!empty.declared.known().unwrap().malformed.is_empty());
    }
}
