//! Who stands in for somebody, and until when.

use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
};
use provost_api::approval::AwaySet;
use provost_domain::{Kind, Name, Object, ObjectKey, person::Away};

/// Says who stands in for a person, and until when; or that nobody does any more.
///
/// # Errors
/// When the operator may not, or one of the two is nobody who is here.
pub async fn away(op: &Op, name: &Name, wanted: AwaySet) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::PersonAway)?;
    if let Operator::Person(person, _) = &op.subject
        && person != name
    {
        return Err(ControlError::refused(format!("{person} says who stands in for themselves only")));
    }
    let key = ObjectKey::new(Kind::Person, name.as_str());
    authorised
        .change(&[key], &wanted.reason, |seen| {
            let here = |name: &Name| seen.directory.people.get(name).filter(|person| person.active);
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
                    Some(Away { until: op.plane.now().plus(lasts.0), to: to.clone() })
                }
            };
            let what = match &away {
                Some(away) => format!("{} stands in for {name}", away.to),
                None => format!("{name} is back"),
            };
            let mut person = person.as_ref().clone();
            person.away = away;
            Ok(Change { drafts: vec![Draft::Put(Object::Person(person))], what, answer: () })
        })
        .await
        .map(drop)
}
