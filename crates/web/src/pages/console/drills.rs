//! Drills: how fast the kill switch was, each time it was tried.

use super::{
    act::Sent,
    asked, bits,
    look::{Frame, Looker, Shown, done},
};
use askama::Template;
use provost_api::drill::{DrillQuery, DrillRun, DrillView};
use provost_control::{Action, access::allows, drill};

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
pub(super) async fn run(sent: Sent) -> Shown {
    let looker = &sent.looker;
    let text = sent.text("agent");
    let agent = text.parse().map_err(|_bad| looker.no_such("agent", text))?;
    let wanted = DrillRun { agent, target: None };
    drill::run(&looker.op, wanted).await.map_err(|error| looker.failed(&error))?;
    Ok(done("/console/drills", "drilled"))
}

fn trend(drills: &[DrillView]) -> (Vec<Bar>, u64) {
    let worst = |drill: &DrillView| {
        drill.measured.as_ref().map(|measured| measured.first_refused.0.0.max(measured.last_ended.0.0))
    };
    let most = drills.iter().filter_map(worst).max().unwrap_or_default().max(1);
    let bar = |(place, drill): (usize, &DrillView)| {
        let took = worst(drill).unwrap_or(most);
        let height = (took.saturating_mul(HEIGHT) / most).max(1);
        let class = if drill.result == "passed" { "good" } else { "stop" };
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

impl All {
    /// Of the picture: as many bars as there are drills.
    fn width(&self) -> usize {
        self.bars.len().max(BARS_MIN).saturating_mul(BAR_WIDTH)
    }
}

const BARS_MIN: usize = 20;
const HEIGHT: u64 = 48;
const BAR_WIDTH: usize = 12;
