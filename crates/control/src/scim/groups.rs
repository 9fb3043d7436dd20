//! Groups: `/Groups`. Who is in one stands with the people, so that a change of it says who gained or lost something, and a group
//! of many thousands costs no more to change than one of few.

use super::{Answer, Call, If, answer, base, fault, moment, page, said::plain, users::own as own_person};
use crate::{
    Op, Plane,
    change::{Change, Draft, Seen},
};
use provost_domain::{Directory, Kind, Name, Object, ObjectKey, Person, Roster, Timestamp};
use provost_scim::{
    Attributes, Fault, Projection,
    envelope::{self, Asked, Meta},
    patch as patches, resource,
    schema::GROUPS,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// A group as a connector says it is.
struct Said {
    display: String,
    external_id: Option<String>,
    members: BTreeSet<String>,
}

impl Said {
    fn of(attributes: &Attributes) -> Result<Self, Fault> {
        let text =
            |name: &str| attributes.get(name).and_then(Value::as_str).map(|text| text.trim().to_owned());
        let display = text("displayName").ok_or_else(|| Fault::value("`displayName` is required"))?;
        let external_id = text("externalId").filter(|id| !id.is_empty());
        plain("displayName", &display)?;
        external_id.as_deref().map_or(Ok(()), |id| plain("externalId", id))?;
        let members = attributes.get("members").and_then(Value::as_array).into_iter().flatten();
        let members = members.filter_map(|member| member.get("value").and_then(Value::as_str));
        Ok(Self { display, external_id, members: members.map(str::to_owned).collect() })
    }

    /// Members are people of the connector, and names are taken once.
    fn check(&self, directory: &Directory, connector: &Name, own: Option<&str>) -> Result<(), Fault> {
        for id in &self.members {
            own_person(directory, connector, id).map_err(|_not_found| {
                Fault::value(format!("`members`: {} is no person of this connector", short(id)))
            })?;
        }
        let mut others = directory.rosters_of(connector).filter(|row| Some(row.id.as_str()) != own);
        let same = |row: &Arc<Roster>| {
            row.display.to_lowercase() == self.display.to_lowercase()
                || (self.external_id.is_some() && row.external_id == self.external_id)
        };
        match others.any(same) {
            true => Err(Fault::uniqueness("a group of this connector has this displayName or externalId")),
            false => Ok(()),
        }
    }
}

/// A group is made. It gives nothing, unless an administrator has said what a group of this name gives.
///
/// # Errors
/// When the body is none, a name is taken, or a member is nobody.
pub async fn create(op: &Op, body: &Value, asked: &Asked) -> Result<Answer, Fault> {
    let call = Call::new(op)?;
    let said = Said::of(&resource::read(&GROUPS, body)?)?;
    let id = format!("group-{}", hex::encode(op.plane.random::<10>()));
    call.newest().await?;
    let mut keys = vec![ObjectKey::roster(&id)];
    keys.extend(said.members.iter().map(|id| ObjectKey::new(Kind::Person, id.as_str())));
    let (_seq, made) = call
        .authorised
        .change(&keys, &call.why(), |seen| {
            let now = op.plane.now();
            let may =
                call.row(seen.directory).and_then(|_row| said.check(seen.directory, &call.connector, None));
            if let Err(fault) = may {
                return Ok(nothing(Err(fault)));
            }
            let row = Roster {
                id: id.clone(),
                connector: call.connector.clone(),
                display: said.display.clone(),
                external_id: said.external_id.clone(),
                created: now,
                changed: now,
                edition: 1,
            };
            let mut drafts = vec![Draft::Put(Object::Roster(row.clone()))];
            drafts.extend(seats(seen, &id, &BTreeSet::new(), &said.members, now));
            Ok(Change { drafts, what: format!("group {id} is made"), answer: Ok(row) })
        })
        .await
        .map_err(fault)?;
    let directory = op.plane.replica.latest().directory.clone();
    Ok(shown(&op.plane, &directory, &made?, &asked.projection(&GROUPS)))
}

/// One group.
///
/// # Errors
/// When there is no such group of the connector.
pub async fn read(op: &Op, id: &str, when: &If, asked: &Asked) -> Result<Answer, Fault> {
    let call = Call::new(op)?;
    let view = call.newest().await?;
    let row = own(&view.directory, &call.connector, id)?;
    when.check_read(&version_of(&row))?;
    Ok(shown(&op.plane, &view.directory, &row, &asked.projection(&GROUPS)))
}

/// The connector's groups.
///
/// # Errors
/// When the filter is none.
pub async fn list(op: &Op, asked: &Asked) -> Result<Answer, Fault> {
    let call = Call::new(op)?;
    let query = asked.query(&GROUPS)?;
    let view = call.newest().await?;
    let directory = &view.directory;
    let looks_inside = query.filter.as_ref().is_some_and(|filter| filter.mentions("members"));
    let id = query.filter.as_ref().and_then(|filter| filter.equal("id"));
    let fits = |row: &&Arc<Roster>| {
        let fits =
            |filter: &provost_scim::Filter| filter.matches(&render(&op.plane, directory, row, looks_inside));
        id.is_none_or(|id| row.id == id) && query.filter.as_ref().is_none_or(fits)
    };
    let found: Vec<&Arc<Roster>> = directory.rosters_of(&call.connector).filter(fits).collect();
    let members = query.projection.wants("members");
    let show = |row: &&Arc<Roster>| {
        Value::Object(query.projection.apply(render(&op.plane, directory, row, members)))
    };
    Ok(page(envelope::page(found, &query, |row| row.id.as_str(), show)))
}

/// Says anew what a group is.
///
/// # Errors
/// As [`create`] and [`read`].
pub async fn replace(op: &Op, id: &str, body: &Value, when: &If, asked: &Asked) -> Result<Answer, Fault> {
    let new = resource::read(&GROUPS, body)?;
    update(op, id, when, &asked.projection(&GROUPS), |_before| Ok(new.clone())).await
}

/// Changes something of a group: who is in it, mostly.
///
/// # Errors
/// As [`create`] and [`read`], and what a patch is refused for.
pub async fn patch(op: &Op, id: &str, body: &Value, when: &If, asked: &Asked) -> Result<Answer, Fault> {
    update(op, id, when, &asked.projection(&GROUPS), |before| patches::apply(&GROUPS, before, body)).await
}

async fn update(
    op: &Op,
    id: &str,
    when: &If,
    projection: &Projection,
    decide: impl Fn(&Attributes) -> Result<Attributes, Fault>,
) -> Result<Answer, Fault> {
    let call = Call::new(op)?;
    for _attempt in 0..ATTEMPTS_MAX {
        let view = call.newest().await?;
        let first = becomes(&call, &view.directory, id, when, &decide)?;
        let mut keys = vec![ObjectKey::roster(id)];
        let moved = first.before.symmetric_difference(&first.said.members);
        keys.extend(moved.map(|id| ObjectKey::new(Kind::Person, id.as_str())));
        let (_seq, changed) = call
            .authorised
            .change(&keys, &call.why(), |seen| {
                let now = op.plane.now();
                let next = match becomes(&call, seen.directory, id, when, &decide) {
                    Ok(next) => next,
                    Err(fault) => return Ok(nothing(Err(fault))),
                };
                let known =
                    |id: &&String| seen.versions.contains_key(&ObjectKey::new(Kind::Person, id.as_str()));
                // Somebody else moved others meanwhile.
                if !next.before.symmetric_difference(&next.said.members).all(|id| known(&id)) {
                    return Ok(nothing(Ok(None)));
                }
                let same = next.row.display == next.said.display
                    && next.row.external_id == next.said.external_id
                    && next.before == next.said.members;
                if same {
                    return Ok(nothing(Ok(Some(next.row.as_ref().clone()))));
                }
                let row = Roster {
                    display: next.said.display.clone(),
                    external_id: next.said.external_id.clone(),
                    ..next.row.touched(now)
                };
                let mut drafts = vec![Draft::Put(Object::Roster(row.clone()))];
                drafts.extend(seats(seen, id, &next.before, &next.said.members, now));
                Ok(Change { drafts, what: format!("group {id} is said anew"), answer: Ok(Some(row)) })
            })
            .await
            .map_err(fault)?;
        if let Some(row) = changed? {
            let directory = op.plane.replica.latest().directory.clone();
            return Ok(shown(&op.plane, &directory, &row, projection));
        }
    }
    Err(Fault::new(503, "the group keeps changing: try again"))
}

struct Becomes {
    row: Arc<Roster>,
    before: BTreeSet<String>,
    said: Said,
}

fn becomes(
    call: &Call<'_>,
    directory: &Directory,
    id: &str,
    when: &If,
    decide: &impl Fn(&Attributes) -> Result<Attributes, Fault>,
) -> Result<Becomes, Fault> {
    call.row(directory)?;
    let row = own(directory, &call.connector, id)?;
    when.check(&version_of(&row))?;
    let before = members(directory, id);
    let said = Said::of(&decide(&attributes(&row, &before))?)?;
    said.check(directory, &call.connector, Some(id))?;
    Ok(Becomes { row, before, said })
}

/// A group goes, and with it what it gave.
///
/// # Errors
/// As [`read`].
pub async fn remove(op: &Op, id: &str, when: &If) -> Result<(), Fault> {
    let call = Call::new(op)?;
    for _attempt in 0..ATTEMPTS_MAX {
        let view = call.newest().await?;
        let mut keys = vec![ObjectKey::roster(id)];
        let inside = members(&view.directory, id);
        keys.extend(inside.iter().map(|id| ObjectKey::new(Kind::Person, id.as_str())));
        let (_seq, gone) = call
            .authorised
            .change(&keys, &call.why(), |seen| {
                let now = op.plane.now();
                let row = call.row(seen.directory).and_then(|_row| own(seen.directory, &call.connector, id));
                if let Err(fault) = row.and_then(|row| when.check(&version_of(&row))) {
                    return Ok(nothing(Err(fault)));
                }
                let before = members(seen.directory, id);
                if !before.is_subset(&inside) {
                    return Ok(nothing(Ok(false)));
                }
                let mut drafts = seats(seen, id, &before, &BTreeSet::new(), now);
                drafts.push(Draft::Remove(ObjectKey::roster(id)));
                Ok(Change { drafts, what: format!("group {id} goes"), answer: Ok(true) })
            })
            .await
            .map_err(fault)?;
        if gone? {
            return Ok(());
        }
    }
    Err(Fault::new(503, "the group keeps changing: try again"))
}

/// The rows of those who come into a group or leave it.
fn seats(
    seen: &Seen<'_>,
    id: &str,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
    now: Timestamp,
) -> Vec<Draft> {
    let moved = before.symmetric_difference(after);
    let rows = moved.filter_map(|name| seen.directory.people.get(name.as_str()));
    let moves = |row: &Arc<Person>| {
        let mut row = row.as_ref().clone();
        let said = row.provisioned.as_deref_mut()?;
        match after.contains(row.name.as_str()) {
            true => said.rosters.insert(id.to_owned()),
            false => said.rosters.remove(id),
        };
        said.changed = now;
        Some(Draft::Put(Object::Person(row)))
    };
    rows.filter_map(moves).collect()
}

fn own(directory: &Directory, connector: &Name, id: &str) -> Result<Arc<Roster>, Fault> {
    let row = directory.rosters.get(id).filter(|row| row.connector == *connector);
    row.map(Arc::clone).ok_or_else(|| Fault::not_found(id))
}

fn members(directory: &Directory, id: &str) -> BTreeSet<String> {
    directory.members_of(id).map(|name| name.as_str().to_owned()).collect()
}

/// What a connector may say of the group, as it stands.
fn attributes(row: &Roster, members: &BTreeSet<String>) -> Attributes {
    let mut all = Attributes::new();
    all.insert("displayName".to_owned(), row.display.clone().into());
    if let Some(id) = &row.external_id {
        all.insert("externalId".to_owned(), id.clone().into());
    }
    if !members.is_empty() {
        let members = members.iter().map(|id| json!({ "value": id }));
        all.insert("members".to_owned(), members.collect::<Vec<_>>().into());
    }
    all
}

fn shown(plane: &Plane, directory: &Directory, row: &Roster, projection: &Projection) -> Answer {
    answer(render(plane, directory, row, projection.wants("members")), projection)
}

fn render(plane: &Plane, directory: &Directory, row: &Roster, with_members: bool) -> Attributes {
    let at = base(plane);
    let mut all = attributes(row, &BTreeSet::new());
    if with_members {
        let member =
            |name: &Name| json!({ "value": name, "$ref": format!("{at}/Users/{name}"), "type": "User" });
        let members: Vec<Value> = directory.members_of(&row.id).map(member).collect();
        if !members.is_empty() {
            all.insert("members".to_owned(), members.into());
        }
    }
    let (created, changed, version) = (moment(row.created), moment(row.changed), version_of(row));
    let meta = Meta { id: &row.id, created: &created, changed: &changed, at: &at, version: &version };
    envelope::resource(&GROUPS, all, meta)
}

fn version_of(row: &Roster) -> String {
    envelope::version([row.id.as_bytes(), row.edition.to_be_bytes().as_slice()])
}

fn short(text: &str) -> String {
    provost_notify::text::clean(text, SHORT_CHARS)
}

/// Nothing changes.
fn nothing<T>(answer: T) -> Change<T> {
    Change { drafts: Vec::new(), what: String::new(), answer }
}

const ATTEMPTS_MAX: usize = 5;
const SHORT_CHARS: usize = 80;
