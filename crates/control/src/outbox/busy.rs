//! What is under way on one node. A lane has one attempt at a time; a place to which many lanes lead (the accounts at one system)
//! has a few, and all such places together leave room for everybody else: a server that hangs keeps nobody else waiting.

use super::scim;
use std::collections::{BTreeMap, BTreeSet};

/// Lanes with something under way.
#[derive(Debug, Default)]
pub(super) struct Busy {
    lanes: BTreeSet<String>,
    /// By system: attempts at accounts there.
    accounts: BTreeMap<String, usize>,
}

impl Busy {
    /// Takes the turn of a lane; false when it has one, or its place has no room.
    pub(super) fn take(&mut self, lane: &str) -> bool {
        let system = scim::of_lane(lane);
        let full = system.is_some_and(|system| {
            let here = self.accounts.get(system).copied().unwrap_or_default();
            here >= ACCOUNTS_AT_ONCE_MAX || self.accounts.values().sum::<usize>() >= ALL_ACCOUNTS_AT_ONCE_MAX
        });
        if full || !self.lanes.insert(lane.to_owned()) {
            return false;
        }
        if let Some(system) = system {
            let here = self.accounts.entry(system.to_owned()).or_default();
            *here = here.saturating_add(1);
        }
        true
    }

    /// Gives it back.
    pub(super) fn give_back(&mut self, lane: &str) {
        if !self.lanes.remove(lane) {
            return;
        }
        if let Some(system) = scim::of_lane(lane)
            && let Some(here) = self.accounts.get_mut(system)
        {
            *here = here.saturating_sub(1);
            if *here == 0 {
                self.accounts.remove(system);
            }
        }
    }
}

/// Where a lane leads: to a receiver of its own, or to the accounts of a system.
pub(super) fn place(lane: &str) -> String {
    scim::of_lane(lane).map_or_else(|| lane.to_owned(), scim::place)
}

/// Attempts at once at the accounts of one system.
const ACCOUNTS_AT_ONCE_MAX: usize = 4;
/// Attempts at once at the accounts of all systems; fewer than [`super::pump`] makes of everything.
const ALL_ACCOUNTS_AT_ONCE_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_has_one_attempt_a_system_a_few_and_all_accounts_leave_room_for_the_rest() {
        let mut busy = Busy::default();
        assert!(busy.take("scim/bank/a") && !busy.take("scim/bank/a"));
        let more = (0..9).filter(|n| busy.take(&format!("scim/bank/b{n}"))).count();
        assert_eq!(more, ACCOUNTS_AT_ONCE_MAX - 1);
        let others = (0..9).flat_map(|system| (0..9).map(move |n| format!("scim/s{system}/b{n}")));
        let others = others.filter(|lane| busy.take(lane)).count();
        assert_eq!(others, ALL_ACCOUNTS_AT_ONCE_MAX - ACCOUNTS_AT_ONCE_MAX);
        assert!(busy.take("channel/ops") && busy.take("stream/1") && !busy.take("stream/1"));
        busy.give_back("scim/bank/a");
        busy.give_back("scim/bank/a");
        assert!(busy.take("scim/bank/z") && !busy.take("scim/bank/y"), "one place was given back, once");
    }

    #[test]
    fn what_is_told_of_a_system_that_is_gone_is_told_once_and_not_for_each_account() {
        assert_eq!(place("scim/bank/clerk"), place("scim/bank/other"));
        assert_eq!(place("scim/bank"), "scim/bank");
        assert_eq!(place("channel/mail/maria"), "channel/mail/maria");
    }
}
