//! Connectors: to look at, their tokens, and who is theirs. They are declared in files; what they say comes in at
//! [`crate::scim`].

mod recent;

pub use recent::Recent;

use crate::{
    Action, ControlError, Op, Plane,
    change::{Change, Draft},
    diff,
    page::page,
    reason::reason,
    scim, session,
};
use provost_api::{
    Page, PageQuery,
    connector::{
        ConnectorIssue, ConnectorIssued, ConnectorLink, ConnectorSummary, ConnectorTokenView, ConnectorView,
        GivesView, LoginsFromView, RosterView,
    },
    identity::PersonView,
};
use provost_domain::{
    Connector, Directory, DurationMs, Kind, Name, Object, ObjectKey, Person, Provisioned, Timestamp,
    connector::{ConnectorToken, SubjectIs},
};

/// Connectors, in order of their names.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub fn list(op: &Op, query: PageQuery) -> Result<Page<ConnectorSummary>, ControlError> {
    op.authorize(Action::ConnectorRead)?;
    let view = op.plane.replica.latest();
    let rows = view.directory.connectors.iter().map(|(name, row)| (name.to_string(), row)).collect();
    let most = op.plane.limits.page_size_max;
    page(rows, query.cursor.as_deref(), query.limit, most, |row| summary(&op.plane, &view.directory, row))
}

/// One connector: whom it governs, what its groups give, what it was refused.
///
/// # Errors
/// When the operator may not, or no connector has that name.
pub async fn show(op: &Op, name: &Name) -> Result<ConnectorView, ControlError> {
    op.authorize(Action::ConnectorRead)?;
    let plane = &op.plane;
    let version = plane.store.version(&key(name)).await?;
    let history = diff::history(plane.store.history(&key(name), HISTORY_MAX).await?);
    let view = plane.replica.latest();
    let directory = &view.directory;
    let row = here(directory, name)?;
    let roster = |row: &std::sync::Arc<provost_domain::Roster>| RosterView {
        id: row.id.clone(),
        display: row.display.clone(),
        members: directory.members_of(&row.id).count(),
        gives: directory.gives(row).is_some(),
    };
    let gives = row.groups.iter().map(|(display, gives)| GivesView {
        display: display.clone(),
        roles: gives.roles.clone(),
        group: gives.group.clone(),
    });
    let token = |token: &ConnectorToken| ConnectorTokenView {
        issued: token.issued.into(),
        expires: token.expires.into(),
    };
    Ok(ConnectorView {
        summary: summary(plane, directory, row),
        version,
        url: scim::base(plane),
        logins: row.logins.as_ref().map(|from| LoginsFromView {
            issuer: from.issuer.clone(),
            subject: match from.subject {
                SubjectIs::ExternalId => "external-id",
                SubjectIs::UserName => "user-name",
            }
            .to_owned(),
        }),
        gives: gives.collect(),
        tokens: row.tokens.iter().filter(|token| plane.now() < token.expires).map(token).collect(),
        rosters: directory.rosters_of(name).take(ROSTERS_MAX).map(roster).collect(),
        troubles: plane.connectors.troubles(name),
        history,
    })
}

fn summary(plane: &Plane, directory: &Directory, row: &Connector) -> ConnectorSummary {
    let people = directory.people_of(&row.name);
    let said = people.iter().filter_map(|row| Some(row.provisioned()?.changed));
    let rosters = directory.rosters_of(&row.name).map(|row| row.changed);
    ConnectorSummary {
        name: row.name.clone(),
        description: row.description.clone(),
        owner: row.owner.clone(),
        active: row.active,
        has_token: row.tokens.iter().any(|token| plane.now() < token.expires),
        people: people.len(),
        groups: directory.rosters_of(&row.name).count(),
        changed: said.chain(rosters).max().map(Into::into),
        seen: plane.connectors.seen(&row.name).map(Into::into),
    }
}

