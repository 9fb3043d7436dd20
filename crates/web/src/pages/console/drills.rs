//! Drills: how fast the kill switch was, each time it was tried.

use super::{
    asked, bits,
    look::{Frame, Looker, Shown},
};
use crate::pages::visitor::is_own_form;
use askama::Template;
use axum::{
    body::Bytes,
    http::HeaderMap,
    response::{IntoResponse as _, Redirect},
};
use provost_api::drill::{DrillQuery, DrillRun, DrillView};
use provost_control::{Action, ControlError, access::allows, drill};

#[derive(Template)]
#[template(path = "console/drills.html")]
struct All {
    frame: Frame,
    drills: Vec<DrillView>,
    bars: Vec<Bar>,
    /// The longest time shown, in milliseconds.
    most: u64,
    may_run: bool,
}

/// One drill of the chart, oldest first.
struct Bar {
    x: usize,
    y: u64,
    height: u64,
    class: &'static str,
    title: String,
}

/// The drills, and their trend.
pub(super) async fn list(looker: Looker) -> Shown {
    looker.may(Action::DrillRead)?;
    let query = DrillQuery { limit: Some(asked::ROWS), ..DrillQuery::default() };
    let drills = drill::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?.items;
    let (bars, most) = trend(&drills);
    let may_run = allows(&looker.op.subject, Action::DrillRun);
    Ok(looker.page(&All { frame: looker.frame("/console/drills"), drills, bars, most, may_run }))
}

/// Carries one out.
pub(super) async fn run(looker: Looker, headers: HeaderMap, body: Bytes) -> Shown {
    if !is_own_form(&headers) || body.len() > BODY_BYTES_MAX {
        return Err(looker.failed(&ControlError::refused("this was not said on a page of this plane")));
    }
    let named = url::form_urlencoded::parse(&body).find(|(name, _)| name == "agent");
    let text = named.map(|(_, value)| value.trim().to_owned()).unwrap_or_default();
    let agent = text.parse().map_err(|_bad| looker.no_such("agent", &text))?;
    let wanted = DrillRun { agent, target: None };
    drill::run(&looker.op, wanted).await.map_err(|error| looker.failed(&error))?;
    Ok(Redirect::to("/console/drills").into_response())
}

fn trend(drills: &[DrillView]) -> (Vec<Bar>, u64) {
    let worst = |drill: &DrillView| {
        drill.measured.as_ref().map(|measured| measured.first_refused.0.0.max(measured.last_ended.0.0))
    };
    let most = drills.iter().filter_map(worst).max().unwrap_or_default().max(1);
    let bar = |(place, drill): (usize, &DrillView)| {
        let took = worst(drill).unwrap_or(most);
        let height = (took.saturating_mul(HEIGHT) / most).max(1);
        let class = if drill.result == "passed" { "allow" } else { "deny" };
        Bar {
            x: place.saturating_mul(BAR_WIDTH),
            y: HEIGHT.saturating_sub(height),
            height,
            class,
            title: format!("{} {}: {took} ms, {}", drill.agent, drill.at, drill.result),
        }
    };
    (drills.iter().rev().enumerate().map(bar).collect(), most)
}

const HEIGHT: u64 = 48;
const BAR_WIDTH: usize = 12;
const BODY_BYTES_MAX: usize = 1_024;
