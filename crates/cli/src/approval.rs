//! Approvals: what waits for people, what exactly would run, and the answers.

mod watch;

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::{history, more},
    approval_quality::QualityArgs,
    approval_together as together,
    client::part,
    out::{clean, facts, table},
    when,
};
use clap::{Args, Subcommand};
use provost_api::{
    Because, Span,
    approval::{
        ApprovalAnswer, ApprovalAnswers, ApprovalEdit, ApprovalQuery, ApprovalSummary, ApprovalView,
        CheckView, EligibleView, EnvelopeGrant, EnvelopeView, MissingView, VoteView,
    },
};
use provost_domain::{
    Name,
    charter::{ArgRule, BudgetSum, Scalar},
};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// `provost approvals`.
#[derive(Debug, Clone, Subcommand)]
pub enum ApprovalCommand {
    /// List what waits for people, and what was approved and not used yet
    List {
        /// Only of this agent
        #[arg(long)]
        agent: Option<Name>,
        /// Only what this person may answer now
        #[arg(long = "for", value_name = "PERSON")]
        person: Option<Name>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Watch what waits, live: each request as it comes, each as it is over; Ctrl-C ends it
    Watch {
        /// Only of this agent
        #[arg(long)]
        agent: Option<Name>,
        /// Only what this person may answer
        #[arg(long = "for", value_name = "PERSON")]
        person: Option<Name>,
    },
    /// Show one: what exactly would run, in whose name, why it was stopped, who may answer
    Show {
        /// The approval
        id: String,
    },
    /// Say whether a person may answer, and if not, why not
    Eligible {
        /// The approval
        id: String,
        /// The person
        person: Name,
    },
    /// List what waits, like with like, in tables where every difference stands
    Alike {
        /// Only of this agent
        #[arg(long)]
        agent: Option<Name>,
        /// Only what this person may answer now
        #[arg(long = "for", value_name = "PERSON")]
        person: Option<Name>,
    },
    /// How approvals are answered: how long it takes, who says yes to what, what became of checks
    Quality(QualityArgs),
    /// Say yes: this one action may happen, once. Of several, each for itself
    Approve {
        /// The approval, or several
        #[arg(required_unless_present = "like")]
        ids: Vec<String>,
        /// Those that are like this one and wait for the person
        #[arg(long, value_name = "ID", conflicts_with = "ids")]
        like: Option<String>,
        /// Who says it
        #[command(flatten)]
        who: Who,
        /// As an administrator, although the rules name others; needs a reason and is reviewed
        #[arg(long)]
        break_glass: bool,
        /// Only if it is still exactly this action: the digest that `show` prints
        #[arg(long, value_name = "DIGEST")]
        action: Option<String>,
        /// It is meant, although it comes faster than it can be read
        #[arg(long)]
        sure: bool,
        /// Several without asking once more
        #[arg(long)]
        yes: bool,
    },
    /// Say no: the action does not happen. Of several, none does
    Refuse {
        /// The approval, or several
        #[arg(required_unless_present = "like")]
        ids: Vec<String>,
        /// Those that are like this one and wait for the person
        #[arg(long, value_name = "ID", conflicts_with = "ids")]
        like: Option<String>,
        /// Who says it
        #[command(flatten)]
        who: Who,
        /// Several without asking once more
        #[arg(long)]
        yes: bool,
    },
    /// Say yes to other arguments; the agent is told what it may call instead
    Edit {
        /// The approval
        id: String,
        /// Who says it
        #[command(flatten)]
        who: Who,
        /// One argument with its new value, as JSON or text; may be given several times
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair, required = true)]
        set: Vec<(String, Value)>,
    },
    /// Take a yes back before it is used, or close a question nobody needs to answer
    Withdraw {
        /// The approval
        id: String,
        /// Why, for the record
        #[arg(long, default_value = "withdrawn from the command line")]
        reason: String,
    },
    /// Say yes to calls like this one: so many, for so long
    #[command(subcommand)]
    Envelope(EnvelopeCommand),
}

