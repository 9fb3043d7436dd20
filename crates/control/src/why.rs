//! Making a recorded decision again, and telling its story.

use crate::{ControlError, Op, decision::view_of};
use provost_api::{
    Moment,
    decision::{DecisionView, WhyView},
};
use provost_domain::{Decision, Directory, Kind, ObjectKey, Outcome, Verdict};
use provost_store::StoredDecision;

/// The decision again, on the rows as they stood at its view.
pub(crate) async fn again(op: &Op, stored: &StoredDecision) -> Result<WhyView, ControlError> {
    let decision = &stored.decision;
    let directory = directory_at(op, decision).await?;
    let replay = provost_policy::replay(&directory, decision);
    let view = view_of(op, stored).await?;
    Ok(WhyView {
        id: decision.id,
        same: replay.same,
        differences: replay.differences.clone(),
        words: story(stored, &view, replay.same),
        recorded: decision.verdict.clone(),
        replayed: replay.evaluation.map(|evaluation| evaluation.verdict),
        decision: view,
    })
}

/// The organisation as the decision saw it: everything shared, its agent and its task.
async fn directory_at(op: &Op, decision: &Decision) -> Result<Directory, ControlError> {
    let store = &op.plane.store;
    let mut keys = Vec::new();
    if decision.subject.kind == "agent" {
        keys.push(ObjectKey::new(Kind::Agent, decision.subject.id.clone()));
    }
    keys.extend(decision.subject.task.map(ObjectKey::task));
    // Everybody who handed the work on spoke too.
    let chain = decision.input.get("chain").and_then(serde_json::Value::as_array);
    for link in chain.into_iter().flatten() {
        let text = |member: &str| link.get(member).and_then(serde_json::Value::as_str).map(str::to_owned);
        keys.extend(text("agent").map(|agent| ObjectKey::new(Kind::Agent, agent)));
        keys.extend(text("task").map(|task| ObjectKey::new(Kind::Task, task)));
    }
    let mut directory = Directory::default();
    for object in store.load_shared_at(decision.view).await? {
        directory.put(object);
    }
    for object in store.load_at(decision.view, &keys).await? {
        directory.put(object);
    }
    directory.seq = decision.view;
    Ok(directory)
}

fn story(stored: &StoredDecision, view: &DecisionView, same: bool) -> Vec<String> {
    let decision = &stored.decision;
    let check = view.check.iter();
    let check = check.map(|id| format!("{id} was a check of the plane: no agent made this call"));
    let mut words: Vec<String> = check.chain([who(decision), knowledge(decision)]).collect();
    words.extend(verdict(decision));
    words.extend(decision.errors.iter().map(|error| format!("a policy failed to evaluate: {error}")));
    words.push(what_came(stored));
    words.push(match stored.leaf {
        Some(leaf) => format!("it is leaf {leaf} of the ledger"),
        None => "it waits for the ledger".to_owned(),
    });
    words.push(if same {
        "made again now, on what was known then, it is the same bit by bit".to_owned()
    } else {
        "made again now, on what was known then, it is another one: see the differences".to_owned()
    });
    words
}

fn who(decision: &Decision) -> String {
    let subject = &decision.subject;
    let mut text = format!("on {}, {} {}", Moment(decision.at), subject.kind, subject.id);
    if let Some(owner) = &subject.owner {
        text.push_str(&format!(", owned by {owner},"));
    }
    if let Some(task) = subject.task {
        text.push_str(&format!(" in task {task}"));
    }
    if let Some(requester) = &subject.requester {
        text.push_str(&format!(" for {requester}"));
    }
    let chain = decision.input.get("chain").and_then(serde_json::Value::as_array);
    for link in chain.into_iter().flatten() {
        let agent = link.get("agent").and_then(serde_json::Value::as_str).unwrap_or_default();
        text.push_str(&format!(", on behalf of {agent}"));
    }
    text.push_str(&format!(" wanted {} through {}", decision.tool, decision.face));
    text
}

fn knowledge(decision: &Decision) -> String {
    let revision = decision.subject.revision.map(|revision| format!(", charter revision {revision}"));
    format!(
        "it was decided on node {} at position {}{}",
        decision.node,
        decision.view,
        revision.unwrap_or_default()
    )
}

fn verdict(decision: &Decision) -> Vec<String> {
    let (head, tail): (String, &[String]) = match &decision.verdict {
        Verdict::Allow { .. } => ("it was allowed, by".to_owned(), &[]),
        Verdict::Hold { approvers, .. } => {
            (format!("it was held until {} agrees, by", approvers.join(" and ")), &[])
        }
        Verdict::Deny { possible_if, .. } => ("it was denied, by".to_owned(), possible_if),
    };
    let reasons = decision.verdict.reasons().iter();
    let mut words: Vec<String> =
        reasons.map(|reason| format!("{head} {}: {}", reason.policy, reason.reason)).collect();
    if words.is_empty() {
        words.push(format!("{head} no policy at all"));
    }
    words.extend(tail.iter().map(|way| format!("it would be possible if {way}")));
    words
}

fn what_came(stored: &StoredDecision) -> String {
    match stored.completion.as_ref().map(|completion| (&completion.outcome, completion.took_ms)) {
        Some((Outcome::Success, took_ms)) => format!("the system did it, in {took_ms} ms"),
        Some((Outcome::Failure { error }, took_ms)) => {
            format!("the system refused it after {took_ms} ms: {error}")
        }
        Some((Outcome::Unsent { error }, _)) => format!("it was never sent: {error}"),
        Some((Outcome::Unknown { error }, _)) => format!("it was sent, and may have happened: {error}"),
        None if !stored.decision.verdict.is_allow() => "nothing was sent".to_owned(),
        None if stored.decision.face == "authzen" => "the answer went to who asked".to_owned(),
        None => "no outcome is known yet".to_owned(),
    }
}
