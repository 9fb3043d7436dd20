//! What people are told of what is usual: it waits for them, it moves slowly, or an agent does other things than those with its
//! purpose.

use crate::{Op, finding};
use provost_domain::{
    Baseline, BaselineOf, Directory, Name, Severity, Sighting, finding::About, usual::Counts,
};
use provost_watch::{baseline, kind};

/// What is usual waits for them.
pub(super) async fn proposed(op: &Op, agent: &Name, what: &str) {
    let what = format!(
        "{what}: nothing counts as usual for {agent} until somebody has looked (provost baseline show {agent}), \
         and agrees to what it does from now on or to what it did before (provost baseline approve, keep)"
    );
    let sighting = Sighting::new("baseline-proposed", agent.as_str(), Severity::Low, what);
    finding::try_raise(op, &sighting.about(About::agent(agent))).await;
}

/// A baseline that moves slowly, of an agent or of all with one purpose, is not followed, and somebody is told.
pub(super) async fn shift(op: &Op, row: &Baseline) {
    let shift = row.usual.shift();
    if row.usual.reference.runs < baseline::REFERENCE_RUNS || shift < SHIFT_NOTABLE {
        return;
    }
    let (about, again) = match row.of.agent() {
        Some(agent) => (About::agent(agent), format!("provost baseline reset {agent}")),
        None => (About::default(), "provost baseline reset --peers, with the name of any of them".to_owned()),
    };
    let what = format!(
        "what {} do{} has moved away from what was usual, by {:.0} in 100 of the use of tools; if that is how it is to \
         be, start the baseline again ({again})",
        row.of,
        if row.of.agent().is_some() { "es" } else { "" },
        shift * 100.0
    );
    let sighting = Sighting::new("baseline-shift", row.key(), Severity::Medium, what);
    finding::try_raise(op, &sighting.about(about)).await;
}

/// An agent that does other things than those with its purpose. Looked at with its first run of a day.
pub(super) async fn unlike(op: &Op, row: &Baseline) {
    let BaselineOf::Agent { agent } = &row.of else { return };
    let own = &row.usual.recent;
    if row.usual.period.1 != 1 || own.runs < COMPARED_RUNS_MIN {
        return;
    }
    let view = op.plane.replica.latest();
    let Some((others, of)) = peers(&view.directory, agent) else { return };
    let apart = own.apart(&others);
    if apart < UNLIKE_NOTABLE {
        return;
    }
    let most = own.most_apart(&others).map(|(tool, mine, theirs)| {
        format!(", most of all {tool} (in {mine} of 100 of its runs, in {theirs} of theirs)")
    });
    let what = format!(
        "{agent} does other things than the {of} agents with its purpose: {:.0} in 100 of its use of tools is elsewhere{}; look \
         at what it does, and if it is there for something else, let its charter say so",
        apart * 100.0,
        most.unwrap_or_default()
    );
    let sighting = Sighting::new("baseline-unlike", agent.as_str(), Severity::Medium, what);
    finding::try_raise(op, &sighting.about(About::agent(agent))).await;
}

/// What other agents with its purpose do of late, all together, and how many they are; nothing, if they are too few to say.
fn peers(directory: &Directory, agent: &Name) -> Option<(Counts, usize)> {
    let purpose = |name: &Name| kind::of(&directory.agents.get(name)?.charter.purpose);
    let own = purpose(agent)?;
    let mut all = Counts::default();
    let mut of = 0_usize;
    for row in directory.baselines.values() {
        let BaselineOf::Agent { agent: other } = &row.of else { continue };
        let recent = &row.usual.recent;
        if other == agent || recent.runs < COMPARED_RUNS_MIN || purpose(other).as_ref() != Some(&own) {
            continue;
        }
        all.merge(recent);
        of = of.saturating_add(1);
        if of == PEERS_MAX {
            break;
        }
    }
    (of >= PEERS_MIN).then_some((all, of))
}

/// The share of the use of tools that may move before somebody is told.
const SHIFT_NOTABLE: f64 = 0.3;
/// The share of an agent's use of tools that may be elsewhere than its peers'.
const UNLIKE_NOTABLE: f64 = 0.5;
/// Runs of an agent from which on it is compared.
const COMPARED_RUNS_MIN: u32 = 20;
/// Others that say what is usual among them, and how many are looked at.
const PEERS_MIN: usize = 2;
const PEERS_MAX: usize = 50;
