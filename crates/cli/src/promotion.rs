//! `provost agent promote`: what an agent has earned, and the next grade.

use crate::{
    Client, Exit, Failure, Out, Style,
    client::part,
    out::{clean, facts, table},
    when,
};
use clap::Args;
use provost_api::{
    agent::AgentView,
    autonomy::{GateView, Promote, StandingView},
    proposal::ProposalView,
};
use provost_domain::Name;
use serde::{Deserialize, Serialize};

/// Whom, and why.
#[derive(Debug, Clone, Args)]
pub struct PromoteArgs {
    /// Its name
    pub name: Name,
    /// Why, for the record; without it the gates are shown and nothing is done
    #[arg(long)]
    pub reason: Option<String>,
    /// Whose word it is; somebody else agrees where others are asked
    #[arg(long = "as", value_name = "PERSON", env = "PROVOST_PERSON", hide_env_values = true)]
    pub person: Option<Name>,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Promoted {
    Waits(Box<ProposalView>),
    Done(Box<AgentView>),
}

/// Shows the gates, or promotes. Gates that are not met end with the code of what does not hold.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(args: PromoteArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    let path = format!("agents/{}", part(args.name.as_str()));
    let Some(reason) = args.reason else {
        let standing: StandingView = client.get(&format!("{path}/standing")).await?;
        out.show(&standing, render);
        return Ok(if standing.ready { Exit::Ok } else { Exit::Unverified });
    };
    let wanted = Promote { reason, person: args.person };
    let promoted: Promoted = client.post(&format!("{path}/promotion"), &wanted).await?;
    out.show(&promoted, |promoted, style| match promoted {
        Promoted::Waits(proposal) => crate::proposal::waits(proposal, style),
        Promoted::Done(agent) => {
            let name = style.bold(agent.summary.name.as_str());
            format!("{name} is trusted as {}", agent.summary.autonomy)
        }
    });
    Ok(if matches!(promoted, Promoted::Waits(_)) { Exit::Waits } else { Exit::Ok })
}

fn render(standing: &StandingView, style: Style) -> String {
    let next = match (&standing.next, standing.graduated) {
        (Some(next), _) if standing.ready => format!("{next}: it has earned it (--reason promotes it)"),
        (Some(next), _) => format!("{next}, when every gate is met"),
        (None, true) => "nothing further is declared in its charter".to_owned(),
        (None, false) => "trust is not earned in this organisation: charters declare it".to_owned(),
    };
    let seen = if standing.whole { "" } else { ", the newest of more" };
    let mut text = facts(
        &[
            ("agent", style.bold(standing.agent.as_str())),
            ("trusted as", format!("{}, since {}", standing.autonomy, when::long(standing.since))),
            ("declared", standing.declared.to_string()),
            ("next", next),
            ("looked through", format!("{} decisions{seen}", standing.decisions)),
        ],
        style,
    );
    if !standing.gates.is_empty() {
        let row = |gate: &GateView| {
            let met = if gate.met { style.green("met") } else { style.yellow("not met") };
            vec![met, clean(&gate.gate), clean(&gate.asked), clean(&gate.found)]
        };
        text.push('\n');
        text.push_str(&table(&["", "gate", "asked", "found"], standing.gates.iter().map(row), style));
    }
    text
}
