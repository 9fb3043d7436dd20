//! For whom something is obtained.

use provost_domain::{Agent, Directory, Name, Task, TaskId, Timestamp, credential::CredentialSubject};
use std::sync::Arc;

/// An agent in one of its tasks, and those on whose behalf it works.
#[derive(Debug, Clone)]
pub struct Whom {
    /// The agent that calls.
    pub agent: Name,
    /// Its task.
    pub task: Arc<Task>,
    /// The agents that handed the work on, nearest first, each with the task it did so in.
    pub above: Vec<(Name, Arc<Task>)>,
}

impl Whom {
    /// The person it all is for: the requester, if every task of the chain acts for the same one.
    #[must_use]
    pub fn person(&self) -> Option<&Name> {
        let person = &self.task.requester;
        let tasks = std::iter::once(&self.task).chain(self.above.iter().map(|(_agent, task)| task));
        tasks.into_iter().all(|task| task.for_person && task.requester == *person).then_some(person)
    }

    /// Whose authority it is: the person's, or that of the agent at the root of the chain.
    pub(crate) fn subject(&self, subject: CredentialSubject) -> Option<&Name> {
        match subject {
            CredentialSubject::Person => self.person(),
            CredentialSubject::Agent => Some(self.above.last().map_or(&self.agent, |(agent, _task)| agent)),
        }
    }
}

/// Whether a task may act no more: it, or one above it, ended or expired, or its agent was stopped or contained.
#[must_use]
pub fn is_over(directory: &Directory, agent: &Name, task: TaskId, now: Timestamp) -> bool {
    let (mut agent, mut next) = (agent.clone(), Some(task));
    for _link in 0..CHAIN_MAX {
        let Some(id) = next else { return false };
        let task = directory.tasks.get(&id).filter(|task| task.is_live(now) && task.agent == agent);
        let acts = |agent: &Arc<Agent>| directory.acts(agent);
        let Some(task) = task.filter(|_| directory.agents.get(&agent).is_some_and(acts)) else {
            return true;
        };
        next = task.parent;
        if let Some(parent) = next.and_then(|parent| directory.tasks.get(&parent)) {
            agent = parent.agent.clone();
        }
    }
    true
}

/// Longer than any chain of tasks may be.
const CHAIN_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use provost_domain::{AgentStatus, DurationMs, Object, agent::Level, task::TaskStatus};
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn task(byte: u8, agent: &str, parent: Option<u8>) -> Task {
        serde_json::from_value(json!({
            "id": id(byte), "agent": agent, "purpose": "p", "requester": "maria", "started": 0,
            "expires": 2_000_000, "status": "running", "parent": parent.map(id), "for_person": true,
        }))
        .unwrap()
    }

    fn id(byte: u8) -> TaskId {
        TaskId::from_bytes([byte; 16])
    }

    fn agent(name: &str) -> Agent {
        serde_json::from_value(json!({
            "id": provost_domain::ids::AgentId::from_bytes([7; 16]), "name": name, "status": "active", "revision": 1,
            "charter": {"purpose": "p", "owner": "maria", "environment": "sandbox", "autonomy": "bounded",
                "task_duration_max": 1000, "grants": []},
            "provenance": {"created_by": "t", "created_at": 0, "source": "t"},
        }))
        .unwrap()
    }

    fn directory() -> Directory {
        let mut directory = Directory::default();
        directory.put(Object::Agent(agent("clerk")));
        directory.put(Object::Agent(agent("helper")));
        directory.put(Object::Task(task(1, "clerk", None)));
        directory.put(Object::Task(task(2, "helper", Some(1))));
        directory
    }

    #[test]
    fn a_task_is_over_with_its_agent_and_with_every_task_above_it() {
        let helper: Name = "helper".parse().unwrap();
        let over = |change: &dyn Fn(&mut Directory)| {
            let mut directory = directory();
            change(&mut directory);
            is_over(&directory, &helper, id(2), NOW)
        };
        let put = |object: Object| move |directory: &mut Directory| directory.put(object.clone());
        assert!(!over(&|_| {}));
        let ended = |byte, agent, parent| {
            Object::Task(Task { status: TaskStatus::Ended, ..task(byte, agent, parent) })
        };
        assert!(over(&put(ended(2, "helper", Some(1)))));
        assert!(over(&put(ended(1, "clerk", None))));
        let late = Task { expires: NOW, ..task(1, "clerk", None) };
        assert!(over(&put(Object::Task(late))));
        for name in ["helper", "clerk"] {
            assert!(
                over(&put(Object::Agent(Agent { status: AgentStatus::Suspended, ..agent(name) }))),
                "{name}"
            );
            assert!(over(&put(Object::Agent(Agent { level: Level::Off, ..agent(name) }))), "{name}");
            for (level, stops) in [("off", true), ("read-only", false)] {
                let order = json!({"id": "containment_1", "scope": {"agent": name}, "level": {"is": level}, "reason": "r",
                    "by": {"shown_by": "plane"}, "at": 0, "status": {"is": "in-force"}});
                let order = Object::Containment(serde_json::from_value(order).unwrap());
                assert_eq!(over(&put(order)), stops, "{name} {level}");
            }
        }
        assert!(is_over(&directory(), &"clerk".parse().unwrap(), id(2), NOW), "of another agent");
        assert!(is_over(&directory(), &helper, id(9), NOW));
        assert!(is_over(&directory(), &helper, id(2), NOW.plus(DurationMs::from_mins(60))));
    }

    #[test]
    fn it_is_for_a_person_only_if_every_task_of_the_chain_is_for_the_same_one() {
        let whom = |child: Task, parent: Task| Whom {
            agent: "helper".parse().unwrap(),
            task: Arc::new(child),
            above: vec![("clerk".parse().unwrap(), Arc::new(parent))],
        };
        let (child, parent) = (task(2, "helper", Some(1)), task(1, "clerk", None));
        let good = whom(child.clone(), parent.clone());
        assert_eq!(good.person().unwrap().as_str(), "maria");
        assert_eq!(good.subject(CredentialSubject::Agent).unwrap().as_str(), "clerk");
        let table = [
            (Task { for_person: false, ..child.clone() }, parent.clone()),
            (child.clone(), Task { for_person: false, ..parent.clone() }),
            (child, Task { requester: "otto".parse().unwrap(), ..parent }),
        ];
        for (child, parent) in table {
            assert_eq!(whom(child, parent).person(), None);
        }
    }
}
