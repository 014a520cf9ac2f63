//! An AND/OR graph of facts, rules and states, and the cheapest way to take it apart.
//!
//! A rule is a conjunction: all of its needs give its state. A need is a state, or a fact
//! that any one of several atoms supports. Nothing is negated, so taking atoms away can only
//! take states away. The easiest path is Knuth's generalisation of Dijkstra's algorithm, here
//! as relaxation to a fixed point; efforts are at least 1, so that the best proof of a state
//! never needs the state itself.
//!
//! The cheapest cut is a weighted hitting set over all proofs. Proofs are not enumerated: the
//! search asks for one that the chosen changes leave, and branches over the changes that
//! break it. That is exact whenever it ends within its budget; beyond that the best cut found
//! is told with a lower bound.

use std::collections::BTreeSet;

/// How sure a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// It could not be told.
    Possible,
    /// It could not be told, and a cut may not rely on it being false.
    Assumed,
    /// It was read.
    Certain,
}

/// A fact that a path can stand on.
#[derive(Debug, Clone)]
pub(super) struct Atom {
    /// How sure it is.
    pub level: Level,
    /// Changes, each of which makes it false.
    pub cuts: Vec<usize>,
}

/// What a rule needs.
#[derive(Debug, Clone)]
pub(super) enum Need {
    /// A state that other rules give.
    State(usize),
    /// One of these atoms.
    AnyOf(Vec<usize>),
}

/// A rule.
#[derive(Debug, Clone)]
pub(super) struct Horn {
    /// All of it.
    pub needs: Vec<Need>,
    /// The state it gives.
    pub gives: usize,
    /// How hard it is, at least 1.
    pub effort: u32,
}

/// The graph.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    /// How many states there are.
    pub states: usize,
    /// Facts.
    pub atoms: Vec<Atom>,
    /// Rules.
    pub rules: Vec<Horn>,
    /// Cost of each change, at least 1.
    pub costs: Vec<u32>,
}

/// How a state is reached best.
#[derive(Debug, Clone)]
struct Reached {
    effort: u32,
    rule: usize,
    atoms: Vec<usize>,
}

/// A way to a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    /// Sum of efforts.
    pub effort: u32,
    /// Rules in the order in which they are taken, each with the atoms it stands on.
    pub steps: Vec<(usize, Vec<usize>)>,
}

impl Proof {
    fn atoms(&self) -> impl Iterator<Item = usize> + '_ {
        self.steps
            .iter()
            .flat_map(|(_, atoms)| atoms.iter().copied())
    }
}

/// A set of changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CutSet {
    /// Changes, sorted.
    pub changes: Vec<usize>,
    /// What they cost together.
    pub cost: u32,
    /// No set costs less than this.
    pub at_least: u32,
    /// States that no change closes.
    pub open: Vec<usize>,
}

impl Graph {
    /// Which atoms count at a level.
    pub fn atoms_at(&self, least: Level) -> Vec<bool> {
        self.atoms.iter().map(|atom| atom.level >= least).collect()
    }

    /// The easiest proof of each state that the active atoms give.
    fn reach(&self, active: &[bool]) -> Vec<Option<Reached>> {
        let mut best: Vec<Option<Reached>> = vec![None; self.states];
        // Each pass settles at least the cheapest state that is not settled.
        for _ in 0..=self.states {
            let mut is_changed = false;
            for (index, rule) in self.rules.iter().enumerate() {
                let Some((effort, atoms)) = self.satisfied(rule, active, &best) else {
                    continue;
                };
                let Some(slot) = best.get_mut(rule.gives) else {
                    continue;
                };
                if slot.as_ref().is_none_or(|old| effort < old.effort) {
                    *slot = Some(Reached {
                        effort,
                        rule: index,
                        atoms,
                    });
                    is_changed = true;
                }
            }
            if !is_changed {
                break;
            }
        }
        best
    }

    fn satisfied(
        &self,
        rule: &Horn,
        active: &[bool],
        best: &[Option<Reached>],
    ) -> Option<(u32, Vec<usize>)> {
        let mut effort = rule.effort;
        let mut atoms = Vec::new();
        for need in &rule.needs {
            match need {
                Need::State(state) => {
                    effort = effort.saturating_add(best.get(*state)?.as_ref()?.effort);
                }
                Need::AnyOf(any) => {
                    let atom = any
                        .iter()
                        .filter(|atom| active.get(**atom).copied().unwrap_or(false))
                        .max_by_key(|atom| {
                            let level = self.atoms.get(**atom).map(|atom| atom.level);
                            (level, std::cmp::Reverse(**atom))
                        })?;
                    atoms.push(*atom);
                }
            }
        }
        Some((effort, atoms))
    }

