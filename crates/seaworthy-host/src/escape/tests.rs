//! Every route with facts that open it and facts that don't, and what cuts it.

use std::collections::BTreeSet;
use std::time::Instant;

use super::graph::Level;
use super::routes::RULES;
use super::*;
use crate::facts::accounts::{Accounts, Group};
use crate::facts::container::{ContainerState, Declared, DeclaredMount, Device, ReachableSocket};
use crate::facts::daemon::{DaemonOption, DaemonProcess};
use crate::facts::engine::{Component, EngineInfo, NetworkFacts};
use crate::facts::kernel::CgroupVersion;
use crate::facts::process::{IdRange, ProcessView, Status};
use crate::facts::seccomp::SeccompChoice;
use crate::facts::{Fact, ImageScan};

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A hardened container on a host without flaws, of which everything is known.
fn hardened() -> Facts {
    let mut facts = Facts::default();
    let part = |name: &str, version: &str| Component {
        name: name.into(),
        version: version.into(),
    };
    facts.engine.info = Fact::Known(EngineInfo {
        version: "29.5.1".into(),
        components: vec![part("runc", "1.4.3"), part("containerd", "2.2.5")],
        security_options: strings(&["name=apparmor", "name=seccomp,profile=builtin"]),
        data_root: "/var/lib/docker".into(),
        ..EngineInfo::default()
    });
    facts.engine.networks = Fact::Known(vec![NetworkFacts {
        name: "bridge".into(),
        driver: "bridge".into(),
        ..NetworkFacts::default()
    }]);
    facts.engine.volumes = Fact::Known(Vec::new());
    facts.engine.images = Fact::Known(Vec::new());
    facts.kernel.release = Fact::Known("6.19.12".into());
    facts.kernel.version = Fact::Known("#1".into());
    facts.kernel.apparmor = Fact::Known(true);
    facts.kernel.selinux = Fact::Absent;
    facts.kernel.cgroup = Fact::Known(CgroupVersion::Two);
    for (name, value) in [
        ("kernel.unprivileged_bpf_disabled", "2"),
        ("kernel.io_uring_disabled", "0"),
        ("user.max_user_namespaces", "1000"),
    ] {
        facts
            .kernel
            .sysctls
            .insert(name.into(), Fact::Known(value.into()));
    }
    facts.packages = Fact::Absent;
    facts.daemon.process = Fact::Known(DaemonProcess::default());
    facts.daemon.config = Fact::Absent;
    facts.daemon_seccomp = Fact::Absent;
    facts.mounts = Fact::Known(Vec::new());
    facts.accounts = Fact::Known(Accounts {
        groups: [(
            "docker".to_owned(),
            Group {
                gid: 998,
                members: Vec::new(),
            },
        )]
        .into(),
        ..Accounts::default()
    });
    let mut declared = Declared {
        user: "1000:1000".into(),
        cap_drop: strings(&["ALL"]),
        security_options: strings(&["no-new-privileges"]),
        network_mode: "web".into(),
        read_only_root: true,
        ..Declared::default()
    };
    declared.limits.memory = 1 << 28;
    declared.limits.pids = Some(100);
    facts.containers = Fact::Known(vec![ContainerFacts {
        id: "1".into(),
        name: "web".into(),
        image_id: "sha256:1".into(),
        declared: Fact::Known(declared),
        kernel: Fact::Absent,
        limits: Fact::Absent,
        sockets: Fact::Known(Vec::new()),
        ..ContainerFacts::default()
    }]);
    facts
}

fn container(facts: &mut Facts) -> &mut ContainerFacts {
    match &mut facts.containers {
        Fact::Known(containers) => containers.first_mut().unwrap(),
        _ => unreachable!("made above"),
    }
}

fn declared(facts: &mut Facts) -> &mut Declared {
    match &mut container(facts).declared {
        Fact::Known(declared) => declared,
        _ => unreachable!("made above"),
    }
}

fn root(facts: &mut Facts) {
    declared(facts).user = "0".into();
}

