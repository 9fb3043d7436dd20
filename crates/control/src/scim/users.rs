//! People: `/Users`.

use super::{
    Answer, Call, If, answer, base, fault, moment, page,
    said::{Said, not_yours},
};
use crate::{
    ControlError, Op, Plane,
    change::{Change, Draft, Seen},
    leaving,
};
use provost_domain::{Directory, Kind, Name, Object, ObjectKey, Person, Provisioned, Timestamp};
use provost_scim::{
    Attributes, Fault, Projection,
    envelope::{self, Asked, Meta},
    patch as patches, resource,
    schema::USERS,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Somebody comes.
///
/// # Errors
/// When the body is none, or a name is taken.
pub async fn create(op: &Op, body: &Value, asked: &Asked) -> Result<Answer, Fault> {
    let call = Call::new(op)?;
    let said = Said::of(resource::read(&USERS, body)?)?;
    let wanted = first_name(&said.user_name);
    for attempt in 0..NAMES_MAX {
        let directory = call.newest().await?.directory.clone();
        let Some(name) = free(&directory, op, &wanted, attempt) else { continue };
        let keys = [key(&name)];
        let joined = call
            .authorised
            .change(&keys, &call.why(), |seen| {
                let now = op.plane.now();
                let row = match joins(&call, seen.directory, &said, &wanted, &name, now) {
                    Ok(row) => row,
                    Err(fault) => return Ok(nothing(Err(fault))),
                };
                if seen.directory.people.contains_key(&name) {
                    return Ok(nothing(Ok(None)));
                }
                let drafts = vec![Draft::Put(Object::Person(row.clone()))];
                Ok(Change { drafts, what: format!("{name} joins"), answer: Ok(Some(row)) })
            })
            .await;
        match joined {
            Ok((_seq, joined)) => match joined? {
                Some(row) => {
                    let resource = render(&op.plane, &op.plane.replica.latest().directory, &row);
                    return Ok(answer(resource, &asked.projection(&USERS)));
                }
                None => continue,
            },
            // The name was somebody's who is gone, or just became somebody's.
            Err(ControlError::Conflict(_)) => continue,
            Err(error) => return Err(fault(error)),
        }
    }
    Err(Fault::uniqueness("no name could be made of this userName"))
}

fn joins(
    call: &Call<'_>,
    directory: &Directory,
    said: &Said,
    wanted: &Name,
    name: &Name,
    now: Timestamp,
) -> Result<Person, Fault> {
    let connector = call.row(directory)?;
    said.check_unique(directory, &connector, None)?;
    // Somebody of this name whom no connector ever had is most likely the same person: nobody guesses.
    if let Some(row) = directory.people.get(wanted)
        && row.provisioned.is_none()
    {
        return Err(not_yours(&row.name, "this name"));
    }
    Ok(said.joins(name, &connector, directory, now))
}

/// One person.
///
/// # Errors
/// When there is no such person of the connector.
pub async fn read(op: &Op, id: &str, when: &If, asked: &Asked) -> Result<Answer, Fault> {
    let call = Call::new(op)?;
    let view = call.newest().await?;
    let row = own(&view.directory, &call.connector, id)?;
    let resource = render(&op.plane, &view.directory, &row);
    when.check_read(version(&resource))?;
    Ok(answer(resource, &asked.projection(&USERS)))
}

/// The connector's people.
///
/// # Errors
/// When the filter is none.
pub async fn list(op: &Op, asked: &Asked) -> Result<Answer, Fault> {
    let call = Call::new(op)?;
    let query = asked.query(&USERS)?;
    let view = call.newest().await?;
    let directory = &view.directory;
    let named = |name: &str| query.filter.as_ref().and_then(|filter| filter.equal(name));
    // What large providers ask for each person is found at once.
    let candidates: Vec<&Arc<Person>> = if let Some(name) = named("userName") {
        directory.provisioned_by(&call.connector, name).into_iter().collect()
    } else if let Some(id) = named("externalId") {
        directory.provisioned_as(&call.connector, id).into_iter().collect()
    } else if let Some(id) = named("id") {
        let of = |row: &&Arc<Person>| row.provisioned().is_some_and(|said| said.is_of(&call.connector));
        directory.people.get(id).filter(of).into_iter().collect()
    } else {
        directory.people_of(&call.connector)
    };
    let found: Vec<&Arc<Person>> = match &query.filter {
        Some(filter) => {
            let fits = |row: &&Arc<Person>| filter.matches(&render(&op.plane, directory, row));
            candidates.into_iter().filter(fits).collect()
        }
        None => candidates,
    };
    let show = |row: &&Arc<Person>| Value::Object(query.projection.apply(render(&op.plane, directory, row)));
    Ok(page(envelope::page(found, &query, |row| row.name.as_str(), show)))
}

/// Says anew who somebody is (RFC 7644 section 3.5.1). What is not said is gone, but for `active`: leaving it out brings nobody back.
///
/// # Errors
/// As [`create`] and [`read`].
pub async fn replace(op: &Op, id: &str, body: &Value, when: &If, asked: &Asked) -> Result<Answer, Fault> {
    let new = resource::read(&USERS, body)?;
    update(op, id, when, &asked.projection(&USERS), |_before| Ok(new.clone())).await
}

/// Changes something of somebody (RFC 7644 section 3.5.2).
///
/// # Errors
/// As [`create`] and [`read`], and what a patch is refused for.
pub async fn patch(op: &Op, id: &str, body: &Value, when: &If, asked: &Asked) -> Result<Answer, Fault> {
    update(op, id, when, &asked.projection(&USERS), |before| patches::apply(&USERS, before, body)).await
}

async fn update(
    op: &Op,
    id: &str,
    when: &If,
    projection: &Projection,
    decide: impl Fn(&Attributes) -> Result<Attributes, Fault>,
) -> Result<Answer, Fault> {
    let call = Call::new(op)?;
    let view = call.newest().await?;
    let name = own(&view.directory, &call.connector, id)?.name.clone();
    let accounts = leaving::accounts(&view.directory, &name);
    let mut keys = vec![key(&name)];
    keys.extend(leaving::keys(&view.directory, &name, false));
    let (_seq, changed) = call
        .authorised
        .change(&keys, &call.why(), |seen| {
            let now = op.plane.now();
            let next = match becomes(&call, seen.directory, id, when, &decide, now) {
                Ok(next) => next,
                Err(fault) => return Ok(nothing(Err(fault))),
            };
            let Becomes { before, row } = next;
            let drafts = match *before == row {
                true => Vec::new(),
                false => drafts(seen, &before, &row, &op.subject.to_string(), now),
            };
            Ok(Change { drafts, what: what(&before, &row), answer: Ok((row, before.active)) })
        })
        .await
        .map_err(fault)?;
    let (row, was_active) = changed?;
    if was_active && !row.active {
        leaving::rest(&call.authorised, &name, accounts, &call.why()).await.map_err(fault)?;
    }
    Ok(answer(render(&op.plane, &op.plane.replica.latest().directory, &row), projection))
}

struct Becomes {
    before: Arc<Person>,
    row: Person,
}

fn becomes(
    call: &Call<'_>,
    directory: &Directory,
    id: &str,
    when: &If,
    decide: &impl Fn(&Attributes) -> Result<Attributes, Fault>,
    now: Timestamp,
) -> Result<Becomes, Fault> {
    let connector = call.row(directory)?;
    let before = own(directory, &call.connector, id)?;
    when.check(version(&render(call.plane(), directory, &before)))?;
    let said = Said::of(decide(&attributes(&before))?)?;
    said.check_unique(directory, &connector, Some(&before.name))?;
    let row = said.becomes(&before, &connector, directory, now);
    Ok(Becomes { before, row })
}

/// The person's row, and what ends with it. Whoever comes back finds nothing of what they had: what began while nobody looked
/// ends then at the latest.
fn drafts(seen: &Seen<'_>, before: &Person, row: &Person, by: &str, now: Timestamp) -> Vec<Draft> {
    let mut drafts = vec![Draft::Put(Object::Person(row.clone()))];
    if before.active != row.active {
        drafts.extend(leaving::drafts(seen, &row.name, by, now));
    }
    drafts
}

fn what(before: &Person, row: &Person) -> String {
    let name = &row.name;
    match (before.active, row.active) {
        (true, false) => format!("{name} leaves"),
        (false, true) => format!("{name} is back"),
        _ => format!("{name} is said anew"),
    }
}

/// Somebody is gone for ever (RFC 7644 section 3.6): everything they had ends, and the connector knows them no more. Their name
/// is never given again.
///
/// # Errors
/// As [`read`].
pub async fn remove(op: &Op, id: &str, when: &If) -> Result<(), Fault> {
    let call = Call::new(op)?;
    let view = call.newest().await?;
    let row = own(&view.directory, &call.connector, id)?;
    let name = row.name.clone();
    let accounts = leaving::accounts(&view.directory, &name);
    let mut keys = vec![key(&name)];
    let rosters = row.provisioned().into_iter().flat_map(|said| &said.rosters);
    keys.extend(rosters.map(|roster| ObjectKey::roster(roster)));
    keys.extend(leaving::keys(&view.directory, &name, true));
    let (_seq, gone) = call
        .authorised
        .change(&keys, &call.why(), |seen| {
            let now = op.plane.now();
            let found = call.row(seen.directory).and_then(|_connector| {
                let row = own(seen.directory, &call.connector, id)?;
                when.check(version(&render(&op.plane, seen.directory, &row)))?;
                Ok(row)
            });
            let row = match found {
                Ok(row) => row,
                Err(fault) => return Ok(nothing(Err(fault))),
            };
            let known = |key: &ObjectKey| seen.versions.contains_key(key);
            let rosters = row.provisioned().into_iter().flat_map(|said| &said.rosters);
            let rosters = rosters.filter(|roster| known(&ObjectKey::roster(roster)));
            let rosters = rosters.filter_map(|roster| seen.directory.rosters.get(roster));
            let mut drafts: Vec<Draft> = vec![Draft::Put(Object::Person(gone(&row, now)))];
            drafts.extend(rosters.map(|row| Draft::Put(Object::Roster(row.touched(now)))));
            drafts.extend(leaving::drafts(seen, &name, &op.subject.to_string(), now));
            Ok(Change { drafts, what: format!("{name} leaves for ever"), answer: Ok(()) })
        })
        .await
        .map_err(fault)?;
    gone?;
    leaving::rest(&call.authorised, &name, accounts, &call.why()).await.map_err(fault)
}

fn gone(row: &Person, now: Timestamp) -> Person {
    let said = row.provisioned.as_deref().map(|said| {
        Box::new(Provisioned { active: false, gone: Some(now), rosters: Default::default(), ..said.clone() })
    });
    Person { active: false, logins: Vec::new(), away: None, provisioned: said, ..row.clone() }
}

/// The person of this id, if the connector has them.
pub(super) fn own(directory: &Directory, connector: &Name, id: &str) -> Result<Arc<Person>, Fault> {
    let row = directory.people.get(id);
    let row = row.filter(|row| row.provisioned().is_some_and(|said| said.is_of(connector)));
    row.map(Arc::clone).ok_or_else(|| Fault::not_found(id))
}

/// What a connector may say of the person, as it stands.
fn attributes(row: &Person) -> Attributes {
    let Some(said) = row.provisioned() else { return Attributes::new() };
    let mut all = said.attributes.clone();
    all.insert("userName".to_owned(), said.user_name.clone().into());
    all.insert("active".to_owned(), said.active.into());
    if let Some(id) = &said.external_id {
        all.insert("externalId".to_owned(), id.clone().into());
    }
    all
}

/// The person as a resource. `active` is what is so: somebody who was stopped here is not, whatever the connector says.
fn render(plane: &Plane, directory: &Directory, row: &Person) -> Attributes {
    let Some(said) = row.provisioned() else { return Attributes::new() };
    let at = base(plane);
    let mut all = attributes(row);
    all.insert("active".to_owned(), row.active.into());
    let groups: Vec<Value> = said
        .rosters
        .iter()
        .filter_map(|id| directory.rosters.get(id))
        .map(|row| {
            let place = format!("{at}/Groups/{}", row.id);
            json!({ "value": row.id, "$ref": place, "display": row.display, "type": "direct" })
        })
        .collect();
    if !groups.is_empty() {
        all.insert("groups".to_owned(), groups.into());
    }
    let version = envelope::version([Value::Object(all.clone()).to_string().as_bytes()]);
    let (created, changed) = (moment(said.created), moment(said.changed));
    let id = row.name.as_str();
    let meta = Meta { id, created: &created, changed: &changed, at: &at, version: &version };
    envelope::resource(&USERS, all, meta)
}

fn version(resource: &Attributes) -> &str {
    resource.get("meta").and_then(|meta| meta.get("version")).and_then(Value::as_str).unwrap_or_default()
}

/// A name of what stands before the `@`.
fn first_name(user_name: &str) -> Name {
    let head = user_name.split('@').next().unwrap_or_default().to_lowercase();
    let plain = head.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' });
    let text: String = plain.skip_while(|c| !c.is_ascii_alphanumeric()).take(NAME_CHARS_MAX).collect();
    let text = text.trim_end_matches('-');
    text.parse().unwrap_or_else(|_empty| nobody())
}

fn nobody() -> Name {
    // It has to be a name; and it is one.
    serde_json::from_value(json!("person")).unwrap_or_else(|_never| first_name("person"))
}

/// A name nobody has: itself, then numbered, and at last with chance in it.
fn free(directory: &Directory, op: &Op, wanted: &Name, attempt: usize) -> Option<Name> {
    let taken = |name: &Name| {
        directory.people.contains_key(name)
            || directory.workloads.contains_key(name)
            || directory.agents.contains_key(name)
    };
    if attempt > 0 {
        return format!("{wanted}-{}", hex::encode(op.plane.random::<4>())).parse().ok();
    }
    let numbered = (2..NUMBERS_MAX).filter_map(|number| format!("{wanted}-{number}").parse().ok());
    std::iter::once(wanted.clone()).chain(numbered).find(|name| !taken(name))
}

fn key(name: &Name) -> ObjectKey {
    ObjectKey::new(Kind::Person, name.as_str())
}

/// Nothing changes.
fn nothing<T>(answer: T) -> Change<T> {
    Change { drafts: Vec::new(), what: String::new(), answer }
}

const NAMES_MAX: usize = 4;
const NUMBERS_MAX: u32 = 1_000;
const NAME_CHARS_MAX: usize = 50;
