//! Who looks, whether they may, and the frame around what they see.

use super::super::{SCRIPTED, page_under, status_of, visitor::SignedIn};
use crate::{app::App, door::RequestId};
use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use provost_control::{
    Action, ControlError, Op, Operator,
    access::{allows, allows_on},
    browser::Visitor,
};
use provost_domain::{Charter, Name, person::Role};
use std::sync::Arc;

/// A person who is signed in, at a page of the console.
pub(super) struct Looker {
    pub(super) op: Op,
    pub(super) visitor: Visitor,
    pub(super) app: App,
    told: Option<&'static str>,
}

/// What is shown instead of the page.
pub(super) struct Stopped(Box<Response>);

/// A page, or what is shown instead.
pub(super) type Shown = Result<Response, Stopped>;

/// What stands around every page for somebody who is signed in.
pub(in crate::pages) struct Frame {
    /// How the person is written.
    pub(in crate::pages) person: String,
    /// The person's roles, in words.
    pub(in crate::pages) roles: String,
    /// The pages there are for this person, in groups.
    pub(in crate::pages) groups: Vec<Group>,
    /// What was done a moment ago, after a form led back to this page.
    pub(in crate::pages) told: Option<&'static str>,
    /// What stands in the field of the search.
    pub(in crate::pages) asked: String,
}

/// Pages that belong together.
pub(in crate::pages) struct Group {
    pub(in crate::pages) title: &'static str,
    pub(in crate::pages) items: Vec<Item>,
}

/// One page in the navigation.
pub(in crate::pages) struct Item {
    pub(in crate::pages) href: &'static str,
    pub(in crate::pages) label: &'static str,
    /// The key that leads there after `g`; empty, if none does.
    pub(in crate::pages) key: &'static str,
    pub(in crate::pages) current: bool,
}

#[derive(Template)]
#[template(path = "console/stopped.html")]
struct Instead<'a> {
    frame: Frame,
    title: &'a str,
    what: &'a str,
    because: Option<&'a str>,
    cure: Option<&'a str>,
    /// The roles that would do, if one is missing.
    roles: Vec<&'static str>,
    person: &'a str,
}

impl FromRequestParts<App> for Looker {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let SignedIn(visitor) = SignedIn::from_request_parts(parts, app).await?;
        let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        let told = told(parts.uri.query().unwrap_or_default());
        Ok(Self { op: visitor.op(&app.plane, &id), visitor, app: app.clone(), told })
    }
}

impl Looker {
    /// Goes on if this person may, and says which role is wanted otherwise. The operation asks again.
    ///
    /// # Errors
    /// The page that says so.
    pub(super) fn may(&self, action: Action) -> Result<(), Stopped> {
        if allows(&self.op.subject, action) {
            return Ok(());
        }
        let does =
            |role: &Role| allows(&Operator::Person(self.visitor.person.name.clone(), [*role].into()), action);
        let instead = Instead {
            frame: self.frame(""),
            title: "This page is not for you yet",
            what: "You are signed in, and what you may do here does not include looking at this.",
            because: None,
            cure: None,
            roles: Role::ALL.iter().filter(|role| does(role)).map(|role| role.as_str()).collect(),
            person: self.visitor.person.name.as_str(),
        };
        Err(Stopped(Box::new(page_under(StatusCode::FORBIDDEN, &instead, SCRIPTED))))
    }

    /// As [`Looker::may`], for one agent: who answers for it may look at it and stop it.
    ///
    /// # Errors
    /// The page that says which role is wanted.
    pub(super) fn may_on(&self, action: Action, agent: &Name) -> Result<(), Stopped> {
        if allows_on(&self.op, action, agent) { Ok(()) } else { self.may(action) }
    }

    /// Whether this person answers for an agent: its owner, or a deputy.
    pub(super) fn answers_for(&self, agent: &Name) -> bool {
        let view = self.plane().replica.latest();
        let person = &self.visitor.person.name;
        let answers = |charter: &Charter| charter.owner == *person || charter.deputies.contains(person);
        view.directory.agents.get(agent).is_some_and(|agent| answers(&agent.charter))
    }

    /// Whether something is offered to this person. The operation asks again.
    pub(super) fn can(&self, action: Action) -> bool {
        allows(&self.op.subject, action)
    }

    /// What went wrong, in the frame.
    pub(super) fn failed(&self, error: &ControlError) -> Stopped {
        Stopped(Box::new(failed(&self.visitor, error)))
    }

    /// A part of an address that is no name.
    pub(super) fn no_such(&self, what: &str, text: &str) -> Stopped {
        self.failed(&ControlError::unknown(what, &text.chars().take(80).collect::<String>()))
    }

    /// The frame, with the page the person is on.
    pub(super) fn frame(&self, here: &str) -> Frame {
        Frame { told: self.told, ..Frame::of(&self.visitor, here) }
    }

    /// The page.
    pub(super) fn page(&self, template: &impl Template) -> Response {
        page_under(StatusCode::OK, template, SCRIPTED)
    }

    /// The page, with the status of what went wrong on it.
    pub(super) fn page_as(&self, status: StatusCode, template: &impl Template) -> Response {
        page_under(status, template, SCRIPTED)
    }

    /// The plane.
    pub(super) fn plane(&self) -> &Arc<provost_control::Plane> {
        &self.app.plane
    }
}

