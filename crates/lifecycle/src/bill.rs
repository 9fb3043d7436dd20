//! What an agent is made of, held against what was approved, before its first action (REQUIREMENTS.md A6).
//!
//! What is approved of a part is what was last presented and approved; before that, what the charter's manifest says of it. A part
//! that nobody said anything of is taken as it comes the first time. Who ever presented a part presents it every time.

use provost_domain::{
    Agent, AgentStatus, Autonomy, Timestamp,
    autonomy::AutonomyRules,
    bill::{Bill, Presented},
};

/// What a presentation leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// As it was approved: nothing to write.
    Same,
    /// It says more than was known, and nothing else: the agent, with that on record.
    First(Box<Agent>),
    /// It is made of something else: the agent, stopped until somebody approves it as it is now, and the differences.
    Other(Box<Agent>, Vec<Difference>),
}

/// One part that is not as it was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub part: String,
    /// As it was approved.
    pub approved: Option<String>,
    /// As it was presented.
    pub presented: Option<String>,
}

/// Holds a presentation against what was approved.
///
/// # Errors
/// When nothing is presented and something has to be.
pub fn held(
    rules: &AutonomyRules,
    agent: &Agent,
    presented: Option<&Presented>,
    now: Timestamp,
) -> Result<Held, Missing> {
    let known = agent.bill();
    let Some(presented) = presented else {
        return if known.is_empty() { Ok(Held::Same) } else { Err(Missing) };
    };
    let differences = differences(agent, &presented.bill);
    if differences.is_empty() {
        if *known == presented.bill {
            return Ok(Held::Same);
        }
        let row = agent.clone().living(|life| life.bill = presented.bill.clone());
        return Ok(Held::First(Box::new(row)));
    }
    let mut row = if rules.graduated {
        crate::autonomy::demoted(rules, agent, Autonomy::Probation, now).unwrap_or_else(|| agent.clone())
    } else {
        agent.clone()
    };
    if let Ok(status) = crate::agent::decide(row.status, crate::agent::Move::ManifestChanged) {
        row.status = status;
    }
    let row = row.living(|life| {
        life.presented = Some(presented.clone());
        // A probationer begins anew: what the one before did says nothing of this one.
        if rules.graduated {
            life.graded = Some(now);
        }
    });
    Ok(Held::Other(Box::new(row), differences))
}

/// Every part that is not as it was approved, in order.
#[must_use]
pub fn differences(agent: &Agent, presented: &Bill) -> Vec<Difference> {
    let known = agent.bill();
    let approved = |part: &str| known.get(part).or_else(|| agent.charter.manifest.get(part));
    let mut found: Vec<Difference> = presented
        .parts()
        .filter(|(part, made_of)| match approved(part) {
            Some(approved) => approved != *made_of,
            // What is new beside parts that were approved one by one is a change like any other.
            None => !known.is_empty(),
        })
        .map(|(part, made_of)| Difference {
            part: part.to_owned(),
            approved: approved(part).map(str::to_owned),
            presented: Some(made_of.to_owned()),
        })
        .collect();
    found.extend(known.parts().filter(|(part, _)| presented.get(part).is_none()).map(|(part, approved)| {
        Difference { part: part.to_owned(), approved: Some(approved.to_owned()), presented: None }
    }));
    found.sort_by(|a, b| a.part.cmp(&b.part));
    found
}

/// The agent as somebody approved it: what it presented last is what it is to present from now on.
#[must_use]
pub fn approved(agent: Agent) -> Agent {
    agent.living(|life| {
        if let Some(presented) = life.presented.take() {
            life.bill = presented.bill;
        }
    })
}

/// The agent after another manifest was declared: what that says is waited for, and not what was approved of the same part before.
#[must_use]
pub fn remade(before: &Agent, after: Agent) -> Agent {
    let (was, is) = (&before.charter.manifest, after.charter.manifest.clone());
    let moved = |part: &str| was.get(part) != is.get(part);
    let known = after.bill().without(moved);
    if known == *after.bill() {
        return after;
    }
    after.living(|life| {
        life.bill = known;
        life.presented = None;
    })
}

/// Whether a change made another agent of it: another manifest, or something else that was presented and approved.
#[must_use]
pub fn is_remade(before: &Agent, after: &Agent) -> bool {
    let (was, is) = (before.bill(), after.bill());
    before.charter.manifest != after.charter.manifest || !was.is_empty() && !is.is_empty() && was != is
}

/// Whether an agent waits because of what it presented.
#[must_use]
pub fn waits(agent: &Agent) -> bool {
    agent.status == AgentStatus::PendingReapproval
        && agent.life.as_ref().is_some_and(|life| life.presented.is_some())
}

