//! Asking: a held call is on record as an approval before anybody hears of it, the same one however often and through
//! whichever node the same call is made.

use super::{Held, PLANE, ROUNDS_MAX};
use crate::{
    decide::{self, Attempt},
    pipeline::Pipeline,
    refusal::Refusal,
};
use provost_domain::{
    Approval, Decision, Digest, DurationMs, Object, Reason, Timestamp, Verdict,
    approval::{ApprovalStatus, Bound, USE_WINDOW},
};
use provost_lifecycle::{
    approval::{self as life, Ask},
    check::{self, Known},
};
use provost_store::{
    Attribution, ChangeSet, CommitError, NewestApproval, WindowKey, Write, approval, approval_used_by,
    newest_approval,
};
use std::{collections::BTreeSet, sync::Arc};

impl Pipeline {
    /// Asks for a held call: the approval is on record when this returns, and it is the same one however often and through
    /// whichever node the same call is made, until it was answered, used or missed.
    pub(crate) async fn ask(&self, attempt: &Attempt, decision: Arc<Decision>) -> Refusal {
        self.ask_saying(attempt, decision, "").await
    }

    /// The same, with what whoever asks says to it: text of theirs, which stands on record and authorises nothing.
    pub(crate) async fn ask_saying(
        &self,
        attempt: &Attempt,
        decision: Arc<Decision>,
        saying: &str,
    ) -> Refusal {
        self.ask_marked(attempt, decision, saying, Digest::from_bytes(rand::random())).await
    }

    /// The same, with this mark on what is asked for anew.
    pub(crate) async fn ask_marked(
        &self,
        attempt: &Attempt,
        decision: Arc<Decision>,
        saying: &str,
        mark: Digest,
    ) -> Refusal {
        match self.asked(attempt, &decision, saying, mark).await {
            Ok((approval, edited)) => {
                let url = self.approval_url(&approval.id);
                Refusal::Held(Box::new(Held { decision, approval, edited, url }))
            }
            Err(refusal) => refusal,
        }
    }

    /// A held call, from the decision that held it and its approval.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn held_as(&self, decision: Arc<Decision>, row: &Approval) -> Result<Held, Refusal> {
        let edited = self.edited_of(row).await?;
        Ok(Held { decision, approval: row.clone(), edited, url: self.approval_url(&row.id) })
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
        saying: &str,
        mark: Digest,
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
                            let object = Object::Approval(Box::new(self.told_if_check(*over)));
                            (nth.saturating_add(1), vec![Write::Put { object, expected: version }])
                        }
                    }
                }
            };
            let fresh = self.fresh(attempt, decision, (nth, mark), now)?;
            let object = Object::Approval(Box::new(fresh.clone()));
            writes.push(Write::Put { object, expected: 0 });
            let mut why = format!("{} wants to call {} in {}", fresh.agent, decision.tool, fresh.task);
            if !saying.is_empty() {
                why.push_str(&format!(": {saying}"));
            }
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
        if matches!(row.status, ApprovalStatus::Granted { .. })
            && let Some(why) = life::fallen(row, &attempt.view.directory)
        {
            return Ok(Stands::Over(life::withdraw(row, &why, now).map(Box::new)));
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

    pub(super) async fn edited_of(&self, row: &Approval) -> Result<Option<Approval>, Refusal> {
        let ApprovalStatus::Edited { to, .. } = &row.status else { return Ok(None) };
        Ok(approval(self.store.as_ref(), to).await?.map(|(_version, row)| row))
    }

    fn fresh(
        &self,
        attempt: &Attempt,
        decision: &Decision,
        (nth, mark): (u32, Digest),
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
            mark,
        };
        let rules = life::rules(&attempt.view.directory);
        life::ask(ask, nth, rules, now).map_err(|error| Refusal::internal(error.to_string()))
    }

    /// An approval that is over, with what it was if it was a check.
    pub(crate) fn told_if_check(&self, over: Approval) -> Approval {
        match self.marks.known(&over) {
            Some((flaw, secret)) if over.check.is_none() => check::missed(over, &Known { flaw, secret }),
            _ => over,
        }
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

/// How long the same call is not asked for again after a no.
const REFUSAL_STANDS_FOR: DurationMs = DurationMs::from_mins(15);
