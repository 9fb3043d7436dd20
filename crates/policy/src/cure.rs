//! What would make a refused call possible, in words a person or an agent can act on.

use crate::{Question, args::ArgFault};
use provost_domain::{AgentStatus, Label, Reason, Verdict};
use std::collections::BTreeMap;

/// One sentence for each reason that has a way out; none at all when one of the reasons has none.
pub(crate) fn all(
    reasons: &[Reason],
    question: &Question<'_>,
    charter: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut cures = Vec::new();
    for reason in reasons {
        let cure = match charter.get(&reason.policy) {
            Some(cure) => Cure::Do(cure.clone()),
            None => guardrail(&reason.policy, question),
        };
        match cure {
            Cure::Do(text) if !cures.contains(&text) => cures.push(text),
            Cure::Do(_) | Cure::Unknown => {}
            Cure::Never => return Vec::new(),
        }
    }
    cures
}

/// The tool is not in the charter.
pub(crate) fn not_granted(question: &Question<'_>) -> Verdict {
    let (agent, tool) = (question.agent, question.tool.path());
    Verdict::deny(
        &crate::charter::prefix(agent),
        format!("{tool} is not in the charter of {}", agent.name),
        Some(format!("ask {} (owner) to add {tool} to the charter of {}", agent.charter.owner, agent.name)),
    )
}

/// The arguments do not fit the tool's declaration.
pub(crate) fn arguments(faults: &[ArgFault]) -> Verdict {
    let reasons = faults.iter().take(FAULTS_SHOWN_MAX).map(|fault| Reason {
        policy: "guardrail/arguments".to_owned(),
        reason: match fault.path.as_str() {
            "" => fault.problem.clone(),
            path => format!("`{path}` {}", fault.problem),
        },
    });
    Verdict::Deny {
        reasons: reasons.collect(),
        possible_if: vec!["call the tool with arguments that fit its input schema".to_owned()],
    }
}

enum Cure {
    Do(String),
    /// Somebody may know, but the policy does not say.
    Unknown,
    Never,
}

fn guardrail(policy: &str, question: &Question<'_>) -> Cure {
    let agent = question.agent;
    let (name, owner) = (&agent.name, &agent.charter.owner);
    let text = match policy {
        "guardrail/status" => match agent.status {
            AgentStatus::Decommissioned => return Cure::Never,
            AgentStatus::Suspended => format!("ask {owner} (owner) to resume {name}"),
            AgentStatus::PendingReapproval => {
                format!("ask {owner} (owner) to approve what changed in {name}")
            }
            AgentStatus::Proposed | AgentStatus::Unmanaged => {
                format!("ask {owner} (owner) to activate {name}")
            }
            AgentStatus::Active => return Cure::Unknown,
        },
        "guardrail/level-off"
        | "guardrail/level-read-only"
        | "guardrail/level-without"
        | "guardrail/level-unknown" => {
            format!("wait until the containment of {name} is lifted")
        }
        "guardrail/environment" => {
            format!("use a system of the agent's own environment, {}", agent.charter.environment)
        }
        "guardrail/task-live" => "start a new task".to_owned(),
        "guardrail/task-scope" => "start the task with this tool in its scope".to_owned(),
        "guardrail/tool-pinned" => {
            format!("ask somebody to review what changed in {} and pin it again", question.tool.path())
        }
        "guardrail/data" => {
            let missing = |label: &&&Label| !label.is_integrity() && !agent.charter.data.contains(**label);
            let labels = question.tool.labels();
            let missing: Vec<&str> = labels.iter().filter(missing).map(|label| label.as_str()).collect();
            format!("ask {owner} (owner) to add {} to the data in the charter of {name}", missing.join(", "))
        }
        // The charter's own policy for the budget says it better.
        _ => return Cure::Unknown,
    };
    Cure::Do(text)
}

const FAULTS_SHOWN_MAX: usize = 16;
