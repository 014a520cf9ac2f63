//! One pass over host, engine and containers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use seaworthy_image::engine::{Endpoint, Engine, EngineError};
use seaworthy_image::{Cancel, Environment};
use serde_json::Value;

use super::container::{
    CgroupLimits, ContainerFacts, ExecFacts, InnerProcess, parse_container, parse_exec,
};
use super::engine::{EngineFacts, EngineInfo, ImageFacts};
use super::mountinfo::Mount;
use super::reach::ControlSocket;
use super::reader::FileKind;
use super::{
    FORMAT, Fact, Facts, HostNamespaces, HostRoot, accounts, audit_rules, compare, daemon, engine,
    files, kernel, packages, process, reach, seccomp, sockets, systemd,
};

/// Containers looked at.
const MAX_CONTAINERS: usize = 20_000;
/// Images looked at.
const MAX_IMAGES: usize = 5_000;
/// Questions to the engine at the same time.
const WORKERS: usize = 4;
/// Units of systemd that matter.
const UNITS: [&str; 3] = ["docker.service", "docker.socket", "containerd.service"];

/// What to look at.
#[derive(Debug, Clone)]
pub struct CollectRequest {
    /// The host's file system.
    pub root: HostRoot,
    /// Address of the engine; `None` for the one the Docker client would use.
    pub engine: Option<String>,
    /// Whether to ask an engine at all.
    pub ask_engine: bool,
    /// Environment that says which engine the Docker client would use.
    pub environment: Environment,
    /// Whether images get their histories read.
    pub image_histories: bool,
}

impl Default for CollectRequest {
    fn default() -> CollectRequest {
        CollectRequest {
            root: HostRoot::new("/"),
            engine: None,
            ask_engine: true,
            environment: Environment::of_process(),
            image_histories: true,
        }
    }
}

/// Looks at everything. What can't be read is unknown in the result; nothing stops it but
/// `cancel`, after which the rest is unknown.
pub fn collect(request: &CollectRequest, cancel: &Cancel) -> Facts {
    let root = &request.root;
    let mut facts = Facts {
        format: FORMAT,
        program: concat!("seaworthy ", env!("CARGO_PKG_VERSION")).to_owned(),
        euid: rustix::process::geteuid().as_raw(),
        ..Facts::default()
    };
    let connected = connect(request, cancel);
    let socket = match &connected {
        Ok(engine) => match engine.endpoint() {
            Endpoint::Unix(path) => Some(path.to_string_lossy().into_owned()),
            _ => None,
        },
        Err(_) => None,
    };

    let pids = processes(root);
    let pid_list = pids.known().map_or(&[][..], Vec::as_slice);
    // Those of the host, where its first process may be looked at; else those around us.
    facts.listeners = sockets::read(root, "1");
    if facts.listeners.tcp.known().is_none() || facts.listeners.unix.known().is_none() {
        facts.listeners = sockets::read(root, "self");
    }
    facts.daemon = daemon::read(root, pid_list, &facts.listeners, socket.as_deref());
    if let Fact::Unknown(why) = &pids {
        facts.daemon.process = Fact::Unknown(why.clone());
    }
    facts.mounts = match process::mounts(root, "1") {
        Fact::Known(mounts) => Fact::Known(mounts),
        _ => process::mounts(root, "self"),
    };
    facts.namespaces = host_namespaces(root, &facts);
    facts.kernel = kernel::read(root, &facts.mounts);
    facts.accounts = accounts::read(root);
    facts.packages = packages::read(root);
    facts.audit = audit_rules::read(root);
    facts.files = files::read(root);
    facts.units = UNITS
        .iter()
        .map(|name| ((*name).to_owned(), systemd::read(root, name)))
        .collect();
    facts.client_passwords = client_passwords(root);
    for (_, name) in pid_list {
        if ["docker-proxy", "dockerd", "containerd", "kubelet", "sshd"].contains(&name.as_str()) {
            *facts.host_processes.entry(name.clone()).or_default() += 1;
        }
    }

    match connected {
        Ok(engine) => {
            facts.engine = ask(&engine, request.image_histories);
            let (containers, vanished) = containers(&engine);
            facts.containers = containers;
            facts.vanished = vanished;
        }
        Err(why) => {
            facts.engine.info = Fact::Unknown(why.clone());
            facts.engine.networks = Fact::Unknown(why.clone());
            facts.engine.volumes = Fact::Unknown(why.clone());
            facts.engine.images = Fact::Unknown(why.clone());
            facts.engine.plugins = Fact::Unknown(why.clone());
            facts.engine.swarm = Fact::Unknown(why.clone());
            facts.containers = Fact::Unknown(why);
        }
    }
    facts.daemon_seccomp = daemon_seccomp(root, &facts);
    more_files(root, &mut facts, socket.as_deref());
    facts.control_sockets = control_sockets(root, &facts);
    let found = facts.control_sockets.iter();
    facts
        .files
        .add(root, found.map(|socket| socket.path.as_str()));
    examine_containers(root, pid_list, &mut facts);
    facts
}