/// `provost approvals envelope`.
#[derive(Debug, Clone, Subcommand)]
pub enum EnvelopeCommand {
    /// Grant one on an approval that waits
    Grant(GrantArgs),
    /// List open ones, with what is left of them
    List {
        /// Only of this agent
        #[arg(long)]
        agent: Option<Name>,
    },
    /// Take one back
    Revoke {
        /// The envelope
        id: String,
        /// Why, for the record
        #[arg(long, default_value = "revoked from the command line")]
        reason: String,
    },
}

/// `provost approvals envelope grant`.
#[derive(Debug, Clone, Args)]
pub struct GrantArgs {
    /// The approval that waits
    pub id: String,
    /// The person who grants it
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<Name>,
    /// Why, in that person's words
    #[arg(long)]
    pub reason: String,
    /// So many calls
    #[arg(long)]
    pub count: u32,
    /// For how long, such as 1h or 7d
    #[arg(long = "for", value_name = "SPAN")]
    pub lasts: Span,
    /// An argument that must be exactly this; may be given several times
    #[arg(long = "only", value_name = "NAME=VALUE", value_parser = pair)]
    pub only: Vec<(String, Value)>,
    /// An argument that may be at most this; may be given several times
    #[arg(long = "at-most", value_name = "NAME=NUMBER", value_parser = text_pair)]
    pub at_most: Vec<(String, String)>,
    /// The sum of an argument over all calls
    #[arg(long, value_name = "NAME=NUMBER", value_parser = text_pair)]
    pub sum: Option<(String, String)>,
    /// In every task of the agent, not only in the one that asked
    #[arg(long)]
    pub every_task: bool,
}

/// Whose answer it is.
#[derive(Debug, Clone, Args)]
pub struct Who {
    /// The person whose answer it is
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<Name>,
    /// Why, in that person's words
    #[arg(long)]
    pub reason: Option<String>,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: ApprovalCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        ApprovalCommand::List { agent, person, limit } => {
            let query = ApprovalQuery { agent, person, ..ApprovalQuery::default() };
            let page = client.list::<ApprovalSummary>("approvals", &query, limit).await?;
            out.show(&page, |page, style| more(list(&page.items, style), page.next.is_some(), style));
        }
        ApprovalCommand::Watch { agent, person } => {
            let query = ApprovalQuery { agent, person, ..ApprovalQuery::default() };
            return watch::watch(query, client, out).await;
        }
        ApprovalCommand::Show { id } => {
            let approval: ApprovalView = client.get(&at(&id, "")).await?;
            out.show(&approval, render);
        }
        ApprovalCommand::Eligible { id, person } => {
            let path = at(&id, &format!("/eligible/{}", part(person.as_str())));
            let eligible: EligibleView = client.get(&path).await?;
            out.show(&eligible, render_eligible);
        }
        ApprovalCommand::Alike { agent, person } => together::list(agent, person, client, out).await?,
        ApprovalCommand::Quality(args) => crate::approval_quality::run(args, client, out).await?,
        ApprovalCommand::Approve { ids, like, who, break_glass, action, sure, yes } => {
            let Who { person, reason } = who;
            match ids.as_slice() {
                [id] => {
                    let answer = ApprovalAnswer { person, reason, action, break_glass, sure, signed: None };
                    let approval: ApprovalView = client.post(&at(id, "/approve"), &answer).await?;
                    out.show(&approval, answered);
                }
                _several if break_glass || action.is_some() => {
                    return Err(Failure::usage("--break-glass and --action are for one approval"));
                }
                _several => {
                    let wanted =
                        ApprovalAnswers { person, reason, yes: true, sure, ..ApprovalAnswers::default() };
                    return together::answer(ids, like, wanted, yes, client, out).await;
                }
            }
        }
        ApprovalCommand::Refuse { ids, like, who, yes } => {
            let Who { person, reason } = who;
            match ids.as_slice() {
                [id] => {
                    let answer = ApprovalAnswer { person, reason, ..ApprovalAnswer::default() };
                    let approval: ApprovalView = client.post(&at(id, "/refuse"), &answer).await?;
                    out.show(&approval, answered);
                }
                _several => {
                    let wanted = ApprovalAnswers { person, reason, yes: false, ..ApprovalAnswers::default() };
                    return together::answer(ids, like, wanted, yes, client, out).await;
                }
            }
        }
        ApprovalCommand::Edit { id, who, set } => edit(&id, who, set, client, out).await?,
        ApprovalCommand::Withdraw { id, reason } => {
            let approval: ApprovalView = client.post(&at(&id, "/withdraw"), &Because { reason }).await?;
            out.show(&approval, answered);
        }
        ApprovalCommand::Envelope(command) => envelope(command, client, out).await?,
    }
    Ok(Exit::Ok)
}

