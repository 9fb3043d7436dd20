//! What can be done to an agent: moves of its life, what containment leaves it, less trust.

use super::{Act, Field, Sent};
use crate::pages::console::{
    bits,
    look::{Looker, Shown, Stopped},
};
use axum::extract::Path;
use provost_api::{
    agent::{AgentStep, AgentView, Demote, Restrict},
    autonomy::{GateView, Promote, StandingView},
    upkeep::{Accept, Attest},
};
use provost_control::{Action, ControlError, Operator, access::allows_on, agent, autonomy, upkeep};
use provost_domain::{AgentStatus, Autonomy, Level, Name};

/// Something that can be done to one agent now, and is offered to somebody.
pub(in crate::pages::console) struct Offer {
    pub(in crate::pages::console) href: String,
    pub(in crate::pages::console) label: &'static str,
    pub(in crate::pages::console) danger: bool,
}

/// What this person can do to this agent as it stands, what stops it last.
pub(in crate::pages::console) fn offers(looker: &Looker, agent: &AgentView) -> Vec<Offer> {
    let name = &agent.summary.name;
    let on = |action| allows_on(&looker.op, action, name);
    let table = looker.can(Action::AgentMove);
    let mut words: Vec<&str> = agent.moves.iter().map(String::as_str).collect();
    // Who only answers for it stops it; the rest is for who operates.
    words.retain(|word| if *word == "suspend" { on(Action::AgentMove) } else { table });
    let alive = agent.summary.status != AgentStatus::Decommissioned;
    if alive && on(Action::AgentRestrict) {
        words.push("restrict");
    }
    if alive && agent.charter.autonomy > Autonomy::Probation && on(Action::AgentDemote) {
        words.push("demote");
    }
    if alive && on(Action::AgentAttest) {
        words.push("attest");
    }
    if matches!(&looker.op.subject, Operator::Person(person, _) if Some(person) == agent.upkeep.heir.as_ref())
    {
        words.push("accept");
    }
    if agent.promotable && on(Action::AgentPromote) {
        words.push("promote");
    }
    let offer = |(word, label, danger): &(&'static str, &'static str, bool)| Offer {
        href: format!("/console/agents/{name}/{word}"),
        label,
        danger: *danger && *word != "restrict",
    };
    WORDS.iter().filter(|(word, ..)| words.contains(word)).map(offer).collect()
}

/// Asks before something is done to an agent.
pub(in crate::pages::console) async fn ask(
    looker: Looker,
    Path((name, word)): Path<(String, String)>,
) -> Shown {
    Ok(act(&looker, &name, &word).await?.0.ask(&looker))
}

/// Does it.
pub(in crate::pages::console) async fn make(Path((name, word)): Path<(String, String)>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let (act, agent) = act(looker, &name, &word).await?;
    let (name, reason) = (&agent.summary.name, sent.text("reason").to_owned());
    match word.as_str() {
        "restrict" => {
            let outcome = match read::<Level>(sent.text("level")) {
                Some(level) => {
                    agent::restrict(&looker.op, name, &Restrict { level, reason, person: None }).await
                }
                None => Err(ControlError::caller("choose what it is left")),
            };
            act.over(looker, &sent, outcome, "restricted")
        }
        "demote" => {
            let outcome = match read::<Autonomy>(sent.text("autonomy")) {
                Some(autonomy) => agent::demote(&looker.op, name, &Demote { autonomy, reason }).await,
                None => Err(ControlError::caller("choose how far it is trusted")),
            };
            act.over(looker, &sent, outcome, "demoted")
        }
        "attest" => {
            let outcome = upkeep::attest(&looker.op, name, Attest { reason, person: None }).await;
            act.over(looker, &sent, outcome, "attested")
        }
        "accept" => {
            let outcome = upkeep::accept(&looker.op, name, Accept { reason, person: None }).await;
            act.over(looker, &sent, outcome, "accepted")
        }
        "promote" => {
            let wanted = Promote { reason, person: None };
            let outcome = autonomy::promote(&looker.op, name, wanted).await;
            act.over_or_waits(looker, &sent, outcome, "promoted")
        }
        word => {
            let outcome = match agent::move_named(word) {
                Ok(wanted) => {
                    let said = AgentStep { reason, ..AgentStep::default() };
                    agent::step(&looker.op, name, wanted, said).await
                }
                Err(error) => Err(error),
            };
            act.over_or_waits(looker, &sent, outcome, "moved")
        }
    }
}

async fn act(looker: &Looker, name: &str, word: &str) -> Result<(Act, AgentView), Stopped> {
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("agent", name)) };
    let wanted = match word {
        "restrict" => Action::AgentRestrict,
        "demote" => Action::AgentDemote,
        "promote" => Action::AgentPromote,
        "attest" => Action::AgentAttest,
        "accept" => Action::AgentAccept,
        _ => Action::AgentMove,
    };
    looker.may_on(wanted, &name)?;
    // Who only answers for it stops it; every other move is for who operates.
    if wanted == Action::AgentMove && word != "suspend" {
        looker.may(wanted)?;
    }
    let Some((_, label, danger)) = WORDS.iter().find(|(known, ..)| *known == word) else {
        return Err(looker.no_such("way to change an agent", word));
    };
    let agent = agent::show(&looker.op, &name).await.map_err(|error| looker.failed(&error))?;
    let label = label.trim_end_matches('…');
    let mut fields = Vec::new();
    let option = match word {
        "restrict" => {
            let all = LEVELS.iter().map(|(level, says)| (level.to_string(), (*says).to_owned()));
            fields.push(Field::choice("level", "What it is left", &agent.summary.level.to_string(), all));
            " --level LEVEL"
        }
        "demote" => {
            let less = TRUST.iter().filter(|(trust, _)| *trust < agent.charter.autonomy);
            let all = less.map(|(trust, says)| (trust.to_string(), (*says).to_owned()));
            fields.push(Field::choice("autonomy", "How far it is trusted from now on", "", all));
            " --to TRUST"
        }
        _ => "",
    };
    let organisation = looker.plane().replica.latest().directory.organisation.clone();
    let earned = organisation.is_some_and(|row| row.autonomy.graduated);
    let mut means = means(word, &agent, earned);
    if word == "promote" {
        let standing = autonomy::standing(&looker.op, &name).await.map_err(|error| looker.failed(&error))?;
        means.extend(gates(&standing));
    }
    let act = Act {
        here: "/console/agents",
        back: (format!("/console/agents/{name}"), name.to_string()),
        to: format!("/console/agents/{name}/{word}"),
        title: format!("{label} {name}?"),
        means,
        hits: if *danger { hits(&agent) } else { Vec::new() },
        fields,
        button: format!("{label} {name}"),
        danger: *danger,
        reason: true,
        command: format!("provost agent {word} {name}{option} --reason …"),
    };
    Ok((act, agent))
}