fn capabilities(facts: &mut Facts, names: &[&str]) {
    root(facts);
    declared(facts).cap_add = strings(names);
}

fn mount(facts: &mut Facts, source: &str, writable: bool) {
    root(facts);
    declared(facts).mounts.push(DeclaredMount {
        kind: "bind".into(),
        source: source.into(),
        source_real: Fact::Known(source.into()),
        destination: format!("/m{}", source.replace('/', "-")),
        writable,
        ..DeclaredMount::default()
    });
}

fn device(facts: &mut Facts, path: &str, permissions: &str) {
    root(facts);
    declared(facts).devices.push(Device {
        host: path.into(),
        container: path.into(),
        permissions: permissions.into(),
    });
}

fn socket(facts: &mut Facts, service: &str) {
    mount(facts, "/run/thing", true);
    container(facts).sockets = Fact::Known(vec![ReachableSocket {
        service: service.into(),
        host_path: "/run/thing".into(),
        container_path: "/m-run-thing".into(),
        through: "a mount".into(),
        listening: Some(true),
    }]);
}

fn part(facts: &mut Facts, name: &str, version: &str) {
    root(facts);
    let Fact::Known(info) = &mut facts.engine.info else {
        unreachable!("made above")
    };
    if name == "engine" {
        info.version = version.into();
    }
    for component in info.components.iter_mut().filter(|c| c.name == name) {
        component.version = version.into();
    }
}

fn kernel(facts: &mut Facts, release: &str) {
    facts.kernel.release = Fact::Known(release.into());
}

fn unconfined_kernel(facts: &mut Facts, release: &str) {
    kernel(facts, release);
    declared(facts).seccomp = SeccompChoice::Unconfined;
}

fn no_mac(facts: &mut Facts) {
    declared(facts)
        .security_options
        .push("apparmor=unconfined".into());
}

fn tcp(facts: &mut Facts, host: &str) {
    facts.daemon.options.insert(
        "hosts".into(),
        DaemonOption {
            values: strings(&[host]),
            origin: "daemon.json".into(),
        },
    );
}

fn neighbour(facts: &mut Facts) {
    let mut other = container(facts).clone();
    other.id = "2".into();
    other.name = "db".into();
    other.state = ContainerState {
        running: true,
        ..ContainerState::default()
    };
    if let Fact::Known(declared) = &mut other.declared {
        declared.network_mode = "bridge".into();
    }
    declared(facts).network_mode = "bridge".into();
    if let Fact::Known(containers) = &mut facts.containers {
        containers.push(other);
    }
}

type Open = fn(&mut Facts);