async fn edit(
    id: &str,
    who: Who,
    set: Vec<(String, Value)>,
    client: &Client,
    out: Out,
) -> Result<(), Failure> {
    let asked: ApprovalView = client.get(&at(id, "")).await?;
    let mut args: Map<String, Value> = asked.summary.args;
    args.extend(set);
    let wanted = ApprovalEdit { person: who.person, reason: who.reason, args, signed: None };
    let approval: ApprovalView = client.post(&at(id, "/edit"), &wanted).await?;
    out.show(&approval, answered);
    Ok(())
}

async fn envelope(command: EnvelopeCommand, client: &Client, out: Out) -> Result<(), Failure> {
    match command {
        EnvelopeCommand::Grant(args) => {
            let id = args.id.clone();
            let wanted = wanted(args)?;
            let envelope: EnvelopeView = client.post(&at(&id, "/envelope"), &wanted).await?;
            out.show(&envelope, render_envelope);
        }
        EnvelopeCommand::List { agent } => {
            let query = ApprovalQuery { agent, ..ApprovalQuery::default() };
            let page = client.list::<EnvelopeView>("envelopes", &query, LISTED_MAX).await?;
            out.show(&page, |page, style| more(envelopes(&page.items, style), page.next.is_some(), style));
        }
        EnvelopeCommand::Revoke { id, reason } => {
            let path = format!("envelopes/{}/revoke", part(&id));
            let envelope: EnvelopeView = client.post(&path, &Because { reason }).await?;
            out.show(&envelope, |envelope, style| {
                format!("{} is {}; it opens nothing any more", envelope.id, style.red(&envelope.status))
            });
        }
    }
    Ok(())
}

fn wanted(args: GrantArgs) -> Result<EnvelopeGrant, Failure> {
    let number = |(arg, text): (String, String)| {
        let max = text.parse().map_err(|error| Failure::usage(format!("{arg}={text}: {error}")))?;
        Ok::<_, Failure>((arg, max))
    };
    let mut rules: std::collections::BTreeMap<String, ArgRule> = Default::default();
    for (arg, value) in args.only {
        let value = match value {
            Value::Bool(value) => Scalar::Bool(value),
            Value::Number(number) if number.as_i64().is_some() => {
                Scalar::Long(number.as_i64().unwrap_or_default())
            }
            Value::String(text) => Scalar::Text(text),
            other => Scalar::Text(other.to_string()),
        };
        rules.entry(arg).or_default().one_of = [value].into();
    }
    for given in args.at_most {
        let (arg, max) = number(given)?;
        rules.entry(arg).or_default().max = Some(max);
    }
    let sum = args.sum.map(number).transpose()?.map(|(arg, max)| BudgetSum { arg, max });
    Ok(EnvelopeGrant {
        person: args.person,
        reason: args.reason,
        args: rules,
        count: args.count,
        sum,
        lasts: args.lasts,
        every_task: args.every_task,
        signed: None,
    })
}

