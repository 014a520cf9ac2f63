//! What the engine says of itself: `/info`, `/version`, networks, volumes, images, plugins,
//! swarm. Reference: Docker Engine API. Every document is read leniently (see
//! [`super::json`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Fact;
use super::json::{Complaints, Doc};
use super::redact::{self, EnvVar};

/// A part of the engine and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Component {
    /// `Engine`, `containerd`, `runc`, `docker-init`.
    pub name: String,
    /// As it says.
    pub version: String,
}

/// `GET /info` and `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct EngineInfo {
    /// Of the engine.
    pub version: String,
    /// Of the API.
    pub api_version: String,
    /// Oldest API it still speaks.
    pub min_api_version: String,
    /// Parts and their versions.
    pub components: Vec<Component>,
    /// Where its data lies.
    pub data_root: String,
    /// Storage driver.
    pub driver: String,
    /// Where container logs go by default.
    pub logging_driver: String,
    /// `cgroupfs` or `systemd`.
    pub cgroup_driver: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// `name=seccomp,profile=default` and so on.
    pub security_options: Vec<String>,
    /// Whether containers outlive the daemon.
    pub live_restore: bool,
    /// Whether experimental features are on.
    pub experimental: bool,
    /// Registries spoken to without TLS or verification.
    pub insecure_registries: Vec<String>,
    /// Authorization plugins.
    pub authorization_plugins: Vec<String>,
    /// Runtimes and their programs.
    pub runtimes: BTreeMap<String, String>,
    /// The runtime taken by default.
    pub default_runtime: String,
    /// Things the engine warns of itself.
    pub warnings: Vec<String>,
    /// Name of the host.
    pub name: String,
    /// State of the swarm: `inactive`, `active`, ….
    pub swarm_state: String,
    /// Whether this node may change the swarm.
    pub swarm_control: bool,
    /// Managers of the swarm.
    pub swarm_managers: i64,
    /// Whether the daemon runs with IPv4 forwarding.
    pub ipv4_forwarding: bool,
}

impl EngineInfo {
    /// Whether a security option is on (`rootless`, `userns`, `selinux`, `apparmor`).
    pub fn has_security_option(&self, name: &str) -> bool {
        self.security_option(name).is_some()
    }

    /// The rest of a security option: `profile=default`.
    pub fn security_option(&self, name: &str) -> Option<&str> {
        self.security_options.iter().find_map(|option| {
            let rest = option.strip_prefix("name=").unwrap_or(option);
            let (found, rest) = rest.split_once(',').unwrap_or((rest, ""));
            (found == name).then_some(rest)
        })
    }

