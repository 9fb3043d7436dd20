//! Agents: listing, showing, bringing in, stopping.

use crate::{
    Client, Exit, Failure, Out, Style,
    client::part,
    key,
    out::{clean, facts, table, wrapped},
    plan::AuthorArgs,
    promotion, proof,
    proposal::Outcome,
    when,
};
use clap::{Args, Subcommand};
use provost_api::{
    Because,
    agent::{
        AgentQuery, AgentStep, AgentSummary, AgentView, ChangeView, Demote, LooseningView, Restrict,
        RevisionView,
    },
    plan::{Applied, ApplyRequest, FileText},
    upkeep::{Accept, Attest},
};
use provost_domain::Name;
use serde_json::Value;
use std::{fmt::Write as _, path::PathBuf};

/// `provost agent`.
#[derive(Debug, Clone, Subcommand)]
pub enum AgentCommand {
    /// List agents
    List(ListArgs),
    /// Show an agent: charter in words, tasks, history, and how fast it can be stopped
    Show {
        /// Its name
        name: Name,
        /// Only where it came from: every revision with who wrote it, who agreed, and what changed
        #[arg(long)]
        history: bool,
    },
    /// Bring in an agent from its file, or give it the new charter in it
    Create {
        /// The agent's file, `agents/NAME.toml`
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Why, for the record
        #[arg(long)]
        reason: String,
        /// Whose change it is.
        #[command(flatten)]
        author: AuthorArgs,
    },
    /// Stop an agent at once, until it is resumed
    Suspend(MoveArgs),
    /// Let a suspended agent work again
    Resume(MoveArgs),
    /// End an agent for ever; its name is never given again
    Decommission(MoveArgs),
    /// Let an agent act as it is made now, after what it is made of changed; who must agree is asked
    Reapprove {
        /// Which, and why.
        #[command(flatten)]
        agent: MoveArgs,
        /// Whose change it is.
        #[command(flatten)]
        author: AuthorArgs,
    },
    /// Keys with which an agent proves itself
    #[command(subcommand)]
    Key(key::AgentKeyCommand),
    /// Other ways to prove itself: a subject of a trusted issuer, or the client people run it in
    #[command(subcommand)]
    Proof(proof::AgentProofCommand),
    /// Get a token as an agent does: with its key, for a new task
    Token(key::AgentTokenArgs),
    /// Leave an agent less than its charter: approvals-only, read-only, off; or normal again
    Restrict {
        /// What it is left: normal, approvals-only, read-only, off
        #[arg(long)]
        level: String,
        /// The person who says it; from off to more it takes two
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<Name>,
        /// Which, and why.
        #[command(flatten)]
        agent: MoveArgs,
    },
    /// Show what an agent has earned, and with a reason trust it a grade further
    Promote(promotion::PromoteArgs),
    /// Confirm that an agent is still wanted as it is
    Attest(WordArgs),
    /// Answer for an agent whose owner has left
    Accept(WordArgs),
    /// Trust an agent less: a new revision of its charter that says nothing else than before
    Demote {
        /// How far it is trusted from now on: supervised or probation
        #[arg(long)]
        to: String,
        /// Which, and why.
        #[command(flatten)]
        agent: MoveArgs,
    },
}

/// Which agent, and why.
#[derive(Debug, Clone, Args)]
pub struct MoveArgs {
    /// Its name
    pub name: Name,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
}

/// Which agent, whose word, and why.
#[derive(Debug, Clone, Args)]
pub struct WordArgs {
    /// Its name
    pub name: Name,
    /// Whose word it is
    #[arg(long = "as", value_name = "PERSON", env = "PROVOST_PERSON", hide_env_values = true)]
    pub person: Option<Name>,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
}