fn connect(request: &CollectRequest, cancel: &Cancel) -> Result<Engine, String> {
    if !request.ask_engine {
        return Err("no engine was asked".to_owned());
    }
    Engine::connect(request.engine.as_deref(), &request.environment, cancel).map_err(|error| {
        let mut text = error.to_string();
        let mut inner = std::error::Error::source(&error);
        while let Some(cause) = inner {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            inner = cause.source();
        }
        text
    })
}

/// Numbers and names of all processes.
fn processes(root: &HostRoot) -> Fact<Vec<(u32, String)>> {
    root.names("/proc").map(|names| {
        names
            .iter()
            .filter_map(|name| {
                let pid = name.parse().ok()?;
                let comm = root.line(&format!("/proc/{pid}/comm"));
                Some((pid, comm.known()?.clone()))
            })
            .collect()
    })
}

/// The host's namespaces: of process 1, unless not even root may look at it; then the
/// daemon's, then our own.
fn host_namespaces(root: &HostRoot, facts: &Facts) -> HostNamespaces {
    let readable = |map: &BTreeMap<String, Fact<u64>>| map.values().any(|f| f.known().is_some());
    let first = process::namespaces(root, "1");
    if readable(&first) {
        return HostNamespaces {
            origin: "process 1".to_owned(),
            inodes: first,
        };
    }
    if let Some(daemon) = facts.daemon.process.known()
        && readable(&daemon.namespaces)
    {
        return HostNamespaces {
            origin: "dockerd".to_owned(),
            inodes: daemon.namespaces.clone(),
        };
    }
    HostNamespaces {
        origin: "this process".to_owned(),
        inodes: process::namespaces(root, "self"),
    }
}

fn client_passwords(root: &HostRoot) -> Fact<bool> {
    root.bytes("/root/.docker/config.json", 4 << 20).and_then(
        |bytes| match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) => {
                let auths = value.get("auths").and_then(Value::as_object);
                let in_clear = auths.is_some_and(|auths| {
                    auths.values().any(|entry| {
                        ["auth", "password", "identitytoken"].iter().any(|key| {
                            entry
                                .get(key)
                                .and_then(Value::as_str)
                                .is_some_and(|text| !text.is_empty())
                        })
                    })
                });
                Fact::Known(in_clear)
            }
            Err(_) => Fact::Unknown("`/root/.docker/config.json` is no JSON".to_owned()),
        },
    )
}

fn why(error: &EngineError) -> String {
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        text.push_str(": ");
        text.push_str(&cause.to_string());
    }
    text
}

fn question<T>(engine: &Engine, path: &str, parse: impl FnOnce(&Value) -> Fact<T>) -> Fact<T> {
    match engine.json::<Value>(path) {
        Ok(value) => parse(&value),
        Err(error) => Fact::Unknown(why(&error)),
    }
}

