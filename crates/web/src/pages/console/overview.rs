//! The first page: what runs, what was refused or held, what is wrong.

use super::{
    bits,
    look::{Frame, Looker, Shown, Stopped},
};
use askama::Template;
use provost_api::{
    Moment,
    decision::{TallyStep, TallyView},
};
use provost_control::{
    Action,
    access::allows,
    overview::{self, About, Overview},
    person,
};
use provost_domain::{AgentStatus, Name, Severity, TaskId};

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Page {
    frame: Frame,
    shown: Overview,
    chart: Chart,
    at: Moment,
}

/// For who has no role: what is theirs.
#[derive(Template)]
#[template(path = "console/yours.html")]
struct Yours {
    frame: Frame,
    name: Name,
    agents: Vec<(Name, AgentStatus, String)>,
    tasks: Vec<(TaskId, Name, String, Moment)>,
}

/// Decisions of each step of time as bars, drawn here.
struct Chart {
    bars: Vec<Bar>,
    /// Half and all of what the tallest bar stands for.
    scale: [u64; 2],
    /// The same for who reads: sums of six steps each, those in which nothing was decided left out.
    rows: Vec<TallyStep>,
}

struct Bar {
    x: u32,
    y: u32,
    height: u32,
    class: &'static str,
}

/// The overview; for a person without a role, what is theirs.
pub(super) async fn show(looker: Looker) -> Shown {
    if !allows(&looker.op.subject, Action::Status) {
        return Ok(looker.page(&yours(&looker).await?));
    }
    looker.may(Action::TaskRead)?;
    let shown = overview::show(&looker.op).await.map_err(|error| looker.failed(&error))?;
    let page = Page {
        frame: looker.frame("/console"),
        chart: chart(&shown.pace),
        at: looker.plane().now().into(),
        shown,
    };
    Ok(looker.page(&page))
}

async fn yours(looker: &Looker) -> Result<Yours, Stopped> {
    let view = looker.plane().replica.latest();
    let now = looker.plane().now();
    let name = looker.visitor.person.name.clone();
    let own = person::owned(&looker.op, &name, OWN_MAX).await.map_err(|error| looker.failed(&error))?;
    let agents = own
        .iter()
        .map(|agent| (agent.name.clone(), agent.status, agent.charter.purpose.to_string()))
        .collect();
    let asked = view.directory.tasks.values().filter(|task| task.requester == name && task.is_live(now));
    let mut tasks: Vec<_> = asked
        .map(|task| (task.id, task.agent.clone(), task.purpose.to_string(), Moment::from(task.started)))
        .collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(task.0));
    tasks.truncate(OWN_MAX);
    Ok(Yours { frame: looker.frame("/console"), name, agents, tasks })
}

/// Bars of 720 by 120; the least that happened is seen.
fn chart(pace: &TallyView) -> Chart {
    let most = pace.steps.iter().map(TallyStep::all).max().unwrap_or_default();
    // An even number, so that half of it is one, too.
    let top = most.saturating_add(most % 2).max(2);
    let mut bars = Vec::new();
    for (place, step) in (0_u32..).zip(&pace.steps) {
        let mut below = 0_u32;
        for (count, class) in [(step.allow, "good"), (step.hold, "wait"), (step.deny, "stop")] {
            if count == 0 {
                continue;
            }
            let scaled = count.saturating_mul(u64::from(HEIGHT)).checked_div(top).unwrap_or_default();
            let height =
                u32::try_from(scaled).unwrap_or(HEIGHT).clamp(2, HEIGHT.saturating_sub(below).max(2));
            below = below.saturating_add(height);
            bars.push(Bar { x: place.saturating_mul(10), y: HEIGHT.saturating_sub(below), height, class });
        }
    }
    let sum = |steps: &[TallyStep]| {
        let all = |of: fn(&TallyStep) -> u64| steps.iter().map(of).fold(0, u64::saturating_add);
        let at = steps.first().and_then(|step| step.at);
        TallyStep {
            at,
            allow: all(|step| step.allow),
            hold: all(|step| step.hold),
            deny: all(|step| step.deny),
        }
    };
    let rows = pace.steps.chunks(6).map(sum).filter(|row| row.all() > 0).collect();
    Chart { bars, scale: [top / 2, top], rows }
}

impl Page {
    /// Where something that is wrong is seen.
    fn href(about: &About) -> String {
        match about {
            About::Plane => "/readyz".to_owned(),
            About::Agents(status) => format!("/console/agents?status={status}"),
            About::Task(id) => format!("/console/tasks/{id}"),
            About::Decision(id) => format!("/console/decisions/{id}"),
            About::System(name) => format!("/console/systems/{name}"),
        }
    }

    /// Findings that wait.
    fn findings(&self) -> usize {
        self.shown.findings.values().sum()
    }

    /// Those that are high or critical.
    fn bad(&self) -> usize {
        self.shown.findings.range(Severity::High..).map(|(_severity, count)| count).sum()
    }

    /// Agents in one state.
    fn agents(&self, status: &str) -> usize {
        self.shown.status.agents.get(status).copied().unwrap_or_default()
    }

    fn agents_all(&self) -> usize {
        self.shown.status.agents.values().sum()
    }
}

const HEIGHT: u32 = 120;
const OWN_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_in_their_picture_and_the_least_is_seen() {
        let mut steps = vec![TallyStep::default(); 72];
        steps[3] = TallyStep { at: None, allow: 10_000, hold: 1, deny: 1 };
        steps[71] = TallyStep { at: None, allow: 0, hold: 0, deny: 1 };
        let chart = chart(&TallyView { steps, ..TallyView::default() });
        assert_eq!(chart.bars.len(), 4);
        assert!(chart.bars.iter().all(|bar| bar.height >= 2 && bar.x + 8 <= 720 && bar.y <= HEIGHT));
        assert_eq!(chart.rows.len(), 2, "half hours in which something was decided");
        assert_eq!(chart.scale, [5_001, 10_002]);
    }
}