/// `provost agent list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only in this state
    #[arg(long)]
    pub status: Option<String>,
    /// Only owned by this person
    #[arg(long)]
    pub owner: Option<Name>,
    /// Only in this environment
    #[arg(long)]
    pub environment: Option<String>,
    /// Only with a grant on this system
    #[arg(long)]
    pub system: Option<Name>,
    /// At most so many
    #[arg(long, default_value_t = 200)]
    pub limit: usize,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: AgentCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        AgentCommand::List(args) => list(args, client, out).await?,
        AgentCommand::Show { name, history } => {
            let agent: AgentView = client.get(&path(&name, "")).await?;
            out.show(&agent, |agent, style| match history {
                true => all_history(agent, style),
                false => render(agent, style),
            });
        }
        AgentCommand::Create { file, reason, author } => {
            return create(&file, reason, author, client, out).await;
        }
        AgentCommand::Suspend(args) => step(args, "suspend", client, out).await?,
        AgentCommand::Resume(args) => step(args, "resume", client, out).await?,
        AgentCommand::Decommission(args) => step(args, "decommission", client, out).await?,
        AgentCommand::Reapprove { agent: MoveArgs { name, reason }, author } => {
            let AuthorArgs { person, break_glass } = author;
            let said = AgentStep { reason, person, break_glass };
            let outcome: Outcome<AgentView> = client.post(&path(&name, "/reapprove"), &said).await?;
            return Ok(outcome.show(out, |agent, style| moved(&agent.summary, style)));
        }
        AgentCommand::Key(command) => return key::run(command, client, out).await,
        AgentCommand::Proof(command) => return proof::run(command, client, out).await,
        AgentCommand::Token(args) => return key::token(&args, client, out).await,
        AgentCommand::Restrict { person, level, agent: MoveArgs { name, reason } } => {
            let level = word(&level, "level")?;
            let wanted = Restrict { level, reason, person };
            let agent: AgentView = client.post(&path(&name, "/level"), &wanted).await?;
            out.show(&agent, |agent, style| match &agent.loosening {
                Some(LooseningView { order: Some(order), until, .. }) => format!(
                    "{name} stays off until another person signs that {order} is lifted ({}): provost kill lift {order} says where",
                    when::short(*until)
                ),
                Some(asked) => format!(
                    "{name} stays off until another person agrees ({}): provost agent restrict {name} --level {} --as PERSON --reason …",
                    when::short(asked.until),
                    asked.to
                ),
                None => moved(&agent.summary, style),
            });
        }
        AgentCommand::Attest(WordArgs { name, person, reason }) => {
            let agent: AgentView =
                client.post(&path(&name, "/attestation"), &Attest { person, reason }).await?;
            out.show(&agent, |agent, style| {
                let by = agent.upkeep.attested_by.as_deref().unwrap_or_default();
                format!("{} is confirmed by {}", style.bold(agent.summary.name.as_str()), clean(by))
            });
        }
        AgentCommand::Accept(WordArgs { name, person, reason }) => {
            let agent: AgentView =
                client.post(&path(&name, "/ownership"), &Accept { person, reason }).await?;
            out.show(&agent, |agent, style| {
                let name = style.bold(agent.summary.name.as_str());
                format!("{} answers for {name}; level {}", agent.summary.owner, text_of(&agent.summary.level))
            });
        }
        AgentCommand::Promote(args) => return promotion::run(args, client, out).await,
        AgentCommand::Demote { to, agent: MoveArgs { name, reason } } => {
            let autonomy = word(&to, "autonomy")?;
            let agent: AgentView =
                client.post(&path(&name, "/autonomy"), &Demote { autonomy, reason }).await?;
            out.show(&agent, |agent, style| moved(&agent.summary, style));
        }
    }
    Ok(Exit::Ok)
}

async fn list(args: ListArgs, client: &Client, out: Out) -> Result<(), Failure> {
    let query = AgentQuery {
        q: None,
        status: args.status.as_deref().map(|text| word(text, "status")).transpose()?,
        owner: args.owner,
        environment: args.environment.as_deref().map(|text| word(text, "environment")).transpose()?,
        system: args.system,
        cursor: None,
        limit: None,
    };
    let page = client.list::<AgentSummary>("agents", &query, args.limit).await?;
    out.show(&page, |page, style| {
        let row = |agent: &AgentSummary| {
            vec![
                agent.name.to_string(),
                style.state(agent.status.as_str()),
                style.state(&text_of(&agent.level)),
                agent.owner.to_string(),
                text_of(&agent.environment),
                text_of(&agent.autonomy),
                agent.systems.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                clean(&agent.purpose),
            ]
        };
        let heads = ["name", "status", "level", "owner", "environment", "autonomy", "systems", "purpose"];
        more(table(&heads, page.items.iter().map(row), style), page.next.is_some(), style)
    });
    Ok(())
}