/// What opens each route, from a hardened container on.
const OPENERS: &[(&str, Open)] = &[
    ("root-inside", |f| root(f)),
    ("setuid-inside", |f| {
        declared(f).security_options.clear();
        let scan = ImageScan {
            setuid_files: Some(strings(&["/bin/su"])),
            ..ImageScan::default()
        };
        f.scans.insert("sha256:1".into(), scan);
    }),
    ("root-writes", |f| mount(f, "/etc", true)),
    ("root-reads", |f| mount(f, "/etc", true)),
    ("root-enters", |f| mount(f, "/etc", true)),
    ("root-sniffs", |f| mount(f, "/etc", true)),
    ("root-stops", |f| mount(f, "/etc", true)),
    ("kernel-to-root", |f| capabilities(f, &["SYS_MODULE"])),
    ("engine-to-root", |f| socket(f, "docker")),
    ("disk-device", |f| device(f, "/dev/sda", "rw")),
    ("disk-device-read", |f| device(f, "/dev/sda", "r")),
    ("memory-device", |f| {
        capabilities(f, &["SYS_RAWIO"]);
        device(f, "/dev/mem", "rwm");
    }),
    ("terminal-device", |f| device(f, "/dev/tty0", "rw")),
    ("cgroup-release-agent", |f| {
        capabilities(f, &["SYS_ADMIN"]);
        no_mac(f);
        f.kernel.cgroup = Fact::Known(CgroupVersion::One);
    }),
    ("cgroup-devices-allow", |f| {
        capabilities(f, &["SYS_ADMIN", "MKNOD"]);
        no_mac(f);
        f.kernel.cgroup = Fact::Known(CgroupVersion::One);
    }),
    ("cgroup-mount", |f| {
        mount(f, "/sys/fs/cgroup", true);
        f.kernel.cgroup = Fact::Known(CgroupVersion::One);
    }),
    ("kernel-module", |f| capabilities(f, &["SYS_MODULE"])),
    ("open-by-handle", |f| capabilities(f, &["DAC_READ_SEARCH"])),
    ("open-by-handle-write", |f| {
        capabilities(f, &["DAC_READ_SEARCH", "DAC_OVERRIDE"])
    }),
    ("raw-io", |f| capabilities(f, &["CAP_SYS_RAWIO"])),
    ("bpf-hooks", |f| capabilities(f, &["SYS_ADMIN"])),
    ("bpf-perfmon", |f| capabilities(f, &["BPF", "PERFMON"])),
    ("restart-machine", |f| {
        capabilities(f, &["SYS_BOOT"]);
        declared(f).pid_mode = "host".into();
    }),
    ("set-clock", |f| capabilities(f, &["SYS_TIME"])),
    ("security-module-admin", |f| {
        root(f);
        declared(f).privileged = true;
    }),
    ("enter-init", |f| {
        capabilities(f, &["SYS_ADMIN", "SYS_PTRACE"]);
        declared(f).pid_mode = "host".into();
    }),
    ("trace-host-process", |f| {
        capabilities(f, &["SYS_PTRACE"]);
        no_mac(f);
        declared(f).pid_mode = "host".into();
    }),
    ("host-proc-root", |f| {
        capabilities(f, &["SYS_PTRACE"]);
        no_mac(f);
        declared(f).pid_mode = "host".into();
    }),
    ("kill-host-processes", |f| {
        capabilities(f, &["KILL"]);
        declared(f).pid_mode = "host".into();
    }),
    ("host-ipc", |f| {
        root(f);
        declared(f).ipc_mode = "host".into();
    }),
    ("host-shared-memory", |f| mount(f, "/dev/shm", true)),
    ("host-network-sniff", |f| {
        capabilities(f, &["NET_RAW"]);
        declared(f).network_mode = "host".into();
    }),
    ("host-network-admin", |f| {
        capabilities(f, &["NET_ADMIN"]);
        declared(f).network_mode = "host".into();
    }),
    ("host-network-loopback", |f| {
        declared(f).network_mode = "host".into()
    }),
    ("pose-as-neighbour", |f| {
        neighbour(f);
        capabilities(f, &["NET_RAW"]);
    }),
    ("mount-control", |f| mount(f, "/etc/cron.d", true)),
    ("mount-control-write", |f| mount(f, "/", true)),
    ("mount-programs", |f| mount(f, "/usr/bin", true)),
    ("mount-homes", |f| mount(f, "/home/ann", true)),
    ("mount-secrets", |f| mount(f, "/etc", false)),
    ("mount-engine-data", |f| mount(f, "/var/lib", true)),
    ("mount-engine-data-read", |f| {
        mount(f, "/var/lib/docker/volumes", false)
    }),
    ("mount-kubelet", |f| mount(f, "/var/lib/kubelet", false)),
    ("mount-logs", |f| mount(f, "/var/log", true)),
    ("mount-host-dev", |f| mount(f, "/dev", true)),
    ("shared-propagation", |f| {
        mount(f, "/srv", true);
        capabilities(f, &["SYS_ADMIN"]);
        no_mac(f);
        declared(f).mounts[0].propagation = "rshared".into();
    }),
    ("kernel-settings", |f| {
        root(f);
        declared(f).read_only_paths = Some(Vec::new());
    }),
    ("proc-mount", |f| mount(f, "/proc", true)),
    ("proc-mount-read", |f| {
        capabilities(f, &["SYS_PTRACE"]);
        mount(f, "/proc", false);
    }),
    ("kernel-panic", |f| {
        root(f);
        declared(f).read_only_paths = Some(Vec::new());
    }),
    ("uevent-helper", |f| {
        root(f);
        declared(f).privileged = true;
    }),
    ("sys-mount", |f| mount(f, "/sys", true)),
    ("kernel-memory-file", |f| {
        capabilities(f, &["SYS_RAWIO"]);
        declared(f).masked_paths = Some(Vec::new());
    }),
    ("engine-socket", |f| socket(f, "docker")),
    ("engine-socket-group", |f| {
        socket(f, "docker");
        declared(f).user = "1000:998".into();
    }),
    ("runtime-socket", |f| socket(f, "containerd")),
    ("service-socket", |f| socket(f, "systemd")),
    ("kubelet-socket", |f| socket(f, "kubelet")),
    ("engine-tcp", |f| tcp(f, "tcp://0.0.0.0:2375")),
    ("engine-tcp-loopback", |f| {
        tcp(f, "tcp://127.0.0.1:2375");
        declared(f).network_mode = "host".into();
    }),
    ("eat-memory", |f| declared(f).limits.memory = 0),
    ("fork-bomb", |f| declared(f).limits.pids = None),
    ("driver-device", |f| device(f, "/dev/kvm", "rw")),
    ("runc-self-exe", |f| part(f, "runc", "1.0.0-rc6")),
    ("runc-open-directory", |f| {
        part(f, "runc", "1.1.11");
        declared(f).working_dir = "/proc/self/fd/8".into();
    }),
    ("runc-exec-directory", |f| part(f, "runc", "1.1.11")),
    ("runc-mount-race", |f| part(f, "runc", "1.0.0-rc94")),
    ("runc-masked-paths", |f| part(f, "runc", "1.3.2")),
    ("runc-console", |f| part(f, "runc", "1.2.7")),
    ("runc-procfs-write", |f| part(f, "runc", "1.4.0-rc.2")),
    ("runc-device-link", |f| part(f, "runc", "1.4.2")),
    ("containerd-abstract-socket", |f| {
        part(f, "containerd", "1.4.2");
        no_mac(f);
        declared(f).network_mode = "host".into();
    }),
    ("engine-copy-library", |f| part(f, "engine", "19.03.0")),
    ("engine-unpack-program", |f| part(f, "engine", "29.5.0")),
    ("build-cache-mount", |f| part(f, "engine", "25.0.1")),
    ("kernel-dirty-cow", |f| kernel(f, "4.8.2")),
    ("kernel-waitid", |f| kernel(f, "4.13.6")),
    ("kernel-dirty-pipe", |f| kernel(f, "5.15.24")),
    ("kernel-watch-queue", |f| kernel(f, "5.16.14")),
    ("kernel-stack-rot", |f| kernel(f, "6.1.36")),
    ("kernel-copy-fail", |f| unconfined_kernel(f, "6.18.21")),
    ("kernel-packet", |f| {
        capabilities(f, &["NET_RAW"]);
        kernel(f, "5.4.63");
    }),
    ("kernel-packet-ring", |f| {
        capabilities(f, &["NET_RAW"]);
        kernel(f, "4.9.22");
    }),
    ("kernel-io-uring-2021", |f| unconfined_kernel(f, "5.14.6")),
    ("kernel-io-uring-timeout", |f| {
        unconfined_kernel(f, "5.17.2")
    }),
    ("kernel-io-uring-files", |f| unconfined_kernel(f, "6.0.2")),
    ("kernel-io-uring-buffers", |f| unconfined_kernel(f, "6.3.1")),
    ("kernel-io-uring-rings", |f| unconfined_kernel(f, "6.6.4")),
    ("kernel-bpf-verifier", |f| {
        unconfined_kernel(f, "5.12.3");
        f.kernel.sysctls.insert(
            "kernel.unprivileged_bpf_disabled".into(),
            Fact::Known("0".into()),
        );
    }),
    ("kernel-bpf-pointers", |f| {
        unconfined_kernel(f, "5.15.14");
        f.kernel.sysctls.insert(
            "kernel.unprivileged_bpf_disabled".into(),
            Fact::Known("0".into()),
        );
    }),
    ("kernel-bpf-branches", |f| {
        unconfined_kernel(f, "6.1.25");
        f.kernel.sysctls.insert(
            "kernel.unprivileged_bpf_disabled".into(),
            Fact::Known("0".into()),
        );
    }),
    ("kernel-netfilter-2021", |f| unconfined_kernel(f, "5.11.14")),
    ("kernel-netfilter-admin", |f| {
        capabilities(f, &["NET_ADMIN"]);
        kernel(f, "6.6.14");
    }),
    ("kernel-netfilter-userns", |f| {
        unconfined_kernel(f, "6.6.14")
    }),
    ("kernel-netfilter-registers", |f| {
        unconfined_kernel(f, "5.15.31")
    }),
    ("kernel-netfilter-sets", |f| unconfined_kernel(f, "5.15.44")),
    ("kernel-netfilter-elements", |f| {
        unconfined_kernel(f, "5.15.53")
    }),
    ("kernel-netfilter-vlan", |f| unconfined_kernel(f, "6.1.6")),
    ("kernel-netfilter-anonymous", |f| {
        unconfined_kernel(f, "6.1.27")
    }),
    ("kernel-fsconfig", |f| {
        capabilities(f, &["SYS_ADMIN"]);
        kernel(f, "5.16.1");
    }),
    ("kernel-fsconfig-userns", |f| unconfined_kernel(f, "5.16.1")),
    ("kernel-release-agent", |f| {
        root(f);
        unconfined_kernel(f, "5.16.5");
        no_mac(f);
        f.kernel.cgroup = Fact::Known(CgroupVersion::One);
    }),
    ("kernel-overlay-fuse", |f| unconfined_kernel(f, "6.1.8")),
];

