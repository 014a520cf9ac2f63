//! Section 7: swarm.

use seaworthy_core::Severity::{Low, Medium};

use super::Mode::{Manual, Scored};
use super::daemon::with_info;
use super::host::unknown;
use super::outcome::{Outcome, Tally, Target};
use super::{HostRule, Section, rule};
use crate::facts::engine::{EngineInfo, SwarmFacts};
use crate::facts::{Fact, Facts};

const S: Section = Section::Swarm;
/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

pub(super) const RULES: &[HostRule] = &[
    rule(
        S,
        "7.1",
        "too-many-managers",
        1,
        Scored,
        Low,
        (
            "the swarm has more managers than it needs",
            "keep an odd number of three to seven: `docker node demote NODE`",
        ),
        |facts| {
            in_swarm(facts, |info| {
                if !info.swarm_control {
                    return Outcome::NotApplicable("this node is no manager".into());
                }
                match info.swarm_managers {
                    1 | 3 | 5 | 7 => Outcome::Pass(format!("{} managers", info.swarm_managers)),
                    n => Outcome::fail(Target::Daemon, "Swarm.Managers", n.to_string()),
                }
            })
        },
    ),
    rule(
        S,
        "7.2",
        "swarm-on-all-addresses",
        1,
        Scored,
        Medium,
        (
            "the swarm's ports answer on every address",
            "bind it: `docker swarm init --listen-addr ADDRESS:2377`",
        ),
        |facts| {
            in_swarm(facts, |_| match &facts.listeners.tcp {
                Fact::Known(all) => {
                    let mut tally = Tally::default();
                    tally.saw();
                    for listener in all
                        .iter()
                        .filter(|l| matches!(l.port, 2377 | 7946) && l.address.is_unspecified())
                    {
                        tally.fail(
                            Target::Daemon,
                            format!("port {}", listener.port),
                            listener.address.to_string(),
                        );
                    }
                    tally.finish("", |_| "2377 and 7946 are bound to an address".into())
                }
                other => unknown(other),
            })
        },
    ),
    rule(
        S,
        "7.3",
        "unencrypted-overlay",
        1,
        Scored,
        Medium,
        (
            "traffic between nodes is not encrypted",
            "make the network anew with `docker network create --driver overlay --opt encrypted`",
        ),
        |facts| match &facts.engine.networks {
            Fact::Known(networks) => {
                let mut tally = Tally::default();
                for network in networks.iter().filter(|n| n.driver == "overlay") {
                    tally.saw();
                    if !network.options.contains_key("encrypted") {
                        tally.fail(
                            Target::Network {
                                name: network.name.clone(),
                            },
                            "Options",
                            "no `encrypted`",
                        );
                    }
                }
                tally.finish("there are no overlay networks", |n| {
                    format!("{n} overlay networks")
                })
            }
            other => unknown(other),
        },
    ),
    rule(
        S,
        "7.4",
        "no-swarm-secrets",
        2,
        Manual,
        Low,
        (
            "the swarm's own secrets are not used",
            "keep secrets with `docker secret create`",
        ),
        |facts| {
            by_manager(facts, |swarm| match &swarm.secrets {
                Fact::Known(0) => Outcome::fail(Target::Daemon, "secrets", "none"),
                Fact::Known(n) => Outcome::Pass(format!("{n} secrets")),
                other => unknown(other),
            })
        },
    ),
    rule(
        S,
        "7.5",
        "no-autolock",
        1,
        Scored,
        Medium,
        (
            "the swarm's keys lie on disk in the clear",
            "run `docker swarm update --autolock=true`",
        ),
        |facts| {
            by_manager(facts, |swarm| match swarm.auto_lock {
                true => Outcome::Pass("`AutoLockManagers` is true".into()),
                false => Outcome::fail(Target::Daemon, "AutoLockManagers", "false")
                    .fixed_by("docker swarm update --autolock=true"),
            })
        },
    ),
    rule(
        S,
        "7.6",
        "autolock-key-age",
        1,
        Manual,
        Low,
        (
            "when the swarm's unlock key was last changed is not on record",
            "change it on a schedule: `docker swarm unlock-key --rotate`",
        ),
        |facts| {
            by_manager(facts, |swarm| match swarm.auto_lock {
                true => Outcome::Undetermined(
                    "the engine does not tell when the key was changed".into(),
                ),
                false => Outcome::NotApplicable("auto-lock is off (7.5)".into()),
            })
        },
    ),
    rule(
        S,
        "7.7",
        "long-node-certificates",
        2,
        Manual,
        Low,
        (
            "certificates of nodes live long",
            "run `docker swarm update --cert-expiry 48h`",
        ),
        |facts| {
            by_manager(facts, |swarm| {
                let days = swarm.node_cert_expiry_ns / DAY_NS;
                match swarm.node_cert_expiry_ns {
                    ..=0 => {
                        Outcome::Undetermined("the engine does not tell how long they live".into())
                    }
                    n if n <= 30 * DAY_NS => Outcome::Pass(format!("{days} days")),
                    _ => Outcome::fail(
                        Target::Daemon,
                        "CAConfig.NodeCertExpiry",
                        format!("{days} days"),
                    )
                    .fixed_by("docker swarm update --cert-expiry 48h"),
                }
            })
        },
    ),
    rule(
        S,
        "7.8",
        "swarm-ca-not-rotated",
        2,
        Manual,
        Low,
        (
            "the swarm's certificate authority was never changed",
            "change it on a schedule: `docker swarm ca --rotate`",
        ),
        |facts| {
            by_manager(facts, |swarm| match swarm.ca_force_rotate {
                0 => Outcome::fail(
                    Target::Daemon,
                    "CAConfig.ForceRotate",
                    format!("never, since {}", swarm.created),
                ),
                n => Outcome::Pass(format!(
                    "{n} times, last change of the swarm {}",
                    swarm.updated
                )),
            })
        },
    ),
    rule(
        S,
        "7.9",
        "shared-data-plane",
        2,
        Manual,
        Low,
        (
            "management and data of the swarm share an interface",
            "separate them: `docker swarm init --advertise-addr A --data-path-addr B`",
        ),
        |facts| {
            in_swarm(facts, |_| {
                Outcome::Undetermined(
                    "the engine does not tell which address data goes through".into(),
                )
            })
        },
    ),
];

