//! Which earlier checkpoints are kept: all young ones, and of older ones ever fewer.

/// After checkpoint `newest` (numbered from 1), the numbers to forget. Done at every step it keeps the last
/// [`YOUNG`] and about 32 of each doubling of age beyond, so that years of checkpoints are a few hundred rows.
pub fn serials_to_forget(newest: u64) -> impl Iterator<Item = u64> {
    (0..AGES)
        .map_while(move |age| newest.checked_sub(YOUNG << age).map(|serial| (serial, 2_u64 << age)))
        .filter(|(serial, keep_every)| *serial > 0 && serial % keep_every != 0)
        .map(|(serial, _keep_every)| serial)
}

/// At most `max` of these, spread evenly, the first always among them.
#[must_use]
pub fn thinned<T>(all: Vec<T>, max: usize) -> Vec<T> {
    let every = all.len().div_ceil(max.max(1)).max(1);
    all.into_iter().step_by(every).take(max).collect()
}

const YOUNG: u64 = 64;
const AGES: u32 = 57;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_long_history_shrinks_to_a_few_hundred_and_keeps_the_young() {
        let mut kept = BTreeSet::new();
        for newest in 1..=100_000_u64 {
            kept.insert(newest);
            for serial in serials_to_forget(newest) {
                kept.remove(&serial);
            }
        }
        assert!(kept.len() < 500, "{}", kept.len());
        assert!((100_000 - 63..=100_000).all(|serial| kept.contains(&serial)));
        assert!(*kept.first().unwrap() < 60_000, "old ones are thinned out, not dropped");
    }

    #[test]
    fn thinning_keeps_the_first_and_the_bound() {
        assert_eq!(thinned((0..10).collect(), 3), [0, 4, 8]);
        assert_eq!(thinned((0..3).collect(), 10), [0, 1, 2]);
        assert!(thinned(vec![1], 0).is_empty());
    }
}
