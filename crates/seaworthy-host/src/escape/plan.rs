//! A container that is not there yet: the flags of `docker run` as facts.
//!
//! Follows the Docker command line's own reading: flags end at the first word that is none,
//! which is the image; short ones may stand together (`-it`) and hold their value (`-p80:80`).
//! Words are split as a POSIX shell does, without expanding anything. A flag that is not known
//! is an error: what is not understood can't be judged. A seccomp profile in a file is not
//! opened and counts as one that can't be told.

use crate::facts::container::{
    Attachment, ContainerFacts, ContainerState, Declared, DeclaredMount, Device, DeviceRequest,
    MountRequest, PublishedPort,
};
use crate::facts::reach::ControlSocket;
use crate::facts::reach::by_declaration;
use crate::facts::seccomp::SeccompChoice;
use crate::facts::{Fact, Facts, sockets};

use super::scene::plain_path;

/// Characters of a command.
const MAX_COMMAND: usize = 1 << 20;
/// Words of a command.
const MAX_WORDS: usize = 10_000;

/// Flags without a value.
const SWITCHES: &[&str] = &[
    "detach",
    "disable-content-trust",
    "help",
    "init",
    "interactive",
    "no-healthcheck",
    "oom-kill-disable",
    "privileged",
    "publish-all",
    "quiet",
    "read-only",
    "rm",
    "sig-proxy",
    "tty",
    "use-api-socket",
];

/// Flags with a value that says nothing about paths to the host.
const HARMLESS: &[&str] = &[
    "add-host",
    "annotation",
    "attach",
    "blkio-weight",
    "blkio-weight-device",
    "cidfile",
    "cpu-count",
    "cpu-percent",
    "cpu-period",
    "cpu-quota",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "cpu-shares",
    "cpus",
    "cpuset-cpus",
    "cpuset-mems",
    "detach-keys",
    "device-read-bps",
    "device-read-iops",
    "device-write-bps",
    "device-write-iops",
    "dns",
    "dns-option",
    "dns-opt",
    "dns-search",
    "domainname",
    "entrypoint",
    "env",
    "env-file",
    "expose",
    "health-cmd",
    "health-interval",
    "health-retries",
    "health-start-interval",
    "health-start-period",
    "health-timeout",
    "hostname",
    "io-maxbandwidth",
    "io-maxiops",
    "ip",
    "ip6",
    "isolation",
    "kernel-memory",
    "label",
    "label-file",
    "link",
    "link-local-ip",
    "log-driver",
    "log-opt",
    "mac-address",
    "memory-reservation",
    "memory-swap",
    "memory-swappiness",
    "network-alias",
    "net-alias",
    "oom-score-adj",
    "platform",
    "pull",
    "restart",
    "shm-size",
    "stop-signal",
    "stop-timeout",
    "storage-opt",
    "ulimit",
    "volume-driver",
    "cgroup-parent",
];

/// Short flags and the long ones they stand for.
const SHORT: &[(char, &str)] = &[
    ('a', "attach"),
    ('c', "cpu-shares"),
    ('d', "detach"),
    ('e', "env"),
    ('h', "hostname"),
    ('i', "interactive"),
    ('l', "label"),
    ('m', "memory"),
    ('p', "publish"),
    ('P', "publish-all"),
    ('q', "quiet"),
    ('t', "tty"),
    ('u', "user"),
    ('v', "volume"),
    ('w', "workdir"),
];

/// A container that would be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// It, as the engine would describe it before the start.
    pub container: ContainerFacts,
    /// Containers whose volumes it takes.
    pub volumes_from: Vec<String>,
}

