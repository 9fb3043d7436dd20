//! An order as people see it.

use super::{calls, hits, outward, sign};
use crate::{ControlError, Op, diff};
use provost_api::containment::{
    ContainedSystem, ContainmentSummary, ContainmentView, EndedView, LiftView, SeenCall, ToldView,
};
use provost_domain::{
    Containment, Directory, Name, ObjectKey, Restraint, Stream,
    containment::{ContainmentStatus, Proof, Reached, Seen, SystemEvidence},
};
use provost_lifecycle::containment::ASKED_FOR;

/// An order, whole, as it stands now.
pub(super) async fn view_of(op: &Op, row: &Containment) -> Result<ContainmentView, ControlError> {
    let plane = &op.plane;
    let moment = |at: provost_domain::Timestamp| at.into();
    let (waits, lift) = match &row.status {
        ContainmentStatus::InForce => (None, None),
        ContainmentStatus::LiftAsked { by, at, reason } => {
            (Some(at.plus(ASKED_FOR)), Some((by, at, reason, None)))
        }
        ContainmentStatus::Lifted { by, at, reason, asked, .. } => {
            (None, Some((by, at, reason, asked.as_ref())))
        }
    };
    let lift = lift.map(|(by, at, reason, asked)| LiftView {
        by: by.to_string(),
        at: moment(*at),
        reason: reason.clone(),
        asked: asked.map(ToString::to_string),
        until: waits.map(moment),
        digest: sign::digest(row, &plane.replica.latest().directory),
    });
    let key = ObjectKey::containment(&row.id);
    Ok(ContainmentView {
        summary: summary(row),
        about: row.scope.clone(),
        shown_by: row.by.shown_by.clone(),
        lift,
        ended: EndedView {
            tasks: row.ended.tasks,
            approvals: row.ended.approvals,
            envelopes: row.ended.envelopes,
            done: row.ended.done.map(moment),
        },
        hits: hits::of(plane, &row.scope).await?,
        systems: row.systems.iter().map(|(name, evidence)| system(name, evidence)).collect(),
        told: told(row, &plane.replica.latest().directory),
        unknown: calls::cut(plane, row).await?,
        history: diff::history(plane.store.history(&key, HISTORY_MAX).await?),
    })
}

pub(super) fn summary(row: &Containment) -> ContainmentSummary {
    ContainmentSummary {
        id: row.id.clone(),
        scope: row.scope.words(),
        level: row.level.to_string(),
        reason: row.reason.clone(),
        by: row.by.to_string(),
        at: row.at.into(),
        status: row.status.as_str().to_owned(),
        proof: (row.level == Restraint::Off).then(|| proof(row).as_str().to_owned()),
    }
}

/// The least that may be said of any system; nothing was looked at yet, if there is none.
pub(super) fn proof(row: &Containment) -> Proof {
    let proofs = || row.systems.values().map(|evidence| evidence.proof);
    let ending = row.scope.is_about_agents() && row.ended.done.is_none();
    if ending || proofs().any(|proof| proof == Proof::Unknown) {
        return Proof::Unknown;
    }
    // A receiver that has not acknowledged what it was told may hold what it holds.
    let unheard = row.told.iter().any(|(lane, told)| Stream::of_lane(lane).is_some() && !told.is_whole());
    if unheard || proofs().any(|proof| proof == Proof::Partial) { Proof::Partial } else { Proof::Contained }
}

/// Who is told: as it is now while the order is in force, and as it was written down last afterwards.
fn told(row: &Containment, directory: &Directory) -> Vec<ToldView> {
    let now = if row.is_in_force() { outward::told(row, directory) } else { row.told.clone() };
    now.iter().map(|(lane, told)| reached(outward::who(lane, directory), *told)).collect()
}

fn reached(to: String, of: Reached) -> ToldView {
    ToldView { to, owed: of.owed, done: of.done, given_up: of.given_up }
}

fn system(name: &Name, evidence: &SystemEvidence) -> ContainedSystem {
    let seen = |seen: Seen| SeenCall { decision: seen.decision, at: seen.at.into() };
    ContainedSystem {
        system: name.clone(),
        proof: evidence.proof.as_str().to_owned(),
        stage: evidence.stage.as_str().to_owned(),
        because: evidence.because.clone(),
        at: evidence.at.into(),
        confirmed: evidence.confirmed.map(Into::into),
        last_accepted: evidence.last_accepted.map(seen),
        first_refused: evidence.first_refused.map(seen),
        accounts: (!evidence.accounts.is_empty()).then(|| reached("accounts".to_owned(), evidence.accounts)),
        rounds: evidence.rounds,
    }
}

const HISTORY_MAX: usize = 100;