/// Gives a connector a new token, which is shown here and kept nowhere. The one before is void at once, or after the overlap.
///
/// # Errors
/// When the operator may not, the connector is unknown or inactive, or a time is out of bounds.
pub async fn issue_token(
    op: &Op,
    name: &Name,
    wanted: &ConnectorIssue,
) -> Result<ConnectorIssued, ControlError> {
    let authorised = op.authorize(Action::ConnectorToken)?;
    let lasts = wanted.lasts.map_or(LASTS, |span| span.0);
    let overlap = wanted.overlap.map_or(DurationMs(0), |span| span.0);
    for (what, length, most) in [("lasts", lasts, LASTS_MAX), ("overlap", overlap, OVERLAP_MAX)] {
        if length > most {
            return Err(ControlError::caller(format!("`{what}` is {most} at most")));
        }
    }
    let (token, digest) = session::new_connector_token(op.plane.random.as_ref(), name);
    let now = op.plane.now();
    let expires = now.plus(lasts);
    authorised
        .change(&[key(name)], &wanted.reason, |seen| {
            let mut row = here(seen.directory, name)?.clone();
            if !row.active {
                return Err(ControlError::refused(format!("connector {name} is not active"))
                    .cure("set `active = true` in its file, and apply it"));
            }
            let until = now.plus(overlap);
            // Of those before, the newest stays for the overlap; two at most are good at any time.
            let last = row.tokens.iter().rfind(|token| now < token.expires).cloned();
            let last = last.map(|token| ConnectorToken { expires: token.expires.min(until), ..token });
            row.tokens = last.into_iter().filter(|token| now < token.expires).collect();
            row.tokens.push(ConnectorToken { digest, issued: now, expires });
            let drafts = vec![Draft::Put(Object::Connector(row))];
            Ok(Change { drafts, what: "a new token was issued".to_owned(), answer: () })
        })
        .await?;
    let url = scim::base(&op.plane);
    Ok(ConnectorIssued { connector: name.clone(), token, url, expires: expires.into() })
}

/// Takes every token of a connector back.
///
/// # Errors
/// When the operator may not, or there is no such connector.
pub async fn revoke_tokens(op: &Op, name: &Name, why: &str) -> Result<ConnectorView, ControlError> {
    let authorised = op.authorize(Action::ConnectorToken)?;
    authorised
        .change(&[key(name)], why, |seen| {
            let row = here(seen.directory, name)?;
            let drafts = match row.tokens.is_empty() {
                true => Vec::new(),
                false => vec![Draft::Put(Object::Connector(Connector { tokens: Vec::new(), ..row.clone() }))],
            };
            Ok(Change { drafts, what: "its tokens were taken back".to_owned(), answer: () })
        })
        .await?;
    show(op, name).await
}

/// Says that somebody who is here is a connector's from now on: it says whether they are active and in which groups they are;
/// who they are, their files go on saying.
///
/// # Errors
/// When the operator may not, there is no such person or connector, or one has the other or the names already.
pub async fn link(op: &Op, name: &Name, wanted: &ConnectorLink) -> Result<PersonView, ControlError> {
    let authorised = op.authorize(Action::ConnectorLink)?;
    reason(&wanted.reason)?;
    let user_name = wanted.user_name.trim();
    let external_id = wanted.external_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    for text in [Some(user_name), external_id].into_iter().flatten() {
        if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(ControlError::caller("a name is empty, too long, or not plain text")
                .cure("give userName and externalId exactly as the identity provider writes them"));
        }
    }
    let person = &wanted.person;
    let now = op.plane.now();
    authorised
        .change(&[person_key(person)], &wanted.reason, |seen| {
            here(seen.directory, name)?;
            let row = person_here(seen.directory, person)?;
            if let Some(said) = row.provisioned() {
                return Err(ControlError::conflict(format!(
                    "{person} is of connector {} already",
                    said.connector
                ))
                .cure("unlink them first"));
            }
            let taken = seen.directory.provisioned_by(name, user_name).is_some()
                || external_id.is_some_and(|id| seen.directory.provisioned_as(name, id).is_some());
            if taken {
                return Err(ControlError::conflict(format!("somebody else of {name} has this name")));
            }
            let said = said(name, user_name, external_id, row, now);
            let row = Person { provisioned: Some(Box::new(said)), ..row.clone() };
            let drafts = vec![Draft::Put(Object::Person(row))];
            Ok(Change { drafts, what: format!("{person} is of connector {name}"), answer: () })
        })
        .await?;
    crate::person::show(op, person).await
}

