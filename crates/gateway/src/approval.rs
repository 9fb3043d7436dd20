//! Approvals on the way of a call: what opens the gates that hold it, who is asked when nothing does, and what becomes of a
//! grant that was used.
//!
//! Nothing here lets a call through: with what opens its gates the call is decided again, and that a grant is used once is a
//! charge in the transaction that records the decision.
//!
//! | file | what it does |
//! |---|---|
//! | `ask` | puts a held call on record as an approval, the same one however often it is tried |
//! | `wait` | hears what becomes of an approval while its call stays open |
//! | `words` | where it stands, in words |

mod ask;
mod wait;
mod words;

pub(crate) use wait::{Heard, Slots, Wait};
pub(crate) use words::{waits_for, when};

use crate::{
    decide::{self, Attempt, Moment},
    pipeline::Pipeline,
};
use provost_connect::Marks;
use provost_domain::{
    Approval, Decision, DecisionId, Digest, Envelope, Object, Timestamp, Verdict,
    approval::{Bound, USE_WINDOW},
};
use provost_lifecycle::approval as life;
use provost_policy::{Evaluation, Pdp};
use provost_store::{Attribution, ChangeSet, Charge, CommitError, Store, WindowKey, Write, approval};
use std::{collections::BTreeSet, sync::Arc};

/// Which approvals an attempt may use up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uses {
    /// Whichever opens its gates: the plane itself acts, once.
    Any,
    /// This one: whoever enforces has named it (ARAP, `context.approval`).
    Only(String),
    /// None: it is only a question.
    None,
}

/// What opened the gates of a call.
pub(crate) struct Grant {
    /// The approval or envelope.
    pub(crate) id: String,
    /// What recording the decision takes from it.
    pub(crate) charges: Vec<Charge>,
    /// Whether it is over when it is used once.
    pub(crate) once: bool,
}

/// A call that waits for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The recorded decision.
    pub decision: Arc<Decision>,
    /// What was asked for, durable before anybody hears of it.
    pub approval: Approval,
    /// What may be called instead, if an approver has changed the arguments.
    pub edited: Option<Approval>,
    /// Where a person answers it.
    pub url: String,
}

/// Decides a held call again with whatever opens its gates; `None` when nothing does.
pub(crate) fn opened(
    attempt: &Attempt,
    moment: &Moment,
    held: &Evaluation,
    marks: &Marks,
    now: Timestamp,
) -> Option<(Evaluation, Grant)> {
    let (Verdict::Hold { .. }, Some(tool)) = (&held.verdict, &attempt.tool) else { return None };
    if attempt.uses == Uses::None {
        return None;
    }
    let bound = Bound { revision: attempt.caller.agent.revision, pin: tool.pin, policies: held.policies };
    // Of a check comes nothing, whatever its row says.
    let real = |id: &str, mark: Option<&Digest>| marks.read(id, mark).is_none();
    by_approval(attempt, moment, &bound, &real, now)
        .or_else(|| by_envelope(attempt, moment, &bound, &real, now))
}

fn by_approval(
    attempt: &Attempt,
    moment: &Moment,
    bound: &Bound,
    real: &dyn Fn(&str, Option<&Digest>) -> bool,
    now: Timestamp,
) -> Option<(Evaluation, Grant)> {
    let action = decide::action(attempt).digest().ok()?;
    let approval = attempt.view.directory.approval_of(&action)?;
    let named = match &attempt.uses {
        Uses::Any => true,
        Uses::Only(id) => *id == approval.id,
        Uses::None => false,
    };
    let usable = named
        && !moment.spent.contains(&approval.id)
        && life::is_usable(approval, &action, bound, now)
        && life::fallen(approval, &attempt.view.directory).is_none()
        && real(&approval.id, approval.mark.as_ref());
    if !usable {
        return None;
    }
    let charge = charge(approval.charge_key(), 1, 1);
    let grant = Grant { id: approval.id.clone(), charges: vec![charge], once: true };
    allowed(attempt, moment, &approval.gates, now).map(|evaluation| (evaluation, grant))
}

