//! Who reaches whom: each container's network, its neighbours, and who can pose as them.
//!
//! Posing as a neighbour (ARP and MAC spoofing) needs the same layer 2 segment, the
//! capability NET_RAW, which the engine gives by default, and a bridge that lets frames pass
//! between containers. A network of its own, or the capability dropped, ends it.

use serde::{Deserialize, Serialize};

use crate::facts::container::{ContainerFacts, Declared, PublishedPort};
use crate::facts::engine::NetworkFacts;
use crate::facts::{Fact, Facts};

/// A container's place on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureRow {
    /// Id of the container.
    pub id: String,
    /// Its name.
    pub container: String,
    /// `none`, `host`, `container NAME`, `bridge`, `macvlan`, ….
    pub mode: String,
    /// Networks it is on.
    pub networks: Vec<String>,
    /// Containers on the same segments.
    pub neighbours: Vec<String>,
    /// Of those, which it can pose as.
    pub can_spoof: Fact<Vec<String>>,
    /// Published ports.
    pub ports: Vec<PublishedPort>,
    /// How many of them answer on every address of the host.
    pub wildcard_ports: usize,
}

/// A row for each container, by name.
pub fn table(facts: &Facts) -> Vec<ExposureRow> {
    let containers = facts.containers();
    let networks = facts.engine.networks.known().map_or(&[][..], Vec::as_slice);
    let places: Vec<Vec<String>> = containers
        .iter()
        .map(|container| segments(container, containers))
        .collect();
    containers
        .iter()
        .zip(&places)
        .filter_map(|(container, own)| {
            let declared = container.declared.known()?;
            Some(row(container, declared, own, containers, &places, networks))
        })
        .collect()
}

fn row(
    container: &ContainerFacts,
    declared: &Declared,
    own: &[String],
    all: &[ContainerFacts],
    places: &[Vec<String>],
    networks: &[NetworkFacts],
) -> ExposureRow {
    let open: Vec<&String> = own
        .iter()
        .filter(|name| lets_spoof(name, networks))
        .collect();
    let mut neighbours = Vec::new();
    let mut victims = Vec::new();
    for (other, place) in all.iter().zip(places) {
        if other.id == container.id || !other.state.running {
            continue;
        }
        if place.iter().any(|name| own.contains(name)) {
            neighbours.push(other.name.clone());
            if place.iter().any(|name| open.contains(&name)) {
                victims.push(other.name.clone());
            }
        }
    }
    let ports = if declared.ports.is_empty() {
        declared.port_bindings.clone()
    } else {
        declared.ports.clone()
    };
    ExposureRow {
        id: container.id.clone(),
        container: container.name.clone(),
        mode: mode(declared, all, networks),
        networks: own.to_vec(),
        neighbours,
        can_spoof: match container.capabilities() {
            None => Fact::Unknown("its capabilities are not known".to_owned()),
            Some(set) if !set.has("NET_RAW") || !container.state.running => Fact::Known(Vec::new()),
            Some(_) => Fact::Known(victims),
        },
        wildcard_ports: ports
            .iter()
            .filter(|port| port.is_on_all_addresses())
            .count(),
        ports,
    }
}

/// Networks of a container; one that lives in another's namespace is where that one is.
fn segments(container: &ContainerFacts, all: &[ContainerFacts]) -> Vec<String> {
    let Some(declared) = container.declared.known() else {
        return Vec::new();
    };
    let declared = match owner(declared, all).and_then(|owner| owner.declared.known()) {
        Some(owner) => owner,
        None => declared,
    };
    let mut names: Vec<String> = declared
        .networks
        .iter()
        .map(|attachment| attachment.network.clone())
        .filter(|name| !matches!(name.as_str(), "none" | "host"))
        .collect();
    names.sort_unstable();
    names
}

/// The container whose network a container lives in.
fn owner<'f>(declared: &Declared, all: &'f [ContainerFacts]) -> Option<&'f ContainerFacts> {
    let wanted = declared.network_mode.strip_prefix("container:")?;
    all.iter()
        .find(|other| !wanted.is_empty() && (other.id == wanted || other.name == wanted))
}

fn mode(declared: &Declared, all: &[ContainerFacts], networks: &[NetworkFacts]) -> String {
    match declared.network_mode.as_str() {
        "none" => "none".to_owned(),
        "host" => "host".to_owned(),
        "" | "default" | "bridge" => "default bridge".to_owned(),
        mode if mode.starts_with("container:") => match owner(declared, all) {
            Some(owner) => format!("container {}", owner.name),
            None => "container that is gone".to_owned(),
        },
        name => networks
            .iter()
            .find(|network| network.name == name || network.id == name)
            .map_or_else(|| name.to_owned(), |network| network.driver.clone()),
    }
}

/// Whether frames pass between containers of a network as they are. Layer 3 modes
/// (`ipvlan` on level 3) have no ARP.
fn lets_spoof(name: &str, networks: &[NetworkFacts]) -> bool {
    networks
        .iter()
        .find(|network| network.name == name)
        .is_none_or(|network| match network.driver.as_str() {
            "bridge" => network.inter_container(),
            "ipvlan" => false,
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::container::{Attachment, ContainerState};

    fn container(name: &str, network: &str, mode: &str, drop: &[&str]) -> ContainerFacts {
        ContainerFacts {
            id: format!("id-{name}"),
            name: name.into(),
            state: ContainerState {
                running: true,
                ..ContainerState::default()
            },
            declared: Fact::Known(Declared {
                network_mode: mode.into(),
                cap_drop: drop.iter().map(|c| (*c).to_owned()).collect(),
                networks: (!network.is_empty())
                    .then(|| Attachment {
                        network: network.into(),
                        ..Attachment::default()
                    })
                    .into_iter()
                    .collect(),
                ..Declared::default()
            }),
            kernel: Fact::Absent,
            ..ContainerFacts::default()
        }
    }

    fn facts(icc: &str) -> Facts {
        let mut facts = Facts::default();
        facts.engine.networks = Fact::Known(vec![NetworkFacts {
            name: "shop".into(),
            driver: "bridge".into(),
            options: [(
                "com.docker.network.bridge.enable_icc".to_owned(),
                icc.to_owned(),
            )]
            .into(),
            ..NetworkFacts::default()
        }]);
        facts.containers = Fact::Known(vec![
            container("db", "shop", "shop", &["NET_RAW"]),
            container("web", "shop", "shop", &[]),
            container("side", "", "container:id-web", &[]),
            container("alone", "other", "other", &[]),
            container("off", "none", "none", &[]),
        ]);
        facts
    }

    #[test]
    fn spoofing_needs_the_segment_the_capability_and_passing_frames() {
        let rows = table(&facts("true"));
        let spoofs = |name: &str| {
            rows.iter()
                .find(|r| r.container == name)
                .unwrap()
                .can_spoof
                .known()
                .unwrap()
                .clone()
        };
        assert_eq!(spoofs("web"), ["db", "side"]);
        assert!(spoofs("db").is_empty() && spoofs("alone").is_empty() && spoofs("off").is_empty());
        assert_eq!(rows[0].neighbours, ["web", "side"]);
        assert_eq!(rows[2].mode, "container web");
        let rows = table(&facts("false"));
        assert!(rows.iter().all(|r| r.can_spoof.known().unwrap().is_empty()));
    }
}