/// What a connector finds of somebody who was here before.
fn said(
    connector: &Name,
    user_name: &str,
    external_id: Option<&str>,
    row: &Person,
    now: Timestamp,
) -> Provisioned {
    let mut attributes = provost_scim::Attributes::new();
    attributes.insert("displayName".to_owned(), row.display.clone().into());
    if let Some(email) = &row.email {
        attributes.insert("emails".to_owned(), serde_json::json!([{ "value": email, "type": "work" }]));
    }
    Provisioned {
        connector: connector.clone(),
        user_name: user_name.to_owned(),
        external_id: external_id.map(str::to_owned),
        active: row.active,
        stopped: false,
        made: false,
        rosters: Default::default(),
        attributes,
        created: now,
        changed: now,
        gone: None,
    }
}

/// Says that somebody is a connector's no more. They stay as they are, in none of its groups.
///
/// # Errors
/// When the operator may not, or the person is not the connector's.
pub async fn unlink(op: &Op, name: &Name, person: &Name, why: &str) -> Result<PersonView, ControlError> {
    let authorised = op.authorize(Action::ConnectorLink)?;
    let view = op.plane.replica.latest();
    let rosters = view.directory.people.get(person).and_then(|row| row.provisioned());
    let rosters = rosters.into_iter().flat_map(|said| &said.rosters).map(|id| ObjectKey::roster(id));
    let keys: Vec<ObjectKey> = std::iter::once(person_key(person)).chain(rosters).collect();
    let now = op.plane.now();
    authorised
        .change(&keys, why, |seen| {
            let row = person_here(seen.directory, person)?;
            let said = row.provisioned().filter(|said| said.is_of(name));
            let said =
                said.ok_or_else(|| ControlError::unknown("person of this connector", person.as_str()))?;
            let rosters = said.rosters.iter().filter(|id| seen.versions.contains_key(&ObjectKey::roster(id)));
            let rosters = rosters.filter_map(|id| seen.directory.rosters.get(id));
            let mut drafts = vec![Draft::Put(Object::Person(Person { provisioned: None, ..row.clone() }))];
            drafts.extend(rosters.map(|row| Draft::Put(Object::Roster(row.touched(now)))));
            Ok(Change { drafts, what: format!("{person} is of connector {name} no more"), answer: () })
        })
        .await?;
    crate::person::show(op, person).await
}

fn here<'d>(directory: &'d Directory, name: &Name) -> Result<&'d Connector, ControlError> {
    let row = directory.connectors.get(name).map(AsRef::as_ref);
    row.ok_or_else(|| ControlError::unknown("connector", name.as_str()))
}

fn person_here<'d>(directory: &'d Directory, name: &Name) -> Result<&'d Person, ControlError> {
    let row = directory.people.get(name).map(AsRef::as_ref);
    row.ok_or_else(|| ControlError::unknown("person", name.as_str()))
}

fn key(name: &Name) -> ObjectKey {
    ObjectKey::new(Kind::Connector, name.as_str())
}

fn person_key(name: &Name) -> ObjectKey {
    ObjectKey::new(Kind::Person, name.as_str())
}

const HISTORY_MAX: usize = 100;
const ROSTERS_MAX: usize = 500;
const NAME_BYTES_MAX: usize = 255;
const LASTS: DurationMs = DurationMs::from_mins(180 * 24 * 60);
const LASTS_MAX: DurationMs = DurationMs::from_mins(366 * 24 * 60);
const OVERLAP_MAX: DurationMs = DurationMs::from_mins(7 * 24 * 60);
