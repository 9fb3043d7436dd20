//! From a change to what it owes: the changes say what happened, the directory says whom that concerns now. The id of a delivery
//! follows from the cause and the lane, so that a change read twice owes nothing twice.

use super::{notice, route};
use crate::plane::Plane;
use provost_domain::{
    Approval, Containment, Delivery, Directory, Finding, Name, Object, ObjectKey, Proposal, Role, Timestamp,
    approval::ApprovalStatus,
    channel::Event,
    containment::ContainmentStatus,
    delivery::{DeliveryState, delivery_id},
    finding::FindingState,
    proposal::Asks,
};
use provost_lifecycle::delivery::AGE_MAX;
use provost_notify::Notice;
use provost_store::ChangeRecord;
use route::{Concerns, Lane};

/// What a change owes.
pub(super) fn owed(plane: &Plane, record: &ChangeRecord, directory: &Directory) -> Vec<Delivery> {
    let now = plane.now();
    match &record.after {
        Some(Object::Approval(row)) => approval(plane, record, row, directory, now),
        Some(Object::Finding(row)) => finding(plane, record, row, directory, now),
        Some(Object::Proposal(row)) => proposal(plane, record, row, directory, now),
        Some(Object::Containment(row)) => containment(plane, record, row, directory, now),
        _ => Vec::new(),
    }
}

fn approval(
    plane: &Plane,
    record: &ChangeRecord,
    row: &Approval,
    directory: &Directory,
    now: Timestamp,
) -> Vec<Delivery> {
    let order = record.seq.0;
    let mut owed = Vec::new();
    if record.version == 1 && row.status == ApprovalStatus::Waiting && now < row.expires {
        // Whom it concerned then: those who may answer later are told by `escalate`.
        let who = notice::may_answer(row, directory, row.asked);
        let concerns = concerns(row, who.iter().cloned());
        owed.extend(prompts(directory, row, (Event::Asked, &concerns), order, now, |details| {
            notice::asked(&plane.issuer, row, &who, details)
        }));
    }
    for vote in row.votes.iter().filter(|vote| vote.break_glass) {
        let concerns = Concerns { people: accountable(row, directory), ..Concerns::default() };
        for (lane, details) in told(directory, Event::BreakGlass, &concerns) {
            let cause = format!("{} {} {}", Event::BreakGlass.as_str(), row.id, vote.person);
            let notice = notice::break_glass(&plane.issuer, row, vote, details);
            owed.extend(delivery(&cause, &lane, order, &notice, Some(ObjectKey::approval(&row.id)), now));
        }
    }
    owed
}

/// A change of the organisation that waits: those who may agree to it are asked, and told how it ended.
fn proposal(
    plane: &Plane,
    record: &ChangeRecord,
    row: &Proposal,
    directory: &Directory,
    now: Timestamp,
) -> Vec<Delivery> {
    if record.version != 1 || row.is_over() || now >= row.expires {
        return Vec::new();
    }
    let missing = provost_lifecycle::proposal::missing(row, directory, row.made);
    let who = missing
        .keys()
        .flat_map(|gate| provost_lifecycle::proposal::approvers(row, directory, gate, row.made));
    let people: std::collections::BTreeSet<Name> = who.collect();
    let asked = row.gates.values().filter_map(|gate| match &gate.asks {
        Asks::Group { group } => Some(group.clone()),
        _ => None,
    });
    let concerns = Concerns { groups: asked.collect(), people: people.clone() };
    let who: Vec<Name> = people.into_iter().collect();
    let notice = notice::proposed(&plane.issuer, row, &who);
    let cause = format!("{} {}", Event::Charter.as_str(), row.id);
    let lanes = route::lanes(directory, Event::Charter, &concerns).into_iter();
    let about = Some(record.key.clone());
    let made = lanes.filter_map(|lane| delivery(&cause, &lane, record.seq.0, &notice, about.clone(), now));
    let until = row.expires;
    made.map(|made| Delivery {
        only_while_waiting: true,
        followed: true,
        until: made.until.min(until),
        ..made
    })
    .collect()
}

/// When it opened, at first and each time it came back; not each time it was seen.
fn finding(
    plane: &Plane,
    record: &ChangeRecord,
    row: &Finding,
    directory: &Directory,
    now: Timestamp,
) -> Vec<Delivery> {
    if row.state != FindingState::Open {
        return Vec::new();
    }
    let concerns = Concerns { people: row.owner.iter().cloned().collect(), ..Concerns::default() };
    let cause = format!("{} {} {}", Event::Finding.as_str(), row.id, row.opened.as_millis());
    let about = ObjectKey::finding(&row.id);
    let notice = notice::finding(&plane.issuer, row);
    let bad_enough = |lane: &Lane| {
        directory.channels.get(&lane.channel).is_some_and(|channel| row.severity >= channel.severity)
    };
    let lanes = route::lanes(directory, Event::Finding, &concerns).into_iter().filter(bad_enough);
    let order = record.seq.0;
    lanes.filter_map(|lane| delivery(&cause, &lane, order, &notice, Some(about.clone()), now)).collect()
}