    /// The version a part says of itself.
    pub fn component(&self, name: &str) -> Option<&str> {
        self.components
            .iter()
            .find(|component| component.name.eq_ignore_ascii_case(name))
            .map(|component| component.version.as_str())
    }
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct NetworkFacts {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `bridge`, `overlay`, `macvlan`, ….
    pub driver: String,
    /// `local` or `swarm`.
    pub scope: String,
    /// Without a way out.
    pub internal: bool,
    /// With IPv6.
    pub ipv6: bool,
    /// Whether it is the swarm's entry network.
    pub ingress: bool,
    /// Subnets.
    pub subnets: Vec<String>,
    /// Options of its driver.
    pub options: BTreeMap<String, String>,
}

impl NetworkFacts {
    /// Whether containers on it may talk to each other; the driver's default is yes.
    pub fn inter_container(&self) -> bool {
        self.options
            .get("com.docker.network.bridge.enable_icc")
            .is_none_or(|value| value != "false")
    }
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct VolumeFacts {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Where it lies on the host.
    pub mountpoint: String,
    /// Options; `o=bind` with `device=/x` makes it a bind mount in disguise.
    pub options: BTreeMap<String, String>,
}

/// An image that the engine holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ImageFacts {
    /// Digest of its configuration or manifest.
    pub id: String,
    /// Names.
    pub tags: Vec<String>,
    /// `name@sha256:…`.
    pub digests: Vec<String>,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The user it runs as; empty is root.
    pub user: String,
    /// Environment, without values that rules don't need.
    pub env: Vec<EnvVar>,
    /// Entry point, redacted.
    pub entrypoint: Vec<String>,
    /// Arguments, redacted.
    pub command: Vec<String>,
    /// Working directory.
    pub working_dir: String,
    /// Volumes it declares.
    pub volumes: Vec<String>,
    /// Ports it declares, `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Labels, redacted.
    pub labels: BTreeMap<String, String>,
    /// Its health check; empty for none, `NONE` for switched off.
    pub healthcheck: Vec<String>,
    /// The lines that made it, oldest first, redacted.
    pub history: Fact<Vec<String>>,
    /// Fields of its documents that could not be understood.
    pub malformed: Vec<String>,
}

impl ImageFacts {
    /// A name for people: the first tag, or the start of the id.
    pub fn display_name(&self) -> String {
        match self.tags.iter().find(|tag| *tag != "<none>:<none>") {
            Some(tag) => tag.clone(),
            None => self
                .id
                .strip_prefix("sha256:")
                .unwrap_or(&self.id)
                .chars()
                .take(12)
                .collect(),
        }
    }
}

/// A plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct PluginFacts {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// `docker.authz/1.0` and so on.
    pub interfaces: Vec<String>,
}

/// The swarm, as a manager tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct SwarmFacts {
    /// Whether managers need a key after a restart.
    pub auto_lock: bool,
    /// Life of a node's certificate, nanoseconds.
    pub node_cert_expiry_ns: i64,
    /// When the swarm's certificate authority was last rotated counts from 0.
    pub ca_force_rotate: i64,
    /// When the swarm was made.
    pub created: String,
    /// When its settings were last changed.
    pub updated: String,
    /// Port of the data plane.
    pub data_path_port: i64,
    /// Secrets it holds, how many.
    pub secrets: Fact<u64>,
}

/// Everything the engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct EngineFacts {
    /// Where it answered: `unix:///run/docker.sock`.
    pub address: String,
    /// Of itself.
    pub info: Fact<EngineInfo>,
    /// Networks.
    pub networks: Fact<Vec<NetworkFacts>>,
    /// Volumes.
    pub volumes: Fact<Vec<VolumeFacts>>,
    /// Images.
    pub images: Fact<Vec<ImageFacts>>,
    /// Plugins.
    pub plugins: Fact<Vec<PluginFacts>>,
    /// The swarm; absent where this engine is in none, or no manager of one.
    pub swarm: Fact<SwarmFacts>,
}

/// Reads `/info` and `/version`.
pub fn parse_info(info: &Value, version: &Value) -> Fact<EngineInfo> {
    let complaints = Complaints::default();
    let doc = Doc::new(info, &complaints);
    let about = Doc::new(version, &complaints);
    let mut insecure: Vec<String> = doc.texts("RegistryConfig.InsecureRegistryCIDRs");
    for (name, registry) in doc.members("RegistryConfig.IndexConfigs") {
        if registry.maybe_flag("Secure") == Some(false) {
            insecure.push(name);
        }
    }
    let mut components: Vec<Component> = about
        .items("Components")
        .iter()
        .map(|part| Component {
            name: part.text("Name"),
            version: part.text("Version"),
        })
        .collect();
    if components.is_empty() {
        components.push(Component {
            name: "Engine".to_owned(),
            version: about.text("Version"),
        });
    }
    let found = EngineInfo {
        version: doc.text("ServerVersion"),
        api_version: about.text("ApiVersion"),
        min_api_version: about.text("MinAPIVersion"),
        components,
        data_root: doc.text("DockerRootDir"),
        driver: doc.text("Driver"),
        logging_driver: doc.text("LoggingDriver"),
        cgroup_driver: doc.text("CgroupDriver"),
        cgroup_version: doc.text("CgroupVersion"),
        security_options: doc.texts("SecurityOptions"),
        live_restore: doc.flag("LiveRestoreEnabled"),
        experimental: doc.flag("ExperimentalBuild"),
        insecure_registries: insecure,
        authorization_plugins: doc.texts("Plugins.Authorization"),
        runtimes: doc
            .members("Runtimes")
            .into_iter()
            .map(|(name, runtime)| (name, runtime.text("path")))
            .collect(),
        default_runtime: doc.text("DefaultRuntime"),
        warnings: doc.texts("Warnings"),
        name: doc.text("Name"),
        swarm_state: doc.text("Swarm.LocalNodeState"),
        swarm_control: doc.flag("Swarm.ControlAvailable"),
        swarm_managers: doc.number("Swarm.Managers"),
        ipv4_forwarding: doc.flag("IPv4Forwarding"),
    };
    match complaints.into_inner().first() {
        None => Fact::Known(found),
        Some(complaint) => Fact::Unknown(format!("the engine's `/info`: {complaint}")),
    }
}