fn ask(engine: &Engine, histories: bool) -> EngineFacts {
    let version = engine.json::<Value>("/version");
    let info = match (engine.json::<Value>("/info"), version) {
        (Ok(info), Ok(version)) => engine::parse_info(&info, &version),
        (Err(error), _) | (_, Err(error)) => Fact::Unknown(why(&error)),
    };
    let swarm = match &info {
        Fact::Known(info) if info.swarm_state == "active" && info.swarm_control => {
            let mut swarm = question(engine, "/swarm", engine::parse_swarm);
            if let Fact::Known(swarm) = &mut swarm {
                swarm.secrets = question(engine, "/secrets", |value| {
                    let count = value.as_array().map_or(0, Vec::len);
                    Fact::Known(u64::try_from(count).unwrap_or(u64::MAX))
                });
            }
            swarm
        }
        Fact::Known(_) | Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    };
    EngineFacts {
        address: engine.endpoint().to_string(),
        networks: question(engine, "/networks", engine::parse_networks),
        volumes: question(engine, "/volumes", engine::parse_volumes),
        images: images(engine, histories),
        plugins: question(engine, "/plugins", engine::parse_plugins),
        swarm,
        info,
    }
}

/// Ids of a list's elements, those that can stand in a question.
fn ids(value: &Value) -> Vec<String> {
    let is_plain = |id: &&str| {
        !id.is_empty()
            && id.len() <= 128
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b':')
    };
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.get("Id")?.as_str())
        .filter(is_plain)
        .map(str::to_owned)
        .collect()
}

fn images(engine: &Engine, histories: bool) -> Fact<Vec<ImageFacts>> {
    let list = match engine.json::<Value>("/images/json") {
        Ok(list) => list,
        Err(error) => return Fact::Unknown(why(&error)),
    };
    let ids = ids(&list);
    if ids.len() > MAX_IMAGES {
        return Fact::Unknown(format!("the engine holds over {MAX_IMAGES} images"));
    }
    let found = in_parallel(&ids, |id| {
        match engine.json::<Value>(&format!("/images/{id}/json")) {
            Ok(value) => {
                let mut image = engine::parse_image(&value);
                if histories {
                    let path = format!("/images/{id}/history");
                    image.history = question(engine, &path, engine::parse_history);
                }
                Some(image)
            }
            Err(error) if error.is_not_found() => None,
            Err(error) => Some(ImageFacts {
                id: id.clone(),
                malformed: vec![why(&error)],
                ..ImageFacts::default()
            }),
        }
    });
    Fact::Known(found.into_iter().flatten().collect())
}

fn containers(engine: &Engine) -> (Fact<Vec<ContainerFacts>>, Vec<String>) {
    let list = match engine.json::<Value>("/containers/json?all=1") {
        Ok(list) => list,
        Err(error) => return (Fact::Unknown(why(&error)), Vec::new()),
    };
    let ids = ids(&list);
    if ids.len() > MAX_CONTAINERS {
        let why = format!("the engine holds over {MAX_CONTAINERS} containers");
        return (Fact::Unknown(why), Vec::new());
    }
    let found = in_parallel(&ids, |id| {
        match engine.json::<Value>(&format!("/containers/{id}/json")) {
            Ok(value) => {
                let mut container = parse_container(&value);
                container.id.clone_from(id);
                container.execs = Fact::Known(execs(engine, &value));
                Ok(container)
            }
            Err(error) if error.is_not_found() => Err(id.clone()),
            // It is there and can't be told: a container with nothing known of it.
            Err(error) => Ok(ContainerFacts {
                id: id.clone(),
                name: id.chars().take(12).collect(),
                declared: Fact::Unknown(why(&error)),
                ..ContainerFacts::default()
            }),
        }
    });
    let mut there = Vec::new();
    let mut vanished = Vec::new();
    for container in found {
        match container {
            Ok(container) => there.push(container),
            Err(id) => vanished.push(id),
        }
    }
    there.sort_by(|a, b| a.name.cmp(&b.name));
    (Fact::Known(there), vanished)
}