fn in_swarm(facts: &Facts, judge: impl FnOnce(&EngineInfo) -> Outcome) -> Outcome {
    with_info(facts, |info| match info.swarm_state.as_str() {
        "active" => judge(info),
        _ => Outcome::NotApplicable("this engine is in no swarm".into()),
    })
}

fn by_manager(facts: &Facts, judge: impl FnOnce(&SwarmFacts) -> Outcome) -> Outcome {
    in_swarm(facts, |_| match &facts.engine.swarm {
        Fact::Known(swarm) => judge(swarm),
        Fact::Absent => Outcome::NotApplicable("this node is no manager".into()),
        other => unknown(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::engine::NetworkFacts;

    #[test]
    fn outside_of_a_swarm_nothing_applies_and_inside_it_does() {
        let mut facts = Facts::default();
        facts.engine.info = Fact::Known(EngineInfo::default());
        facts.engine.networks = Fact::Known(Vec::new());
        for row in RULES {
            assert!(
                matches!((row.check)(&facts), Outcome::NotApplicable(_)),
                "{}",
                row.cis
            );
        }
        facts.engine.info = Fact::Known(EngineInfo {
            swarm_state: "active".into(),
            swarm_control: true,
            swarm_managers: 2,
            ..EngineInfo::default()
        });
        facts.engine.swarm = Fact::Known(SwarmFacts {
            node_cert_expiry_ns: 90 * DAY_NS,
            ..SwarmFacts::default()
        });
        facts.engine.networks = Fact::Known(vec![NetworkFacts {
            name: "o".into(),
            driver: "overlay".into(),
            ..NetworkFacts::default()
        }]);
        let fails = |cis: &str| {
            matches!(
                (RULES.iter().find(|r| r.cis == cis).unwrap().check)(&facts),
                Outcome::Fail(_)
            )
        };
        for cis in ["7.1", "7.3", "7.5", "7.7", "7.8"] {
            assert!(fails(cis), "{cis}");
        }
    }
}
