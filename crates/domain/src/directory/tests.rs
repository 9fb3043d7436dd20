//! The directory finds what is there, and a copy keeps what it saw.

use super::*;
use crate::{Digest, tool::Tool};

fn tool(system: &str, name: &str) -> Object {
    Object::Tool(Tool {
        system: system.parse().unwrap(),
        name: name.parse().unwrap(),
        description: String::new(),
        pin: Digest::of(b""),
        effects: Default::default(),
        args: Default::default(),
        returns: Vec::new(),
        sends_out: false,
        steering: Default::default(),
        request: None,
    })
}

#[test]
fn the_tools_of_a_system_are_its_own_and_all_of_them() {
    let mut directory = Directory::default();
    for (system, name) in [("a", "z"), ("b", "-"), ("b", "9"), ("b", "zz"), ("b-c", "x"), ("c", "a")] {
        directory.put(tool(system, name));
    }
    let names = |system: &str| -> Vec<String> {
        directory.tools_of(&system.parse().unwrap()).map(|tool| tool.name.to_string()).collect()
    };
    assert_eq!(names("b"), ["-", "9", "zz"]);
    assert_eq!(names("a"), ["z"]);
    assert!(names("d").is_empty());
}

#[test]
fn a_charter_that_stays_is_not_held_twice_when_the_agent_changes() {
    let row = || crate::pool::tests::agent("clerk", "500.0");
    let mut directory = Directory::default();
    directory.put(row());
    let before = directory.agents.values().next().unwrap().clone();
    let Object::Agent(mut suspended) = row() else { unreachable!() };
    suspended.status = crate::AgentStatus::Suspended;
    suspended.charter.purpose = "another".into();
    directory.put(Object::Agent(suspended.clone()));
    let after = directory.agents.values().next().unwrap().clone();
    assert_eq!(*after, suspended);
    assert!(Arc::ptr_eq(&before.charter.grants, &after.charter.grants));
}

#[test]
fn a_subject_is_found_for_as_long_as_its_row_says_so() {
    let row = |proofs: serde_json::Value| {
        let Object::Agent(mut agent) = crate::pool::tests::agent("clerk", "500.0") else { unreachable!() };
        agent.proofs = serde_json::from_value(proofs).unwrap();
        Object::Agent(agent)
    };
    let subject = |subject: &str| serde_json::json!({"kind": "subject", "issuer": "ci", "subject": subject, "added": 0});
    let ci: Name = "ci".parse().unwrap();
    let mut directory = Directory::default();
    directory.put(row(serde_json::json!([subject("a"), subject("b")])));
    assert!(directory.agent_of(&ci, "a").is_some() && directory.agent_of(&ci, "b").is_some());
    assert!(directory.agent_of(&"c".parse().unwrap(), "a").is_none());
    assert_eq!(directory.agents_from(&ci).count(), 2);
    directory.put(row(serde_json::json!([subject("b")])));
    assert!(directory.agent_of(&ci, "a").is_none() && directory.agent_of(&ci, "b").is_some());
    directory.remove(&row(serde_json::json!([])).key());
    assert!(directory.agent_of(&ci, "b").is_none() && directory.agents_from(&ci).count() == 0);
}

#[test]
fn a_copy_keeps_what_it_saw_when_the_original_moves_on() {
    let mut directory = Directory::default();
    directory.put(tool("a", "x"));
    let copy = directory.clone();
    directory.remove(&tool("a", "x").key());
    assert!(directory.tools.is_empty() && copy.get(&tool("a", "x").key()).is_some());
}