fn by_envelope(
    attempt: &Attempt,
    moment: &Moment,
    bound: &Bound,
    real: &dyn Fn(&str, Option<&Digest>) -> bool,
    now: Timestamp,
) -> Option<(Evaluation, Grant)> {
    let Attempt { caller, system, name, uses, .. } = attempt;
    if *uses != Uses::Any {
        return None;
    }
    // While an order says that every call waits for a person, nothing that was agreed to beforehand stands in for one.
    if attempt.view.directory.restriction(&caller.agent, &system.name, name).asks {
        return None;
    }
    attempt.view.directory.envelopes_of(&caller.agent.name).find_map(|envelope| {
        let fits = !moment.spent.contains(&envelope.id)
            && life::covers(envelope, caller.task.id, (&system.name, name), bound, now)
            && life::envelope_fallen(envelope, &attempt.view.directory).is_none()
            && real(&envelope.approval, envelope.mark.as_ref());
        let charges = fits.then(|| draws(attempt, envelope)).flatten()?;
        let inside = decide::within(attempt, moment, &envelope.args, now);
        let evaluation = inside.then(|| allowed(attempt, moment, &envelope.gates, now)).flatten()?;
        Some((evaluation, Grant { id: envelope.id.clone(), charges, once: false }))
    })
}

/// The call, decided with these gates open, if that is an allow.
fn allowed(
    attempt: &Attempt,
    moment: &Moment,
    gates: &BTreeSet<String>,
    now: Timestamp,
) -> Option<Evaluation> {
    let gates: Vec<String> = gates.iter().cloned().collect();
    let evaluation = decide::verdict_with(attempt, moment, &gates, now);
    evaluation.verdict.is_allow().then_some(evaluation)
}

/// What a call takes from an envelope; `None` when that cannot be reckoned.
fn draws(attempt: &Attempt, envelope: &Envelope) -> Option<Vec<Charge>> {
    let mut charges = vec![charge(envelope.count_key(), 1, i64::from(envelope.count_max))];
    if let Some(sum) = &envelope.sum {
        let amount = Pdp::amount(&attempt.args, &sum.arg)?;
        charges.push(charge(envelope.sum_key(), amount, sum.max.units()));
    }
    Some(charges)
}

fn charge(key: String, amount: i64, max: i64) -> Charge {
    Charge { window: WindowKey { key, window: USE_WINDOW, max }, amount }
}

impl Pipeline {
    /// Moves an approval whose use is on record to where it belongs. Nobody waits for it: until then the charge says it.
    pub(crate) fn mark_used(&self, id: String, decision: DecisionId) {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        tokio::spawn(async move {
            if let Err(error) = mark_used(store.as_ref(), &id, decision, clock.now()).await {
                tracing::warn!(%error, approval = id, "a used approval could not be marked; housekeeping will");
            }
        });
    }
}

async fn mark_used(
    store: &dyn Store,
    id: &str,
    decision: DecisionId,
    now: Timestamp,
) -> Result<(), CommitError> {
    for _round in 0..ROUNDS_MAX {
        let Some((version, row)) = approval(store, id).await? else { return Ok(()) };
        let Some(used) = life::used(&row, Some(decision), now) else { return Ok(()) };
        let by = Attribution { actor: PLANE.to_owned(), why: format!("used by {decision}") };
        let writes = vec![Write::Put { object: Object::Approval(Box::new(used)), expected: version }];
        match store.commit(ChangeSet { by, at: now, writes }).await {
            Err(CommitError::Conflict { .. }) => {}
            done => return done.map(drop),
        }
    }
    Ok(())
}

/// Who makes the records that the plane makes by itself.
const PLANE: &str = "plane";
/// Each round somebody else wrote first; more than this many in a row is not chance.
const ROUNDS_MAX: usize = 16;