/// The file alone, beside what the plane holds.
async fn create(
    file: &std::path::Path,
    reason: String,
    author: AuthorArgs,
    client: &Client,
    out: Out,
) -> Result<Exit, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("the file {} cannot be read", file.display())).because(error)
    })?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let files = vec![FileText { path: format!("agents/{name}"), text }];
    let AuthorArgs { person, break_glass } = author;
    let request = ApplyRequest { files, prune: false, reason, plan: None, person, break_glass };
    let applied: Applied = client.post("apply", &request).await?;
    out.show(&applied, |applied, style| {
        if let Some(proposal) = &applied.proposal {
            return crate::proposal::waits(proposal, style);
        }
        let mut text = String::new();
        for words in applied.steps.iter().flat_map(|step| &step.words) {
            let _written = writeln!(text, "  {}", clean(&words.text));
        }
        let done = if applied.steps.is_empty() { "nothing to do" } else { "in force" };
        format!("{text}{} at position {}", style.green(done), applied.seq)
    });
    Ok(if applied.proposal.is_some() { Exit::Waits } else { Exit::Ok })
}

async fn step(args: MoveArgs, verb: &str, client: &Client, out: Out) -> Result<(), Failure> {
    let because = Because { reason: args.reason };
    let agent: AgentView = client.post(&path(&args.name, &format!("/{verb}")), &because).await?;
    out.show(&agent, |agent, style| moved(&agent.summary, style));
    Ok(())
}

fn moved(agent: &AgentSummary, style: Style) -> String {
    let (status, level) = (style.state(agent.status.as_str()), style.state(&text_of(&agent.level)));
    format!("{} is {status}, level {level}", style.bold(agent.name.as_str()))
}

fn render(agent: &AgentView, style: Style) -> String {
    let summary = &agent.summary;
    let declared = agent.declared.as_ref().map(|declared| format!(", declared {}", text_of(declared)));
    let declared = declared.unwrap_or_default();
    let mut text = facts(
        &[
            ("agent", style.bold(summary.name.as_str())),
            (
                "status",
                format!(
                    "{}, level {}",
                    style.state(summary.status.as_str()),
                    style.state(&text_of(&summary.level))
                ),
            ),
            ("purpose", wrapped(&clean(&summary.purpose), 90, "")),
            ("owner", summary.owner.to_string()),
            (
                "runs in",
                format!(
                    "{}, autonomy {}{declared}",
                    text_of(&summary.environment),
                    text_of(&summary.autonomy)
                ),
            ),
            ("charter", format!("revision {}, row version {}", summary.revision, agent.version)),
            (
                "brought in",
                format!(
                    "by {}, {}, from {}",
                    clean(&agent.created_by),
                    when::long(agent.created_at),
                    clean(&agent.source)
                ),
            ),
            ("charter from", agent.revised.as_ref().map_or("not known".to_owned(), revision)),
            ("proves itself by", proofs(agent)),
            ("asks", asks(agent)),
            ("made of", crate::bill::parts(&agent.made_of, style)),
            ("next", agent.moves.join(", ")),
        ],
        style,
    );
    let _written = writeln!(text, "\n{}", style.bold("What it may do"));
    // What it is for stands above.
    for words in agent.words.iter().filter(|words| !words.starts_with("is added: ")) {
        let _written = writeln!(text, "  {}", wrapped(&clean(words), 100, "    "));
    }
    let bound = &agent.bound;
    let _written = writeln!(text, "\n{}", style.bold("How fast it stops"));
    let _written = writeln!(
        text,
        "  within {}, set by {}",
        style.cyan(&when::length(bound.worst)),
        clean(&bound.set_by)
    );
    for link in &bound.links {
        let counts = if link.counts { "" } else { " (beside a slower one)" };
        let _written = writeln!(
            text,
            "    {} at most {}{counts}: {}",
            clean(&link.link),
            when::length(link.at_most),
            clean(&link.meaning)
        );
    }
    if !agent.tasks.is_empty() {
        let _written =
            writeln!(text, "\n{}\n{}", style.bold("Running tasks"), crate::task::tasks(&agent.tasks, style));
    }
    text.push_str(&history(&agent.history, style));
    text
}

