//! What is usual for an agent: agreeing to what changed, keeping what was, learning it again.

use super::{Act, Sent};
use crate::pages::console::look::{Looker, Shown, Stopped};
use axum::extract::Path;
use provost_api::baseline::{BaselineAgree, BaselineReset};
use provost_control::{Action, baseline};
use provost_domain::Name;

/// Asks before something is decided about it.
pub(in crate::pages::console) async fn ask(
    looker: Looker,
    Path((name, word)): Path<(String, String)>,
) -> Shown {
    Ok(act(&looker, &name, &word)?.0.ask(&looker))
}

/// Decides it.
pub(in crate::pages::console) async fn make(Path((name, word)): Path<(String, String)>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let (act, agent) = act(looker, &name, &word)?;
    let reason = sent.text("reason").to_owned();
    let outcome = match word.as_str() {
        "reset" => {
            baseline::reset(&looker.op, &agent, BaselineReset { kind: None, peers: false, reason }).await
        }
        word => {
            let wanted = BaselineAgree { kind: None, new: word == "approve", reason };
            baseline::agree(&looker.op, &agent, wanted).await
        }
    };
    act.over(looker, &sent, outcome, "decided")
}

fn act(looker: &Looker, name: &str, word: &str) -> Result<(Act, Name), Stopped> {
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("agent", name)) };
    looker.may_on(Action::BaselineAgree, &name)?;
    let rows = baseline::list(&looker.op, &name).map_err(|error| looker.failed(&error))?;
    let (title, means, danger) = match word {
        "approve" => (
            format!("Agree to what {name} does from now on?"),
            "What was put aside is usual from the next call on: after a change instead of what was usual, otherwise besides it.",
            false,
        ),
        "keep" => (
            format!("Keep what was usual for {name}?"),
            "What was usual before goes on, and what was put aside is forgotten.",
            false,
        ),
        "reset" => (
            format!("Learn again what is usual for {name}?"),
            "Everything learned is forgotten. Until enough tasks have ended nothing is usual, and more calls wait for people.",
            true,
        ),
        _ => return Err(looker.no_such("act", word)),
    };
    let hit = |row: &provost_api::baseline::BaselineView| {
        let waits = row.waits.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
        let aside = row.aside.runs;
        (format!("{}: {} runs, {aside} put aside{waits}", row.of, row.reference.runs), None)
    };
    let act = Act {
        here: "/console/agents",
        back: (format!("/console/agents/{name}"), "The agent".to_owned()),
        to: format!("/console/agents/{name}/baseline/{word}"),
        title,
        means: vec![means.to_owned()],
        hits: rows.iter().map(hit).collect(),
        fields: Vec::new(),
        button: "Decide".to_owned(),
        danger,
        reason: true,
        command: format!("provost baseline {word} {name} --reason …"),
    };
    Ok((act, name))
}