/// Routes that are open at a level, for the first container.
fn live(facts: &Facts, level: Level) -> BTreeSet<&'static str> {
    let index = HostIndex::new(facts);
    let scene = Scene::new(&index, &facts.containers()[0]).unwrap();
    let model = Model::new(RULES, |premise| scene.supports(premise));
    let active = model.graph.atoms_at(level);
    let all: Vec<usize> = (0..State::ALL.len()).collect();
    let proofs = model.graph.proofs(&active, &all);
    model
        .rules
        .iter()
        .zip(&model.graph.rules)
        .filter(|(_, horn)| {
            horn.needs.iter().all(|need| match need {
                Need::State(state) => proofs[*state].is_some(),
                Need::AnyOf(any) => any.iter().any(|atom| active[*atom]),
            })
        })
        .map(|(rule, _)| rule.id)
        .collect()
}

fn opened(open: Open) -> Facts {
    let mut facts = hardened();
    open(&mut facts);
    facts
}

#[test]
fn a_hardened_container_has_no_path_and_not_even_a_possible_one() {
    let facts = hardened();
    assert_eq!(live(&facts, Level::Possible), BTreeSet::new());
    let graph = analyse(&facts);
    assert_eq!(graph.without_path, ["web"]);
    assert!(graph.containers.is_empty() && graph.host.is_none());
}

