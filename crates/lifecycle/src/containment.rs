//! The life of a containment order. Stopping is one person's word; starting again takes a reason, and from `off` a second
//! person.
//!
//! ```text
//! in-force ──lift (any level but off)──────────────────────────▶ lifted
//!    │  ▲                                              (or the end of its drill)
//!    │  └── keep, or nobody agreed within a day ──┐                │
//!    └──lift (off)──▶ lift-asked ────────────────-┴──lift by another person
//! ```

use provost_domain::{
    Agent, Containment, Directory, DurationMs, Environment, Level, Restraint, Signature, Timestamp,
    containment::{ContainmentStatus, Who},
};

/// What somebody wants of an order in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// That it ends.
    Lift,
    /// That it stays, although somebody asked that it be lifted.
    Keep,
    /// That it ends with the drill it belongs to.
    Restore,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It waits for a second person.
    Asked,
    /// It binds nobody any more.
    Lifted {
        /// Who had asked, where two were needed.
        asked: Option<Who>,
    },
    /// Nobody asks any more that it be lifted.
    Kept,
}

/// What a move leads to.
///
/// # Errors
/// When the order was lifted already, the same person would be both, or nobody knows which person it is.
pub fn decide(order: &Containment, wanted: &Move, who: &Who, now: Timestamp) -> Result<Event, MoveError> {
    let asked = match &order.status {
        ContainmentStatus::Lifted { .. } => return Err(MoveError::Lifted),
        ContainmentStatus::InForce => None,
        ContainmentStatus::LiftAsked { by, at, .. } => (now < at.plus(ASKED_FOR)).then_some(by),
    };
    match (wanted, asked) {
        (Move::Restore, _) if order.drill => Ok(Event::Lifted { asked: None }),
        (Move::Restore, _) => Err(MoveError::NoDrill),
        (Move::Keep, Some(_)) => Ok(Event::Kept),
        (Move::Keep, None) => Err(MoveError::NotAsked),
        (Move::Lift, _) if order.level != Restraint::Off => Ok(Event::Lifted { asked: None }),
        (Move::Lift, _) if who.person.is_none() => Err(MoveError::Nobody),
        (Move::Lift, None) => Ok(Event::Asked),
        (Move::Lift, Some(asked)) if asked.person == who.person => Err(MoveError::SamePerson),
        (Move::Lift, Some(_)) if order.by.person == who.person => Err(MoveError::Orderer),
        (Move::Lift, Some(asked)) => Ok(Event::Lifted { asked: Some(asked.clone()) }),
    }
}

/// Whether a word counts as a second person's: what the token of the machine hands in is nobody's own, in whosever name, unless
/// that person's passkey signed it.
///
/// # Errors
/// When it does not.
pub const fn own_word(by_token: bool, signed: bool) -> Result<(), MoveError> {
    if by_token && !signed { Err(MoveError::SameHand) } else { Ok(()) }
}

/// What it leads to that somebody wants an agent to be left another level: less or the same takes one word; more, from `off`,
/// takes two persons, as lifting an order does. `None` says that it waits for the second.
///
/// # Errors
/// When the same person would be both, nobody knows which person it is, or the second is the token of the machine.
pub fn restrict(
    agent: &Agent,
    to: Level,
    (who, by_token): (&Who, bool),
    now: Timestamp,
) -> Result<Option<Level>, MoveError> {
    if agent.level != Level::Off || to == Level::Off {
        return Ok(Some(to));
    }
    if who.person.is_none() {
        return Err(MoveError::Nobody);
    }
    let asked = agent.loosening.as_ref().filter(|asked| asked.to == to && now < asked.at.plus(ASKED_FOR));
    match asked {
        Some(asked) if asked.by.person == who.person => Err(MoveError::SamePerson),
        Some(_) => own_word(by_token, false).map(|()| Some(to)),
        None => Ok(None),
    }
}

/// The order after it.
#[must_use]
pub fn apply(order: &Containment, event: &Event, who: &Who, reason: &str, now: Timestamp) -> Containment {
    let (by, reason) = (who.clone(), reason.to_owned());
    let status = match event {
        Event::Asked => ContainmentStatus::LiftAsked { by, at: now, reason },
        Event::Kept => ContainmentStatus::InForce,
        Event::Lifted { asked } => {
            ContainmentStatus::Lifted { by, at: now, reason, asked: asked.clone(), signature: None }
        }
    };
    Containment { status, ..order.clone() }
}

/// The order, lifted, with what the second person's passkey made of it.
#[must_use]
pub fn signed(mut order: Containment, by: Option<Box<Signature>>) -> Containment {
    if let ContainmentStatus::Lifted { signature, .. } = &mut order.status {
        *signature = by;
    }
    order
}

