//! Who looks, whether they may, and the frame around what they see.

use super::super::{SCRIPTED, page_under, status_of, visitor::SignedIn};
use crate::{app::App, door::RequestId};
use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use provost_control::{Action, ControlError, Op, Operator, access::allows, browser::Visitor};
use provost_domain::person::Role;
use std::sync::Arc;

/// A person who is signed in, at a page of the console.
pub(super) struct Looker {
    pub(super) op: Op,
    pub(super) visitor: Visitor,
    pub(super) app: App,
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
    /// The pages there are for this person.
    pub(in crate::pages) items: Vec<Item>,
}

/// One page in the navigation.
pub(in crate::pages) struct Item {
    pub(in crate::pages) href: &'static str,
    pub(in crate::pages) label: &'static str,
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
        Ok(Self { op: visitor.op(&app.plane, &id), visitor, app: app.clone() })
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

    /// What went wrong, in the frame.
    pub(super) fn failed(&self, error: &ControlError) -> Stopped {
        let (status, text) = (status_of(error), error.text());
        let title = match status {
            StatusCode::NOT_FOUND => "There is nothing here",
            StatusCode::FORBIDDEN => "This is not for you",
            _ => "That did not work",
        };
        let instead = Instead {
            frame: self.frame(""),
            title,
            what: &text.what,
            because: text.because.as_deref(),
            cure: text.cure.as_deref(),
            roles: Vec::new(),
            person: "",
        };
        Stopped(Box::new(page_under(status, &instead, SCRIPTED)))
    }

    /// A part of an address that is no name.
    pub(super) fn no_such(&self, what: &str, text: &str) -> Stopped {
        self.failed(&ControlError::unknown(what, &text.chars().take(80).collect::<String>()))
    }

    /// The frame, with the page the person is on.
    pub(super) fn frame(&self, here: &str) -> Frame {
        Frame::of(&self.visitor, here)
    }

    /// The page.
    pub(super) fn page(&self, template: &impl Template) -> Response {
        page_under(StatusCode::OK, template, SCRIPTED)
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
        let may = |item: &&(&str, &str, Option<Action>)| item.2.is_none_or(|action| allows(&subject, action));
        Self {
            person: visitor.person.display.clone(),
            roles: if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") },
            items: PAGES
                .iter()
                .filter(may)
                .map(|(href, label, _)| Item { href, label, current: *href == here })
                .collect(),
        }
    }
}

impl IntoResponse for Stopped {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// Every page of the navigation, with what somebody must be allowed to see it there.
const PAGES: &[(&str, &str, Option<Action>)] = &[
    ("/console", "Overview", None),
    ("/approvals", "Approvals", Some(Action::ApprovalRead)),
    ("/console/findings", "Findings", Some(Action::FindingRead)),
    ("/proposals", "Changes", Some(Action::ProposalRead)),
    ("/console/containments", "Containment", Some(Action::ContainmentRead)),
    ("/console/drills", "Drills", Some(Action::DrillRead)),
    ("/console/agents", "Agents", Some(Action::AgentRead)),
    ("/console/tasks", "Tasks", Some(Action::TaskRead)),
    ("/console/decisions", "Decisions", Some(Action::DecisionRead)),
    ("/console/systems", "Systems", Some(Action::SystemRead)),
    ("/console/policies", "Policies", Some(Action::PolicyRead)),
    ("/console/ledger", "Ledger", Some(Action::LedgerRead)),
    ("/console/people", "People", Some(Action::PersonRead)),
    ("/console/workloads", "Workloads", Some(Action::WorkloadRead)),
    ("/console/issuers", "Issuers", Some(Action::IssuerRead)),
    ("/console/channels", "Channels", Some(Action::ChannelRead)),
    ("/accounts", "Your accounts", None),
    ("/you", "Your sign-in", None),
];