/// Reads `/networks`.
pub fn parse_networks(value: &Value) -> Fact<Vec<NetworkFacts>> {
    let complaints = Complaints::default();
    let networks = Doc::new(value, &complaints)
        .elements()
        .iter()
        .map(|network| NetworkFacts {
            id: network.text("Id"),
            name: network.text("Name"),
            driver: network.text("Driver"),
            scope: network.text("Scope"),
            internal: network.flag("Internal"),
            ipv6: network.flag("EnableIPv6"),
            ingress: network.flag("Ingress"),
            subnets: network
                .items("IPAM.Config")
                .iter()
                .map(|config| config.text("Subnet"))
                .collect(),
            options: network.text_map("Options"),
        })
        .collect();
    checked("/networks", networks, complaints)
}

/// Reads `/volumes`.
pub fn parse_volumes(value: &Value) -> Fact<Vec<VolumeFacts>> {
    let complaints = Complaints::default();
    let volumes = Doc::new(value, &complaints)
        .items("Volumes")
        .iter()
        .map(|volume| VolumeFacts {
            name: volume.text("Name"),
            driver: volume.text("Driver"),
            mountpoint: volume.text("Mountpoint"),
            options: volume
                .text_map("Options")
                .into_iter()
                .map(|(name, value)| {
                    // `o=username=x,password=y` of a network file system.
                    let value = match value.to_ascii_lowercase().contains("password=") {
                        true => redact::HIDDEN.to_owned(),
                        false => redact::value_of(&name, &value),
                    };
                    (name, value)
                })
                .collect(),
        })
        .collect();
    checked("/volumes", volumes, complaints)
}

/// Reads `/plugins`.
pub fn parse_plugins(value: &Value) -> Fact<Vec<PluginFacts>> {
    let complaints = Complaints::default();
    let plugins = Doc::new(value, &complaints)
        .elements()
        .iter()
        .map(|plugin| PluginFacts {
            name: plugin.text("Name"),
            enabled: plugin.flag("Enabled"),
            interfaces: plugin.texts("Config.Interface.Types"),
        })
        .collect();
    checked("/plugins", plugins, complaints)
}

/// Reads `/swarm`.
pub fn parse_swarm(value: &Value) -> Fact<SwarmFacts> {
    let complaints = Complaints::default();
    let doc = Doc::new(value, &complaints);
    let swarm = SwarmFacts {
        auto_lock: doc.flag("Spec.EncryptionConfig.AutoLockManagers"),
        node_cert_expiry_ns: doc.number("Spec.CAConfig.NodeCertExpiry"),
        ca_force_rotate: doc.number("Spec.CAConfig.ForceRotate"),
        created: doc.text("CreatedAt"),
        updated: doc.text("UpdatedAt"),
        data_path_port: doc.number("DataPathPort"),
        secrets: Fact::default(),
    };
    checked("/swarm", swarm, complaints)
}