/// Whether the second person's word that it ends takes a signature of their passkey: it does where somebody or something in an
/// environment of which answers are signed was stopped. What is nobody's and nothing's now may be production's.
#[must_use]
pub fn wants_signature(order: &Containment, directory: &Directory) -> bool {
    let signed = crate::approval::rules(directory).signed;
    let scope = &order.scope;
    let organisation = directory.organisation.as_deref();
    let agents = directory.agents.values().filter(|agent| scope.has_agent(agent, organisation));
    let agents = agents.map(|agent| agent.charter.environment);
    let system = scope.system.as_ref().and_then(|name| directory.systems.get(name));
    let mut stopped = agents.chain(system.map(|system| system.environment)).peekable();
    match stopped.peek() {
        None => signed.wants(Environment::Production),
        Some(_) => stopped.any(|environment| signed.wants(environment)),
    }
}

/// Whether it does for an order about this agent alone.
#[must_use]
pub fn wants_signature_for(agent: &Agent, directory: &Directory) -> bool {
    crate::approval::rules(directory).signed.wants(agent.charter.environment)
}

/// Why an order does not move so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// It is over.
    #[error("it was lifted already")]
    Lifted,
    /// There is nothing to take back.
    #[error("nobody asks that it be lifted")]
    NotAsked,
    /// It was meant.
    #[error("it belongs to no drill, so no drill ends it")]
    NoDrill,
    /// Two persons are needed, and this is none.
    #[error("from level off it takes two persons to start again, so it must be known who this is")]
    Nobody,
    /// The second person is the first.
    #[error("it takes another person to agree than the one who asked for it")]
    SamePerson,
    /// The second person is the one who ordered it.
    #[error("it takes another person to agree than the one who ordered it")]
    Orderer,
    /// The token of the machine is nobody.
    #[error(
        "a second person's word that is handed in with the token of the machine is nobody's own: whoever holds the token can give any name"
    )]
    SameHand,
}

