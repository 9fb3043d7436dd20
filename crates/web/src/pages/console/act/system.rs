//! Looking at a system's server again, reading how its tools differ from the reviewed ones, and taking the new definitions as
//! reviewed. What was read is what is taken: when the server says something else by then, it is asked again.

use super::Sent;
use crate::pages::console::{
    bits,
    look::{Frame, Looker, Shown, Stopped, done},
};
use crate::pages::status_of;
use askama::Template;
use axum::{extract::Path, response::Response};
use provost_api::{
    plan::{ApplyRequest, FileText},
    system::RepinPlan,
};
use provost_control::{Action, ControlError, error::Explained, plan, system};
use provost_domain::Name;

#[derive(Template)]
#[template(path = "console/repin.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a Name,
    /// Absent, when the server could not be looked at.
    seen: Option<RepinPlan>,
    refusal: Option<Explained>,
    why: &'a str,
    may_apply: bool,
}

/// Looks, and shows what differs.
pub(in crate::pages::console) async fn look(Path(name): Path<String>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let name = named(looker, &name)?;
    match system::repin(&looker.op, &name).await {
        Ok(seen) => Ok(page(looker, &name, Some(seen), None, "")),
        Err(error) => Ok(page(looker, &name, None, Some(&error), "")),
    }
}

/// Takes what was read as reviewed.
pub(in crate::pages::console) async fn take(Path(name): Path<String>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let name = named(looker, &name)?;
    looker.may(Action::Apply)?;
    let why = sent.text("reason");
    let seen = match system::repin(&looker.op, &name).await {
        Ok(seen) => seen,
        Err(error) => return Ok(page(looker, &name, None, Some(&error), why)),
    };
    let wanted = ApplyRequest {
        files: vec![FileText { path: seen.path.clone(), text: seen.text.clone() }],
        prune: false,
        reason: why.to_owned(),
        plan: Some(sent.text("plan").to_owned()),
        person: None,
        break_glass: false,
    };
    match plan::apply(&looker.op, wanted).await {
        Ok(_applied) => Ok(done(&format!("/console/systems/{name}"), "repinned")),
        Err(error) => Ok(page(looker, &name, Some(seen), Some(&error), why)),
    }
}

fn named(looker: &Looker, name: &str) -> Result<Name, Stopped> {
    looker.may(Action::SystemImport)?;
    name.parse().map_err(|_| looker.no_such("system", name))
}

fn page(
    looker: &Looker,
    name: &Name,
    seen: Option<RepinPlan>,
    error: Option<&ControlError>,
    why: &str,
) -> Response {
    let shown = Page {
        frame: looker.frame("/console/systems"),
        name,
        seen,
        refusal: error.map(|error| error.text().clone()),
        why,
        may_apply: looker.can(Action::Apply),
    };
    match error {
        Some(error) => looker.page_as(status_of(error), &shown),
        None => looker.page(&shown),
    }
}