/// Nothing was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this agent presents what it is made of whenever it starts a task, and nothing was presented")]
pub struct Missing;

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = |text: &Option<String>| text.as_deref().unwrap_or("nothing").to_owned();
        write!(f, "{}: approved {}, presented {}", self.part, word(&self.approved), word(&self.presented))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use provost_domain::bill::Word;
    use serde_json::json;

    fn agent(manifest: serde_json::Value) -> Agent {
        serde_json::from_value(json!({
            "id": provost_domain::ids::AgentId::from_bytes([7; 16]), "name": "clerk", "status": "active", "revision": 1,
            "charter": {"purpose": "p", "owner": "maria", "environment": "production", "autonomy": "supervised",
                "manifest": manifest, "task_duration_max": 1},
            "provenance": {"created_by": "files", "created_at": 0, "source": "files"},
        }))
        .unwrap()
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn presented(parts: &[(&str, &str)]) -> Presented {
        Presented { bill: Bill::of(parts.iter().copied()).unwrap(), by: Word::Observed, at: at(5) }
    }

    #[test]
    fn an_agent_is_remade_by_another_manifest_or_bill_and_not_by_saying_more_of_the_same() {
        let with = |manifest: &str, parts: &[(&str, &str)]| {
            let bill = if parts.is_empty() { Bill::default() } else { presented(parts).bill };
            agent(json!({ "model": manifest })).living(|life| life.bill = bill)
        };
        let (m1, m2) = ([("model", "m1")], [("model", "m2")]);
        for (before, after, remade) in [
            (with("m1", &[]), with("m1", &[]), false),
            (with("m1", &[]), with("m1", &m1), false),
            (with("m1", &m1), with("m1", &m2), true),
            (with("m1", &m1), with("m2", &[]), true),
            (with("m1", &m1), with("m1", &m1), false),
        ] {
            assert_eq!(is_remade(&before, &after), remade, "{:?} {:?}", before.bill(), after.bill());
        }
    }

    #[test]
    fn what_was_not_approved_stops_the_agent_and_says_how_it_differs() {
        let rules = AutonomyRules { graduated: true, ..AutonomyRules::default() };
        let clerk = agent(json!({"model": "m1"}));
        let Ok(Held::First(clerk)) =
            held(&rules, &clerk, Some(&presented(&[("model", "m1"), ("prompt", "p1")])), at(5))
        else {
            panic!("nothing was known of its prompt")
        };
        assert_eq!(
            held(&rules, &clerk, Some(&presented(&[("model", "m1"), ("prompt", "p1")])), at(6)),
            Ok(Held::Same)
        );
        assert_eq!(held(&rules, &clerk, None, at(6)), Err(Missing));
        let cases = [
            (vec![("model", "m2"), ("prompt", "p1")], "model: approved m1, presented m2"),
            (vec![("model", "m1"), ("prompt", "p2")], "prompt: approved p1, presented p2"),
            (vec![("model", "m1")], "prompt: approved p1, presented nothing"),
            (
                vec![("model", "m1"), ("prompt", "p1"), ("tools", "t1")],
                "tools: approved nothing, presented t1",
            ),
        ];
        for (parts, says) in cases {
            let Ok(Held::Other(row, differences)) = held(&rules, &clerk, Some(&presented(&parts)), at(9))
            else {
                panic!("{says}")
            };
            assert_eq!(differences.iter().map(ToString::to_string).collect::<Vec<_>>(), [says]);
            assert_eq!(row.status, AgentStatus::PendingReapproval);
            assert_eq!((row.charter.autonomy, row.declared()), (Autonomy::Probation, Autonomy::Supervised));
            assert!(waits(&row));
            let row = Agent { status: AgentStatus::Active, ..approved(*row) };
            assert_eq!(held(&rules, &row, Some(&presented(&parts)), at(10)), Ok(Held::Same), "{says}");
        }
    }

    #[test]
    fn the_manifest_is_what_was_approved_until_something_was_presented_and_approved() {
        let rules = AutonomyRules::default();
        let clerk = agent(json!({"model": "m1"}));
        let other = presented(&[("model", "m2")]);
        let Ok(Held::Other(row, _)) = held(&rules, &clerk, Some(&other), at(5)) else { panic!() };
        assert_eq!(row.charter.autonomy, Autonomy::Supervised, "trust is not earned here, and not taken");
        let row = approved(*row);
        assert_eq!(held(&rules, &row, Some(&other), at(6)), Ok(Held::Same));
        // A file that says otherwise is waited for again.
        let mut after = row.clone();
        after.charter.manifest = [("model", "m3")].into_iter().collect();
        let after = remade(&row, after);
        assert!(after.bill().is_empty());
        let new = presented(&[("model", "m3")]);
        assert!(matches!(held(&rules, &after, Some(&new), at(7)), Ok(Held::First(_))));
        assert!(matches!(held(&rules, &after, Some(&other), at(7)), Ok(Held::Other(..))));
    }

    proptest! {
        #[test]
        fn an_agent_runs_only_as_it_was_approved(bills in prop::collection::vec(prop::collection::btree_map(0_u8..3, 0_u8..2, 1..3), 1..20), yes in any::<bool>()) {
            let rules = AutonomyRules::default();
            let mut row = agent(json!({}));
            let mut good: Option<Bill> = None;
            for parts in bills {
                let parts: Vec<(String, String)> = parts.iter().map(|(part, text)| (format!("p{part}"), format!("t{text}"))).collect();
                let shown = Presented { bill: Bill::of(parts).unwrap(), by: Word::Key, at: at(1) };
                match held(&rules, &row, Some(&shown), at(1)).unwrap() {
                    Held::Same => prop_assert_eq!(good.as_ref(), Some(&shown.bill)),
                    Held::First(next) => {
                        prop_assert!(good.is_none());
                        (row, good) = (*next, Some(shown.bill));
                    }
                    Held::Other(next, differences) => {
                        prop_assert!(!differences.is_empty() && !crate::agent::may_act(next.status));
                        prop_assert!(good.is_some_and(|good| good != shown.bill));
                        good = Some(if yes { shown.bill } else { row.bill().clone() });
                        row = if yes { Agent { status: AgentStatus::Active, ..approved(*next) } } else { row };
                    }
                }
            }
        }
    }
}
