//! Trust that is earned, in words; and an agent as far as it has earned it.

use crate::plan::{
    Planning, Reach,
    words::{Said, lasting},
};
use provost_domain::{
    Agent,
    autonomy::{AutonomyRules, Gates},
};
use provost_lifecycle::autonomy::settled;

/// An agent as its file has it, by the rules as they are before the change: those of files that are only applied now bind what
/// comes after them, so that the first apply takes over what works already.
pub(crate) fn earned(planning: &Planning<'_>, before: Option<&Agent>, after: Agent) -> Agent {
    let rules = planning.current.organisation.as_ref().map(|row| row.autonomy).unwrap_or_default();
    settled(&rules, before, after, planning.now)
}

/// That an agent is trusted less far than its file says.
pub(crate) fn say(said: &mut Said, agent: &Agent) {
    let (grade, declared) = (agent.charter.autonomy, agent.declared());
    if grade < declared {
        said.neutral(format!(
            "is declared {declared} and trusted as {grade}: it is promoted when it has earned it"
        ));
    }
}

/// What changes in how trust is come by.
pub(crate) fn changed(said: &mut Said, from: AutonomyRules, to: AutonomyRules) {
    match (from.graduated, to.graduated) {
        (false, true) => said.narrower("new agents begin in probation, and trust is earned from now on"),
        (true, false) => said.wider("agents are trusted as their charters say, earned or not"),
        _ => {}
    }
    for (grade, from, to) in
        [("supervised", from.supervised, to.supervised), ("bounded", from.bounded, to.bounded)]
    {
        gates(said, grade, from, to);
    }
}

fn gates(said: &mut Said, grade: &str, from: Gates, to: Gates) {
    let reach = |less: bool| if less { Reach::Widens } else { Reach::Narrows };
    let what = |what: &str| format!("{what} before an agent is {grade}");
    said.moved(reach(to.time < from.time), &what("time"), &lasting(from.time), &lasting(to.time));
    said.moved(reach(to.actions < from.actions), &what("actions"), &from.actions, &to.actions);
    said.moved(
        reach(to.denied_percent_max > from.denied_percent_max),
        &what("percent that policy may refuse"),
        &from.denied_percent_max,
        &to.denied_percent_max,
    );
    said.moved(
        reach(to.refused_percent_max > from.refused_percent_max),
        &what("percent that people may refuse"),
        &from.refused_percent_max,
        &to.refused_percent_max,
    );
    said.moved(reach(to.quiet < from.quiet), &what("quiet time"), &lasting(from.quiet), &lasting(to.quiet));
    let drill = |within: Option<provost_domain::DurationMs>| within.map_or("none".to_owned(), lasting);
    let longer = match (from.drilled, to.drilled) {
        (Some(from), Some(to)) => to > from,
        (_, to) => to.is_none(),
    };
    said.moved(reach(longer), &what("drill"), &drill(from.drilled), &drill(to.drilled));
}
