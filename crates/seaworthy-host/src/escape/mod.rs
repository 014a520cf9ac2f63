//! Every path from a container to the host, and the cheapest set of changes that cuts them.
//!
//! [`analyse`] is pure: facts go in, paths come out. The routes are data, judged against the
//! facts of each container; together they are an AND/OR graph whose states are what an
//! attacker has who runs code as the container's processes. A path is certain where all of
//! its facts were read, and possible where some could not be told; the two are kept apart.
//!
//! Left out: attacks on programs of the host that merely listen to a container, passwords
//! guessed, and paths that need more than one container.

mod change;
mod dot;
mod flaws;
mod graph;
mod plan;
mod routes;
mod rules;
mod scene;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::facts::container::ContainerFacts;
pub use change::{Advice, Change, parse_changes};
pub use dot::write_dot;
use graph::{Atom, Graph, Horn, Level, Need, Proof};
pub use plan::{Plan, parse_plan, with_plan};
use routes::{HOST_RULES, RULES};
pub use rules::State;
use rules::{EscapeRule, Premise};
use scene::{HostIndex, Scene, Support};

/// Proofs looked at for one cut before the best found is taken.
const BUDGET: usize = 4_000;

/// How sure a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Every fact of it was read.
    Certain,
    /// Some of its facts could not be told.
    Possible,
}

/// A fact that a step stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// Where: a field, a file, a setting.
    pub place: String,
    /// What is there, or why it could not be told.
    pub found: String,
    /// Whether it was read.
    pub is_certain: bool,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The route.
    pub rule: String,
    /// What the attacker does.
    pub story: String,
    /// What it gives.
    pub gives: State,
    /// What it stands on.
    pub grounds: Vec<Ground>,
    /// ATT&CK techniques.
    pub attack: Vec<String>,
    /// Documents.
    pub references: Vec<String>,
}

/// The easiest path to a goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscapePath {
    /// The goal.
    pub goal: State,
    /// How sure it is.
    pub certainty: Certainty,
    /// How hard it is: the sum of its steps.
    pub effort: u32,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// A set of changes that closes paths.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cut {
    /// What to do.
    pub changes: Vec<Advice>,
    /// What it costs together.
    pub cost: u32,
    /// No set costs less than this. The same as `cost` where the set is known to be the
    /// cheapest.
    pub at_least: u32,
    /// Goals that no change of ours closes.
    pub still_open: Vec<State>,
}

/// Paths of a container, or of the host itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscapeReport {
    /// Id of the container; empty for the host.
    pub id: String,
    /// Name of the container, or `host`.
    pub name: String,
    /// The easiest path to each goal that is reached, worst goal first.
    pub paths: Vec<EscapePath>,
    /// The cheapest set of changes that closes all certain paths.
    pub cut: Cut,
    /// The same for certain and possible ones.
    pub full_cut: Cut,
}

impl EscapeReport {
    /// The path to a goal.
    pub fn path(&self, goal: State) -> Option<&EscapePath> {
        self.paths.iter().find(|path| path.goal == goal)
    }

    /// The worst goal that is certainly reached.
    pub fn worst(&self) -> Option<State> {
        self.paths
            .iter()
            .find(|path| path.certainty == Certainty::Certain)
            .map(|path| path.goal)
    }
}

/// Paths of all containers, worst first, and of the host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EscapeGraph {
    /// Containers with any path.
    pub containers: Vec<EscapeReport>,
    /// Paths that begin outside of containers.
    pub host: Option<EscapeReport>,
    /// Names of containers without a path, not even a possible one.
    pub without_path: Vec<String>,
    /// Names of containers that nothing could be told of.
    pub unknown: Vec<String>,
}

/// Finds all paths.
pub fn analyse(facts: &Facts) -> EscapeGraph {
    let index = HostIndex::new(facts);
    let mut graph = EscapeGraph::default();
    for container in facts.containers() {
        match analyse_one(&index, container) {
            None => graph.unknown.push(container.name.clone()),
            Some(report) if report.paths.is_empty() => {
                graph.without_path.push(container.name.clone());
            }
            Some(report) => graph.containers.push(report),
        }
    }
    graph.containers.sort_by(|a, b| {
        let key = |report: &EscapeReport| {
            let worst = report.paths.first().map(|path| (path.certainty, path.goal));
            (report.worst().is_none(), report.worst(), worst)
        };
        (key(a), &a.name).cmp(&(key(b), &b.name))
    });
    let host = Model::new(HOST_RULES, |premise| index.host_supports(premise)).report("", "host");
    graph.host = (!host.paths.is_empty()).then_some(host);
    graph
}

/// Finds the paths of one container; `None` where the engine said nothing of it.
pub fn analyse_container(facts: &Facts, container: &ContainerFacts) -> Option<EscapeReport> {
    analyse_one(&HostIndex::new(facts), container)
}

fn analyse_one(index: &HostIndex<'_>, container: &ContainerFacts) -> Option<EscapeReport> {
    let scene = Scene::new(index, container)?;
    Some(
        Model::new(RULES, |premise| scene.supports(premise)).report(&container.id, &container.name),
    )
}

/// The facts after changes: those of containers are made in every container whose name is
/// `only`, or in all; those of the host in the host.
pub fn what_if(facts: &Facts, changes: &[Change], only: Option<&str>) -> Facts {
    let mut after = facts.clone();
    for change in changes {
        change.apply_to_host(&mut after);
        if let crate::facts::Fact::Known(containers) = &mut after.containers {
            for container in containers
                .iter_mut()
                .filter(|c| only.is_none_or(|only| c.name == only || c.id == only))
            {
                change.apply_to(container);
            }
        }
    }
    after
}