    /// The easiest proof of a state.
    #[cfg(test)]
    pub fn proof(&self, active: &[bool], goal: usize) -> Option<Proof> {
        self.proof_in(&self.reach(active), goal)
    }

    /// The easiest proofs of several states.
    pub fn proofs(&self, active: &[bool], goals: &[usize]) -> Vec<Option<Proof>> {
        let best = self.reach(active);
        goals
            .iter()
            .map(|goal| self.proof_in(&best, *goal))
            .collect()
    }

    fn proof_in(&self, best: &[Option<Reached>], goal: usize) -> Option<Proof> {
        let effort = best.get(goal)?.as_ref()?.effort;
        let mut proof = Proof {
            effort,
            steps: Vec::new(),
        };
        let mut seen = BTreeSet::new();
        self.trace(best, goal, &mut seen, &mut proof.steps);
        Some(proof)
    }

    fn trace(
        &self,
        best: &[Option<Reached>],
        state: usize,
        seen: &mut BTreeSet<usize>,
        steps: &mut Vec<(usize, Vec<usize>)>,
    ) {
        let Some(reached) = best.get(state).and_then(Option::as_ref) else {
            return;
        };
        if !seen.insert(state) {
            return;
        }
        let needs = self.rules.get(reached.rule).map(|rule| &rule.needs);
        for need in needs.into_iter().flatten() {
            if let Need::State(before) = need {
                self.trace(best, *before, seen, steps);
            }
        }
        steps.push((reached.rule, reached.atoms.clone()));
    }

    /// The cheapest set of changes after which none of the goals is reached, as long as the
    /// search stays within `budget` proofs.
    pub fn cheapest_cut(&self, active: &[bool], goals: &[usize], budget: usize) -> CutSet {
        let mut all = active.to_vec();
        for (on, atom) in all.iter_mut().zip(&self.atoms) {
            *on &= atom.cuts.is_empty();
        }
        let fixed = self.reach(&all);
        let (open, goals): (Vec<usize>, Vec<usize>) = goals
            .iter()
            .partition(|goal| fixed.get(**goal).is_some_and(Option::is_some));
        let mut search = Search {
            graph: self,
            goals: &goals,
            budget,
            chosen: Vec::new(),
            forbidden: vec![false; self.costs.len()],
            best: None,
        };
        // A first answer: what costs least on each path that is left.
        let (changes, cost) = search.greedy(active);
        let at_least = search.bound(active).unwrap_or(0);
        search.best = Some((changes, cost));
        if cost > at_least {
            search.branch(active, 0);
        }
        let is_exact = search.budget > 0;
        let (mut changes, cost) = search.best.unwrap_or_default();
        changes.sort_unstable();
        CutSet {
            changes,
            cost,
            at_least: if is_exact { cost } else { at_least },
            open,
        }
    }

    /// What is left active after a change.
    pub fn without(&self, active: &[bool], change: usize) -> Vec<bool> {
        active
            .iter()
            .zip(&self.atoms)
            .map(|(on, atom)| *on && !atom.cuts.contains(&change))
            .collect()
    }
}

struct Search<'g> {
    graph: &'g Graph,
    goals: &'g [usize],
    budget: usize,
    chosen: Vec<usize>,
    forbidden: Vec<bool>,
    best: Option<(Vec<usize>, u32)>,
}