/// How long somebody's asking counts.
pub const ASKED_FOR: DurationMs = DurationMs::from_secs(24 * 3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use provost_domain::{agent::Loosening, containment::Scope};

    fn who(name: Option<&str>) -> Who {
        Who { person: name.map(|name| name.parse().unwrap()), shown_by: "test".to_owned() }
    }

    fn order(level: Restraint, by: Option<&str>) -> Containment {
        Containment {
            id: "containment_1".to_owned(),
            scope: Scope::default(),
            level,
            reason: "r".to_owned(),
            by: who(by),
            at: Timestamp::from_millis(0),
            status: ContainmentStatus::InForce,
            drill: false,
            ended: Default::default(),
            systems: Default::default(),
            settled: Default::default(),
            told: Default::default(),
        }
    }

    fn step(order: &Containment, by: Option<&str>, hour: i64) -> Result<Containment, MoveError> {
        let now = Timestamp::from_millis(hour * 3_600_000);
        let event = decide(order, &Move::Lift, &who(by), now)?;
        Ok(apply(order, &event, &who(by), "because", now))
    }

    #[test]
    fn starting_again_from_off_takes_a_second_person_who_neither_ordered_nor_asked() {
        let stopped = order(Restraint::Off, Some("maria"));
        let asked = step(&stopped, Some("maria"), 1).unwrap();
        assert!(asked.is_in_force(), "asking lifts nothing");
        assert_eq!(step(&asked, Some("maria"), 2), Err(MoveError::SamePerson));
        assert!(!step(&asked, Some("tom"), 2).unwrap().is_in_force());
        let asked = step(&stopped, Some("tom"), 1).unwrap();
        assert_eq!(step(&asked, Some("maria"), 2), Err(MoveError::Orderer));
        assert!(!step(&asked, Some("kim"), 2).unwrap().is_in_force());
        assert_eq!(step(&stopped, None, 1), Err(MoveError::Nobody));
        // A day later nobody's asking counts any more: this asks anew.
        let late = step(&asked, Some("kim"), 26).unwrap();
        assert!(
            matches!(late.status, ContainmentStatus::LiftAsked { ref by, .. } if *by == who(Some("kim")))
        );
    }

    #[test]
    fn the_order_of_a_drill_ends_with_the_drill_and_no_other_does() {
        let plane = who(None);
        let now = Timestamp::from_millis(1);
        let meant = order(Restraint::Off, Some("maria"));
        assert_eq!(decide(&meant, &Move::Restore, &plane, now), Err(MoveError::NoDrill));
        let drill = Containment { drill: true, ..meant };
        assert_eq!(decide(&drill, &Move::Restore, &plane, now), Ok(Event::Lifted { asked: None }));
    }

    #[test]
    fn what_is_not_off_is_lifted_by_one() {
        for level in [Restraint::Observe, Restraint::ReadOnly, Restraint::ApprovalsOnly] {
            let lifted = step(&order(level, Some("maria")), Some("maria"), 1).unwrap();
            assert!(!lifted.is_in_force());
            assert_eq!(step(&lifted, Some("tom"), 2), Err(MoveError::Lifted));
        }
    }

    #[test]
    fn an_agent_is_left_more_than_nothing_by_two_persons_and_less_by_one() {
        let now = Timestamp::from_millis(10);
        let plain: Agent = serde_json::from_value(serde_json::json!({
            "id": provost_domain::ids::AgentId::new(now, [1; 10]), "name": "clerk", "status": "active", "revision": 1,
            "charter": {
                "purpose": "pays", "owner": "olga", "environment": "production", "autonomy": "supervised",
                "delegation": {"depth_max": 0, "children_max": 0}, "retirement": {}, "task_duration_max": 3_600_000,
            },
            "provenance": {"created_by": "t", "created_at": 1, "source": "t"},
        }))
        .unwrap();
        let agent = |level, asked: Option<(&str, Level, i64)>| Agent {
            level,
            loosening: asked.map(|(by, to, at)| {
                Box::new(Loosening { to, by: who(Some(by)), at: Timestamp::from_millis(at) })
            }),
            ..plain.clone()
        };
        let asked = |by, to| Some((by, to, 0));
        let late = Some(("tom", Level::Normal, -(ASKED_FOR.0 as i64)));
        let table = [
            (agent(Level::Normal, None), Level::Off, None, Ok(Some(Level::Off))),
            (agent(Level::ReadOnly, None), Level::Normal, None, Ok(Some(Level::Normal))),
            (agent(Level::Off, None), Level::Normal, None, Err(MoveError::Nobody)),
            (agent(Level::Off, None), Level::Normal, Some("maria"), Ok(None)),
            (
                agent(Level::Off, asked("maria", Level::Normal)),
                Level::Normal,
                Some("maria"),
                Err(MoveError::SamePerson),
            ),
            (
                agent(Level::Off, asked("tom", Level::Normal)),
                Level::Normal,
                Some("maria"),
                Ok(Some(Level::Normal)),
            ),
            // What was asked for was something else, or too long ago.
            (agent(Level::Off, asked("tom", Level::ReadOnly)), Level::Normal, Some("maria"), Ok(None)),
            (agent(Level::Off, late), Level::Normal, Some("maria"), Ok(None)),
            (agent(Level::Off, asked("tom", Level::Normal)), Level::Off, Some("maria"), Ok(Some(Level::Off))),
        ];
        for (agent, to, by, wanted) in table {
            assert_eq!(
                restrict(&agent, to, (&who(by), false), now),
                wanted,
                "{:?} {to:?} {by:?}",
                agent.loosening
            );
            // The token of the machine stops and asks like anybody, and is never the second.
            let by_token = restrict(&agent, to, (&who(by), true), now);
            let second = agent.level == Level::Off && to != Level::Off && wanted == Ok(Some(to));
            assert_eq!(by_token, if second { Err(MoveError::SameHand) } else { wanted });
        }
    }

    proptest! {
        /// Whatever is tried in whatever order: an order at `off` is never lifted by one person, and never binds again.
        #[test]
        fn no_sequence_of_moves_lifts_an_order_at_off_by_one_person(
            steps in prop::collection::vec((0..4_usize, 0..6_u8, 0..30_i64), 0..30),
            orderer in 0..4_usize,
        ) {
            let people = [None, Some("maria"), Some("tom"), Some("kim")];
            let (mut row, mut hour) = (order(Restraint::Off, people[orderer]), 0);
            for (by, keep, later) in steps {
                hour += later;
                let now = Timestamp::from_millis(hour * 3_600_000);
                let wanted = match keep {
                    0 => Move::Keep,
                    1 => Move::Restore,
                    _ => Move::Lift,
                };
                let was = row.is_in_force();
                if let Ok(event) = decide(&row, &wanted, &who(people[by]), now) {
                    prop_assert!(was, "what was lifted stays so");
                    row = apply(&row, &event, &who(people[by]), "r", now);
                }
                if let ContainmentStatus::Lifted { by, asked, .. } = &row.status {
                    let asked = asked.as_ref().and_then(|asked| asked.person.clone());
                    prop_assert!(by.person.is_some() && asked.is_some() && by.person != asked);
                    prop_assert!(row.by.person.is_none() || by.person != row.by.person);
                }
            }
        }
    }
}
