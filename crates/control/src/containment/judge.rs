//! What may be said of one system, from what was seen of it. What was not looked at is said, with its count, and is never part of
//! a proof.

use provost_domain::containment::{Proof, Reached, Stage};
use std::collections::BTreeSet;

/// What of a system's evidence is judged.
pub(super) struct Facts<'a> {
    /// Whether tasks end with the order. Where only some calls are refused, they go on.
    pub(super) ends: bool,
    pub(super) left: usize,
    pub(super) calls: usize,
    /// More calls are under way on this plane than were looked at.
    pub(super) calls_more: bool,
    pub(super) tried: &'a Tried,
    /// Allowed calls that the decision point would let through, which must be none.
    pub(super) asked: &'a Asked,
    /// Why nothing but the plane leads to the system, if somebody says so.
    pub(super) only_way: Option<&'static str>,
    pub(super) minted: &'a Minted,
    /// Accounts of its agents there.
    pub(super) accounts: Reached,
}

/// What the decision point said of calls that charters grant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) let_through: Vec<String>,
    /// How many were not asked about.
    pub(super) more: usize,
}

/// Tokens of tasks that the order ended, tried at the plane's faces.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) refused: usize,
    pub(super) accepted: usize,
    pub(super) waiting: usize,
    /// Ended tasks whose trials are not remembered with the order.
    pub(super) more: u64,
}

/// What was made at a system for those the order is about.
#[derive(Debug, Default)]
pub(super) struct Minted {
    pub(super) ids: BTreeSet<String>,
    /// Made before the order, and not taken back.
    pub(super) owed: usize,
    /// Made since, for calls that were let through knowing of it.
    pub(super) since: usize,
    pub(super) gone: usize,
    pub(super) expired: usize,
    /// Made before the order, and not remembered with it.
    pub(super) more: u64,
}