/// Reads `docker run FLAGS IMAGE COMMAND`; `docker` and `run` may be left out.
///
/// # Errors
///
/// Names the flag or quote that can't be understood.
pub fn parse_plan(command: &str) -> Result<Plan, String> {
    if command.len() > MAX_COMMAND {
        return Err("the command is over 1 MiB".to_owned());
    }
    let words = split(command)?;
    let mut words = words.iter().map(String::as_str).peekable();
    for skipped in ["sudo", "docker", "podman", "container"] {
        words.next_if_eq(&skipped);
    }
    if words.next_if_eq(&"run").is_none() {
        words.next_if_eq(&"create");
    }
    let mut builder = Builder::default();
    while let Some(word) = words.peek().copied() {
        if word == "--" {
            words.next();
            break;
        }
        let Some(flag) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            break;
        };
        words.next();
        if let Some(long) = flag.strip_prefix('-') {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let value = match value {
                Some(value) => value,
                None if SWITCHES.contains(&name) => "true".to_owned(),
                None => value_of(name, words.next())?,
            };
            builder.flag(name, &value)?;
            continue;
        }
        for (at, letter) in flag.char_indices() {
            let Some((_, name)) = SHORT.iter().find(|(short, _)| *short == letter) else {
                return Err(unknown(&format!("-{letter}")));
            };
            if SWITCHES.contains(name) {
                builder.flag(name, "true")?;
                continue;
            }
            let rest = flag.get(at + letter.len_utf8()..).unwrap_or_default();
            let value = match rest.strip_prefix('=').unwrap_or(rest) {
                "" => value_of(name, words.next())?,
                glued => glued.to_owned(),
            };
            builder.flag(name, &value)?;
            break;
        }
    }
    let image = words
        .next()
        .ok_or("the command names no image\n  hint: such as `docker run --cap-drop ALL alpine`")?;
    let mut declared = builder.declared;
    declared.command = words.map(str::to_owned).collect();
    if declared.user.is_empty() {
        declared
            .malformed
            .push("`Config.User` is not known before the image is".to_owned());
    }
    let name = if builder.name.is_empty() {
        format!("plan of {image}")
    } else {
        builder.name
    };
    Ok(Plan {
        container: ContainerFacts {
            id: "plan".to_owned(),
            name,
            image: image.to_owned(),
            state: ContainerState {
                status: "planned".to_owned(),
                ..ContainerState::default()
            },
            declared: Fact::Known(declared),
            kernel: Fact::Absent,
            limits: Fact::Absent,
            processes: Fact::Absent,
            execs: Fact::Absent,
            sockets: Fact::Known(Vec::new()),
            ..ContainerFacts::default()
        },
        volumes_from: builder.volumes_from,
    })
}

/// Puts a plan beside what is there: its image's user, the sockets its mounts reach, the
/// volumes of others. The facts then hold the planned container alone beside those that run.
pub fn with_plan(facts: &Facts, plan: &Plan) -> (Facts, ContainerFacts) {
    let mut container = plan.container.clone();
    let images = facts.engine.images.known().map_or(&[][..], Vec::as_slice);
    let wanted = container.image.clone();
    let tagged = format!("{wanted}:latest");
    let image = images.iter().find(|image| {
        image.id == wanted
            || image
                .tags
                .iter()
                .chain(&image.digests)
                .any(|tag| *tag == wanted || *tag == tagged)
    });
    if let Some(image) = image {
        container.image_id.clone_from(&image.id);
    }
    let others = facts.containers();
    let mut sockets_found = Vec::new();
    if let Fact::Known(declared) = &mut container.declared {
        if let Some(image) = image {
            if declared.user.is_empty() {
                declared.user.clone_from(&image.user);
                declared.malformed.retain(|m| !m.contains("Config.User"));
            }
            if declared.working_dir.is_empty() {
                declared.working_dir.clone_from(&image.working_dir);
            }
        }
        for from in &plan.volumes_from {
            let name = from.split(':').next().unwrap_or(from);
            let other = others
                .iter()
                .find(|other| other.name == name || other.id.starts_with(name));
            if let Some(other) = other.and_then(|other| other.declared.known()) {
                declared.mounts.extend(other.mounts.iter().cloned());
            }
        }
        let mut sockets: Vec<ControlSocket> = facts.control_sockets.clone();
        for (path, service) in sockets::known_control_sockets() {
            // Where the host's sockets are not known, those that every engine has are.
            let is_usual = facts.control_sockets.is_empty()
                && matches!(path, "/run/docker.sock" | "/run/containerd/containerd.sock");
            if is_usual || mounts_exactly(declared, path) {
                sockets.push(ControlSocket {
                    service: service.to_owned(),
                    path: path.to_owned(),
                    listening: None,
                });
            }
        }
        sockets.sort();
        sockets.dedup_by(|a, b| a.path == b.path);
        let volumes = facts.engine.volumes.known().map_or(&[][..], Vec::as_slice);
        sockets_found = by_declaration(&sockets, declared, volumes);
    }
    container.sockets = Fact::Known(sockets_found);
    let mut with = facts.clone();
    match &mut with.containers {
        Fact::Known(containers) => containers.push(container.clone()),
        other => *other = Fact::Known(vec![container.clone()]),
    }
    (with, container)
}

