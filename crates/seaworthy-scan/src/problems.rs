//! Problems of one file: the first few in full, the rest counted, so that a file made of
//! a million errors gives a line and not a million.

use seaworthy_core::ProblemKind;

/// How many problems of one file are kept in full.
const KEPT: usize = 16;

/// The problems a parser met in one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProblemList {
    items: Vec<(ProblemKind, String)>,
    dropped: usize,
}

impl ProblemList {
    /// Adds one.
    pub fn push(&mut self, kind: ProblemKind, message: impl Into<String>) {
        if self.items.len() < KEPT {
            self.items.push((kind, message.into()));
        } else {
            self.dropped += 1;
        }
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many there were.
    pub fn len(&self) -> usize {
        self.items.len() + self.dropped
    }

    /// The problems, with a last one that counts those not kept.
    pub fn into_items(mut self) -> Vec<(ProblemKind, String)> {
        if self.dropped > 0 {
            let message = format!("{} more problems in this file", self.dropped);
            self.items.push((ProblemKind::Malformed, message));
        }
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_are_counted() {
        let mut list = ProblemList::default();
        for i in 0..100 {
            list.push(ProblemKind::Malformed, format!("problem {i}"));
        }
        assert_eq!(list.len(), 100);
        let items = list.into_items();
        assert_eq!(items.len(), 17);
        assert_eq!(items[16].1, "84 more problems in this file");
    }
}