/// When an order is given, when somebody asks that it be lifted, and when it is; a drill is nobody's business.
fn containment(
    plane: &Plane,
    record: &ChangeRecord,
    row: &Containment,
    directory: &Directory,
    now: Timestamp,
) -> Vec<Delivery> {
    let stands = row.status.as_str();
    let given = record.version == 1;
    if row.drill || !(given || row.status != ContainmentStatus::InForce) {
        return Vec::new();
    }
    let organisation = directory.organisation.as_deref();
    let agents = directory.agents.values().filter(|agent| row.scope.has_agent(agent, organisation));
    let owners = agents.map(|agent| agent.charter.owner.clone());
    let people = owners.chain(row.by.person.clone()).chain(row.scope.owner.clone()).collect();
    let concerns = Concerns { people, groups: row.scope.group.iter().cloned().collect() };
    let notice = notice::contained(&plane.issuer, row);
    // It is written down again while it stands so: what is told is told once.
    let since = row.since().as_millis();
    let cause = format!("{} {} {stands} {since}", Event::Containment.as_str(), row.id);
    let about = ObjectKey::containment(&row.id);
    let lanes = route::lanes(directory, Event::Containment, &concerns).into_iter();
    let told =
        lanes.filter_map(|lane| delivery(&cause, &lane, record.seq.0, &notice, Some(about.clone()), now));
    told.map(|told| Delivery { followed: given, ..told }).collect()
}

/// What asks somebody, and is followed by how it ended.
pub(super) fn prompts(
    directory: &Directory,
    row: &Approval,
    (event, concerns): (Event, &Concerns),
    order: u64,
    now: Timestamp,
    say: impl Fn(bool) -> Notice,
) -> Vec<Delivery> {
    let cause = format!("{} {}", event.as_str(), row.id);
    let about = Some(ObjectKey::approval(&row.id));
    let lanes = told(directory, event, concerns).into_iter();
    let made =
        lanes.filter_map(|(lane, details)| delivery(&cause, &lane, order, &say(details), about.clone(), now));
    let until = row.expires;
    made.map(|made| Delivery {
        only_while_waiting: true,
        followed: true,
        until: made.until.min(until),
        ..made
    })
    .collect()
}

/// Every lane on which it is told, and whether with arguments.
fn told(directory: &Directory, event: Event, concerns: &Concerns) -> Vec<(Lane, bool)> {
    let details = |lane: &Lane| directory.channels.get(&lane.channel).is_some_and(|channel| channel.details);
    let lanes = route::lanes(directory, event, concerns).into_iter();
    lanes.map(|lane| (lane.clone(), details(&lane))).collect()
}

/// A message that is due now. `None` when it could not be written, which nothing that was read from a row leads to.
pub(crate) fn delivery(
    cause: &str,
    lane: &Lane,
    order: u64,
    notice: &Notice,
    about: Option<ObjectKey>,
    now: Timestamp,
) -> Option<Delivery> {
    let Ok(serde_json::Value::Object(payload)) = serde_json::to_value(notice) else { return None };
    let lane = lane.word();
    Some(Delivery {
        id: delivery_id(cause, &lane),
        lane,
        order,
        kind: notice.event.as_str().to_owned(),
        about,
        payload,
        only_while_waiting: false,
        followed: false,
        created: now,
        until: now.plus(AGE_MAX),
        attempts: 0,
        last: None,
        state: DeliveryState::Due { next: now },
    })
}

pub(super) fn concerns(row: &Approval, people: impl IntoIterator<Item = Name>) -> Concerns {
    let groups = row.gates.iter().filter_map(|gate| gate.parse().ok()).collect();
    Concerns { people: people.into_iter().collect(), groups }
}

/// Who has to know that a rule was overridden: every administrator, and who answers for the agent.
fn accountable(row: &Approval, directory: &Directory) -> std::collections::BTreeSet<Name> {
    let administrators = directory
        .people
        .values()
        .filter(|person| person.active && directory.roles_of(person).contains(&Role::Administrator));
    let owner = directory.agents.get(&row.agent).map(|agent| agent.charter.owner.clone());
    administrators.map(|person| person.name.clone()).chain(owner).collect()
}
