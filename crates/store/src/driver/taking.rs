//! What a decision takes from budgets: all charges, or none.

use crate::{Charge, RecordError, StoreError};
use provost_domain::Timestamp;

/// One addition to one slot of one balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Whose balance.
    pub key: String,
    /// The end of the grain it falls into.
    pub slot: Timestamp,
    /// How much.
    pub amount: i64,
}

/// Weighs every charge against what its window has left. `used` says what slots of a key after a moment add up to.
///
/// # Errors
/// [`RecordError::Exhausted`] for the first window that would pass its maximum, or the error of `used`.
pub fn weigh(
    charges: &[Charge],
    at: Timestamp,
    mut used: impl FnMut(&str, Timestamp) -> Result<i64, StoreError>,
) -> Result<Vec<Taken>, RecordError> {
    let mut taken: Vec<Taken> = Vec::with_capacity(charges.len());
    for Charge { window, amount } in charges {
        let ours = taken.iter().filter(|other| other.key == window.key);
        let pending = ours.fold(0_i64, |sum, other| sum.saturating_add(other.amount));
        let before = used(&window.key, window.counts_after(at))?.saturating_add(pending);
        // An amount that does not fit into 64 bits is more than any maximum.
        if before.checked_add(*amount).is_none_or(|sum| sum > window.max) {
            let left = window.max.saturating_sub(before);
            return Err(RecordError::Exhausted { key: window.key.clone(), left, needed: *amount });
        }
        taken.push(Taken { key: window.key.clone(), slot: window.slot(at), amount: *amount });
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WindowKey;
    use provost_domain::DurationMs;

    fn charge(key: &str, max: i64, amount: i64) -> Charge {
        Charge { window: WindowKey { key: key.to_owned(), window: DurationMs::from_secs(60), max }, amount }
    }

    #[test]
    fn charges_of_one_call_on_one_balance_add_up() {
        let at = Timestamp::from_millis(1_000_000);
        let two = [charge("a", 10, 6), charge("a", 10, 4)];
        assert_eq!(weigh(&two, at, |_, _| Ok(0)).unwrap().len(), 2);
        let refused = weigh(&two, at, |_, _| Ok(1)).unwrap_err();
        assert!(matches!(refused, RecordError::Exhausted { left: 3, needed: 4, .. }), "{refused}");
    }

    #[test]
    fn an_amount_that_overflows_is_refused() {
        let at = Timestamp::from_millis(0);
        let huge = [charge("a", i64::MAX, i64::MAX), charge("a", i64::MAX, 1)];
        assert!(weigh(&huge, at, |_, _| Ok(0)).is_err());
    }
}