#[test]
fn every_route_is_opened_by_its_facts() {
    for (id, open) in OPENERS {
        let found = live(&opened(*open), Level::Certain);
        assert!(found.contains(id), "{id} is not open, only {found:?}");
    }
    let tried: BTreeSet<&str> = OPENERS.iter().map(|(id, _)| *id).collect();
    let all: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(tried, all, "each route has facts that open it");
    assert_eq!(all.len(), RULES.len(), "ids are unique");
}

/// What the graph calls a cut is one: each change alone, made in the facts, takes away every
/// fact that it is said to.
#[test]
fn each_change_takes_away_the_facts_it_cuts() {
    for (id, open) in OPENERS {
        let facts = opened(*open);
        let index = HostIndex::new(&facts);
        let scene = Scene::new(&index, &facts.containers()[0]).unwrap();
        let mut seen = BTreeSet::new();
        for premise in RULES.iter().flat_map(|rule| rule.needs) {
            for support in scene.supports(premise) {
                if !seen.insert(support.key.clone()) {
                    continue;
                }
                for cut in &support.cuts {
                    let after = what_if(&facts, std::slice::from_ref(cut), Some("web"));
                    let index = HostIndex::new(&after);
                    let scene = Scene::new(&index, &after.containers()[0]).unwrap();
                    let left = scene.supports(premise);
                    assert!(
                        left.iter().all(|other| other.key != support.key),
                        "{id}: {cut:?} leaves {support:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_cut_of_each_route_closes_every_path() {
    for (id, open) in OPENERS {
        let facts = opened(*open);
        let report = analyse_container(&facts, &facts.containers()[0]).unwrap();
        assert_eq!(report.full_cut.cost, report.full_cut.at_least, "{id}");
        assert!(
            report.full_cut.still_open.is_empty(),
            "{id}: {:?}",
            report.full_cut
        );
        let changes: Vec<Change> = report
            .full_cut
            .changes
            .iter()
            .map(|a| a.change.clone())
            .collect();
        let after = what_if(&facts, &changes, Some("web"));
        let left = analyse_container(&after, &after.containers()[0]).unwrap();
        assert!(
            left.paths.is_empty(),
            "{id}: {changes:?} leaves {:?}",
            left.paths
        );
    }
}

#[test]
fn a_privileged_container_is_told_as_a_story() {
    let facts = opened(|f| {
        root(f);
        declared(f).privileged = true;
        declared(f).security_options.clear();
    });
    let report = analyse_container(&facts, &facts.containers()[0]).unwrap();
    let path = report.path(State::HostRoot).unwrap();
    assert_eq!(path.certainty, Certainty::Certain);
    assert_eq!(path.steps[0].rule, "root-inside");
    let last = path.steps.last().unwrap();
    assert_eq!(last.gives, State::HostRoot);
    assert!(last.attack.contains(&"T1611".to_owned()));
    assert!(
        last.grounds
            .iter()
            .any(|g| g.place == "HostConfig.Privileged" && g.is_certain)
    );
    let goals: Vec<State> = report.paths.iter().map(|path| path.goal).collect();
    assert_eq!(goals, State::GOALS);
    assert_eq!(report.cut.changes[0].change, Change::DropPrivileged);
    assert_eq!(report.cut.changes.len(), 1);
}

#[test]
fn privileged_with_a_capability_needs_both_taken_away() {
    let facts = opened(|f| {
        capabilities(f, &["SYS_MODULE"]);
        declared(f).privileged = true;
    });
    let report = analyse_container(&facts, &facts.containers()[0]).unwrap();
    let changes: BTreeSet<&Change> = report.cut.changes.iter().map(|a| &a.change).collect();
    // Dropping both costs 5, as running as another user does; either closes all.
    let both = [
        Change::DropPrivileged,
        Change::DropCapability("SYS_MODULE".into()),
    ];
    assert!(changes == both.iter().collect() || changes == [Change::RunAsUser].iter().collect());
    assert_eq!(report.cut.cost, 5);
    let one = what_if(&facts, &both[..1], None);
    let left = analyse_container(&one, &one.containers()[0]).unwrap();
    assert!(left.path(State::KernelCode).is_some());
}

#[test]
fn another_user_counts_only_when_the_image_has_no_way_back() {
    let open: Open = |f| {
        mount(f, "/etc", true);
        declared(f).user = "1000".into();
        declared(f).security_options.clear();
    };
    let mut facts = opened(open);
    let report = |facts: &Facts| analyse_container(facts, &facts.containers()[0]).unwrap();
    let path = report(&facts);
    assert_eq!(
        path.path(State::HostRoot).unwrap().certainty,
        Certainty::Possible
    );
    let scan = |files: &[&str]| ImageScan {
        setuid_files: Some(strings(files)),
        ..ImageScan::default()
    };
    facts
        .scans
        .insert("sha256:1".into(), scan(&["/usr/bin/sudo"]));
    assert_eq!(
        report(&facts).path(State::HostRoot).unwrap().certainty,
        Certainty::Certain
    );
    facts.scans.insert("sha256:1".into(), scan(&[]));
    assert!(report(&facts).paths.is_empty());
    // A cut never trusts in a way back that was not looked for.
    facts.scans.clear();
    declared(&mut facts).user = "0".into();
    let after = what_if(&facts, &[Change::RunAsUser], None);
    assert!(report(&after).path(State::HostRoot).is_some());
    let cut = report(&facts).cut;
    assert!(
        cut.changes
            .iter()
            .all(|advice| advice.change != Change::RunAsUser)
            || cut.changes.len() > 1
    );
}

#[test]
fn what_could_not_be_told_is_possible_and_never_certain() {
    let mut facts = hardened();
    facts.kernel = Default::default();
    facts.engine.info = Fact::default();
    facts.packages = Fact::default();
    let report = analyse_container(&facts, &facts.containers()[0]).unwrap();
    assert!(!report.paths.is_empty() && report.worst().is_none());
    assert!(report.cut.changes.is_empty() && !report.full_cut.changes.is_empty());
    let unknown = Facts {
        containers: Fact::Known(vec![ContainerFacts {
            name: "gone".into(),
            ..ContainerFacts::default()
        }]),
        ..Facts::default()
    };
    assert_eq!(analyse(&unknown).unknown, ["gone"]);
}

#[test]
fn packages_of_a_distribution_leave_a_flaw_possible() {
    let mut facts = opened(|f| part(f, "runc", "1.1.5+ds1"));
    facts.packages = Fact::Known([("runc".to_owned(), Default::default())].into());
    let report = analyse_container(&facts, &facts.containers()[0]).unwrap();
    assert_eq!(
        report.path(State::HostRoot).unwrap().certainty,
        Certainty::Possible
    );
}

#[test]
fn the_kernel_goes_before_the_engine() {
    let mut facts = opened(|f| mount(f, "/", false));
    let report = |facts: &Facts| analyse_container(facts, &facts.containers()[0]).unwrap();
    assert!(
        report(&facts).path(State::HostWrite).is_none(),
        "engine 29 makes it so with all below"
    );
    let (table, _) = crate::facts::mountinfo::parse(
        "1 0 0:1 / / ro - overlay o rw\n2 1 8:1 / /m- ro - ext4 a rw\n3 2 8:2 / /m-/srv rw - ext4 b rw\n",
    );
    let range = IdRange {
        inside: 0,
        outside: 0,
        length: u32::MAX,
    };
    container(&mut facts).kernel = Fact::Known(ProcessView {
        status: Fact::Known(Status {
            uid: vec![0; 4],
            no_new_privs: Some(true),
            seccomp: Some(2),
            ..Status::default()
        }),
        uid_map: Fact::Known(vec![range]),
        mounts: Fact::Known(table),
        label: Fact::Known("docker-default (enforce)".into()),
        ..ProcessView::default()
    });
    let found = report(&facts);
    let step = found
        .path(State::HostWrite)
        .unwrap()
        .steps
        .last()
        .unwrap()
        .clone();
    assert!(
        step.grounds
            .iter()
            .any(|g| g.found.contains("below it can be written"))
            || found.path(State::HostRoot).is_some()
    );
    // The same with root mapped to another user: nothing of the host is its.
    if let Fact::Known(view) = &mut container(&mut facts).kernel {
        view.uid_map = Fact::Known(vec![IdRange {
            outside: 100_000,
            ..range
        }]);
    }
    assert!(report(&facts).paths.is_empty());
}

#[test]
fn a_container_that_the_kernel_does_not_filter_has_no_profile() {
    let mut facts = opened(|f| kernel(f, "6.6.14"));
    let view = |seccomp| ProcessView {
        status: Fact::Known(Status {
            uid: vec![1000; 4],
            no_new_privs: Some(true),
            seccomp: Some(seccomp),
            ..Status::default()
        }),
        uid_map: Fact::Known(vec![IdRange {
            inside: 0,
            outside: 0,
            length: u32::MAX,
        }]),
        mounts: Fact::Known(Vec::new()),
        label: Fact::Known("docker-default (enforce)".into()),
        ..ProcessView::default()
    };
    container(&mut facts).kernel = Fact::Known(view(2));
    assert!(!live(&facts, Level::Possible).contains("kernel-netfilter-userns"));
    container(&mut facts).kernel = Fact::Known(view(0));
    assert!(live(&facts, Level::Certain).contains("kernel-netfilter-userns"));
}

#[test]
fn the_host_has_paths_of_its_own() {
    let mut facts = hardened();
    if let Fact::Known(accounts) = &mut facts.accounts {
        accounts.users.insert("ann".into(), 1000);
        accounts
            .groups
            .get_mut("docker")
            .unwrap()
            .members
            .push("ann".into());
    }
    let host = analyse(&facts).host.unwrap();
    assert_eq!(host.path(State::HostRoot).unwrap().steps.len(), 2);
    assert_eq!(host.cut.changes[0].how, "gpasswd -d ann docker");
    let after = what_if(&facts, &[host.cut.changes[0].change.clone()], None);
    assert!(analyse(&after).host.is_none());
}

#[test]
fn a_plan_is_judged_before_it_is_started() {
    let facts = hardened();
    let judge = |command: &str| {
        let (facts, container) = with_plan(&facts, &parse_plan(command).unwrap());
        analyse_container(&facts, &container).unwrap()
    };
    let found = judge("docker run -d -u 0 -v /var/run:/r:ro alpine");
    let path = found.path(State::HostRoot).unwrap();
    assert!(
        path.steps.iter().any(|step| step.rule.ends_with("-socket")),
        "{path:?}"
    );
    let safe = judge(
        "docker run -u 1000 --cap-drop ALL --security-opt no-new-privileges -m 64m --pids-limit 20 --network none alpine",
    );
    assert!(safe.paths.is_empty(), "{:?}", safe.paths);
    let unknown_user = judge("docker run -v /etc:/e alpine");
    assert_eq!(
        unknown_user.path(State::HostRoot).unwrap().certainty,
        Certainty::Possible
    );
}

#[test]
fn hostile_names_stay_inside_their_quotes() {
    let mut facts = opened(|f| mount(f, "/etc", true));
    container(&mut facts).name = "a\"];\n evil [".into();
    let mut out = Vec::new();
    write_dot(&analyse(&facts), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(r#"label="a\"]; evil [";"#), "{text}");
    assert!(text.contains("root on the host") && text.ends_with("}\n"));
}

#[test]
fn a_thousand_containers_take_little_time() {
    let mut facts = hardened();
    let mut all = Vec::new();
    for number in 0..1000 {
        let (_, open) = OPENERS[number % OPENERS.len()];
        let mut one = opened(open);
        let mut made = container(&mut one).clone();
        made.id = number.to_string();
        made.name = format!("c{number}");
        all.push(made);
    }
    facts.containers = Fact::Known(all);
    let start = Instant::now();
    let graph = analyse(&facts);
    let total = graph.containers.len() + graph.without_path.len();
    let mut err = std::io::stderr();
    let _ = std::io::Write::write_fmt(
        &mut err,
        format_args!("1,000 containers: {} ms\n", start.elapsed().as_millis()),
    );
    assert_eq!(total, 1000);
}