impl Search<'_> {
    /// A proof of any goal, and the changes that break it and are not ruled out.
    fn open_proof(&self, active: &[bool]) -> Option<(Proof, Vec<usize>)> {
        let best = self.graph.reach(active);
        let proof = self
            .goals
            .iter()
            .filter_map(|goal| self.graph.proof_in(&best, *goal))
            .min_by_key(|proof| proof.steps.len())?;
        let mut changes: Vec<usize> = proof
            .atoms()
            .filter_map(|atom| self.graph.atoms.get(atom))
            .flat_map(|atom| atom.cuts.iter().copied())
            .filter(|change| !self.forbidden.get(*change).copied().unwrap_or(true))
            .collect();
        changes.sort_unstable();
        changes.dedup();
        changes.sort_by_key(|change| self.cost(*change));
        Some((proof, changes))
    }

    fn cost(&self, change: usize) -> u32 {
        self.graph.costs.get(change).copied().unwrap_or(u32::MAX)
    }

    fn greedy(&self, active: &[bool]) -> (Vec<usize>, u32) {
        let mut active = active.to_vec();
        let mut chosen = Vec::new();
        let mut cost = 0_u32;
        while let Some((_, changes)) = self.open_proof(&active) {
            let Some(change) = changes.first() else { break };
            active = self.graph.without(&active, *change);
            cost = cost.saturating_add(self.cost(*change));
            chosen.push(*change);
        }
        (chosen, cost)
    }

    /// No set of changes that are not ruled out costs less: proofs that have no change in
    /// common must each be broken. `None` where one can't be.
    fn bound(&self, active: &[bool]) -> Option<u32> {
        let mut active = active.to_vec();
        let mut sum = 0_u32;
        while let Some((_, changes)) = self.open_proof(&active) {
            sum = sum.saturating_add(self.cost(*changes.first()?));
            for change in changes {
                active = self.graph.without(&active, change);
            }
        }
        Some(sum)
    }

    fn branch(&mut self, active: &[bool], cost: u32) {
        if self.budget == 0 {
            return;
        }
        self.budget -= 1;
        let Some((_, changes)) = self.open_proof(active) else {
            if self.best.as_ref().is_none_or(|(_, best)| cost < *best) {
                self.best = Some((self.chosen.clone(), cost));
            }
            return;
        };
        let Some(bound) = self.bound(active) else {
            return;
        };
        if self
            .best
            .as_ref()
            .is_some_and(|(_, best)| cost.saturating_add(bound) >= *best)
        {
            return;
        }
        for change in &changes {
            let left = self.graph.without(active, *change);
            self.chosen.push(*change);
            self.branch(&left, cost.saturating_add(self.cost(*change)));
            self.chosen.pop();
            // Sets with it were all looked at.
            if let Some(flag) = self.forbidden.get_mut(*change) {
                *flag = true;
            }
        }
        for change in &changes {
            if let Some(flag) = self.forbidden.get_mut(*change) {
                *flag = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHANGES: usize = 6;
    const ATOMS: usize = 7;
    const STATES: usize = 4;

    fn any_graph() -> impl Strategy<Value = Graph> {
        let atom = proptest::collection::vec(0..CHANGES, 0..3).prop_map(|cuts| Atom {
            level: Level::Certain,
            cuts,
        });
        let need = prop_oneof![
            1 => (0..STATES).prop_map(Need::State),
            3 => proptest::collection::vec(0..ATOMS, 1..3).prop_map(Need::AnyOf),
        ];
        let rule = (proptest::collection::vec(need, 1..4), 0..STATES, 1..5_u32).prop_map(
            |(needs, gives, effort)| Horn {
                needs,
                gives,
                effort,
            },
        );
        (
            proptest::collection::vec(atom, ATOMS),
            proptest::collection::vec(rule, 1..12),
            proptest::collection::vec(1..6_u32, CHANGES),
        )
            .prop_map(|(atoms, rules, costs)| Graph {
                states: STATES,
                atoms,
                rules,
                costs,
            })
    }

    /// The cheapest by trying every set.
    fn brute_force(graph: &Graph, goals: &[usize]) -> Option<u32> {
        (0..1_usize << CHANGES)
            .filter_map(|set| {
                let chosen = (0..CHANGES).filter(|change| set & (1 << change) != 0);
                let mut active = graph.atoms_at(Level::Certain);
                let mut cost = 0;
                for change in chosen {
                    active = graph.without(&active, change);
                    cost += graph.costs[change];
                }
                let is_closed = graph.proofs(&active, goals).iter().all(Option::is_none);
                is_closed.then_some(cost)
            })
            .min()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]
        #[test]
        fn the_cut_closes_every_path_and_none_is_cheaper(graph in any_graph()) {
            let active = graph.atoms_at(Level::Certain);
            let goals = [0, 1];
            let cut = graph.cheapest_cut(&active, &goals, 100_000);
            let closable: Vec<usize> = goals.iter().copied().filter(|g| !cut.open.contains(g)).collect();
            prop_assert_eq!(Some(cut.cost), brute_force(&graph, &closable));
            prop_assert_eq!(cut.cost, cut.at_least);
            let left = cut.changes.iter().fold(active, |active, change| graph.without(&active, *change));
            prop_assert!(graph.proofs(&left, &closable).iter().all(Option::is_none));
            for goal in &cut.open {
                prop_assert!(graph.proof(&left, *goal).is_some());
            }
        }

        #[test]
        fn without_a_budget_the_cut_still_closes_and_the_bound_holds(graph in any_graph()) {
            let active = graph.atoms_at(Level::Certain);
            let cut = graph.cheapest_cut(&active, &[0], 0);
            if cut.open.is_empty() {
                let exact = graph.cheapest_cut(&active, &[0], 100_000);
                prop_assert!(cut.at_least <= exact.cost && exact.cost <= cut.cost);
                let left = cut.changes.iter().fold(active, |active, change| graph.without(&active, *change));
                prop_assert!(graph.proof(&left, 0).is_none());
            }
        }
    }
}
