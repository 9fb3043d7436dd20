//! The first page: what runs, what was refused or held, what is wrong.

use super::{
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use provost_api::Moment;
use provost_control::{
    Action,
    access::allows,
    overview::{self, About, Overview, Pace},
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

/// Decisions of each minute as bars, drawn here.
struct Chart {
    bars: Vec<Bar>,
    most: u32,
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
        return Ok(looker.page(&yours(&looker)));
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

fn yours(looker: &Looker) -> Yours {
    let view = looker.plane().replica.latest();
    let now = looker.plane().now();
    let name = looker.visitor.person.name.clone();
    let own = view.directory.agents.values().filter(|agent| agent.charter.owner == name);
    let mut agents: Vec<_> =
        own.map(|agent| (agent.name.clone(), agent.status, agent.charter.purpose.to_string())).collect();
    agents.sort();
    agents.truncate(OWN_MAX);
    let asked = view.directory.tasks.values().filter(|task| task.requester == name && task.is_live(now));
    let mut tasks: Vec<_> = asked
        .map(|task| (task.id, task.agent.clone(), task.purpose.to_string(), Moment::from(task.started)))
        .collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(task.0));
    tasks.truncate(OWN_MAX);
    Yours { frame: looker.frame("/console"), name, agents, tasks }
}

/// Bars of 600 by 48; the least that happened is seen.
fn chart(pace: &Pace) -> Chart {
    let all =
        |minute: &overview::Minute| minute.allow.saturating_add(minute.hold).saturating_add(minute.deny);
    let most = pace.minutes.iter().map(all).max().unwrap_or_default();
    let mut bars = Vec::new();
    for (place, minute) in (0_u32..).zip(&pace.minutes) {
        let mut below = 0_u32;
        for (count, class) in [(minute.allow, "good"), (minute.hold, "wait"), (minute.deny, "stop")] {
            if count == 0 {
                continue;
            }
            let scaled = count.saturating_mul(HEIGHT).checked_div(most).unwrap_or_default();
            let height = scaled.clamp(2, HEIGHT.saturating_sub(below).max(2));
            below = below.saturating_add(height);
            bars.push(Bar { x: place.saturating_mul(10), y: HEIGHT.saturating_sub(below), height, class });
        }
    }
    Chart { bars, most }
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

const HEIGHT: u32 = 48;
const OWN_MAX: usize = 50;
