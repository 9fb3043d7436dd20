//! Approvals on the way of a call: what opens the gates that hold it, who is asked when nothing does, and what becomes of a
//! grant that was used.
//!
//! Nothing here lets a call through: with what opens its gates the call is decided again, and that a grant is used once is a
//! charge in the transaction that records the decision.

use crate::{
    decide::{self, Attempt, Moment},
    pipeline::Pipeline,
    refusal::Refusal,
};
use provost_domain::{
    Approval, Decision, DecisionId, Digest, DurationMs, Envelope, Object, Reason, Timestamp, Verdict,
    approval::{ApprovalStatus, Bound, USE_WINDOW},
};
use provost_lifecycle::approval::{self as life, Ask};
use provost_policy::{Evaluation, Pdp};
use provost_store::{
    Attribution, ChangeSet, Charge, CommitError, NewestApproval, Store, WindowKey, Write, approval,
    approval_used_by, newest_approval,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    now: Timestamp,
) -> Option<(Evaluation, Grant)> {
    let (Verdict::Hold { .. }, Some(tool)) = (&held.verdict, &attempt.tool) else { return None };
    if attempt.uses == Uses::None {
        return None;
    }
    let bound = Bound { revision: attempt.caller.agent.revision, pin: tool.pin, policies: held.policies };
    by_approval(attempt, moment, &bound, now).or_else(|| by_envelope(attempt, moment, &bound, now))
}