/// What it means, in words; where trust is earned, no file gives it.
fn means(word: &str, agent: &AgentView, earned: bool) -> Vec<String> {
    let worst = format!(
        "What it holds already outlives this by {} at worst, most of it set by {}.",
        bits::length(agent.bound.worst.0),
        agent.bound.set_by
    );
    let lines: &[&str] = match word {
        "suspend" => &[
            "From the next call on, everything it asks for is refused, in every task.",
            "It keeps its charter, and an operator can resume it.",
        ],
        "resume" => &[
            "It may act again within its charter.",
            "Look at why it was suspended first: its history says so.",
        ],
        "adopt" => {
            &["You bring it under control: it gets no further than proposed until its charter is activated."]
        }
        "activate" => &["Its charter is in force from now on, and it may act within it."],
        "reapprove" => &[
            "What it is made of changed, and you confirm it as it is now.",
            "It may act again within its charter.",
        ],
        "decommission" => &[
            "It is over for ever: nobody brings it back, and its name is never given again.",
            "Its tasks end with it.",
        ],
        "attest" => &["You say that it is still wanted, as its charter has it, and answer for that."],
        "accept" => &[
            "Its owner has left, and you answer for it from now on: it is a new revision of its charter.",
            "What it was left before is restored; until then it only reads.",
        ],
        "promote" => &[
            "It is trusted a grade further, in a new revision of the charter; where others must agree, they are asked.",
            "A grave finding about it, or an order that names it, takes all of that back at once.",
        ],
        "restrict" => &[
            "It holds from the next call on, in every task, and until somebody sets it to normal again.",
            "Approvals given before do not get around it.",
        ],
        _ if earned => &[
            "It becomes a new revision of the charter that says nothing else than before.",
            "Approvals given for the revision before are worth nothing any more.",
            "No file raises it again: it earns that, and is promoted.",
        ],
        _ => &[
            "It becomes a new revision of the charter that says nothing else than before.",
            "Approvals given for the revision before are worth nothing any more.",
            "A file that still says otherwise would raise it again: change that too.",
        ],
    };
    let stops = matches!(word, "suspend" | "decommission" | "restrict");
    lines.iter().map(|line| (*line).to_owned()).chain(stops.then_some(worst)).collect()
}

/// Each gate before the next grade, with what was found.
fn gates(standing: &StandingView) -> Vec<String> {
    let gate = |gate: &GateView| {
        let met = if gate.met { "Met" } else { "Not met" };
        format!("{met}: {}. Found: {}.", gate.asked, gate.found)
    };
    standing.gates.iter().map(gate).collect()
}

/// What is under way, and whom it serves.
fn hits(agent: &AgentView) -> Vec<(String, Option<String>)> {
    let shown = agent.tasks.iter().take(HITS_MAX);
    let mut hits: Vec<_> = shown
        .map(|task| {
            let text = format!("task for {}: {}", task.requester, task.purpose);
            (text, Some(format!("/console/tasks/{}", task.id)))
        })
        .collect();
    let more = agent.tasks.len().saturating_sub(HITS_MAX);
    if more > 0 {
        hits.push((
            format!("and {more} more tasks"),
            Some(format!("/console/tasks?agent={}", agent.summary.name)),
        ));
    }
    if hits.is_empty() {
        hits.push(("no task: nothing of it runs now".to_owned(), None));
    }
    hits
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}

/// Word of the address, word of the button, whether it stops something.
const WORDS: &[(&str, &str, bool)] = &[
    ("adopt", "Adopt…", false),
    ("activate", "Activate…", false),
    ("reapprove", "Reapprove…", false),
    ("resume", "Resume…", false),
    ("restrict", "Restrict…", true),
    ("demote", "Demote…", false),
    ("promote", "Promote…", false),
    ("attest", "Confirm…", false),
    ("accept", "Answer for it…", false),
    ("suspend", "Suspend…", true),
    ("decommission", "Decommission…", true),
];
const LEVELS: &[(Level, &str)] = &[
    (Level::Normal, "normal: all of its charter"),
    (Level::ApprovalsOnly, "approvals only: everything waits for a person"),
    (Level::ReadOnly, "read only: nothing but what only reads"),
    (Level::Off, "off: nothing"),
];
const TRUST: &[(Autonomy, &str)] = &[
    (Autonomy::Supervised, "supervised: high-impact actions wait for a person"),
    (Autonomy::Probation, "probation: a person completes every change"),
];
const HITS_MAX: usize = 10;
