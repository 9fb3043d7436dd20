//! What an agent is made of, held against what was approved, before a task of it starts. Another bill stops the agent in the
//! request that brings it: no action was decided for it yet.

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
    finding,
    plane::Plane,
};
use provost_api::agent::PartView;
use provost_domain::{
    Agent, Bill, Directory, Name, Object, ObjectKey, Severity, Sighting,
    bill::{BillError, Presented, Word},
    finding::About,
};
use provost_lifecycle::bill::{self as life, Difference, Held};
use std::collections::{BTreeMap, BTreeSet};

/// What a request says of the agent.
///
/// # Errors
/// When it is no bill.
pub(crate) fn read(
    plane: &Plane,
    parts: Option<&BTreeMap<String, String>>,
    by: Word,
) -> Result<Option<Presented>, ControlError> {
    let bill = parts.map(|parts| Bill::of(parts.iter())).transpose()?;
    Ok(bill.map(|bill| Presented { bill, by, at: plane.now() }))
}

/// Holds what was presented against what was approved, and puts on record what was not known.
///
/// # Errors
/// When it is not what was approved: the agent waits to be approved again then, with a finding that says how it differs. When
/// nothing was presented, and it used to be.
pub(crate) async fn hold(op: &Op, name: &Name, presented: Option<&Presented>) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::TaskStart)?;
    let known = op.plane.replica.latest().directory.agents.get(name).cloned();
    if presented.is_none() && known.is_none_or(|agent| agent.bill().is_empty()) {
        return Ok(());
    }
    let key = ObjectKey::new(provost_domain::Kind::Agent, name.as_str());
    let (_seq, differences) = authorised
        .change(&[key], "what it is made of, as it said when it asked for a task", |seen| {
            let nothing = Change { drafts: Vec::new(), what: String::new(), answer: Vec::new() };
            let Some(agent) = active(seen.directory, name) else { return Ok(nothing) };
            let rules = crate::autonomy::rules(seen.directory);
            let (row, what, answer) = match life::held(&rules, agent, presented, op.plane.now()) {
                Err(missing) => {
                    return Err(ControlError::refused(format!("{name}: {missing}"))
                        .cure("send its bill of materials along, as it was approved"));
                }
                Ok(Held::Same) => return Ok(nothing),
                Ok(Held::First(row)) => (row, format!("the bill of materials of {name}"), Vec::new()),
                Ok(Held::Other(row, differences)) => {
                    (row, format!("{name} is made of something else, and waits"), differences)
                }
            };
            Ok(Change { drafts: vec![Draft::Put(Object::Agent(*row))], what, answer })
        })
        .await?;
    if differences.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = differences.iter().map(Difference::to_string).collect();
    let by = presented.map_or("", |presented| presented.by.as_str());
    let what = format!("{name} is not made of what was approved ({by}): {}", said.join("; "));
    let sighting = Sighting::new("agent-bill", name.to_string(), Severity::High, what)
        .about(About::agent(name))
        .evidence(said.clone());
    finding::try_raise(op, &sighting).await;
    Err(ControlError::refused(format!("{name} is not made of what was approved: {}", said.join("; ")))
        .because("another model, prompt, set of tools or image is another agent")
        .cure(format!("let a person look at it and approve it: provost agent reapprove {name}")))
}

/// How what an agent presented differs, in words that go on after what is said of it.
pub(crate) fn presented(agent: &Agent) -> String {
    let shown = agent.life.as_ref().and_then(|life| life.presented.as_ref());
    let differences = shown.map(|shown| life::differences(agent, &shown.bill)).unwrap_or_default();
    let said: Vec<String> = differences.iter().map(Difference::to_string).collect();
    if said.is_empty() { String::new() } else { format!(" ({})", said.join("; ")) }
}

/// Each part of an agent: what is approved, and what was presented instead.
pub(crate) fn parts(agent: &Agent) -> Vec<PartView> {
    let (known, manifest) = (agent.bill(), &agent.charter.manifest);
    let presented = agent.life.as_ref().and_then(|life| life.presented.as_ref());
    let of_presented = presented.into_iter().flat_map(|shown| shown.bill.parts());
    let names: BTreeSet<&str> =
        manifest.keys().chain(known.parts().chain(of_presented).map(|(part, _)| part)).collect();
    let differing: BTreeSet<String> = presented
        .map(|shown| life::differences(agent, &shown.bill).into_iter().map(|one| one.part).collect())
        .unwrap_or_default();
    let part = |part: &str| PartView {
        part: part.to_owned(),
        approved: known.get(part).or_else(|| manifest.get(part)).map(str::to_owned),
        from: if known.get(part).is_some() { "presented" } else { "charter" }.to_owned(),
        presented: presented.and_then(|shown| shown.bill.get(part)).map(str::to_owned),
        differs: differing.contains(part),
    };
    names.into_iter().map(part).collect()
}

/// Whoever may not act is refused where its task would start, with a better reason.
fn active<'d>(directory: &'d Directory, name: &Name) -> Option<&'d Agent> {
    let agent = directory.agents.get(name).map(AsRef::as_ref);
    agent.filter(|agent| provost_lifecycle::agent::may_act(agent.status))
}

impl From<BillError> for ControlError {
    fn from(error: BillError) -> Self {
        Self::caller(error.to_string())
            .cure("name each part and what it is: {\"model\": \"…\", \"prompt\": \"sha256:…\"}")
    }
}