impl Frame {
    /// The frame of a person who is at the page `here`.
    pub(in crate::pages) fn of(visitor: &Visitor, here: &str) -> Self {
        let roles: Vec<&str> = visitor.roles().iter().map(|role| role.as_str()).collect();
        let subject = Operator::Person(visitor.person.name.clone(), visitor.roles());
        let may = |row: &&Row| row.3.is_none_or(|action| allows(&subject, action));
        let item = |row: &Row| Item { href: row.0, label: row.1, key: row.2, current: row.0 == here };
        let groups = PAGES
            .iter()
            .map(|(title, rows)| Group { title, items: rows.iter().filter(may).map(item).collect() });
        Self {
            person: visitor.person.display.clone(),
            roles: if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") },
            groups: groups.filter(|group| !group.items.is_empty()).collect(),
            told: None,
            asked: String::new(),
        }
    }
}

/// What went wrong, in the frame.
pub(in crate::pages) fn failed(visitor: &Visitor, error: &ControlError) -> Response {
    let (status, text) = (status_of(error), error.text());
    let title = match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN => "That is refused",
        _ => "That did not work",
    };
    let instead = Instead {
        frame: Frame::of(visitor, ""),
        title,
        what: &text.what,
        because: text.because.as_deref(),
        cure: text.cure.as_deref(),
        roles: Vec::new(),
        person: "",
    };
    page_under(status, &instead, SCRIPTED)
}

/// Where a form leads once what it asked for is done, with the word of [`DONE`] that says so there.
pub(super) fn done(to: &str, word: &str) -> Response {
    let joint = if to.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{to}{joint}done={word}")).into_response()
}

/// Only words of ours are told: an address cannot put others on a page.
fn told(query: &str) -> Option<&'static str> {
    let (_, word) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done")?;
    DONE.iter().find(|(known, _)| *known == word).map(|(_, says)| *says)
}

impl IntoResponse for Stopped {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// Address, label, key after `g`, and what somebody must be allowed to see it there.
type Row = (&'static str, &'static str, &'static str, Option<Action>);

/// Every page of the navigation.
const PAGES: &[(&str, &[Row])] = &[
    (
        "Now",
        &[
            ("/console", "Overview", "o", None),
            ("/approvals", "Approvals", "p", Some(Action::ApprovalRead)),
            ("/proposals", "Changes", "", Some(Action::ProposalRead)),
            ("/console/findings", "Findings", "f", Some(Action::FindingRead)),
            ("/console/reviews", "Reviews", "", Some(Action::ReviewRead)),
            ("/console/containments", "Containment", "k", Some(Action::ContainmentRead)),
            ("/console/activity", "Activity", "v", Some(Action::DecisionRead)),
            ("/console/envelopes", "Envelopes", "", Some(Action::ApprovalRead)),
            ("/console/tasks", "Tasks", "t", Some(Action::TaskRead)),
            ("/console/decisions", "Decisions", "d", Some(Action::DecisionRead)),
        ],
    ),
    (
        "Who and what",
        &[
            ("/console/agents", "Agents", "a", Some(Action::AgentRead)),
            ("/console/systems", "Systems", "s", Some(Action::SystemRead)),
            ("/console/people", "People", "e", Some(Action::PersonRead)),
            ("/console/connectors", "Connectors", "", Some(Action::ConnectorRead)),
            ("/console/workloads", "Workloads", "", Some(Action::WorkloadRead)),
        ],
    ),
    (
        "By which rules",
        &[
            ("/console/policies", "Policies", "", Some(Action::PolicyRead)),
            ("/console/issuers", "Issuers", "", Some(Action::IssuerRead)),
            ("/console/credentials", "Credentials", "c", Some(Action::CredentialRead)),
        ],
    ),
    (
        "For the record",
        &[
            ("/console/ledger", "Ledger", "l", Some(Action::LedgerRead)),
            ("/console/channels", "Channels", "", Some(Action::ChannelRead)),
            ("/console/drills", "Drills", "", Some(Action::DrillRead)),
            ("/console/plane", "Plane", "", Some(Action::Status)),
        ],
    ),
    ("You", &[("/you", "Your sign-in", "y", None), ("/accounts", "Your accounts", "", None)]),
];

/// What is told after something was done.
const DONE: &[(&str, &str)] = &[
    ("added", "The passkey is yours."),
    ("answered", "Your answer is on record."),
    ("away", "On record: somebody answers for you while you are away."),
    ("back", "On record: your answers are yours alone again."),
    ("backed-up", "The copy is written."),
    ("closed", "The finding is closed."),
    ("attested", "It is confirmed, and on record who did."),
    ("accepted", "You answer for it from now on."),
    ("reviewed", "It is answered; what that took away is refused from now on."),
    ("promoted", "It is trusted a grade further from now on; the new revision is in force."),
    ("demoted", "It is trusted less from now on; the new revision is in force."),
    ("drilled", "The drill is over, and everything is as it was."),
    ("ended", "The task has ended, and its tokens are refused."),
    ("forgotten", "The credential is forgotten."),
    ("kept", "On record: it stays contained."),
    ("lifted", "Your word is on record; what it takes to start again is below."),
    ("linked", "The login is theirs now."),
    ("moved", "Done, and in force."),
    ("ordered", "The order is in force: no call that begins from now on gets through here."),
    ("proposed", "Proposed: nothing has changed yet. Those who must agree are told."),
    ("taken-back", "No token of the connector is good any more."),
    ("removed", "The passkey is removed, and signs nothing any more."),
    ("renamed", "It is called so from now on."),
    ("repinned", "The definitions are taken as reviewed, and calls to them are decided again."),
    ("restricted", "What it is left is in force."),
    ("revoked", "The envelope is revoked."),
    ("rotated", "A new key signs."),
    ("sealed", "The credential is sealed."),
    ("settled", "What became of the call is on record."),
    ("signed-out", "The session has ended."),
    ("suppressed", "It is quiet for that long, and opens again by itself."),
    ("taken-up", "On record: you are at it."),
    ("unlinked", "The login is theirs no more."),
];
