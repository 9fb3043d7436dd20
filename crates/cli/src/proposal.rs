//! Proposals: changes that wait for people, what exactly would change, and the answers. They are made by `provost apply`.

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::{history, more},
    approval::{Who, render_eligible, votes, wants},
    client::part,
    out::{clean, facts, table, wrapped},
    plan::render_step,
    when,
};
use clap::Subcommand;
use provost_api::{
    Because,
    approval::EligibleView,
    proposal::{LineDiff, ProposalAnswer, ProposalQuery, ProposalSummary, ProposalView, ReachView, RowDiff},
};
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// `provost proposal`.
#[derive(Debug, Clone, Subcommand)]
pub enum ProposalCommand {
    /// List changes that wait for people
    List {
        /// Only of this agent
        #[arg(long)]
        agent: Option<Name>,
        /// Only what this person may answer now
        #[arg(long = "for", value_name = "PERSON")]
        person: Option<Name>,
        /// Only in this state: waiting, applied, refused, expired, withdrawn or stale
        #[arg(long, conflicts_with = "all")]
        status: Option<String>,
        /// Those that are over, too
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Show one: who gains what, what becomes reachable, the rows side by side, who must agree
    Show {
        /// The proposal
        id: String,
    },
    /// Say whether a person may answer, and if not, why not
    Eligible {
        /// The proposal
        id: String,
        /// The person
        person: Name,
    },
    /// Say yes to exactly this change; the last yes that is needed applies it
    Approve {
        /// The proposal
        id: String,
        /// Who says it
        #[command(flatten)]
        who: Who,
        /// As an administrator, without those who must agree; needs a reason and is reviewed
        #[arg(long)]
        break_glass: bool,
        /// Only if it is still exactly this change: the digest that `show` prints
        #[arg(long, value_name = "DIGEST")]
        digest: Option<String>,
    },
    /// Say no: the change does not happen
    Refuse {
        /// The proposal
        id: String,
        /// Who says it
        #[command(flatten)]
        who: Who,
    },
    /// Take a proposal back
    Withdraw {
        /// The proposal
        id: String,
        /// Why, for the record
        #[arg(long, default_value = "withdrawn from the command line")]
        reason: String,
    },
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: ProposalCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        ProposalCommand::List { agent, person, status, all, limit } => {
            let status = status.or_else(|| all.then(|| "all".to_owned()));
            let query = ProposalQuery { agent, person, status, ..Default::default() };
            let page = client.list::<ProposalSummary>("proposals", &query, limit).await?;
            out.show(&page, |page, style| more(list(&page.items, style), page.next.is_some(), style));
        }
        ProposalCommand::Show { id } => {
            let view: ProposalView = client.get(&at(&id, "")).await?;
            out.show(&view, render);
        }
        ProposalCommand::Eligible { id, person } => {
            let view: EligibleView = client.get(&at(&id, &format!("/eligible/{person}"))).await?;
            out.show(&view, render_eligible);
        }
        ProposalCommand::Approve { id, who, break_glass, digest } => {
            let answer =
                ProposalAnswer { person: who.person, reason: who.reason, digest, break_glass, signed: None };
            return answered(&client.post(&at(&id, "/approve"), &answer).await?, out);
        }
        ProposalCommand::Refuse { id, who } => {
            let answer = ProposalAnswer { person: who.person, reason: who.reason, ..Default::default() };
            let view: ProposalView = client.post(&at(&id, "/refuse"), &answer).await?;
            out.show(&view, stands);
        }
        ProposalCommand::Withdraw { id, reason } => {
            let view: ProposalView = client.post(&at(&id, "/withdraw"), &Because { reason }).await?;
            out.show(&view, stands);
        }
    }
    Ok(Exit::Ok)
}

/// What came of a change: it is made, or waits for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Outcome<T> {
    /// Nothing has changed yet.
    Waits(Box<ProposalView>),
    /// It is made.
    Done(T),
}

impl<T: Serialize> Outcome<T> {
    /// Shows it.
    pub(crate) fn show(&self, out: Out, done: impl Fn(&T, Style) -> String) -> Exit {
        out.show(self, |outcome, style| match outcome {
            Self::Waits(view) => waits(view, style),
            Self::Done(view) => done(view, style),
        });
        if matches!(self, Self::Waits(_)) { Exit::Waits } else { Exit::Ok }
    }
}

/// A yes that was not the last one leaves it waiting.
fn answered(view: &ProposalView, out: Out) -> Result<Exit, Failure> {
    out.show(view, stands);
    Ok(if view.summary.status == WAITING { Exit::Waits } else { Exit::Ok })
}

fn at(id: &str, rest: &str) -> String {
    format!("proposals/{}{rest}", part(id))
}

/// What applying says when nothing was applied.
pub(crate) fn waits(view: &ProposalView, style: Style) -> String {
    let id = &view.summary.id;
    let mut text = format!(
        "{} {} waits for people, and nothing has changed yet",
        style.yellow("proposed:"),
        style.bold(&clean(id))
    );
    for missing in &view.missing {
        let _written = write!(text, "\n  {}", wants(missing, style));
    }
    let how = if view.signed { "they sign with their passkeys" } else { "they sign in and agree" };
    let _written = write!(
        text,
        "\n  {how}, in a browser at /proposals/{id}\n  an answer counts until {}",
        when::long(view.summary.until)
    );
    text
}

