//! Trust is earned (REQUIREMENTS.md G3): an agent begins in probation, is promoted a grade at a time on evidence and its owner's
//! word, and loses all of it at once by an incident or by becoming another agent.
//!
//! ```text
//! probation ──evidence, owner──▶ supervised ──evidence, owner──▶ bounded        never past what its charter declares
//!     ▲                              │                              │
//!     └── incident, other model or environment, a person's demotion ┘
//! ```

use provost_domain::{
    Agent, Autonomy, DurationMs, Finding, Severity, Timestamp,
    autonomy::{AutonomyRules, Gates},
};

/// An agent as its file has it, trusted as far as it has earned: a file lowers trust at once, and never raises it. Where
/// nobody has to earn trust, the charter's word is in force.
#[must_use]
pub fn settled(rules: &AutonomyRules, before: Option<&Agent>, after: Agent, now: Timestamp) -> Agent {
    if !rules.graduated {
        return after.living(|life| life.declared = None);
    }
    let declared = after.charter.autonomy;
    let earned = before.filter(|before| same_agent(before, &after)).map(|before| before.charter.autonomy);
    let grade = declared.min(earned.unwrap_or(Autonomy::Probation));
    let begins = before.is_some_and(|row| row.charter.autonomy != grade || !same_agent(row, &after));
    let mut after = after;
    after.charter.autonomy = grade;
    after.living(|life| {
        life.declared = (declared != grade).then_some(declared);
        if begins {
            life.graded = Some(now);
        }
    })
}

/// Whether what was earned before was earned by this agent: another model is another agent, and being good in the sandbox
/// says nothing of production (REQUIREMENTS.md B2).
fn same_agent(before: &Agent, after: &Agent) -> bool {
    before.charter.manifest == after.charter.manifest
        && before.charter.environment == after.charter.environment
}

/// The agent, trusted less; `None` when it is trusted no further already.
#[must_use]
pub fn demoted(rules: &AutonomyRules, agent: &Agent, to: Autonomy, now: Timestamp) -> Option<Agent> {
    (to < agent.charter.autonomy).then(|| {
        let declared = agent.declared();
        let mut row = agent.clone();
        row.charter.autonomy = to;
        row.revision = row.revision.saturating_add(1);
        row.living(|life| {
            life.graded = Some(now);
            life.declared = rules.graduated.then_some(declared).filter(|declared| *declared != to);
        })
    })
}

/// The next grade, if its charter declares that it may have it.
#[must_use]
pub fn next(agent: &Agent) -> Option<Autonomy> {
    let next = match agent.charter.autonomy {
        Autonomy::Probation => Autonomy::Supervised,
        Autonomy::Supervised => Autonomy::Bounded,
        Autonomy::Bounded => return None,
    };
    (next <= agent.declared()).then_some(next)
}

/// The agent, trusted a grade further. Whether it has earned that is another question ([`judge`]).
#[must_use]
pub fn promoted(agent: &Agent, now: Timestamp) -> Option<Agent> {
    let next = next(agent)?;
    let declared = agent.declared();
    let mut row = agent.clone();
    row.charter.autonomy = next;
    row.revision = row.revision.saturating_add(1);
    Some(row.living(|life| {
        life.graded = Some(now);
        life.declared = (declared != next).then_some(declared);
    }))
}

/// What is on record about an agent since it has its grade.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Since when it has its grade.
    pub since: Timestamp,
    /// What it was allowed.
    pub allowed: u64,
    /// What was held for a person.
    pub held: u64,
    /// What policy refused.
    pub denied: u64,
    /// Answers of people to what it asked for.
    pub answered: u64,
    /// Of these, a no, or a yes to something else.
    pub refused: u64,
    /// When drift was last found about it.
    pub drifted: Option<Timestamp>,
    /// When something grave was last found about it.
    pub grave: Option<Timestamp>,
    /// When a drill of it last passed.
    pub drilled: Option<Timestamp>,
    /// An order contains it now, or its own level does.
    pub contained: bool,
}

