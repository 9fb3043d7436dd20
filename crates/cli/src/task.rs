//! Tasks: bounded runs of agents, and the tokens for them.

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::{history, more},
    client::part,
    out::{clean, facts, table},
    when,
};
use clap::{Args, Subcommand};
use provost_api::{
    Because, Span,
    task::{
        ProbeView, ScopePart, TaskQuery, TaskStart, TaskStarted, TaskSummary, TaskView, TokenRequest,
        TrialView,
    },
};
use provost_domain::{Name, TaskId};
use std::fmt::Write as _;

/// `provost task`.
#[derive(Debug, Clone, Subcommand)]
pub enum TaskCommand {
    /// Start a task of an agent and print a token for it, once
    Start(StartArgs),
    /// Print a new token for a task that runs
    Renew {
        /// The task
        id: TaskId,
        /// Only for this system; all of the charter's, if not given
        #[arg(long)]
        system: Option<Name>,
    },
    /// List tasks that run
    List {
        /// Only of this agent
        #[arg(long)]
        agent: Option<Name>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Show a task: what it read, its budgets, its decisions
    Show {
        /// The task
        id: TaskId,
    },
    /// End a task: its tokens work no more
    End {
        /// The task
        id: TaskId,
        /// Why, for the record
        #[arg(long, default_value = "ended from the command line")]
        reason: String,
    },
}

/// `provost task start`.
#[derive(Debug, Clone, Args)]
pub struct StartArgs {
    /// Whose run it is
    pub agent: Name,
    /// What this run is for; a person later judges it by this
    #[arg(long)]
    pub purpose: String,
    /// The person who asks for it; the agent's owner, if not given
    #[arg(long, value_name = "PERSON")]
    pub requester: Option<Name>,
    /// Something that person gives it to work with, such as payee=DE89…; may be given several times
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = input)]
    pub inputs: Vec<(String, String)>,
    /// How long it may last, such as 15m or 2h; the charter's longest, if not given
    #[arg(long, value_name = "SPAN")]
    pub duration: Option<Span>,
    /// Use only this part of the charter: SYSTEM, or SYSTEM/TOOL; may be given several times
    #[arg(long = "only", value_name = "SYSTEM[/TOOL]", value_parser = scope)]
    pub only: Vec<ScopePart>,
    /// The token is for this system alone, at /mcp/SYSTEM
    #[arg(long)]
    pub system: Option<Name>,
    /// What the agent is made of, a part at a time: model=NAME, prompt=@FILE (the digest of that file), image=DIGEST
    #[arg(long = "part", value_name = "PART=TEXT|@FILE", value_parser = made_of)]
    pub parts: Vec<(String, String)>,
    /// Print nothing but the token, for $(…)
    #[arg(long)]
    pub token: bool,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: TaskCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        TaskCommand::Start(args) => start(args, client, out).await?,
        TaskCommand::Renew { id, system } => {
            let path = format!("tasks/{}/token", part(&id.to_string()));
            let started: TaskStarted = client.post(&path, &TokenRequest { system }).await?;
            out.show(&started, render_started);
        }
        TaskCommand::List { agent, limit } => {
            let query = TaskQuery { agent, ..TaskQuery::default() };
            let page = client.list::<TaskSummary>("tasks", &query, limit).await?;
            out.show(&page, |page, style| more(tasks(&page.items, style), page.next.is_some(), style));
        }
        TaskCommand::Show { id } => {
            let task: TaskView = client.get(&format!("tasks/{}", part(&id.to_string()))).await?;
            out.show(&task, render);
        }
        TaskCommand::End { id, reason } => {
            let path = format!("tasks/{}/end", part(&id.to_string()));
            let task: TaskSummary = client.post(&path, &Because { reason }).await?;
            out.show(&task, |task, style| {
                format!("{} is {}; its tokens work no more", task.id, style.yellow(&task.status))
            });
        }
    }
    Ok(Exit::Ok)
}

/// The parts as one bill; none, if there is no part.
pub(crate) fn bill(parts: Vec<(String, String)>) -> Option<std::collections::BTreeMap<String, String>> {
    (!parts.is_empty()).then(|| parts.into_iter().collect())
}

/// `part=text`, or `part=@file` for the digest of a file.
pub(crate) fn made_of(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(part, text)| !part.is_empty() && !text.is_empty());
    let (part, text) = parts.ok_or_else(|| "write it like model=NAME or prompt=@FILE".to_owned())?;
    let text = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(path) => crate::made_of::of_file(path.as_ref())
            .map_err(|error| format!("{path} cannot be read: {error}"))?
            .to_string(),
    };
    Ok((part.to_owned(), text))
}

async fn start(args: StartArgs, client: &Client, out: Out) -> Result<(), Failure> {
    let wanted = TaskStart {
        bill: bill(args.parts),
        agent: args.agent,
        purpose: args.purpose,
        requester: args.requester,
        inputs: args.inputs.into_iter().collect(),
        duration: args.duration,
        scope: (!args.only.is_empty()).then(|| merged(args.only)),
        system: args.system,
    };
    let started: TaskStarted = client.post("tasks", &wanted).await?;
    if args.token && !out.json {
        out.text(&started.token);
    } else {
        out.show(&started, render_started);
    }
    Ok(())
}