fn execs(engine: &Engine, inspect: &Value) -> Vec<ExecFacts> {
    inspect
        .get("ExecIDs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        .take(64)
        .filter_map(|id| {
            let value = engine.json::<Value>(&format!("/exec/{id}/json")).ok()?;
            Some(parse_exec(&value))
        })
        .collect()
}

/// Answers for all items, in their order, from a few threads.
fn in_parallel<I: Sync, O: Send>(items: &[I], work: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, O)>> = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let answer = work(item);
                    done.lock()
                        .unwrap_or_else(|poisoned| poisoned.into_inner())
                        .push((index, answer));
                }
            });
        }
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, answer)| answer).collect()
}

fn daemon_seccomp(root: &HostRoot, facts: &Facts) -> Fact<seccomp::SeccompProfile> {
    let option = match facts.daemon.option("seccomp-profile") {
        Fact::Known(option) => option.values.last().cloned().unwrap_or_default(),
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    if !option.starts_with('/') {
        return Fact::Absent;
    }
    let cap = u64::try_from(seccomp::MAX_BYTES).unwrap_or(u64::MAX);
    root.text(&option, cap)
        .and_then(|text| match seccomp::SeccompProfile::parse(&text) {
            Ok(profile) => Fact::Known(profile),
            Err(why) => Fact::Unknown(format!("the daemon's seccomp profile: {why}")),
        })
}

/// Looks at the files that only engine and daemon could name.
fn more_files(root: &HostRoot, facts: &mut Facts, socket: Option<&str>) {
    let mut paths: BTreeSet<String> = BTreeSet::new();
    paths.extend(socket.map(str::to_owned));
    paths.insert(facts.daemon.config_path.clone());
    for key in [
        "tlscacert",
        "tlscert",
        "tlskey",
        "seccomp-profile",
        "init-path",
    ] {
        if let Some(option) = facts.daemon.options.get(key) {
            paths.extend(option.values.iter().cloned());
        }
    }
    if let Some(process) = facts.daemon.process.known() {
        paths.extend(process.program.known().cloned());
        for listener in process.unix.known().into_iter().flatten() {
            paths.insert(listener.path.clone());
        }
    }
    if let Some(info) = facts.engine.info.known() {
        paths.insert(info.data_root.clone());
        paths.insert(format!("{}/..", info.data_root));
        paths.extend(info.runtimes.values().cloned());
    }
    for unit in facts.units.values().filter_map(Fact::known) {
        paths.insert(unit.path.clone());
        paths.extend(unit.drop_ins.iter().cloned());
    }
    for listener in facts.listeners.unix.known().into_iter().flatten() {
        if listener.path.ends_with("containerd.sock") {
            paths.insert(listener.path.clone());
        }
    }
    facts.files.add(root, paths.iter().map(String::as_str));
}

fn control_sockets(root: &HostRoot, facts: &Facts) -> Vec<ControlSocket> {
    let mut by_path: BTreeMap<String, String> = BTreeMap::new();
    for (path, service) in sockets::known_control_sockets() {
        by_path.insert(path.to_owned(), service.to_owned());
    }
    let listening = facts.listeners.unix.known();
    for listener in listening.into_iter().flatten() {
        let name = listener.path.rsplit('/').next().unwrap_or_default();
        let service = ["docker", "containerd", "podman", "crio", "buildkit"]
            .into_iter()
            .find(|word| name.contains(word) && is_api_socket(&listener.path));
        if let Some(service) = service {
            by_path
                .entry(listener.path.clone())
                .or_insert_with(|| service.to_owned());
        }
    }
    let daemon = facts.daemon.process.known();
    for listener in daemon.and_then(|d| d.unix.known()).into_iter().flatten() {
        if is_api_socket(&listener.path) {
            by_path
                .entry(listener.path.clone())
                .or_insert_with(|| "docker".to_owned());
        }
    }
    let listens: Option<BTreeSet<String>> = listening.map(|all| {
        all.iter()
            .filter(|listener| listener.path.starts_with('/'))
            .filter_map(|listener| root.resolve(&listener.path).known().cloned())
            .collect()
    });
    let mut found: Vec<ControlSocket> = by_path
        .into_iter()
        .take(4096)
        .filter_map(|(path, service)| {
            let file = root.stat(&path);
            let file = file.known().filter(|f| f.kind == FileKind::Socket)?;
            Some(ControlSocket {
                service,
                listening: listens.as_ref().map(|all| all.contains(&file.real_path)),
                path: file.real_path.clone(),
            })
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    found
}

/// Whether a socket of an engine gives control: its sockets for metrics, debugging and its
/// own network helper do not.
fn is_api_socket(path: &str) -> bool {
    path.starts_with('/')
        && path.ends_with(".sock")
        && !path.contains("/libnetwork/")
        && !path.ends_with("/metrics.sock")
        && !path.ends_with("-debug.sock")
}

/// Adds what the host's own files say to each container.
fn examine_containers(root: &HostRoot, pids: &[(u32, String)], facts: &mut Facts) {
    let mut containers = match std::mem::take(&mut facts.containers) {
        Fact::Known(containers) => containers,
        other => {
            facts.containers = other;
            return;
        }
    };
    let inside = processes_by_container(root, pids);
    let volumes = facts.engine.volumes.known().cloned().unwrap_or_default();
    let default_seccomp_off = facts
        .daemon
        .options
        .get("seccomp-profile")
        .is_some_and(|option| option.values.iter().any(|value| value == "unconfined"));
    for container in &mut containers {
        if let Fact::Known(declared) = &mut container.declared {
            for mount in &mut declared.mounts {
                if mount.source.starts_with('/') {
                    mount.source_real = root.resolve(&mount.source);
                    mount.source_file = root.stat(&mount.source);
                } else {
                    mount.source_real = Fact::Absent;
                    mount.source_file = Fact::Absent;
                }
            }
        }
        container.kernel = match container.state.pid {
            None if container.declared.known().is_some() => Fact::Absent,
            None => Fact::Unknown("the engine did not tell its process".to_owned()),
            Some(pid) => match process::read(root, pid) {
                Fact::Known(view) if is_of(&view, &container.id) == Some(false) => Fact::Unknown(
                    format!("process {pid} is not of this container: it ended meanwhile"),
                ),
                Fact::Absent => Fact::Unknown(format!(
                    "process {pid} is not to be seen: it ended, or it runs on another machine"
                )),
                found => found,
            },
        };
        container.limits = container
            .kernel
            .as_ref()
            .map(|view| limits(root, view, facts.mounts.known().map(Vec::as_slice)));
        container.processes = match (&container.kernel, &inside) {
            (Fact::Absent, _) => Fact::Absent,
            (_, Fact::Known(inside)) => {
                Fact::Known(inside.get(&container.id).cloned().unwrap_or_default())
            }
            (_, Fact::Unknown(why)) => Fact::Unknown(why.clone()),
            (_, Fact::Absent) => Fact::Unknown("there is no `/proc`".to_owned()),
        };
        if let Some(view) = container.kernel.known() {
            for (name, inode) in &view.namespaces {
                let host = facts
                    .namespaces
                    .inodes
                    .get(name)
                    .cloned()
                    .unwrap_or_default();
                let shared = match (inode, host) {
                    (Fact::Known(inner), Fact::Known(outer)) => Fact::Known(*inner == outer),
                    (Fact::Unknown(why), _) => Fact::Unknown(why.clone()),
                    (_, Fact::Unknown(why)) => Fact::Unknown(why),
                    _ => Fact::Unknown("this kernel has no such namespace".to_owned()),
                };
                container.host_namespaces.insert(name.clone(), shared);
            }
        }
        container.sockets = reachable(container, facts, &volumes);
        container.disagreements = compare::compare(
            container,
            facts.mounts.known().map(Vec::as_slice),
            default_seccomp_off,
        );
    }
    facts.containers = Fact::Known(containers);
}

fn reachable(
    container: &ContainerFacts,
    facts: &Facts,
    volumes: &[engine::VolumeFacts],
) -> Fact<Vec<super::container::ReachableSocket>> {
    let Some(declared) = container.declared.known() else {
        return Fact::Unknown("its mounts are not known".to_owned());
    };
    let mut found = match (&container.kernel, facts.mounts.known()) {
        (Fact::Known(view), Some(host)) => match &view.mounts {
            Fact::Known(mounts) => reach::by_mount_tables(&facts.control_sockets, host, mounts),
            _ => reach::by_declaration(&facts.control_sockets, declared, volumes),
        },
        _ => reach::by_declaration(&facts.control_sockets, declared, volumes),
    };
    // The engine's socket by name, where the host's own sockets can't be seen.
    for mount in &declared.mounts {
        let name = mount.source.rsplit('/').next().unwrap_or_default();
        let is_control =
            ["docker.sock", "containerd.sock", "podman.sock", "crio.sock"].contains(&name);
        if is_control && !found.iter().any(|f| f.container_path == mount.destination) {
            found.push(super::container::ReachableSocket {
                service: name.trim_end_matches(".sock").to_owned(),
                host_path: mount.source.clone(),
                container_path: mount.destination.clone(),
                through: "a declared mount of that name".to_owned(),
                listening: None,
            });
        }
    }
    found.sort();
    Fact::Known(found)
}

/// Whether a process lies in the control group of a container; `None` where the control
/// group's name says nothing (a rootless engine, a namespace of our own).
fn is_of(view: &process::ProcessView, id: &str) -> Option<bool> {
    let lines = view.cgroups.known()?;
    let of_any = lines.iter().find_map(|line| container_id(&line.path))?;
    Some(of_any == id)
}

/// The container's id in the path of a control group: the last word of 64 hexadecimal
/// digits, bare or as `docker-ID.scope`.
fn container_id(path: &str) -> Option<&str> {
    path.rsplit('/').find_map(|part| {
        let part = part.strip_suffix(".scope").unwrap_or(part);
        let part = part.rsplit('-').next().unwrap_or(part);
        (part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit())).then_some(part)
    })
}

fn processes_by_container(
    root: &HostRoot,
    pids: &[(u32, String)],
) -> Fact<BTreeMap<String, Vec<InnerProcess>>> {
    let mut inside: BTreeMap<String, Vec<InnerProcess>> = BTreeMap::new();
    for (pid, name) in pids {
        let cgroups = match root.text(&format!("/proc/{pid}/cgroup"), 1 << 20) {
            Fact::Known(text) => process::parse_cgroup(&text),
            Fact::Absent => continue,
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        let Some(id) = cgroups.iter().find_map(|line| container_id(&line.path)) else {
            continue;
        };
        let status = root.text(&format!("/proc/{pid}/status"), 256 << 10);
        let list = inside.entry(id.to_owned()).or_default();
        if list.len() < 4096 {
            list.push(InnerProcess {
                pid: *pid,
                name: name.clone(),
                uid: status
                    .known()
                    .and_then(|text| process::parse_status(text).uid.get(1).copied()),
            });
        }
    }
    Fact::Known(inside)
}

/// Limits of the control groups a process lies in.
fn limits(root: &HostRoot, view: &process::ProcessView, host: Option<&[Mount]>) -> CgroupLimits {
    let (Some(lines), Some(mounts)) = (view.cgroups.known(), host) else {
        let why = "its control groups are not known";
        return CgroupLimits {
            memory: Fact::Unknown(why.to_owned()),
            pids: Fact::Unknown(why.to_owned()),
            cpu_millis: Fact::Unknown(why.to_owned()),
            devices: Fact::Unknown(why.to_owned()),
        };
    };
    let folder = |controller: &str| -> Option<(String, bool)> {
        let one = lines
            .iter()
            .find(|line| line.controllers.split(',').any(|name| name == controller));
        let (line, is_two) = match one {
            Some(line) => (line, false),
            None => (lines.iter().find(|line| line.controllers.is_empty())?, true),
        };
        let mount = mounts.iter().find(|mount| {
            if is_two {
                mount.fs_type == "cgroup2"
            } else {
                mount.fs_type == "cgroup" && mount.super_options.split(',').any(|o| o == controller)
            }
        })?;
        let rest = super::mountinfo::below(&line.path, &mount.root)?;
        Some((format!("{}{rest}", mount.point), is_two))
    };
    let number = |path: String| -> Fact<Option<u64>> {
        match root.line(&path) {
            Fact::Known(text) if text == "max" || text == "-1" => Fact::Known(None),
            Fact::Known(text) => match text.parse::<u64>() {
                // Version 1 writes "no limit" as the largest number of pages.
                Ok(value) if value >= 1 << 62 => Fact::Known(None),
                Ok(value) => Fact::Known(Some(value)),
                Err(_) => Fact::Unknown(format!("`{path}` holds no number")),
            },
            Fact::Absent => Fact::Unknown(format!("there is no `{path}`")),
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    };
    let missing = || Fact::Unknown("that controller is not mounted".to_owned());
    CgroupLimits {
        memory: folder("memory").map_or_else(missing, |(folder, two)| {
            let file = if two {
                "memory.max"
            } else {
                "memory.limit_in_bytes"
            };
            number(format!("{folder}/{file}"))
        }),
        pids: folder("pids")
            .map_or_else(missing, |(folder, _)| number(format!("{folder}/pids.max"))),
        cpu_millis: folder("cpu").map_or_else(missing, |(folder, two)| {
            cpu_limit(root, &folder, two, number)
        }),
        devices: folder("devices").filter(|(_, two)| !two).map_or(
            Fact::Unknown("version 2 of control groups tells no device rules".to_owned()),
            |(folder, _)| {
                root.text(&format!("{folder}/devices.list"), 1 << 20)
                    .map(|text| text.lines().take(1024).map(str::to_owned).collect())
            },
        ),
    }
}

fn cpu_limit(
    root: &HostRoot,
    folder: &str,
    two: bool,
    number: impl Fn(String) -> Fact<Option<u64>>,
) -> Fact<Option<u64>> {
    let millis = |quota: u64, period: u64| {
        quota
            .saturating_mul(1000)
            .checked_div(period)
            .map_or(Fact::Unknown("the period is 0".to_owned()), |m| {
                Fact::Known(Some(m))
            })
    };
    if two {
        return root.line(&format!("{folder}/cpu.max")).and_then(|text| {
            let mut words = text.split(' ');
            match (words.next(), words.next().and_then(|p| p.parse().ok())) {
                (Some("max"), _) => Fact::Known(None),
                (Some(quota), Some(period)) => match quota.parse() {
                    Ok(quota) => millis(quota, period),
                    Err(_) => Fact::Unknown("`cpu.max` holds no number".to_owned()),
                },
                _ => Fact::Unknown("`cpu.max` holds no number".to_owned()),
            }
        });
    }
    match (
        number(format!("{folder}/cpu.cfs_quota_us")),
        number(format!("{folder}/cpu.cfs_period_us")),
    ) {
        (Fact::Known(Some(quota)), Fact::Known(Some(period))) => millis(quota, period),
        (other, _) => other,
    }
}

/// The engine's word on itself, where it is known.
impl EngineFacts {
    /// The part of `/info`.
    pub fn about(&self) -> Option<&EngineInfo> {
        self.info.known()
    }
}