/// One gate, and whether it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Which: `time`, `actions`, `denied`, `refused`, `quiet`, `drill`, `contained`.
    pub gate: &'static str,
    /// Whether it is met.
    pub met: bool,
    /// What is asked.
    pub asked: String,
    /// What was found.
    pub found: String,
}

/// Every gate before a grade, judged.
#[must_use]
pub fn judge(gates: &Gates, evidence: &Evidence, now: Timestamp) -> Vec<Judged> {
    let time = now.since(evidence.since);
    let tried = evidence.allowed.saturating_add(evidence.held).saturating_add(evidence.denied);
    let quiet = |last: Option<Timestamp>| last.is_none_or(|last| now.since(last) >= gates.quiet);
    let ago = |last: Option<Timestamp>| match last {
        Some(last) => format!("the last {} ago", days(now.since(last))),
        None => "none".to_owned(),
    };
    let mut judged = vec![
        Judged {
            gate: "time",
            met: time >= gates.time,
            asked: format!("{} in its grade", days(gates.time)),
            found: days(time),
        },
        Judged {
            gate: "actions",
            met: evidence.allowed >= u64::from(gates.actions),
            asked: format!("{} actions that were allowed", gates.actions),
            found: evidence.allowed.to_string(),
        },
        share(
            "denied",
            "of what it tried refused by policy",
            gates.denied_percent_max,
            (evidence.denied, tried),
        ),
        share(
            "refused",
            "of what people were asked refused or edited",
            gates.refused_percent_max,
            (evidence.refused, evidence.answered),
        ),
        Judged {
            gate: "drift",
            met: quiet(evidence.drifted),
            asked: format!("no drift for {}", days(gates.quiet)),
            found: ago(evidence.drifted),
        },
        Judged {
            gate: "incidents",
            met: quiet(evidence.grave),
            asked: format!("nothing grave found for {}", days(gates.quiet)),
            found: ago(evidence.grave),
        },
        Judged {
            gate: "contained",
            met: !evidence.contained,
            asked: "not contained".to_owned(),
            found: if evidence.contained { "contained" } else { "not contained" }.to_owned(),
        },
    ];
    if let Some(within) = gates.drilled {
        judged.push(Judged {
            gate: "drill",
            met: evidence.drilled.is_some_and(|last| now.since(last) <= within),
            asked: format!("a drill passed within {}", days(within)),
            found: ago(evidence.drilled),
        });
    }
    judged
}

fn share(gate: &'static str, what: &str, most: u8, (part, whole): (u64, u64)) -> Judged {
    // Of nothing, nothing was refused; whether it did enough is another gate.
    let met = part.saturating_mul(100) <= whole.saturating_mul(u64::from(most));
    let percent = part.saturating_mul(100).checked_div(whole).unwrap_or_default();
    Judged {
        gate,
        met,
        asked: format!("at most {most} % {what}"),
        found: format!("{part} of {whole}, {percent} %"),
    }
}

/// Whether a finding that was opened takes an agent's trust away: it is grave, and it is about what the agent did rather than
/// about the plane's own work on it.
#[must_use]
pub fn is_incident(finding: &Finding) -> bool {
    finding.severity >= Severity::High
        && finding.about.agent.is_some()
        && !NOT_ITS_DOING.iter().any(|prefix| finding.kind.starts_with(prefix))
}

/// Whether a finding says that an agent does what it did not use to.
#[must_use]
pub fn is_drift(finding: &Finding) -> bool {
    finding.kind.starts_with("drift") && finding.about.agent.is_some()
}

fn days(span: DurationMs) -> String {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    match span.0 {
        whole if whole >= DAY => format!("{} days", whole / DAY),
        part => format!("{} hours", part / (DAY / 24)),
    }
}

/// Kinds of finding, by their beginnings, that speak of how the plane or people keep an agent, not of what it did.
const NOT_ITS_DOING: [&str; 4] = ["agent-", "delivery-", "drill-", "review-"];

#[cfg(test)]
mod tests;
