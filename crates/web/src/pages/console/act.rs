//! A page that asks before something is done: what it means, what will be hit, and why. One template for all of them. What was
//! typed stands there again when it was refused, secrets excepted; what was done leads back to where it is seen.

pub(super) mod agent;
pub(super) mod baseline;
pub(super) mod connector;
pub(super) mod credential;
pub(super) mod person;
pub(super) mod plane;
pub(super) mod system;
pub(super) mod task;

use super::look::{Frame, Looker, Shown, Stopped, done};
use crate::{
    app::App,
    pages::{status_of, visitor::is_own_form},
};
use askama::Template;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use provost_api::problem::Fault;
use provost_control::{ControlError, plan::Outcome};

/// What is asked before something is done.
pub(super) struct Act {
    /// The page of the navigation it belongs to.
    pub(super) here: &'static str,
    /// Where it leads back to, and what that is called.
    pub(super) back: (String, String),
    /// Where the form is sent.
    pub(super) to: String,
    /// What is asked.
    pub(super) title: String,
    /// What it means, a sentence each.
    pub(super) means: Vec<String>,
    /// What will be hit, each with where it is looked at.
    pub(super) hits: Vec<(String, Option<String>)>,
    /// What has to be said besides why.
    pub(super) fields: Vec<Field>,
    /// What the button says.
    pub(super) button: String,
    /// Whether it is hard to take back.
    pub(super) danger: bool,
    /// Whether a reason is asked for.
    pub(super) reason: bool,
    /// What does the same in a terminal.
    pub(super) command: String,
}

/// One thing to fill in.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: String,
    pub(super) value: String,
    pub(super) kind: FieldKind,
}

/// How it is filled in.
pub(super) enum FieldKind {
    /// A line of text.
    Line {
        /// Whether it may be left empty.
        optional: bool,
    },
    /// A line that is never shown again.
    Secret,
    /// One of these: value, label.
    Choice(Vec<(String, String)>),
    /// Nothing to fill in: what was seen.
    Seen,
}

#[derive(Template)]
#[template(path = "console/act.html")]
struct Page {
    frame: Frame,
    act: Act,
    why: String,
    refusal: Option<Refusal>,
}

struct Refusal {
    what: String,
    because: Option<String>,
    cure: Option<String>,
    faults: Vec<Fault>,
}

impl Field {
    /// A line that has to be filled in.
    pub(super) fn line(name: &'static str, label: &'static str, hint: &str, value: &str) -> Self {
        let kind = FieldKind::Line { optional: false };
        Self { name, label, hint: hint.to_owned(), value: value.to_owned(), kind }
    }

    /// A choice.
    pub(super) fn choice(
        name: &'static str,
        label: &'static str,
        made: &str,
        all: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let kind = FieldKind::Choice(all.into_iter().collect());
        Self { name, label, hint: String::new(), value: made.to_owned(), kind }
    }

    /// What the person saw, sent along so that nothing else is done.
    pub(super) fn seen(name: &'static str, value: String) -> Self {
        Self { name, label: "", hint: String::new(), value, kind: FieldKind::Seen }
    }
}

impl Act {
    /// The page that asks.
    pub(super) fn ask(self, looker: &Looker) -> Response {
        let frame = looker.frame(self.here);
        looker.page(&Page { frame, act: self, why: String::new(), refusal: None })
    }

    /// As [`Act::over`], of what may have to wait for people: then it leads to where they answer.
    pub(super) fn over_or_waits<T>(
        self,
        looker: &Looker,
        sent: &Sent,
        outcome: Result<Outcome<T>, ControlError>,
        word: &str,
    ) -> Shown {
        match outcome {
            Ok(Outcome::Waits(proposal)) => {
                Ok(done(&format!("/proposals/{}", proposal.summary.id), "proposed"))
            }
            other => self.over(looker, sent, other, word),
        }
    }

    /// Back to where it is seen, once it is done; the same page with what was typed, if it was refused.
    pub(super) fn over<T>(
        mut self,
        looker: &Looker,
        sent: &Sent,
        outcome: Result<T, ControlError>,
        word: &str,
    ) -> Shown {
        let error = match outcome {
            Ok(_done) => return Ok(done(&self.back.0, word)),
            Err(error) => error,
        };
        let text = error.text();
        let refusal = Refusal {
            what: text.what.clone(),
            because: text.because.clone(),
            cure: text.cure.clone(),
            faults: text.faults.clone(),
        };
        for field in &mut self.fields {
            match field.kind {
                FieldKind::Secret => field.value.clear(),
                FieldKind::Seen => {}
                FieldKind::Line { .. } | FieldKind::Choice(_) => {
                    field.value = sent.text(field.name).to_owned();
                }
            }
        }
        let page = Page {
            frame: looker.frame(self.here),
            act: self,
            why: sent.text("reason").to_owned(),
            refusal: Some(refusal),
        };
        Ok(looker.page_as(status_of(&error), &page))
    }
}

impl Field {
    fn is_seen(&self) -> bool {
        matches!(self.kind, FieldKind::Seen)
    }

    fn is_secret(&self) -> bool {
        matches!(self.kind, FieldKind::Secret)
    }

    fn is_wanted(&self) -> bool {
        !matches!(self.kind, FieldKind::Line { optional: true })
    }

    fn choices(&self) -> Option<&[(String, String)]> {
        match &self.kind {
            FieldKind::Choice(choices) => Some(choices),
            _ => None,
        }
    }
}

/// A form, sent from a page of this plane by somebody who is signed in.
pub(super) struct Sent {
    pub(super) looker: Looker,
    values: Vec<(String, zeroize::Zeroizing<String>)>,
}

impl Sent {
    /// What was filled in under a name; nothing, if nothing was.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// What was filled in under a name, every byte of it.
    pub(super) fn exactly(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

impl FromRequest<App> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        use axum::{extract::FromRequestParts as _, response::IntoResponse as _};
        let (mut parts, body) = request.into_parts();
        let looker = Looker::from_request_parts(&mut parts, app).await?;
        let refused = |what: &str| {
            let error = ControlError::refused(what)
                .cure("go back to the page, load it again, and send it from there");
            Stopped::into_response(looker.failed(&error))
        };
        let form = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let form = form.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if !is_own_form(&parts.headers) || !form {
            return Err(refused("this was not sent from a page of this plane"));
        }
        let request = Request::from_parts(
            parts,
            axum::body::Body::new(http_body_util::Limited::new(body, FORM_BYTES_MAX)),
        );
        let Ok(bytes) = Bytes::from_request(request, app).await else {
            return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response());
        };
        let pairs = url::form_urlencoded::parse(&bytes).take(FIELDS_MAX);
        let values = pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
        Ok(Self { looker, values })
    }
}

const FORM_BYTES_MAX: usize = 65_536;
const FIELDS_MAX: usize = 64;