fn at(id: &str, rest: &str) -> String {
    format!("approvals/{}{rest}", part(id))
}

fn list(approvals: &[ApprovalSummary], style: Style) -> String {
    if approvals.is_empty() {
        return "nothing waits for anybody".to_owned();
    }
    let row = |row: &ApprovalSummary| {
        vec![
            row.id.clone(),
            style.state(&row.status),
            row.agent.to_string(),
            clean(&row.tool),
            clean(&row.gates.join(", ")),
            when::short(row.asked),
            when::short(row.until),
        ]
    };
    let heads = ["approval", "status", "agent", "wants to call", "asks", "since", "until"];
    table(&heads, approvals.iter().map(row), style)
}

fn render(view: &ApprovalView, style: Style) -> String {
    let row = &view.summary;
    let reasons: Vec<String> =
        view.reasons.iter().map(|reason| format!("{} ({})", clean(&reason.reason), reason.policy)).collect();
    let askers: Vec<String> = view.askers.iter().map(ToString::to_string).collect();
    let mut text = facts(
        &[
            ("approval", style.bold(&row.id)),
            ("status", style.state(&row.status)),
            ("would call", style.bold(&clean(&row.tool))),
            ("with", arguments(&row.args)),
            ("agent", row.agent.to_string()),
            ("in task", format!("{}: {}", row.task, clean(&row.purpose))),
            (
                "asked for by",
                if askers.is_empty() { "nobody in particular".to_owned() } else { askers.join(", ") },
            ),
            ("stopped by", reasons.join("\n")),
            ("until", when::long(row.until)),
            ("action", view.action.clone()),
            ("bound to", format!("charter revision {}, tool {}", view.revision, view.pin)),
            ("held by", view.decision.to_string()),
        ],
        style,
    );
    if let Some(used) = &view.used_by {
        let _written = writeln!(text, "\nIt was used, once, by {used}.");
    }
    if let Some(check) = &view.check {
        let _written = writeln!(text, "\n{}", check_words(check, style));
    }
    if let Some(to) = &view.edited_to {
        let _written = writeln!(text, "\nThe arguments were changed: what may be called instead is {to}.");
    }
    if let Some(from) = &view.edited_from {
        let _written = writeln!(text, "\nThe agent asked for other arguments, under {from}.");
    }
    if !view.before.is_empty() {
        let before = view.before.join(", ");
        let _written =
            writeln!(text, "\n{} {before}", style.yellow("The very same action was asked for before:"));
    }
    for missing in &view.missing {
        let _written = writeln!(text, "\n{}", wants(missing, style));
    }
    if view.signed {
        let page = style.cyan(&format!("/approvals/{}", row.id));
        let _written =
            writeln!(text, "\nA yes is signed with a passkey, in the browser: {page} at the plane's address");
    }
    if !view.votes.is_empty() {
        let _written = writeln!(text, "\n{}", votes(&view.votes, style));
    }
    text.push_str(&history(&view.history, style));
    text
}

/// That it was a check.
pub(crate) fn check_words(check: &CheckView, style: Style) -> String {
    let told = match check.outcome.as_str() {
        "approved" => style.red("This was a check: it had to be refused, and somebody said yes."),
        "refused" => style.green("This was a check, and it was refused, as it should be. Thank you."),
        _ => style.yellow("This was a check that nobody answered."),
    };
    format!("{told} No agent asked for it, and nothing was done. What a careful person sees: {}.", check.what)
}

pub(crate) fn arguments(args: &Map<String, Value>) -> String {
    let lines: Vec<String> =
        args.iter().map(|(name, value)| format!("{} = {}", clean(name), clean(&value.to_string()))).collect();
    if lines.is_empty() { "no arguments".to_owned() } else { lines.join("\n") }
}

