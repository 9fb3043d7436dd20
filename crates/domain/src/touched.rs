//! Which agents changed lately, in order, so that whatever keeps a reading of all of them keeps up with a few looks instead of
//! reading a million again.

use crate::Name;
use imbl::Vector;

/// The names of the agents that changed, the last so many.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    /// How many came before those that are kept.
    dropped: u64,
    names: Vector<Name>,
}

impl Touched {
    /// One more.
    pub(crate) fn push(&mut self, name: &Name) {
        if self.names.len() >= KEPT_MAX {
            self.dropped = self.mark();
            self.names = Vector::new();
        }
        self.names.push_back(name.clone());
    }

    /// Where it stands.
    pub(crate) fn mark(&self) -> u64 {
        self.dropped.saturating_add(u64::try_from(self.names.len()).unwrap_or(u64::MAX))
    }

    /// Those that changed after a mark; `None`, if that is too long ago to say.
    pub(crate) fn since(&self, mark: u64) -> Option<impl Iterator<Item = &Name>> {
        let skipped = usize::try_from(mark.checked_sub(self.dropped)?).ok()?;
        Some(self.names.iter().skip(skipped))
    }
}

const KEPT_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_after_a_mark_is_said_in_order_or_it_is_said_that_nobody_knows() {
        let name = |n: usize| format!("n{n}").parse::<Name>().unwrap();
        let mut touched = Touched::default();
        let first = touched.mark();
        touched.push(&name(1));
        let second = touched.mark();
        touched.push(&name(2));
        let told =
            |touched: &Touched, mark| touched.since(mark).map(|names| names.cloned().collect::<Vec<_>>());
        assert_eq!(told(&touched, first), Some(vec![name(1), name(2)]));
        assert_eq!(told(&touched, second), Some(vec![name(2)]));
        assert_eq!(told(&touched, touched.mark()), Some(Vec::new()));
        for n in 2..KEPT_MAX {
            touched.push(&name(n));
        }
        assert_eq!(told(&touched, first).map(|names| names.len()), Some(KEPT_MAX));
        touched.push(&name(9));
        assert_eq!(told(&touched, first), None, "forgotten together");
        assert_eq!(told(&touched, touched.mark() - 1), Some(vec![name(9)]));
    }
}
