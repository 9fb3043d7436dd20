//! Nobody answers: those who may now are told. Time does this and no change, so every node looks; the id of what is owed follows
//! from the approval, so that it is owed once.

use super::{derive, notice, owe};
use crate::{ControlError, access::Authorised};
use provost_domain::{
    Approval, Directory, DurationMs, Name, Timestamp, approval::ApprovalStatus, channel::Event,
};
use provost_lifecycle::approval as life;
use std::collections::BTreeSet;

/// Approvals of which this node knows that they were escalated.
#[derive(Debug, Default)]
pub(super) struct Escalated(BTreeSet<String>);

impl Escalated {
    /// Owes what is to be escalated now; gives how long nothing more is.
    pub(super) async fn look(
        &mut self,
        authorised: &Authorised<'_>,
        directory: &Directory,
    ) -> Result<Option<DurationMs>, ControlError> {
        let Some(after) = life::rules(directory).escalate_after else { return Ok(None) };
        let plane = &authorised.op.plane;
        let now = plane.now();
        self.0.retain(|id| directory.approvals.contains_key(id));
        let waits =
            |row: &&std::sync::Arc<Approval>| row.status == ApprovalStatus::Waiting && now < row.expires;
        let mut next: Option<DurationMs> = None;
        for row in directory.approvals.values().filter(waits) {
            if self.0.contains(&row.id) {
                continue;
            }
            let at = row.asked.plus(after);
            if now < at {
                let wait = at.since(now);
                next = Some(next.map_or(wait, |known| known.min(wait)));
                continue;
            }
            let who = joined(row, directory, (at, now));
            if !who.is_empty() {
                let concerns = derive::concerns(row, who.iter().cloned());
                let say = |details| notice::escalated(&plane.issuer, row, &who, details, now);
                let order = directory.seq.0;
                for delivery in
                    derive::prompts(directory, row, (Event::Escalated, &concerns), order, now, say)
                {
                    owe(authorised, delivery, "nobody has answered").await?;
                }
            }
            self.0.insert(row.id.clone());
        }
        Ok(next)
    }
}

/// Those who may answer now and could not before.
fn joined(row: &Approval, directory: &Directory, (at, now): (Timestamp, Timestamp)) -> Vec<Name> {
    let before = notice::may_answer(row, directory, at.minus(DurationMs(1)));
    notice::may_answer(row, directory, now).into_iter().filter(|name| !before.contains(name)).collect()
}