fn input(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or_else(|| "an input is NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

fn render_started(started: &TaskStarted, style: Style) -> String {
    let task = &started.task;
    let mut text = facts(
        &[
            ("task", style.bold(&task.id.to_string())),
            ("agent", format!("{}, for {}", task.agent, task.requester)),
            ("purpose", clean(&task.purpose)),
            ("ends", when::long(task.expires)),
            ("server", style.cyan(&clean(&started.resource))),
            ("token", started.token.clone()),
            (
                "good until",
                format!("{}; then `provost task renew {}`", when::long(started.token_expires), task.id),
            ),
        ],
        style,
    );
    let _written = write!(
        text,
        "\nGive the agent's MCP client that server and the header `Authorization: Bearer TOKEN`.\n\
         The token is shown this once and kept nowhere."
    );
    text
}

fn render(task: &TaskView, style: Style) -> String {
    let summary = &task.summary;
    let scope = summary.scope.as_ref().map(|parts| {
        let part = |part: &ScopePart| match part.tools.as_slice() {
            [] => part.system.to_string(),
            tools => format!(
                "{}: {}",
                part.system,
                tools.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        };
        parts.iter().map(part).collect::<Vec<_>>().join("\n")
    });
    let labels = if task.labels.is_empty() {
        "nothing with a label".to_owned()
    } else {
        style.yellow(&task.labels.join(", "))
    };
    let mut text = facts(
        &[
            ("task", style.bold(&summary.id.to_string())),
            ("status", style.state(&summary.status)),
            ("agent", summary.agent.to_string()),
            ("for", summary.requester.to_string()),
            ("purpose", clean(&summary.purpose)),
            ("started", when::long(summary.started)),
            ("ends", when::long(summary.expires)),
            ("may use", scope.unwrap_or_else(|| "all of the charter".to_owned())),
            ("has read", labels),
        ],
        style,
    );
    if !task.balances.is_empty() {
        let row = |b: &provost_api::task::BalanceView| {
            vec![clean(&b.budget), b.window.to_string(), b.used.clone(), b.max.clone(), b.left.clone()]
        };
        let rows = task.balances.iter().map(row);
        let _written = writeln!(
            text,
            "\n{}\n{}",
            style.bold("Budgets"),
            table(&["budget", "within", "used", "max", "left"], rows, style)
        );
    }
    if let Some(trial) = &task.trial {
        let _written = writeln!(text, "\n{}\n{}", style.bold("Tried after its end"), tried(trial, style));
    }
    let _written = writeln!(
        text,
        "\n{}\n{}",
        style.bold("Decisions, newest first"),
        crate::decision::decisions(&task.decisions, style)
    );
    text.push_str(&history(&task.history, style));
    text
}

/// What each face said to a token of a task that had ended.
fn tried(trial: &TrialView, style: Style) -> String {
    let row = |probe: &ProbeView| {
        let answer = match probe.answer.as_str() {
            "refused" => style.green("refused"),
            "accepted" => style.red("NOT REFUSED"),
            other => style.yellow(other),
        };
        let status = probe.status.map(|status| status.to_string()).unwrap_or_default();
        vec![clean(&probe.face), answer, status, when::short(probe.at)]
    };
    table(&["face", "answer", "status", "at"], trial.probes.iter().map(row), style)
}

/// Tasks as a table.
pub(crate) fn tasks(tasks: &[TaskSummary], style: Style) -> String {
    let row = |task: &TaskSummary| {
        vec![
            task.id.to_string(),
            task.agent.to_string(),
            style.state(&task.status),
            task.requester.to_string(),
            when::short(task.started),
            when::short(task.expires),
            clean(&task.purpose),
        ]
    };
    table(&["task", "agent", "status", "for", "started", "ends", "purpose"], tasks.iter().map(row), style)
}

fn scope(text: &str) -> Result<ScopePart, String> {
    let (system, tool) = match text.split_once('/') {
        Some((system, tool)) => (system, Some(tool)),
        None => (text, None),
    };
    let system = system.parse().map_err(|error| format!("{error}"))?;
    let tool = tool.map(|tool| tool.parse().map_err(|error| format!("{error}"))).transpose()?;
    Ok(ScopePart { system, tools: tool.into_iter().collect(), args: Default::default() })
}

/// One part for each system; a system without tools means all of its tools.
fn merged(parts: Vec<ScopePart>) -> Vec<ScopePart> {
    let mut merged: Vec<ScopePart> = Vec::new();
    for part in parts {
        match merged.iter_mut().find(|known| known.system == part.system) {
            Some(known) if known.tools.is_empty() || part.tools.is_empty() => known.tools.clear(),
            Some(known) => known.tools.extend(part.tools),
            None => merged.push(part),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_system_become_one_and_the_whole_system_wins() {
        let parts = ["bank/transfer", "files", "bank/get_statement", "files/read"];
        let merged = merged(parts.iter().map(|text| scope(text).unwrap()).collect());
        let tools: Vec<_> = merged.iter().map(|part| (part.system.as_str(), part.tools.len())).collect();
        assert_eq!(tools, [("bank", 2), ("files", 0)]);
    }
}