/// What its life asks of people.
fn asks(agent: &AgentView) -> String {
    let upkeep = &agent.upkeep;
    let heir = upkeep.heir.as_ref().map(|heir| format!("{heir} to answer for it: provost agent accept"));
    let attest = upkeep.attest_until.map(|until| {
        format!("{} to confirm it until {}: provost agent attest", agent.summary.owner, when::long(until))
    });
    heir.into_iter().chain(attest).collect::<Vec<_>>().join("\n")
}

fn proofs(agent: &AgentView) -> String {
    let said = agent.proofs.iter().map(|proof| format!("{} {}", proof.kind, clean(&proof.id)));
    let said: Vec<String> = said.collect();
    if said.is_empty() { "nothing yet: provost agent key new".to_owned() } else { said.join(", ") }
}

/// Who wrote a charter, and who agreed to it.
fn revision(revision: &RevisionView) -> String {
    let agreed = match (revision.how.as_str(), revision.approvers.is_empty()) {
        ("first", _) => "with the first apply of the plane".to_owned(),
        ("narrower", _) => "gains nothing, so nobody was asked".to_owned(),
        ("direct", _) => "nobody is asked there".to_owned(),
        ("break-glass", true) => "without those who must agree".to_owned(),
        (_, true) => clean(&revision.how),
        (how, false) => {
            let names: Vec<String> = revision.approvers.iter().map(ToString::to_string).collect();
            let glass = if how == "break-glass" { ", without those who must agree" } else { "" };
            format!("agreed to by {}{glass}", names.join(", "))
        }
    };
    let proposal = revision.proposal.as_deref().map(|id| format!(" ({})", clean(id))).unwrap_or_default();
    format!(
        "revision {} by {}, {agreed}{proposal}: {}",
        revision.revision,
        clean(&revision.by),
        clean(&revision.why)
    )
}

/// Where an agent came from, whole.
fn all_history(agent: &AgentView, style: Style) -> String {
    let created = format!(
        "by {}, {}, from {}",
        clean(&agent.created_by),
        when::long(agent.created_at),
        clean(&agent.source)
    );
    let name = style.bold(agent.summary.name.as_str());
    let mut text = facts(&[("agent", name), ("brought in", created)], style);
    for change in &agent.history {
        let _written = writeln!(
            text,
            "\n{} {} {}",
            style.dim(&when::long(change.at)),
            clean(&change.actor),
            style.dim(&format!("({})", clean(&change.why)))
        );
        if let Some(revised) = &change.revised {
            let _written = writeln!(text, "    {}", style.cyan(&revision(revised)));
        }
        for line in &change.summary {
            let _written = writeln!(text, "    {}", wrapped(&clean(line), 100, "      "));
        }
    }
    text
}

/// What changed a row, newest first.
pub(crate) fn history(changes: &[ChangeView], style: Style) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", style.bold("History"));
    for change in changes.iter().take(HISTORY_SHOWN) {
        let what = change.summary.iter().map(|line| clean(line)).collect::<Vec<_>>().join("; ");
        let _written = writeln!(
            text,
            "  {} {} {}: {}",
            style.dim(&when::local(change.at)),
            clean(&change.actor),
            style.dim(&format!("({})", clean(&change.why))),
            wrapped(&what, 100, "      ")
        );
    }
    if changes.len() > HISTORY_SHOWN {
        let _written = writeln!(
            text,
            "  {}",
            style.dim(&format!("and {} earlier ones: --json", changes.len() - HISTORY_SHOWN))
        );
    }
    text
}

/// Says below a table that there is more.
pub(crate) fn more(table: String, is_more: bool, style: Style) -> String {
    match is_more {
        true => format!("{table}\n{}", style.dim("there are more: --limit")),
        false => table,
    }
}

/// A word of the API as its type: a state, an effect, a level.
pub(crate) fn word<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, Failure> {
    serde_json::from_value(Value::String(text.to_owned()))
        .map_err(|error| Failure::usage(format!("`{text}` is no {what}")).because(error))
}

/// The word of a value that is written as one.
pub(crate) fn text_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_unwritable) => String::new(),
    }
}

fn path(name: &Name, tail: &str) -> String {
    format!("agents/{}{tail}", part(name.as_str()))
}

const HISTORY_SHOWN: usize = 10;
