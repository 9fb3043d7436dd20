//! Access reviews: what agents are granted beside what they did, and what their owners say of it.

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::{history, more},
    client::part,
    out::{clean, facts, table},
    when,
};
use clap::{Args, Subcommand};
use provost_api::{
    Span,
    access_review::{
        LineView, ReviewAnswer, ReviewOpen, ReviewOpened, ReviewQuery, ReviewSummary, ReviewView,
    },
};
use provost_domain::{Environment, Name, access_review::Choice};
use std::{collections::BTreeMap, fmt::Write as _};

/// `provost review`.
#[derive(Debug, Clone, Subcommand)]
pub enum ReviewCommand {
    /// Open reviews: one for each agent of the scope that has none open
    Open(OpenArgs),
    /// List reviews, the soonest due first
    List {
        /// open, done or all
        #[arg(long, default_value = "open")]
        state: String,
        /// Only of this agent
        #[arg(long)]
        agent: Option<Name>,
        /// Only of agents that this person answers for
        #[arg(long)]
        owner: Option<Name>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Show one: each granted tool with what was done with it
    Show {
        /// The review
        id: String,
    },
    /// Answer lines of a review; with the last one it is carried out
    Answer(AnswerArgs),
}

/// `provost review open`.
#[derive(Debug, Clone, Args)]
pub struct OpenArgs {
    /// Whose grants: agent=NAME, owner=NAME, environment=NAME, or all; several narrow each other
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub scope: Vec<String>,
    /// How long owners have to answer; after that what is proposed is carried out
    #[arg(long, value_name = "SPAN", default_value = "14d")]
    pub due: Span,
    /// How far back is looked
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    pub since: Span,
    /// Why, for the record: the campaign
    #[arg(long)]
    pub reason: String,
}

/// `provost review answer`.
#[derive(Debug, Clone, Args)]
pub struct AnswerArgs {
    /// The review
    pub id: String,
    /// A tool that stays: SYSTEM/TOOL; may be given several times
    #[arg(long, value_name = "SYSTEM/TOOL")]
    pub keep: Vec<String>,
    /// A tool that gets the limits every call kept
    #[arg(long, value_name = "SYSTEM/TOOL")]
    pub narrow: Vec<String>,
    /// A tool that goes
    #[arg(long, value_name = "SYSTEM/TOOL")]
    pub revoke: Vec<String>,
    /// What becomes of every other line: proposed or keep; they wait, if not given
    #[arg(long, value_name = "WORD")]
    pub rest: Option<String>,
    /// Whose word it is
    #[arg(long = "as", value_name = "PERSON", env = "PROVOST_PERSON", hide_env_values = true)]
    pub person: Option<Name>,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
}

/// Does it. Tools that were taken and are not refused end with the code of what does not hold.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: ReviewCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    let review: ReviewView = match command {
        ReviewCommand::Open(args) => {
            let opened: ReviewOpened = client.post("reviews", &wanted(args)?).await?;
            out.show(&opened, |opened, style| {
                let left = match opened.left {
                    0 => String::new(),
                    left => format!(
                        "\n{left} agents of the scope are left: open them with the same command again"
                    ),
                };
                format!("{}{left}", list(&opened.opened, style))
            });
            return Ok(Exit::Ok);
        }
        ReviewCommand::List { state, agent, owner, limit } => {
            let query = ReviewQuery { state: Some(state), agent, owner, ..ReviewQuery::default() };
            let page = client.list::<ReviewSummary>("reviews", &query, limit).await?;
            out.show(&page, |page, style| more(list(&page.items, style), page.next.is_some(), style));
            return Ok(Exit::Ok);
        }
        ReviewCommand::Show { id } => client.get(&format!("reviews/{}", part(&id))).await?,
        ReviewCommand::Answer(args) => {
            let of = |tools: Vec<String>, choice: Choice| tools.into_iter().map(move |tool| (tool, choice));
            let lines: BTreeMap<String, Choice> = of(args.keep, Choice::Keep)
                .chain(of(args.narrow, Choice::Narrow))
                .chain(of(args.revoke, Choice::Revoke))
                .collect();
            let answer = ReviewAnswer { lines, rest: args.rest, reason: args.reason, person: args.person };
            client.post(&format!("reviews/{}/answer", part(&args.id)), &answer).await?
        }
    };
    out.show(&review, render);
    Ok(if review.still.is_empty() { Exit::Ok } else { Exit::Unverified })
}