fn mounts_exactly(declared: &Declared, path: &str) -> bool {
    declared
        .mounts
        .iter()
        .any(|m| plain_path(&m.source) == path)
}

fn value_of(name: &str, next: Option<&str>) -> Result<String, String> {
    next.map(str::to_owned)
        .ok_or_else(|| format!("the flag `--{name}` has no value"))
}

fn unknown(flag: &str) -> String {
    let shown: String = flag.chars().filter(|c| !c.is_control()).take(64).collect();
    format!(
        "`{shown}` is no flag of `docker run` that is known here\n  hint: leave it out if it says nothing about rights, mounts, devices, namespaces or limits"
    )
}

#[derive(Default)]
struct Builder {
    declared: Declared,
    name: String,
    volumes_from: Vec<String>,
}

impl Builder {
    fn flag(&mut self, name: &str, value: &str) -> Result<(), String> {
        let declared = &mut self.declared;
        let own = || value.to_owned();
        let is_on = match value {
            "true" | "1" | "t" | "T" | "TRUE" | "True" => true,
            "false" | "0" | "f" | "F" | "FALSE" | "False" => false,
            _ if SWITCHES.contains(&name) => {
                return Err(format!("the flag `--{name}` is neither true nor false"));
            }
            _ => false,
        };
        match name {
            "privileged" => declared.privileged = is_on,
            "read-only" => declared.read_only_root = is_on,
            "publish-all" => declared.publish_all = is_on,
            "rm" => declared.auto_remove = is_on,
            "init" => declared.init = Some(is_on),
            "oom-kill-disable" => declared.limits.oom_kill_disable = is_on,
            "use-api-socket" if is_on => self.mount_text("/run/docker.sock:/run/docker.sock"),
            "name" => self.name = own(),
            "user" => declared.user = own(),
            "workdir" => declared.working_dir = own(),
            "cap-add" => declared.cap_add.push(own()),
            "cap-drop" => declared.cap_drop.push(own()),
            "security-opt" => self.security(value),
            "pid" => declared.pid_mode = own(),
            "ipc" => declared.ipc_mode = own(),
            "uts" => declared.uts_mode = own(),
            "userns" => declared.userns_mode = own(),
            "cgroupns" => declared.cgroupns_mode = own(),
            "runtime" => declared.runtime = own(),
            "group-add" => declared.group_add.push(own()),
            "network" | "net" => {
                let name = network_name(value);
                declared.network_mode.clone_from(&name);
                if !matches!(name.as_str(), "host" | "none") && !name.starts_with("container:") {
                    declared.networks.push(Attachment {
                        network: name,
                        ..Attachment::default()
                    });
                }
            }
            "volume" => self.mount_text(value),
            "mount" => self.mount_words(value)?,
            "tmpfs" => {
                let (at, options) = value.split_once(':').unwrap_or((value, ""));
                declared.tmpfs.insert(at.to_owned(), options.to_owned());
            }
            "volumes-from" => self.volumes_from.push(own()),
            "device" => {
                let mut parts = value.split(':');
                let host = parts.next().unwrap_or_default().to_owned();
                let second = parts.next();
                let (inside, access) = match (second, parts.next()) {
                    (Some(inside), Some(access)) => (inside, access),
                    (Some(word), None) if word.chars().all(|c| "rwm".contains(c)) => {
                        (host.as_str(), word)
                    }
                    (Some(inside), None) => (inside, "rwm"),
                    _ => (host.as_str(), "rwm"),
                };
                declared.devices.push(Device {
                    container: inside.to_owned(),
                    permissions: access.to_owned(),
                    host: host.clone(),
                });
            }
            "device-cgroup-rule" => declared.device_cgroup_rules.push(own()),
            "gpus" => declared.device_requests.push(DeviceRequest {
                driver: "nvidia".to_owned(),
                ids: vec![own()],
                capabilities: vec!["gpu".to_owned()],
            }),
            "sysctl" => {
                let (key, value) = value.split_once('=').unwrap_or((value, ""));
                declared.sysctls.insert(key.to_owned(), value.to_owned());
            }
            "memory" => declared.limits.memory = size(value)?,
            "pids-limit" => {
                let pids = value
                    .parse()
                    .map_err(|_| format!("`--pids-limit {value}` is no number"))?;
                declared.limits.pids = Some(pids);
            }
            "publish" => {
                let mut parts = value.rsplitn(3, ':');
                declared.port_bindings.push(PublishedPort {
                    container: parts.next().unwrap_or_default().to_owned(),
                    host_port: parts.next().unwrap_or_default().to_owned(),
                    host_ip: parts.next().unwrap_or_default().to_owned(),
                });
            }
            _ if SWITCHES.contains(&name) || HARMLESS.contains(&name) => {}
            _ => return Err(unknown(&format!("--{name}"))),
        }
        Ok(())
    }

