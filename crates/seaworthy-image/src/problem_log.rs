//! The problems of one layer or image, bounded: a layer may have millions of bad names.

use seaworthy_core::{Problem, ProblemKind};

/// The most problems kept of one layer.
const MAX_PROBLEMS: usize = 256;

/// Collects problems; what is too many is counted.
#[derive(Debug, Default)]
pub(crate) struct ProblemLog {
    problems: Vec<Problem>,
    dropped: u64,
    lossy: bool,
}

impl ProblemLog {
    pub fn add(&mut self, problem: Problem) {
        self.lossy |= problem.makes_incomplete();
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.dropped += 1;
        }
    }

    /// All of them, with a last one that says how many are not listed.
    pub fn finish(mut self) -> Vec<Problem> {
        if self.dropped > 0 {
            let kind = if self.lossy {
                ProblemKind::LimitReached
            } else {
                ProblemKind::Notice
            };
            self.problems.push(Problem::new(
                kind,
                format!(
                    "{} more problems of this layer are not listed",
                    self.dropped
                ),
            ));
        }
        self.problems
    }
}