fn by_approval(
    attempt: &Attempt,
    moment: &Moment,
    bound: &Bound,
    now: Timestamp,
) -> Option<(Evaluation, Grant)> {
    let action = decide::action(attempt).digest().ok()?;
    let approval = attempt.view.directory.approval_of(&action)?;
    let named = match &attempt.uses {
        Uses::Any => true,
        Uses::Only(id) => *id == approval.id,
        Uses::None => false,
    };
    if !named || moment.spent.contains(&approval.id) || !life::is_usable(approval, &action, bound, now) {
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
    now: Timestamp,
) -> Option<(Evaluation, Grant)> {
    let Attempt { caller, system, name, uses, .. } = attempt;
    if *uses != Uses::Any {
        return None;
    }
    attempt.view.directory.envelopes_of(&caller.agent.name).find_map(|envelope| {
        let fits = !moment.spent.contains(&envelope.id)
            && life::covers(envelope, caller.task.id, (&system.name, name), bound, now);
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
    /// Asks for a held call: the approval is on record when this returns, and it is the same one however often and through
    /// whichever node the same call is made, until it was answered, used or missed.
    pub(crate) async fn ask(&self, attempt: &Attempt, decision: Arc<Decision>) -> Refusal {
        match self.asked(attempt, &decision).await {
            Ok((approval, edited)) => {
                let url = self.approval_url(&approval.id);
                Refusal::Held(Box::new(Held { decision, approval, edited, url }))
            }
            Err(refusal) => refusal,
        }
    }

    /// Where a person answers an approval.
    pub(crate) fn approval_url(&self, id: &str) -> String {
        let resource = self.identifier.resource();
        format!("{}/approvals/{id}", resource.strip_suffix("/mcp").unwrap_or(resource))
    }

    async fn asked(
        &self,
        attempt: &Attempt,
        decision: &Decision,
    ) -> Result<(Approval, Option<Approval>), Refusal> {
        for _round in 0..ROUNDS_MAX {
            let now = self.now();
            let newest = newest_approval(self.store.as_ref(), &decision.action).await?;
            let (nth, mut writes) = match newest {
                None => (0, Vec::new()),
                Some(NewestApproval { nth, version, row }) => {
                    match self.stands(attempt, decision, &row, now).await? {
                        Stands::Still => {
                            let edited = self.edited_of(&row).await?;
                            return Ok((row, edited));
                        }
                        Stands::Over(None) => (nth.saturating_add(1), Vec::new()),
                        Stands::Over(Some(over)) => {
                            let object = Object::Approval(over);
                            (nth.saturating_add(1), vec![Write::Put { object, expected: version }])
                        }
                    }
                }
            };
            let fresh = self.fresh(attempt, decision, nth, now)?;
            let object = Object::Approval(Box::new(fresh.clone()));
            writes.push(Write::Put { object, expected: 0 });
            let why = format!("{} wants to call {} in {}", fresh.agent, decision.tool, fresh.task);
            match self.commit(writes, why, now).await {
                Ok(()) => {
                    // So that this node shows and counts it at once; the row stands in any case.
                    if let Err(error) = self.replica.catch_up().await {
                        tracing::debug!(%error, "an approval is not in the view yet");
                    }
                    return Ok((fresh, None));
                }
                Err(CommitError::Conflict { .. }) => {} // somebody else asked: theirs is read
                Err(CommitError::Store(error)) => return Err(Refusal::Store(error)),
                Err(other) => return Err(Refusal::internal(other.to_string())),
            }
        }
        Err(Refusal::internal("an approval was asked for by too many at once"))
    }

    /// Whether the newest approval of an action is the one to wait for, or over; and if so how it is to be written.
    async fn stands(
        &self,
        attempt: &Attempt,
        decision: &Decision,
        row: &Approval,
        now: Timestamp,
    ) -> Result<Stands, Refusal> {
        if let ApprovalStatus::Refused { at } = row.status {
            // A no is a no for a while: nobody is asked the same again at once.
            let recent = now.since(at) < REFUSAL_STANDS_FOR;
            return Ok(if recent { Stands::Still } else { Stands::Over(None) });
        }
        if row.is_over() {
            return Ok(Stands::Over(None));
        }
        if matches!(row.status, ApprovalStatus::Granted { .. }) && self.is_spent(row, now).await? {
            let by = approval_used_by(self.store.as_ref(), row).await?;
            return Ok(Stands::Over(life::used(row, by, now).map(Box::new)));
        }
        if let Some(late) = life::expire(row, now) {
            return Ok(Stands::Over(Some(Box::new(late))));
        }
        let Verdict::Hold { approvers, .. } = &decision.verdict else { return Ok(Stands::Still) };
        let gates: BTreeSet<String> = approvers.iter().cloned().collect();
        let same = row.bound == bound(attempt, decision) && gates.is_subset(&row.gates);
        if same || matches!(row.status, ApprovalStatus::Edited { .. }) {
            return Ok(Stands::Still);
        }
        let why = "the charter, the policies or the tool have changed since it was asked";
        Ok(Stands::Over(life::withdraw(row, why, now).map(Box::new)))
    }

    async fn is_spent(&self, row: &Approval, now: Timestamp) -> Result<bool, Refusal> {
        let key = WindowKey { key: row.charge_key(), window: USE_WINDOW, max: 1 };
        let balances = self.store.balances(&[key], now).await?;
        Ok(balances.iter().any(|balance| balance.used > 0))
    }

    async fn edited_of(&self, row: &Approval) -> Result<Option<Approval>, Refusal> {
        let ApprovalStatus::Edited { to, .. } = &row.status else { return Ok(None) };
        Ok(approval(self.store.as_ref(), to).await?.map(|(_version, row)| row))
    }

    fn fresh(
        &self,
        attempt: &Attempt,
        decision: &Decision,
        nth: u32,
        now: Timestamp,
    ) -> Result<Approval, Refusal> {
        let caller = &attempt.caller;
        self.check_room(attempt)?;
        let (gates, reasons): (&[String], &[Reason]) = match &decision.verdict {
            Verdict::Hold { approvers, reasons } => (approvers, reasons),
            Verdict::Allow { .. } | Verdict::Deny { .. } => (&[], &[]),
        };
        let ask = Ask {
            action: decide::action(attempt),
            purpose: caller.task.purpose.to_string(),
            askers: life::askers(&attempt.view.directory, caller.task.id),
            gates: gates.iter().cloned().collect(),
            reasons: reasons.to_vec(),
            bound: bound(attempt, decision),
            decision: decision.id,
            task_expires: caller.task.expires,
        };
        let rules = life::rules(&attempt.view.directory);
        life::ask(ask, nth, rules, now).map_err(|error| Refusal::internal(error.to_string()))
    }

    /// Refuses when too much of this task or agent waits already: an agent must not be able to bury its approvers.
    fn check_room(&self, attempt: &Attempt) -> Result<(), Refusal> {
        let caller = &attempt.caller;
        let waiting = attempt.view.directory.approvals.values();
        let waiting = waiting.filter(|row| row.agent == caller.agent.name);
        let waiting = waiting.filter(|row| row.status == ApprovalStatus::Waiting);
        let (mut of_agent, mut of_task) = (0_usize, 0_usize);
        for row in waiting {
            of_agent = of_agent.saturating_add(1);
            of_task = of_task.saturating_add(usize::from(row.task == caller.task.id));
        }
        let bounds = [
            ("approvals_per_task_max", of_task, self.limits.approvals_per_task_max),
            ("approvals_per_agent_max", of_agent, self.limits.approvals_per_agent_max),
        ];
        match bounds.into_iter().find(|(_limit, waiting, max)| waiting >= max) {
            Some((limit, _waiting, max)) => Err(Refusal::Limit {
                limit,
                value: max.try_into().unwrap_or(u64::MAX),
                cure: "wait until people have answered what waits already",
            }),
            None => Ok(()),
        }
    }

    /// Moves an approval whose use is on record to where it belongs. Nobody waits for it: until then the charge says it.
    pub(crate) fn mark_used(&self, id: String, decision: DecisionId) {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        tokio::spawn(async move {
            if let Err(error) = mark_used(store.as_ref(), &id, decision, clock.now()).await {
                tracing::warn!(%error, approval = id, "a used approval could not be marked; housekeeping will");
            }
        });
    }

    async fn commit(&self, writes: Vec<Write>, why: String, at: Timestamp) -> Result<(), CommitError> {
        let by = Attribution { actor: PLANE.to_owned(), why };
        self.store.commit(ChangeSet { by, at, writes }).await.map(drop)
    }
}

enum Stands {
    /// It is the one to wait for.
    Still,
    /// It is over: already on record, or to be written like this first.
    Over(Option<Box<Approval>>),
}

fn bound(attempt: &Attempt, decision: &Decision) -> Bound {
    let pin = attempt.tool.as_ref().map_or_else(|| Digest::of(b""), |tool| tool.pin);
    Bound { revision: attempt.caller.agent.revision, pin, policies: decision.policies }
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

impl Held {
    /// Where it stands, in words for the agent and whoever reads over its shoulder.
    #[must_use]
    pub fn note(&self) -> String {
        let Self { approval, edited, url, .. } = self;
        match (&approval.status, edited) {
            (ApprovalStatus::Edited { by, .. }, Some(edited)) => edited_note(approval, edited, by.as_str()),
            (ApprovalStatus::Granted { .. }, _) => "It is approved: make the same call again now.".to_owned(),
            (ApprovalStatus::Refused { .. }, _) => {
                let no = approval.votes.iter().rfind(|vote| !vote.yes);
                let by = no.map_or("an approver", |vote| vote.person.as_str());
                let why = no.and_then(|vote| vote.reason.as_deref()).unwrap_or("no reason was given");
                format!(
                    "{by} said no: {why}. Do not repeat this call; do something else, or ask your requester."
                )
            }
            _ => format!("It waits for an answer at {url} until {}.", when(approval.expires)),
        }
    }
}

fn edited_note(approval: &Approval, edited: &Approval, by: &str) -> String {
    let names: BTreeSet<&String> = approval.args.keys().chain(edited.args.keys()).collect();
    let mut changes = BTreeMap::new();
    for name in names {
        let (was, is) = (approval.args.get(name), edited.args.get(name));
        if was != is {
            let word =
                |value: Option<&serde_json::Value>| value.map_or("nothing".to_owned(), ToString::to_string);
            changes.insert(name, format!("{name}: {} → {}", word(was), word(is)));
        }
    }
    let changes: Vec<String> = changes.into_values().collect();
    let standing = match &edited.status {
        ApprovalStatus::Granted { until, .. } => {
            format!(
                "That call is approved, once, until {}: make it with exactly these arguments",
                when(*until)
            )
        }
        ApprovalStatus::Used { .. } => "That call was made already, with these arguments".to_owned(),
        other => {
            format!("The approval of that call ({}) is {}; its arguments are", edited.id, other.as_str())
        }
    };
    let args = serde_json::Value::Object(edited.args.clone());
    format!(
        "{by} changed the arguments, and this call will not be approved as it is. Changed: {}. {standing}: {args}",
        changes.join(", ")
    )
}

/// RFC 3339 in UTC.
pub(crate) fn when(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).map(|at| at.to_string()).unwrap_or_default()
}

const PLANE: &str = "plane";
const ROUNDS_MAX: usize = 16;
/// How long the same call is not asked for again after a no.
const REFUSAL_STANDS_FOR: DurationMs = DurationMs::from_mins(15);
