//! What the second person signs who starts an order at `off` again ([`crate::sign`]).

use super::in_force;
use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Seen},
    reason::reason,
    sign::{self, By},
};
use provost_api::{
    containment::ContainmentAnswer,
    passkey::{Signed, StatementView},
};
use provost_domain::{
    Containment, Directory, Restraint, Signature,
    containment::{ContainmentStatus, Who},
};
use provost_lifecycle::containment::{self as life, Event, Move};

/// What a person is asked to sign, for the lifting they are about to agree to.
///
/// # Errors
/// As lifting it; when nobody has asked that it be lifted, so that there is nothing to agree to; or when the person has no
/// passkey that is good.
pub async fn statement(op: &Op, id: &str, answer: ContainmentAnswer) -> Result<StatementView, ControlError> {
    op.authorize(Action::ContainmentLift)?;
    let why = reason(&answer.reason)?.to_owned();
    let by = super::who(op, answer.person)?;
    let asking = sign::Asking::begin(op).await?;
    let directory = op.plane.replica.latest().directory.clone();
    let row = in_force(op, id, &directory)?;
    super::check_person(by.person.as_ref(), &directory)?;
    let now = op.plane.now();
    let event = life::decide(&row, &Move::Lift, &by, now)?;
    if !is_second(&event) {
        return Err(ControlError::conflict(format!("nobody has asked that {id} be lifted"))
            .because("what is signed is the second person's word")
            .cure("ask for it first; somebody else signs"));
    }
    let lifted = life::signed(life::apply(&row, &event, &by, &why, now), Some(asking.blank()));
    asking.view(op, &directory, lifted.lift_statement().map_err(sign::broken)?)
}

/// Who answers, with what their passkey made of it.
pub(super) async fn with(
    op: &Op,
    by: Who,
    signed: Option<Signed>,
) -> Result<(Who, Option<Box<Signature>>), ControlError> {
    let Some((signed, person)) = signed.zip(by.person.clone()) else { return Ok((by, None)) };
    let (signature, shown_by) = sign::taken(op, &person, signed).await?;
    Ok((Who { shown_by, ..by }, Some(signature)))
}

/// Whether it is the second person's word, which may have to be signed.
pub(super) fn is_second(event: &Event) -> bool {
    matches!(event, Event::Lifted { asked: Some(_) })
}

/// Refuses the second person's word alone where it has to be signed, and everywhere what is nobody's own word.
pub(super) fn check(
    op: &Op,
    row: &Containment,
    (event, by): (&Event, &Who),
    signature: Option<&Signature>,
    directory: &Directory,
) -> Result<(), ControlError> {
    if !is_second(event) || signature.is_some() {
        return Ok(());
    }
    if !life::wants_signature(row, directory) {
        let by_token = op.subject == Operator::LocalAdministrator;
        return life::own_word(by_token, false).map_err(|error| {
            let page = format!("{}/console/containments/{}", crate::passkey::origin(&op.plane), row.id);
            ControlError::from(error).cure(format!("the person signs in and agrees at {page}"))
        });
    }
    let what = format!(
        "to lift {} takes {by}'s passkey: a fresh signature over exactly what was stopped, and by whom",
        row.id
    );
    Err(sign::missing(op, what, &format!("/console/containments/{}", row.id)))
}

/// The change, if what was signed is this lifting.
pub(super) fn concluded(
    op: &Op,
    seen: &Seen<'_>,
    by: By<'_>,
    change: Change<Containment>,
) -> Result<Change<Result<Containment, ControlError>>, ControlError> {
    let statement = change.answer.lift_statement().map_err(sign::broken)?;
    sign::concluded(op, seen, (statement, by), change)
}

/// The digest of what a second person would sign now; nothing, if nobody has to sign anything.
pub(super) fn digest(row: &Containment, directory: &Directory) -> Option<String> {
    let ContainmentStatus::LiftAsked { by, .. } = &row.status else { return None };
    if row.level != Restraint::Off || !life::wants_signature(row, directory) {
        return None;
    }
    row.lift_matter(by).ok().map(|matter| matter.digest.to_string())
}