impl Facts<'_> {
    /// How far the order got, what may be said, and why in a sentence.
    pub(super) fn judge(&self) -> (Stage, Proof, String) {
        match self.missing() {
            Some((stage, why)) => (stage, Proof::Unknown, why),
            None => self.shown(),
        }
    }

    /// What is not known yet.
    fn missing(&self) -> Option<(Stage, String)> {
        let Self { left, calls, tried, minted, accounts, .. } = self;
        let ordered = |why: String| Some((Stage::Ordered, why));
        let delivered = |why: String| Some((Stage::Delivered, why));
        let confirmed = |why: String| Some((Stage::Confirmed, why));
        if !self.asked.let_through.is_empty() {
            let some: Vec<&str> = self.asked.let_through.iter().take(3).map(String::as_str).collect();
            return ordered(format!("the decision point would let through {}", some.join(", ")));
        }
        if *left > 0 {
            return ordered(format!("{left} tasks are still to be ended"));
        }
        if *calls > 0 {
            return ordered(format!("{calls} calls are still under way"));
        }
        if self.calls_more {
            return ordered("more calls are under way on this plane than could be looked at".to_owned());
        }
        if minted.owed > 0 {
            return delivered(format!("{} credentials made there are not taken back yet", minted.owed));
        }
        if accounts.given_up > 0 {
            let given_up = accounts.given_up;
            return delivered(format!(
                "{given_up} of {} accounts there could not be made inactive",
                accounts.owed
            ));
        }
        if accounts.waits() > 0 {
            let waits = accounts.waits();
            return delivered(format!(
                "{waits} of {} accounts there are not seen to be inactive yet",
                accounts.owed
            ));
        }
        if tried.accepted > 0 {
            let count = tried.accepted;
            return confirmed(format!("a face of the plane did not refuse the token of {count} ended tasks"));
        }
        if tried.waiting > 0 {
            return confirmed(format!("{} ended tasks are not tried at every face yet", tried.waiting));
        }
        None
    }

    /// What is known, and whether that is all there is.
    fn shown(&self) -> (Stage, Proof, String) {
        let Self { tried, minted, accounts, .. } = self;
        let plane = match tried.refused {
            0 => "every call is refused".to_owned(),
            n => format!("every call is refused, and every face refused the tokens of {n} ended tasks"),
        };
        let unseen = self.unseen();
        if !unseen.is_empty() {
            return (Stage::Confirmed, Proof::Partial, format!("{plane}; {}", unseen.join("; ")));
        }
        if let Some(why) = self.only_way {
            return (Stage::Probed, Proof::Contained, format!("{plane}; {why}"));
        }
        if minted.since > 0 {
            let why =
                format!("{} credentials were made there since, in the hands of the plane", minted.since);
            return (Stage::Probed, Proof::Partial, format!("{plane}; {why}"));
        }
        if minted.gone > 0 {
            let why = format!("{} credentials made there are gone and let nobody in", minted.gone);
            return (Stage::Probed, Proof::Contained, format!("{plane}; {why}"));
        }
        if accounts.done > 0 {
            let why = format!("{} accounts there are not active, by the system's own word", accounts.done);
            return (Stage::Confirmed, Proof::Partial, format!("{plane}; {why}"));
        }
        let why = "nobody has said that only the plane leads there (`only_through_plane`)";
        (Stage::Probed, Proof::Partial, format!("{plane}; {why}"))
    }

    /// What nobody looked at, with its count: with any of it, nothing is called contained.
    fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        if self.minted.expired > 0 {
            let count = self.minted.expired;
            unseen.push(format!("{count} credentials made there have expired and could not be looked at"));
        }
        if self.minted.more > 0 {
            unseen.push(format!("{} more credentials were made there than are looked at", self.minted.more));
        }
        if self.ends && self.tried.more > 0 {
            unseen.push(format!("{} more tasks were ended than are tried for it", self.tried.more));
        }
        if self.asked.more > 0 {
            unseen
                .push(format!("the decision point was not asked about {} more operations", self.asked.more));
        }
        unseen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a system that is contained otherwise.
    #[derive(Default)]
    struct Given {
        left: usize,
        calls: usize,
        calls_more: bool,
        tried: Tried,
        asked: Asked,
        minted: Minted,
        accounts: Reached,
        other_ways: bool,
    }

    fn judged(given: &Given) -> (Proof, String) {
        let facts = Facts {
            ends: true,
            left: given.left,
            calls: given.calls,
            calls_more: given.calls_more,
            tried: &given.tried,
            asked: &given.asked,
            only_way: (!given.other_ways).then_some("nothing else leads there"),
            minted: &given.minted,
            accounts: given.accounts,
        };
        let (_stage, proof, because) = facts.judge();
        (proof, because)
    }

    #[test]
    fn nothing_that_is_missing_or_was_not_looked_at_is_called_contained() {
        let minted = |owed, expired, more| Minted { owed, expired, more, gone: 3, ..Minted::default() };
        let tried = |accepted, waiting, more| Tried { refused: 100, accepted, waiting, more };
        let asked = |let_through: &[&str], more| Asked {
            let_through: let_through.iter().map(|text| (*text).to_owned()).collect(),
            more,
        };
        let accounts = |done, given_up| Reached { owed: 3, done, given_up };
        let table = [
            (Given::default(), Proof::Contained, "nothing else"),
            (Given { left: 2, ..Given::default() }, Proof::Unknown, "2 tasks"),
            (Given { calls: 4, ..Given::default() }, Proof::Unknown, "4 calls"),
            (Given { calls_more: true, ..Given::default() }, Proof::Unknown, "than could be looked at"),
            (Given { asked: asked(&["bank/pay by x"], 0), ..Given::default() }, Proof::Unknown, "bank/pay"),
            (Given { asked: asked(&[], 7), ..Given::default() }, Proof::Partial, "7 more operations"),
            (Given { minted: minted(5, 0, 0), ..Given::default() }, Proof::Unknown, "5 credentials"),
            (Given { minted: minted(0, 1, 0), ..Given::default() }, Proof::Partial, "1 credentials"),
            (Given { minted: minted(0, 0, 9), ..Given::default() }, Proof::Partial, "9 more credentials"),
            (Given { tried: tried(1, 0, 0), ..Given::default() }, Proof::Unknown, "did not refuse"),
            (Given { tried: tried(0, 1, 0), ..Given::default() }, Proof::Unknown, "not tried at every face"),
            (Given { tried: tried(0, 0, 150), ..Given::default() }, Proof::Partial, "150 more tasks"),
            (Given { accounts: accounts(2, 1), ..Given::default() }, Proof::Unknown, "1 of 3 accounts"),
            (Given { accounts: accounts(2, 0), ..Given::default() }, Proof::Unknown, "1 of 3 accounts"),
            (Given { accounts: accounts(3, 0), ..Given::default() }, Proof::Contained, "nothing else"),
            // A system's word that its accounts are inactive is no trial of one.
            (
                Given { accounts: accounts(3, 0), other_ways: true, ..Given::default() },
                Proof::Partial,
                "by the system's own word",
            ),
            (Given { other_ways: true, ..Given::default() }, Proof::Partial, "only_through_plane"),
            (
                Given { minted: minted(0, 0, 0), other_ways: true, ..Given::default() },
                Proof::Contained,
                "gone and let nobody in",
            ),
            (
                Given {
                    minted: Minted { gone: 3, since: 2, ..Minted::default() },
                    other_ways: true,
                    ..Given::default()
                },
                Proof::Partial,
                "2 credentials were made there since",
            ),
        ];
        for (given, proof, because) in table {
            let (found, why) = judged(&given);
            assert!(found == proof && why.contains(because), "{because}: {found:?}, {why}");
        }
    }
}