/// Reads `/images/ID/json`.
pub fn parse_image(value: &Value) -> ImageFacts {
    let complaints = Complaints::default();
    let doc = Doc::new(value, &complaints);
    let config = doc.part("Config");
    let env = config.texts("Env");
    let mut image = ImageFacts {
        id: doc.text("Id"),
        tags: doc.texts("RepoTags"),
        digests: doc.texts("RepoDigests"),
        created: doc.text("Created"),
        ..ImageFacts::default()
    };
    if doc.has("Config") {
        image.user = config.text("User");
        image.env = env.iter().map(|line| EnvVar::parse(line)).collect();
        image.entrypoint = redact::arguments(&config.texts("Entrypoint"));
        image.command = redact::arguments(&config.texts("Cmd"));
        image.working_dir = config.text("WorkingDir");
        image.volumes = config.keys("Volumes");
        image.exposed_ports = config.keys("ExposedPorts");
        image.labels = labels(&config);
        image.healthcheck = redact::arguments(&config.texts("Healthcheck.Test"));
    }
    image.malformed = complaints.into_inner();
    image
}

/// Reads `/images/ID/history`, newest first as the engine tells it, into oldest first.
pub fn parse_history(value: &Value) -> Fact<Vec<String>> {
    let complaints = Complaints::default();
    let mut lines: Vec<String> = Doc::new(value, &complaints)
        .elements()
        .iter()
        .map(|line| {
            let words: Vec<String> = line
                .text("CreatedBy")
                .split(' ')
                .take(2000)
                .map(str::to_owned)
                .collect();
            redact::arguments(&words)
                .join(" ")
                .chars()
                .take(8192)
                .collect()
        })
        .collect();
    lines.reverse();
    checked("the image's history", lines, complaints)
}

/// Labels of a configuration, redacted.
pub fn labels(config: &Doc<'_>) -> BTreeMap<String, String> {
    config
        .text_map("Labels")
        .into_iter()
        .map(|(name, value)| {
            let value = redact::value_of(&name, &value);
            (name, value)
        })
        .collect()
}

fn checked<T>(what: &str, value: T, complaints: Complaints) -> Fact<T> {
    match complaints.into_inner().first() {
        None => Fact::Known(value),
        Some(complaint) => Fact::Unknown(format!("the engine's answer on {what}: {complaint}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn security_options_and_registries_are_read() {
        let info = parse_info(
            &json!({"ServerVersion":"20.10.24","SecurityOptions":["name=seccomp,profile=default","name=rootless"],
                "RegistryConfig":{"InsecureRegistryCIDRs":["127.0.0.0/8"],"IndexConfigs":{"r:5000":{"Secure":false},"docker.io":{"Secure":true}}}}),
            &json!({"Components":[{"Name":"runc","Version":"1.1.5"}]}),
        );
        let info = info.known().unwrap();
        assert_eq!(info.security_option("seccomp"), Some("profile=default"));
        assert!(info.has_security_option("rootless"));
        assert_eq!(info.insecure_registries, ["127.0.0.0/8", "r:5000"]);
        assert_eq!(info.component("runc"), Some("1.1.5"));
    }

    #[test]
    fn an_answer_of_another_shape_is_unknown() {
        assert!(
            parse_info(&json!({"LiveRestoreEnabled":"no"}), &json!({}))
                .why_unknown()
                .is_some()
        );
        assert!(parse_networks(&json!({"a":1})).why_unknown().is_some());
    }

    #[test]
    fn history_is_oldest_first_and_redacted() {
        let history = parse_history(&json!([
            {"CreatedBy":"CMD [\"sh\"]"},
            {"CreatedBy":"RUN PASSWORD=hunter2 make"}
        ]));
        assert_eq!(
            history.known().unwrap(),
            &["RUN PASSWORD=[redacted] make", "CMD [\"sh\"]"]
        );
    }
}