    fn security(&mut self, option: &str) {
        let cut = option.find(['=', ':']);
        let (name, value) = match cut {
            Some(at) => (
                option.get(..at).unwrap_or_default(),
                option.get(at + 1..).unwrap_or_default(),
            ),
            None => (option, ""),
        };
        let declared = &mut self.declared;
        match (name, value) {
            ("seccomp", "unconfined") => declared.seccomp = SeccompChoice::Unconfined,
            ("seccomp", "builtin") => declared.seccomp = SeccompChoice::Default,
            ("seccomp", file) => {
                declared.seccomp =
                    SeccompChoice::Unreadable(format!("`{file}` is a file that is not opened"));
            }
            ("systempaths", "unconfined") => {
                declared.masked_paths = Some(Vec::new());
                declared.read_only_paths = Some(Vec::new());
            }
            ("apparmor", profile) => {
                declared.apparmor_profile = profile.to_owned();
                declared
                    .security_options
                    .push(format!("apparmor={profile}"));
            }
            (name, "") => declared.security_options.push(name.to_owned()),
            (name, value) => declared.security_options.push(format!("{name}={value}")),
        }
    }

    /// `SOURCE:TARGET:OPTIONS`.
    fn mount_text(&mut self, text: &str) {
        let mut parts = text.split(':');
        let first = parts.next().unwrap_or_default();
        let Some(target) = parts.next() else {
            return; // An anonymous volume.
        };
        let mode = parts.next().unwrap_or_default();
        let words: Vec<&str> = mode.split(',').collect();
        let propagation = words
            .iter()
            .find(|w| w.ends_with("shared") || w.ends_with("slave"));
        self.mount(
            first,
            target,
            !words.contains(&"ro"),
            propagation.copied().unwrap_or("rprivate"),
            mode,
        );
    }

    fn mount_words(&mut self, text: &str) -> Result<(), String> {
        let (mut kind, mut source, mut target) = ("volume", "", "");
        let (mut is_written, mut propagation) = (true, "rprivate");
        let mut request = MountRequest::default();
        for word in text.split(',') {
            let (key, value) = word.split_once('=').unwrap_or((word, "true"));
            match key {
                "type" => kind = value,
                "source" | "src" => source = value,
                "target" | "destination" | "dst" => target = value,
                "readonly" | "ro" => is_written = !matches!(value, "true" | "1"),
                "bind-propagation" => propagation = value,
                "bind-recursive" if value == "readonly" => {
                    request.read_only_force_recursive = true;
                }
                "bind-recursive" if value == "writable" => {
                    request.read_only_non_recursive = true;
                }
                "bind-recursive" if value == "disabled" => request.non_recursive = true,
                "bind-nonrecursive" => request.non_recursive = value != "false",
                "volume-opt" => {
                    let (key, value) = value.split_once('=').unwrap_or((value, ""));
                    request
                        .volume_options
                        .insert(key.to_owned(), value.to_owned());
                }
                _ => {}
            }
        }
        if target.is_empty() {
            return Err("a `--mount` has no target".to_owned());
        }
        let device = request.volume_options.get("device").cloned();
        let binds = request
            .volume_options
            .get("o")
            .is_some_and(|o| o.split(',').any(|w| w == "bind" || w == "rbind"));
        match (kind, device) {
            // A volume that binds is a bind mount in disguise.
            ("volume", Some(device)) if binds => {
                self.mount(&device, target, is_written, propagation, "");
            }
            ("tmpfs", _) => {
                self.declared.tmpfs.insert(target.to_owned(), String::new());
            }
            _ => self.mount(source, target, is_written, propagation, ""),
        }
        request.target = target.to_owned();
        self.declared.mount_requests.push(request);
        Ok(())
    }

