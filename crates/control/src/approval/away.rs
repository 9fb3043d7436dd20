//! Who stands in for somebody, and until when. A person says so themselves; for somebody who cannot, it is a change of who may
//! agree, and waits for those who must agree to such.

use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    plan::{Author, Outcome, make_rows},
    reason::reason,
};
use provost_api::approval::AwaySet;
use provost_domain::{Directory, Kind, Name, Object, ObjectKey, Person, Timestamp, person::Away};

/// Says who stands in for a person, and until when; or that nobody does any more. For somebody else it is proposed, where
/// somebody must agree.
///
/// # Errors
/// When the operator may not, or one of the two is nobody who is here.
pub async fn away(op: &Op, name: &Name, wanted: AwaySet) -> Result<Outcome<()>, ControlError> {
    let authorised = op.authorize(Action::PersonAway)?;
    if matches!(&op.subject, Operator::Person(person, _) if person == name) {
        let key = ObjectKey::new(Kind::Person, name.as_str());
        authorised
            .change(&[key], &wanted.reason, |seen| {
                let (person, what) = row(seen.directory, name, &wanted, op.plane.now())?;
                Ok(Change { drafts: vec![Draft::Put(Object::Person(person))], what, answer: () })
            })
            .await?;
        return Ok(Outcome::Done(()));
    }
    if !op.subject.is_administrator() {
        return Err(ControlError::refused(format!("{} says who stands in for themselves only", op.subject)));
    }
    let author = Author::of(op, wanted.person.clone(), wanted.break_glass)?;
    let what = format!("who stands in for {name} changed");
    let made = make_rows(&authorised, &author, (&what, reason(&wanted.reason)?), |directory| {
        let (person, text) = row(directory, name, &wanted, op.plane.now())?;
        Ok(vec![(Draft::Put(Object::Person(person)), text)])
    });
    made.await?.outcome(op, async || Ok(())).await
}

/// The person as they stand afterwards, and that in words.
fn row(
    directory: &Directory,
    name: &Name,
    wanted: &AwaySet,
    now: Timestamp,
) -> Result<(Person, String), ControlError> {
    let here = |name: &Name| directory.people.get(name).filter(|person| person.active);
    let person = here(name).ok_or_else(|| ControlError::unknown("person", name.as_str()))?;
    let away = match (&wanted.to, wanted.lasts) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(ControlError::caller("say for how long, such as 5d"));
        }
        (Some(to), Some(lasts)) => {
            here(to).ok_or_else(|| ControlError::unknown("person", to.as_str()))?;
            if to == name {
                return Err(ControlError::caller("nobody stands in for themselves"));
            }
            Some(Away { until: now.plus(lasts.0), to: to.clone() })
        }
    };
    let text = match &away {
        Some(away) => format!("{} stands in for {name}", away.to),
        None => format!("{name} is back"),
    };
    Ok((Person { away, ..person.as_ref().clone() }, text))
}