fn wanted(args: OpenArgs) -> Result<ReviewOpen, Failure> {
    let mut wanted = ReviewOpen {
        agent: None,
        owner: None,
        environment: None,
        all: false,
        due: args.due,
        since: Some(args.since),
        reason: args.reason,
    };
    for scope in &args.scope {
        let bad = || Failure::usage(format!("`{}` is no scope", clean(scope))).cure(SCOPES);
        match scope.split_once('=') {
            Some(("agent", name)) => wanted.agent = Some(name.parse().map_err(|_bad| bad())?),
            Some(("owner", name)) => wanted.owner = Some(name.parse().map_err(|_bad| bad())?),
            Some(("environment", name)) => {
                let found = Environment::ALL.iter().find(|environment| environment.as_str() == name);
                wanted.environment = Some(*found.ok_or_else(bad)?);
            }
            None if scope == "all" => wanted.all = true,
            _ => return Err(bad()),
        }
    }
    Ok(wanted)
}

fn list(reviews: &[ReviewSummary], style: Style) -> String {
    if reviews.is_empty() {
        return "no review like this".to_owned();
    }
    let row = |row: &ReviewSummary| {
        vec![
            row.id.clone(),
            row.agent.to_string(),
            row.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            style.state(&row.state),
            when::short(row.due),
            format!("{} of {}", row.unused, row.tools),
            format!("{} keep, {} narrow, {} revoke", row.keep, row.narrow, row.revoke),
            clean(&row.because),
        ]
    };
    let heads = ["review", "agent", "asked", "state", "due", "unused", "as it stands", "because"];
    table(&heads, reviews.iter().map(row), style)
}

fn render(review: &ReviewView, style: Style) -> String {
    let row = &review.summary;
    let whole = if review.whole { "" } else { ", the newest of more" };
    let tried = match (review.refused.as_slice(), review.still.as_slice()) {
        ([], []) => String::new(),
        (refused, []) => format!("{} refused now: {}", refused.len(), clean(&refused.join(", "))),
        (_, still) => style.red(&format!("NOT REFUSED: {}", clean(&still.join(", ")))),
    };
    let done = review.done.map(|done| {
        let by = review.by.as_deref().map(clean).unwrap_or_default();
        let lapsed = if review.lapsed { ", without an answer to all of it" } else { "" };
        format!("{}, by {by}{lapsed}; revision {}", when::long(done), review.became.unwrap_or_default())
    });
    let mut text = facts(
        &[
            ("review", style.bold(&row.id)),
            ("agent", row.agent.to_string()),
            ("asked", row.owner.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("because", clean(&row.because)),
            ("state", style.state(&row.state)),
            ("due", when::long(row.due)),
            (
                "looked through",
                format!("{} decisions since {}{whole}", review.decisions, when::long(review.since)),
            ),
            ("as proposed", clean(&review.effect)),
            ("carried out", done.unwrap_or_default()),
            ("tried", tried),
        ],
        style,
    );
    let line = |line: &LineView| {
        let asked = [(line.used, "used"), (line.held, "held"), (line.denied, "denied")];
        let asked =
            asked.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        let asked: Vec<String> = asked.collect();
        let answer = match line.answer {
            Some(answer) => style.bold(answer.as_str()),
            None => format!("{} (proposed)", line.proposed.as_str()),
        };
        vec![
            clean(&line.tool),
            line.risk.clone(),
            if asked.is_empty() { style.yellow("never") } else { asked.join(", ") },
            line.last.map(when::short).unwrap_or_default(),
            format!("{} of {}", line.peers_with, line.peers),
            clean(&line.limits.join("; ")),
            answer,
        ]
    };
    let heads = ["tool", "risk", "asked for", "last", "peers with it", "every call kept", "becomes"];
    text.push('\n');
    text.push_str(&table(&heads, review.lines.iter().map(line), style));
    let _written = writeln!(text);
    text.push_str(&history(&review.history, style));
    text
}

const SCOPES: &str = "write --scope agent=NAME, owner=NAME, environment=sandbox|staging|production, or all";