    fn mount(
        &mut self,
        source: &str,
        target: &str,
        is_written: bool,
        propagation: &str,
        mode: &str,
    ) {
        let is_path = source.starts_with(['/', '.', '~', '$']);
        self.declared.mounts.push(DeclaredMount {
            kind: if is_path { "bind" } else { "volume" }.to_owned(),
            name: if is_path {
                String::new()
            } else {
                source.to_owned()
            },
            source: source.to_owned(),
            source_real: if source.starts_with('/') {
                Fact::Known(plain_path(source))
            } else {
                Fact::Absent
            },
            source_file: Fact::Absent,
            destination: target.to_owned(),
            driver: String::new(),
            mode: mode.to_owned(),
            writable: is_written,
            propagation: propagation.to_owned(),
        });
    }
}

/// `name=web,alias=x` or a name.
fn network_name(value: &str) -> String {
    value
        .split(',')
        .find_map(|word| word.strip_prefix("name="))
        .unwrap_or(value)
        .to_owned()
}

/// Bytes of `512m`.
fn size(text: &str) -> Result<i64, String> {
    let lower = text.to_ascii_lowercase();
    let plain = lower.trim_end_matches('b');
    let (digits, factor) = match plain.chars().last() {
        Some('k') => (plain.trim_end_matches('k'), 1_i64 << 10),
        Some('m') => (plain.trim_end_matches('m'), 1 << 20),
        Some('g') => (plain.trim_end_matches('g'), 1 << 30),
        Some('t') => (plain.trim_end_matches('t'), 1 << 40),
        _ => (plain, 1),
    };
    digits
        .parse::<i64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|bytes| *bytes >= 0)
        .ok_or_else(|| "the value of `--memory` is no size\n  hint: such as `512m`".to_owned())
}

/// Splits as a POSIX shell does, without expansion.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut is_word = false;
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some('"'), '\\') => match letters.peek() {
                Some('"' | '\\' | '$' | '`') => word.extend(letters.next()),
                _ => word.push('\\'),
            },
            (Some(_), _) => word.push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                is_word = true;
            }
            (None, '\\') => match letters.next() {
                Some('\n') | None => {}
                Some(escaped) => {
                    word.push(escaped);
                    is_word = true;
                }
            },
            (None, _) if letter.is_whitespace() => {
                if is_word {
                    words.push(std::mem::take(&mut word));
                    is_word = false;
                }
            }
            (None, _) => {
                word.push(letter);
                is_word = true;
            }
        }
        if words.len() > MAX_WORDS {
            return Err(format!("the command has over {MAX_WORDS} words"));
        }
    }
    if quote.is_some() {
        return Err("a quote in the command is not closed".to_owned());
    }
    if is_word {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(command: &str) -> Declared {
        parse_plan(command)
            .unwrap()
            .container
            .declared
            .known()
            .unwrap()
            .clone()
    }

    #[test]
    fn flags_are_read_as_the_command_line_reads_them() {
        let plan = declared(
            "sudo docker run -it --rm -p127.0.0.1:80:80 --privileged=false -v /etc:/e:ro,rshared \\\n --cap-add=SYS_ADMIN --security-opt seccomp=unconfined --security-opt no-new-privileges:true -u 1000:1000 -m 512m --pids-limit 50 --device /dev/sda:r --network host 'my image' sh -c --privileged",
        );
        assert!(!plan.privileged, "what follows the image is its command");
        assert_eq!(plan.cap_add, ["SYS_ADMIN"]);
        assert_eq!(plan.no_new_privileges(), Some(true));
        assert_eq!(plan.seccomp, SeccompChoice::Unconfined);
        assert_eq!(
            (plan.mounts[0].writable, plan.mounts[0].propagation.as_str()),
            (false, "rshared")
        );
        assert_eq!(plan.limits.memory, 512 << 20);
        assert_eq!(plan.devices[0].permissions, "r");
        assert_eq!(plan.port_bindings[0].host_ip, "127.0.0.1");
        assert_eq!(plan.command, ["sh", "-c", "--privileged"]);
        assert!(plan.malformed.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for bad in [
            "docker run",
            "docker run --fly x",
            "docker run -Z x",
            "docker run 'x",
            "run --user",
            "run --privileged=perhaps x",
            "run -m lots x",
            "run --mount type=bind,src=/ x",
            "",
        ] {
            assert!(parse_plan(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_volume_that_binds_is_seen_through() {
        let plan = declared(
            "docker run --mount type=volume,dst=/h,volume-opt=o=bind,volume-opt=device=/ alpine",
        );
        assert_eq!(
            (plan.mounts[0].kind.as_str(), plan.mounts[0].source.as_str()),
            ("bind", "/")
        );
    }
}
