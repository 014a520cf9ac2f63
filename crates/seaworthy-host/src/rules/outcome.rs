use serde::{Deserialize, Serialize};

use crate::facts::container::{ContainerFacts, Declared};
use crate::facts::{Fact, Facts};

/// What a piece of evidence is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Target {
    /// The machine and its kernel.
    Host,
    /// The engine.
    Daemon,
    /// An image.
    Image {
        /// Its first tag, or the start of its id.
        name: String,
    },
    /// A container.
    Container {
        /// Its name.
        name: String,
    },
    /// A network.
    Network {
        /// Its name.
        name: String,
    },
}

impl Target {
    /// A container.
    pub fn container(container: &ContainerFacts) -> Target {
        Target::Container {
            name: container.name.clone(),
        }
    }

    /// The name that an exception can be narrowed to: `host` and `daemon` for those.
    pub fn name(&self) -> &str {
        match self {
            Target::Host => "host",
            Target::Daemon => "daemon",
            Target::Image { name } | Target::Container { name } | Target::Network { name } => name,
        }
    }
}

/// One thing that speaks against a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is about.
    pub target: Target,
    /// Where it stands: a file, a field, a setting.
    pub place: String,
    /// What is there.
    pub found: String,
    /// A command or setting that mends this one, ready to paste.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fix: Option<String>,
    /// Whether it is certain. What is not says why it could not be told.
    pub certain: bool,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All is as it should be; what was looked at.
    Pass(String),
    /// It is not. At least one piece of evidence is certain.
    Fail(Vec<Evidence>),
    /// There is nothing here that the check speaks of, and why.
    NotApplicable(String),
    /// It could not be told, and why.
    Undetermined(String),
}

impl Outcome {
    /// A failure of one thing.
    pub fn fail(target: Target, place: impl Into<String>, found: impl Into<String>) -> Outcome {
        Outcome::Fail(vec![Evidence {
            target,
            place: place.into(),
            found: found.into(),
            fix: None,
            certain: true,
        }])
    }

    /// The same, with what mends it.
    #[must_use]
    pub fn fixed_by(mut self, fix: impl Into<String>) -> Outcome {
        if let Outcome::Fail(evidence) = &mut self
            && let Some(first) = evidence.first_mut()
        {
            first.fix = Some(fix.into());
        }
        self
    }
}

/// Collects what a check finds on many things.
#[derive(Debug, Default)]
pub struct Tally {
    fails: Vec<Evidence>,
    unsure: Vec<Evidence>,
    seen: usize,
}

impl Tally {
    /// One more thing was looked at.
    pub fn saw(&mut self) {
        self.seen += 1;
    }

    /// Something is wrong.
    pub fn fail(&mut self, target: Target, place: impl Into<String>, found: impl Into<String>) {
        self.fails.push(Evidence {
            target,
            place: place.into(),
            found: found.into(),
            fix: None,
            certain: true,
        });
    }

    /// Something is wrong, and this mends it.
    pub fn fail_fix(
        &mut self,
        target: Target,
        place: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.fail(target, place, found);
        if let Some(last) = self.fails.last_mut() {
            last.fix = Some(fix.into());
        }
    }

    /// It could not be told.
    pub fn unsure(&mut self, target: Target, why: impl Into<String>) {
        self.unsure.push(Evidence {
            target,
            place: String::new(),
            found: why.into(),
            fix: None,
            certain: false,
        });
    }

    fn fail_count(&self) -> usize {
        self.fails.len() + self.unsure.len()
    }

    /// What it comes to. `none` says why a check that saw nothing does not apply.
    pub fn finish(mut self, none: &str, pass: impl FnOnce(usize) -> String) -> Outcome {
        if !self.fails.is_empty() {
            self.fails.append(&mut self.unsure);
            return Outcome::Fail(self.fails);
        }
        if let Some(first) = self.unsure.first() {
            let more = match self.unsure.len() {
                1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            let name = first.target.name();
            return Outcome::Undetermined(format!("`{name}`: {}{more}", first.found));
        }
        if self.seen == 0 {
            return Outcome::NotApplicable(none.to_owned());
        }
        Outcome::Pass(pass(self.seen))
    }
}

/// Asks the same of every container, running or not. A container of which something could
/// not be understood never passes.
pub fn each_container(
    facts: &Facts,
    mut ask: impl FnMut(&ContainerFacts, &Declared, &mut Tally),
) -> Outcome {
    let containers: &[ContainerFacts] = match &facts.containers {
        Fact::Known(containers) => containers,
        Fact::Absent => &[],
        Fact::Unknown(why) => return Outcome::Undetermined(why.clone()),
    };
    let mut tally = Tally::default();
    for container in containers {
        tally.saw();
        let target = Target::container(container);
        let Some(declared) = container.declared.known() else {
            let why = container.declared.why_unknown().unwrap_or("it is gone");
            tally.unsure(target, why);
            continue;
        };
        let before = tally.fail_count();
        ask(container, declared, &mut tally);
        if tally.fail_count() == before
            && let Some(complaint) = declared.malformed.first()
        {
            tally.unsure(target, format!("its inspection: {complaint}"));
        }
    }
    for id in &facts.vanished {
        let name = id.chars().take(12).collect();
        tally.unsure(Target::Container { name }, "it went while it was looked at");
    }
    tally.finish("there are no containers", |seen| match seen {
        1 => "the one container".to_owned(),
        n => format!("all {n} containers"),
    })
}

/// Asks the same of each container and only of those that run.
pub fn each_running(
    facts: &Facts,
    mut ask: impl FnMut(&ContainerFacts, &Declared, &mut Tally),
) -> Outcome {
    if facts.containers.known().is_some() && facts.containers().iter().all(|c| !c.state.running) {
        return Outcome::NotApplicable("no container runs".to_owned());
    }
    each_container(facts, |container, declared, tally| {
        if container.state.running {
            ask(container, declared, tally);
        }
    })
}

/// An argument for a POSIX shell, quoted where it needs it. Control characters can't be
/// pasted, so they become `?`.
pub fn quote(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    let is_plain = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-./:=@,+".contains(&b));
    if is_plain {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_can_be_pasted() {
        assert_eq!(quote("web-1"), "web-1");
        assert_eq!(quote("a b;$(x)"), "'a b;$(x)'");
        assert_eq!(quote("it's\n"), r"'it'\''s?'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn one_certain_failure_outweighs_doubt_and_doubt_outweighs_passing() {
        let mut tally = Tally::default();
        tally.saw();
        tally.unsure(Target::Host, "gone");
        assert!(matches!(
            tally.finish("", |_| String::new()),
            Outcome::Undetermined(why) if why == "`host`: gone"
        ));
        let mut tally = Tally::default();
        tally.unsure(Target::Host, "gone");
        tally.fail(Target::Daemon, "x", "y");
        assert!(matches!(
            tally.finish("", |_| String::new()),
            Outcome::Fail(evidence) if evidence.len() == 2 && !evidence[1].certain
        ));
        let none = Tally::default().finish("nothing", |_| String::new());
        assert_eq!(none, Outcome::NotApplicable("nothing".into()));
    }
}