fn list(rows: &[ProposalSummary], style: Style) -> String {
    if rows.is_empty() {
        return "no change waits for anybody".to_owned();
    }
    let row = |row: &ProposalSummary| {
        vec![
            clean(&row.id),
            clean(&row.author),
            style.state(&row.status),
            row.agents.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            row.rows.to_string(),
            clean(&row.gates.join(", ")),
            when::short(row.made),
            when::short(row.until),
            clean(&row.reason),
        ]
    };
    let heads = ["proposal", "by", "stands", "agents", "rows", "asks", "since", "until", "because"];
    table(&heads, rows.iter().map(row), style)
}

fn stands(view: &ProposalView, style: Style) -> String {
    let row = &view.summary;
    let mut text = format!("{} is {}", clean(&row.id), style.state(&row.status));
    if let Some(seq) = view.applied {
        let _written = write!(text, ", in force at position {seq}");
    }
    if let Some(over) = &view.over {
        let _written = write!(text, ": {}", clean(over));
    }
    for missing in &view.missing {
        let _written = write!(text, "\n{}", wants(missing, style));
    }
    text
}

fn render(view: &ProposalView, style: Style) -> String {
    let row = &view.summary;
    let environments: Vec<String> = row.environments.iter().map(ToString::to_string).collect();
    let asks: Vec<String> = view
        .asks
        .iter()
        .map(|asked| format!("{}: {}", clean(&asked.gate), clean(&asked.rows.join(", "))))
        .collect();
    let mut text = facts(
        &[
            ("proposal", style.bold(&clean(&row.id))),
            ("status", style.state(&row.status)),
            ("by", clean(&row.author)),
            ("because", wrapped(&clean(&row.reason), 90, "")),
            ("reaches", environments.join(", ")),
            ("asks", asks.join("\n")),
            ("until", when::long(row.until)),
            (
                "a yes",
                if view.signed {
                    "is a signature: /proposals/ID in a browser".to_owned()
                } else {
                    String::new()
                },
            ),
            ("digest", view.digest.clone()),
        ],
        style,
    );
    if let Some(broken) = &view.broken {
        let said = format!("applied by {} without those who must agree: {}", broken.by, broken.reason);
        let _written = writeln!(text, "\n{}", style.red(&clean(&said)));
    }
    if let Some(over) = &view.over {
        let _written = writeln!(text, "\n{}", clean(over));
    }
    for moved in &view.moved {
        let said = format!("{} has changed since: it has to be proposed again", clean(moved));
        let _written = writeln!(text, "\n{}", style.yellow(&said));
    }
    let _written = writeln!(text, "\n{}", style.bold("Who gains what"));
    for step in &view.steps {
        text.push_str(&render_step(step, style));
    }
    if !view.reach.is_empty() {
        let _written = writeln!(text, "\n{}", style.bold("What becomes reachable"));
    }
    for reach in &view.reach {
        text.push_str(&render_reach(reach, style));
    }
    for diff in &view.diffs {
        text.push_str(&render_diff(diff, style));
    }
    for missing in &view.missing {
        let _written = writeln!(text, "\n{}", wants(missing, style));
    }
    if !view.votes.is_empty() {
        let _written = writeln!(text, "\n{}", votes(&view.votes, style));
    }
    text.push_str(&history(&view.history, style));
    text
}

fn render_reach(reach: &ReachView, style: Style) -> String {
    let mut text = format!("  {}\n", style.bold(&clean(&reach.agent)));
    for tool in &reach.gains {
        let out = if tool.sends_out { ", sends data out" } else { "" };
        let brings = if tool.returns.is_empty() {
            String::new()
        } else {
            format!(", brings {}", tool.returns.join(", "))
        };
        let line = format!("+ {} ({}{brings}{out})", tool.tool, tool.effects.join(", "));
        let _written = writeln!(text, "    {}", style.yellow(&clean(&line)));
    }
    for tool in &reach.loses {
        let _written = writeln!(text, "    - {}", clean(tool));
    }
    for (what, names) in
        [("systems it did not reach", &reach.systems), ("data it could not read", &reach.data)]
    {
        if !names.is_empty() {
            let _written = writeln!(text, "    {what}: {}", clean(&names.join(", ")));
        }
    }
    let length = |bound: Option<provost_api::Span>| bound.map_or("nothing".to_owned(), when::length);
    let (before, after) = (length(reach.bound_before), length(reach.bound_after));
    let _written = match before == after {
        true => writeln!(text, "    outlives an order to stop it by {after}, as before"),
        false => writeln!(text, "    outlives an order to stop it by {before} before, {after} afterwards"),
    };
    text
}

/// Lines that differ, with a few around them.
fn render_diff(diff: &RowDiff, style: Style) -> String {
    let mut text = format!("\n{} {}\n", style.bold("Row"), style.bold(&clean(&diff.row)));
    let near = |index: usize| {
        let from = index.saturating_sub(AROUND);
        diff.lines.iter().skip(from).take(index.saturating_sub(from) + AROUND + 1).any(|line| !line.is_same())
    };
    let mut skipped = false;
    for (index, line) in diff.lines.iter().enumerate() {
        if !near(index) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            let _written = writeln!(text, "    {}", style.dim("…"));
        }
        let LineDiff { before, after } = line;
        if line.is_same() {
            let _written = writeln!(text, "    {}", clean(before.as_deref().unwrap_or_default()));
            continue;
        }
        if let Some(before) = before {
            let _written = writeln!(text, "  {} {}", style.red("-"), style.red(&clean(before)));
        }
        if let Some(after) = after {
            let _written = writeln!(text, "  {} {}", style.green("+"), style.green(&clean(after)));
        }
    }
    if diff.more > 0 {
        let _written = writeln!(text, "    and {} more lines: --json", diff.more);
    }
    text
}

const WAITING: &str = "waiting";
/// Lines shown around one that differs.
const AROUND: usize = 2;