pub(crate) fn wants(missing: &MissingView, style: Style) -> String {
    let names: Vec<String> = missing.approvers.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => format!("{} wants {} more yes, and nobody may give it", missing.gate, missing.more),
        names => format!(
            "{} wants {} more yes, from: {}",
            style.bold(&missing.gate),
            missing.more,
            names.join(", ")
        ),
    }
}

pub(crate) fn votes(votes: &[VoteView], style: Style) -> String {
    let row = |vote: &VoteView| {
        let said = if vote.yes { style.green("yes") } else { style.red("no") };
        let glass = match (vote.break_glass, &vote.passkey) {
            (true, _) => ", breaking the glass",
            (false, Some(_signed)) => ", signed",
            (false, None) => "",
        };
        let for_whom = vote.on_behalf_of.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
        vec![
            format!("{}{for_whom}", vote.person),
            said,
            when::short(vote.at),
            format!("{}{glass}", clean(&vote.shown_by)),
            clean(vote.reason.as_deref().unwrap_or_default()),
        ]
    };
    table(&["person", "said", "at", "known by", "because"], votes.iter().map(row), style)
}

fn answered(view: &ApprovalView, style: Style) -> String {
    let row = &view.summary;
    let mut text = format!("{} is {}", row.id, style.state(&row.status));
    if row.status == "granted" {
        let _written = write!(
            text,
            ": {} may call {} once, with exactly these arguments, until {}",
            row.agent,
            clean(&row.tool),
            when::long(row.until)
        );
    }
    if let Some(check) = &view.check {
        let _written = write!(text, "\n{}", check_words(check, style));
    }
    for missing in &view.missing {
        let _written = write!(text, "\n{}", wants(missing, style));
    }
    text
}

pub(crate) fn render_eligible(view: &EligibleView, style: Style) -> String {
    let mut text = match view.gates.as_slice() {
        [] => format!("{} may {} answer this", view.person, style.red("not")),
        gates => format!("{} may answer for {}", view.person, style.green(&gates.join(", "))),
    };
    if let Some(name) = &view.on_behalf_of {
        let _written = write!(text, ", standing in for {name}");
    }
    for (gate, why) in &view.why_not {
        let _written = write!(text, "\n{gate}: {}", clean(why));
    }
    text
}

fn render_envelope(view: &EnvelopeView, style: Style) -> String {
    let limits: Vec<String> = view
        .args
        .iter()
        .map(|(arg, rule)| format!("{} {}", clean(arg), clean(&provost_declare::rule_words(rule))))
        .collect();
    let scope = view.task.map_or("every task".to_owned(), |task| task.to_string());
    facts(
        &[
            ("envelope", style.bold(&view.id)),
            ("status", style.state(&view.status)),
            ("agent", format!("{}, in {scope}", view.agent)),
            ("may call", clean(&view.tool)),
            (
                "if",
                if limits.is_empty() { "whatever the arguments are".to_owned() } else { limits.join("\n") },
            ),
            ("left", left(view)),
            ("until", when::long(view.until)),
            ("granted by", format!("{}: {}", view.by, clean(&view.why))),
        ],
        style,
    )
}

fn left(view: &EnvelopeView) -> String {
    let lines: Vec<String> =
        view.balances.iter().map(|b| format!("{} of {} {}", b.left, b.max, clean(&b.budget))).collect();
    lines.join(", ")
}

fn envelopes(rows: &[EnvelopeView], style: Style) -> String {
    let row = |row: &EnvelopeView| {
        vec![
            row.id.clone(),
            row.agent.to_string(),
            clean(&row.tool),
            left(row),
            row.by.to_string(),
            when::short(row.until),
        ]
    };
    table(&["envelope", "agent", "may call", "left", "granted by", "until"], rows.iter().map(row), style)
}

/// `name=value`, where the value is JSON, or text if it is not.
fn pair(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text_pair(text)?;
    let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
    Ok((name, value))
}

fn text_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

const LISTED_MAX: usize = 200;
