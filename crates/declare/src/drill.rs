//! `[drill.NAME]`: which agent is drilled how often.

use crate::{Declared, desk::Desk, organisation::Named, table::Item};
use provost_domain::{DurationMs, Kind, drill::DrillPlan};

/// Drills belong to the organisation's row, which may stand in another file: they are put in at the end.
pub(crate) fn named((name, at): Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let Some(mut table) = item.table(desk, format!("[drill.{name}]")) else { return };
    let agent = table.need(desk, "agent", "name the agent whose reach is tried").and_then(|item| {
        let agent = item.name(desk)?;
        desk.mention(Kind::Agent, &agent, "agent", &item.at);
        Some(agent)
    });
    let every = table.need(desk, "every", "say how often: every = \"30d\"");
    let every = every.and_then(|item| Some((item.duration(desk)?, item.at.clone())));
    let target = table.duration(desk, "target").unwrap_or(TARGET);
    table.finish(desk);
    let (Some(agent), Some((every, every_at))) = (agent, every) else { return };
    if every < EVERY_MIN {
        desk.error(&every_at, "an agent is drilled at most once in an hour", "write every = \"30d\"");
        return;
    }
    if declared.drills.insert(name.clone(), DrillPlan { agent, every, target }).is_some() {
        desk.error(&at, format!("drill {name} is declared twice"), "keep one of the two");
    }
}

const TARGET: DurationMs = DurationMs::from_secs(1);
const EVERY_MIN: DurationMs = DurationMs::from_mins(60);