/// The graph of one subject, with what its numbers stand for.
struct Model {
    rules: Vec<&'static EscapeRule>,
    supports: Vec<Support>,
    changes: Vec<Change>,
    graph: Graph,
}

impl Model {
    fn new(rows: &'static [EscapeRule], supports_of: impl Fn(&Premise) -> Vec<Support>) -> Model {
        let mut model = Model {
            rules: Vec::new(),
            supports: Vec::new(),
            changes: Vec::new(),
            graph: Graph {
                states: State::ALL.len(),
                ..Graph::default()
            },
        };
        let mut atoms: BTreeMap<String, usize> = BTreeMap::new();
        let mut numbers: BTreeMap<Change, usize> = BTreeMap::new();
        for rule in rows {
            let mut needs = Vec::with_capacity(rule.needs.len());
            for premise in rule.needs {
                if let Premise::Has(state) = premise {
                    needs.push(Need::State(state.index()));
                    continue;
                }
                let any: Vec<usize> = supports_of(premise)
                    .into_iter()
                    .map(|support| model.intern(support, &mut atoms, &mut numbers))
                    .collect();
                needs.push(Need::AnyOf(any));
            }
            let is_dead = needs
                .iter()
                .any(|need| matches!(need, Need::AnyOf(any) if any.is_empty()));
            if !is_dead {
                model.rules.push(rule);
                model.graph.rules.push(Horn {
                    needs,
                    gives: rule.gives.index(),
                    effort: rule.effort.max(1),
                });
            }
        }
        model
    }

    fn intern(
        &mut self,
        support: Support,
        atoms: &mut BTreeMap<String, usize>,
        numbers: &mut BTreeMap<Change, usize>,
    ) -> usize {
        if let Some(known) = atoms.get(&support.key) {
            return *known;
        }
        let mut cuts = Vec::with_capacity(support.cuts.len());
        for change in &support.cuts {
            let next = self.changes.len();
            let number = *numbers.entry(change.clone()).or_insert(next);
            if number == next {
                self.changes.push(change.clone());
                self.graph.costs.push(change.cost());
            }
            cuts.push(number);
        }
        let index = self.supports.len();
        atoms.insert(support.key.clone(), index);
        self.graph.atoms.push(Atom {
            level: support.level,
            cuts,
        });
        self.supports.push(support);
        index
    }

    fn report(&self, id: &str, name: &str) -> EscapeReport {
        let goals: Vec<usize> = State::GOALS.iter().map(|goal| goal.index()).collect();
        let certain = self.graph.atoms_at(Level::Certain);
        let possible = self.graph.atoms_at(Level::Possible);
        let sure = self.graph.proofs(&certain, &goals);
        let maybe = self.graph.proofs(&possible, &goals);
        let mut paths = Vec::new();
        let mut sure_goals = Vec::new();
        let mut all_goals = Vec::new();
        for ((goal, sure), maybe) in State::GOALS.iter().zip(sure).zip(maybe) {
            let (certainty, proof) = match (sure, maybe) {
                (Some(proof), _) => (Certainty::Certain, proof),
                (None, Some(proof)) => (Certainty::Possible, proof),
                (None, None) => continue,
            };
            all_goals.push(goal.index());
            if certainty == Certainty::Certain {
                sure_goals.push(goal.index());
            }
            paths.push(EscapePath {
                goal: *goal,
                certainty,
                effort: proof.effort,
                steps: self.steps(&proof),
            });
        }
        let assumed = self.graph.atoms_at(Level::Assumed);
        let cut = self.cut(&assumed, &sure_goals);
        let full_cut = if paths
            .iter()
            .all(|path| path.certainty == Certainty::Certain)
            && assumed == possible
        {
            cut.clone()
        } else {
            self.cut(&possible, &all_goals)
        };
        EscapeReport {
            id: id.to_owned(),
            name: name.to_owned(),
            paths,
            cut,
            full_cut,
        }
    }

    fn cut(&self, active: &[bool], goals: &[usize]) -> Cut {
        let found = self.graph.cheapest_cut(active, goals, BUDGET);
        Cut {
            changes: found
                .changes
                .iter()
                .filter_map(|change| self.changes.get(*change))
                .map(Change::advice)
                .collect(),
            cost: found.cost,
            at_least: found.at_least,
            still_open: found
                .open
                .iter()
                .filter_map(|state| State::ALL.get(*state).copied())
                .collect(),
        }
    }

    fn steps(&self, proof: &Proof) -> Vec<Step> {
        let mut told = BTreeSet::new();
        proof
            .steps
            .iter()
            .filter_map(|(rule, atoms)| {
                let rule = self.rules.get(*rule)?;
                Some(Step {
                    rule: rule.id.to_owned(),
                    story: rule.story.to_owned(),
                    gives: rule.gives,
                    grounds: atoms
                        .iter()
                        .filter(|atom| told.insert((rule.id, **atom)))
                        .filter_map(|atom| self.supports.get(*atom))
                        .map(|support| Ground {
                            place: support.place.clone(),
                            found: support.found.clone(),
                            is_certain: support.level == Level::Certain,
                        })
                        .collect(),
                    attack: own(rule.attack),
                    references: own(rule.references),
                })
            })
            .collect()
    }
}

fn own(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
