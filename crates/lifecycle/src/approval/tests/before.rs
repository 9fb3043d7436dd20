//! A yes that was given before somebody ordered otherwise, or before the rules asked for more.

use super::*;
use provost_domain::{
    Agent, Containment, Environment, Level, Restraint,
    containment::{ContainmentStatus, Scope, Who},
    ids::AgentId,
};

fn order(at: Timestamp, level: Restraint, scope: Scope) -> Object {
    Object::Containment(Box::new(Containment {
        id: "containment_1".to_owned(),
        scope,
        level,
        reason: "r".to_owned(),
        by: Who { person: None, shown_by: "test".to_owned() },
        at,
        status: ContainmentStatus::InForce,
        drill: false,
        ended: Default::default(),
        systems: Default::default(),
        settled: Default::default(),
        told: Default::default(),
    }))
}

/// The world with agents above the clerk: its task is handed on by that of `desk`, and that by `boss`.
fn handed_on() -> Directory {
    let mut directory = world();
    let clerk = directory.agents.get(&name("clerk")).unwrap().as_ref().clone();
    let mut below = task();
    for (of, seed) in [("desk", 8), ("boss", 9)] {
        let id = AgentId::new(NOW, [seed; 10]);
        directory.put(Object::Agent(Agent { id, name: name(of), ..clerk.clone() }));
        let above = Task { id: TaskId::new(NOW, [seed; 10]), agent: name(of), ..task() };
        directory.put(Object::Task(Task { parent: Some(above.id), ..below }));
        below = above;
    }
    directory.put(Object::Task(below));
    directory
}

fn about(agent: &str) -> Scope {
    Scope { agent: Some(name(agent)), ..Scope::default() }
}

#[test]
fn a_yes_from_before_an_order_that_every_call_is_agreed_to_does_not_count_after_it() {
    let row = say(&waiting(&["owner"], 0, NOW), &world(), "olga", true).unwrap();
    let voted = row.votes[0].at;
    let later = voted.plus(DurationMs(1));
    for (at, level, scope, falls) in [
        (voted, Restraint::ApprovalsOnly, about("clerk"), true),
        (later, Restraint::ApprovalsOnly, Scope::default(), true),
        (voted.minus(DurationMs(1)), Restraint::ApprovalsOnly, about("clerk"), false),
        (later, Restraint::Observe, about("clerk"), false),
        (later, Restraint::ApprovalsOnly, about("somebody-else"), false),
        // On whose behalf it is made, however far up.
        (later, Restraint::ApprovalsOnly, about("desk"), true),
        (later, Restraint::ApprovalsOnly, about("boss"), true),
        (voted.minus(DurationMs(1)), Restraint::ApprovalsOnly, about("boss"), false),
    ] {
        let mut directory = handed_on();
        let case = format!("{level} {} at {at:?}", scope.words());
        directory.put(order(at, level, scope));
        assert_eq!(fallen(&row, &directory).is_some(), falls, "{case}");
        assert_eq!(missing(&row, &directory).is_empty(), !falls, "and it is asked for anew: {case}");
    }
}

#[test]
fn a_yes_from_before_a_person_restricted_an_agent_to_approvals_does_not_count_after_it() {
    let row = say(&waiting(&["owner"], 0, NOW), &world(), "olga", true).unwrap();
    let voted = row.votes[0].at;
    for (whose, level, since, falls) in [
        ("clerk", Level::ApprovalsOnly, Some(voted), true),
        ("clerk", Level::ApprovalsOnly, Some(voted.minus(DurationMs(1))), false),
        // Rows from before the time was kept.
        ("clerk", Level::ApprovalsOnly, None, false),
        ("clerk", Level::Normal, Some(voted), false),
        ("boss", Level::ApprovalsOnly, Some(voted), true),
        ("boss", Level::ApprovalsOnly, Some(voted.minus(DurationMs(1))), false),
    ] {
        let mut directory = handed_on();
        let agent = directory.agents.get(&name(whose)).unwrap().as_ref().clone();
        directory.put(Object::Agent(Agent { level, ..agent }.living(|life| life.restricted = since)));
        assert_eq!(fallen(&row, &directory).is_some(), falls, "{whose} {level} {since:?}");
        assert_eq!(missing(&row, &directory).is_empty(), !falls, "{whose} {level} {since:?}");
    }
}

#[test]
fn a_yes_without_a_signature_does_not_count_once_the_organisation_asks_for_one() {
    let wanted = Wanted {
        id: "envelope_1".into(),
        in_task: true,
        args: BTreeMap::new(),
        count_max: 2,
        sum: None,
        lasts: DurationMs::from_mins(5),
    };
    let reasoned = Ballot { reason: Some("every day".into()), ..ballot("olga", true) };
    let open = envelope(&waiting(&["owner"], 0, NOW), &world(), wanted, reasoned, NOW).unwrap();
    let said = say(&waiting(&["owner"], 0, NOW), &world(), "olga", true).unwrap();
    let glass = Ballot { reason: Some("fire".into()), break_glass: true, ..ballot("ada", true) };
    let broken = vote(&waiting(&["owner"], 0, NOW), &world(), glass, NOW).unwrap();
    // One of the two that are needed was given before.
    let half = say(&waiting(&["finance"], 0, NOW), &world(), "fay", true).unwrap();
    let mut directory = world();
    let mut organisation = directory.organisation.as_deref().unwrap().clone();
    organisation.approvals.signed = Signed::Production;
    directory.put(Object::Organisation(organisation));
    assert!(fallen(&said, &directory).unwrap().contains("without a signature"));
    assert!(envelope_fallen(&open, &directory).unwrap().contains("without a signature"));
    assert_eq!(missing(&half, &world()), [("finance".to_owned(), 1)].into());
    assert_eq!(missing(&half, &directory), [("finance".to_owned(), 2)].into(), "as with a proposal");
    assert_eq!(fallen(&broken, &directory), None, "the broken glass is reviewed instead");
    let mut clerk = directory.agents.get(&name("clerk")).unwrap().as_ref().clone();
    clerk.charter.environment = Environment::Sandbox;
    directory.put(Object::Agent(clerk));
    assert_eq!((fallen(&said, &directory), envelope_fallen(&open, &directory)), (None, None));
}
