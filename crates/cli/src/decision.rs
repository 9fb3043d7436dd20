//! What was decided, and why. `provost why` is the page people come for: it tells the whole story of one decision.

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::more,
    client::part,
    out::{clean, table, wrapped},
    when,
};
use clap::{Args, Subcommand, ValueEnum};
use provost_api::{
    Moment,
    decision::{
        DecisionQuery, DecisionSummary, DecisionView, TallyQuery, TallyStep, TallyView, VerdictWord, WhyView,
    },
    task::TaskView,
};
use provost_domain::{Decision, DecisionId, Name, Outcome, Reason, Severity, TaskId, Verdict};
use serde_json::Value;
use std::fmt::Write as _;

/// `provost decision`.
#[derive(Debug, Clone, Subcommand)]
pub enum DecisionCommand {
    /// List decisions, newest first
    List(ListArgs),
    /// Count the decisions of the last hours, by verdict
    Tally {
        /// So many hours
        #[arg(long, default_value_t = 6)]
        hours: u32,
    },
    /// Show a decision's record
    Show {
        /// Its id
        id: DecisionId,
    },
}

/// `provost decision list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only of this agent
    #[arg(long)]
    pub agent: Option<Name>,
    /// Only in this task
    #[arg(long)]
    pub task: Option<TaskId>,
    /// Only on this system
    #[arg(long)]
    pub system: Option<Name>,
    /// Only of this operation (system/tool)
    #[arg(long)]
    pub tool: Option<String>,
    /// Only with this verdict
    #[arg(long, value_enum)]
    pub verdict: Option<Word>,
    /// Only those that want to be looked at this much or more
    #[arg(long, value_enum)]
    pub severity: Option<Least>,
    /// Only since this moment (RFC 3339)
    #[arg(long)]
    pub since: Option<Moment>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// How much a decision wants to be looked at.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(missing_docs, reason = "the words themselves are the help")]
pub enum Least {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// The word of a verdict.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(missing_docs, reason = "the words themselves are the help")]
pub enum Word {
    Allow,
    Hold,
    Deny,
}

/// `provost why`.
#[derive(Debug, Clone, Args)]
pub struct WhyArgs {
    /// The decision's id; every refusal names it
    pub id: DecisionId,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: DecisionCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        DecisionCommand::Tally { hours } => {
            let query = TallyQuery { hours: Some(hours) };
            let tally: TallyView = client.get_with("decisions/tally", &query).await?;
            out.show(&tally, show_tally);
        }
        DecisionCommand::List(args) => {
            let limit = args.limit;
            let page = client.list::<DecisionSummary>("decisions", &query(args), limit).await?;
            out.show(&page, |page, style| more(decisions(&page.items, style), page.next.is_some(), style));
        }
        DecisionCommand::Show { id } => {
            let decision: DecisionView = client.get(&path(id, "")).await?;
            out.show(&decision, |decision, style| story(decision, None, None, style));
        }
    }
    Ok(Exit::Ok)
}

/// Tells the story of a decision.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn why(args: &WhyArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    let why: WhyView = client.get(&path(args.id, "/why")).await?;
    let task = match why.decision.record.subject.task {
        Some(task) if !out.json => {
            client.get::<TaskView>(&format!("tasks/{}", part(&task.to_string()))).await.ok()
        }
        _ => None,
    };
    out.show(&why, |why, style| story(&why.decision, Some(why), task.as_ref(), style));
    Ok(if why.same { Exit::Ok } else { Exit::Unverified })
}

/// Who, what, verdict, reasons, what would make it possible, what came of it, decided again, in the ledger.
#[must_use]
pub fn story(view: &DecisionView, why: Option<&WhyView>, task: Option<&TaskView>, style: Style) -> String {
    let record = &view.record;
    let mut page = Page::new(style);
    page.line(
        "decision",
        &format!("{}\n{}", style.bold(&record.id.to_string()), when::long(Moment(record.at))),
    );
    page.gap();
    page.line("who", &who(record, style));
    page.line("for", &purpose(record, task));
    page.line("what", &format!("{}, asked over {}", style.bold(&clean(&record.tool)), face(&record.face)));
    for (name, value) in arguments(&record.input) {
        page.line("", &format!("{name} = {}", style.cyan(&value)));
    }
    if let Some(labels) = labels(&record.input) {
        page.line("after reading", &style.yellow(&labels));
    }
    page.gap();
    page.line("verdict", &verdict(&record.verdict, style));
    for reason in record.verdict.reasons() {
        page.reason(reason);
    }
    for error in &record.errors {
        page.line("", &style.red(&format!("a policy failed to evaluate: {}", clean(error))));
    }
    if let Verdict::Deny { possible_if, .. } = &record.verdict {
        for (n, way) in possible_if.iter().enumerate() {
            page.line(if n == 0 { "possible if" } else { "or if" }, &clean(way));
        }
    }
    page.gap();
    page.line("then", &outcome(view, style));
    if let Some(why) = why {
        page.line("again", &again(why, style));
        for difference in &why.differences {
            page.line("", &style.red(&clean(difference)));
        }
    }
    page.line("ledger", &ledger(view, style));
    page.text
}

struct Page {
    text: String,
    style: Style,
    wide: usize,
}

impl Page {
    fn new(style: Style) -> Self {
        let wide = usize::from(crate::out::width()).saturating_sub(MARGIN + SIDES).clamp(WIDE_MIN, WIDE_MAX);
        Self { text: String::new(), style, wide }
    }

    fn line(&mut self, label: &str, value: &str) {
        let mut label = label;
        for paragraph in value.split('\n') {
            for line in wrapped(paragraph, self.wide, "").split('\n') {
                let pad = " ".repeat(MARGIN.saturating_sub(label.chars().count()));
                let _written = writeln!(self.text, "  {}{pad}{line}", self.style.dim(label));
                label = "";
            }
        }
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn reason(&mut self, reason: &Reason) {
        let text = clean(&reason.reason);
        self.line("", &format!("{text}\n{}", self.style.dim(&format!("policy {}", clean(&reason.policy)))));
    }
}

fn who(record: &Decision, style: Style) -> String {
    let subject = &record.subject;
    let name = style.bold(&clean(&subject.id));
    let mut text = match subject.kind.as_str() {
        "agent" => format!("agent {name}"),
        kind => format!("{} {name}", clean(kind)),
    };
    if let Some(owner) = &subject.owner {
        let _written = write!(text, ", owned by {owner}");
    }
    if let Some(revision) = subject.revision {
        let _written = write!(text, ", under revision {revision} of its charter");
    }
    text
}

fn purpose(record: &Decision, task: Option<&TaskView>) -> String {
    let subject = &record.subject;
    let mut text =
        subject.requester.as_ref().map(ToString::to_string).unwrap_or_else(|| "nobody named".to_owned());
    if let Some(task) = task {
        let _written = write!(text, ", who asked: \"{}\"", clean(&task.summary.purpose));
    }
    if let Some(id) = subject.task {
        let _written = write!(text, "\nin {id}");
    }
    text
}

fn face(face: &str) -> &str {
    match face {
        "mcp" => "MCP",
        "authzen" => "AuthZEN",
        "wrap" => "the local wrapper",
        other => other,
    }
}

/// Arguments of a tool, or the parts of an AuthZEN request, each on a line and shortened.
fn arguments(input: &Value) -> Vec<(String, String)> {
    let short = |value: &Value| {
        let text = clean(&match value {
            Value::String(text) => format!("\"{text}\""),
            other => other.to_string(),
        });
        match text.chars().count() {
            0..=VALUE_CHARS_MAX => text,
            long => {
                format!("{}… ({long} characters)", text.chars().take(VALUE_CHARS_MAX).collect::<String>())
            }
        }
    };
    let parts: Vec<(&String, &Value)> = match input.get("args").and_then(Value::as_object) {
        Some(args) => args.iter().collect(),
        None => input
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| matches!(name.as_str(), "subject" | "action" | "resource" | "context"))
            .collect(),
    };
    parts.into_iter().map(|(name, value)| (clean(name), short(value))).collect()
}

fn labels(input: &Value) -> Option<String> {
    let labels: Vec<_> =
        input.get("labels")?.as_array()?.iter().filter_map(Value::as_str).map(clean).collect();
    (!labels.is_empty()).then(|| format!("{} data", labels.join(" and ")))
}

fn verdict(verdict: &Verdict, style: Style) -> String {
    match verdict {
        Verdict::Allow { .. } => format!("{}, because", style.green("ALLOWED")),
        Verdict::Hold { approvers, .. } => {
            format!("{} until {} agrees, because", style.yellow("HELD"), clean(&approvers.join(" and ")))
        }
        Verdict::Deny { .. } => format!("{}, because", style.red("DENIED")),
    }
}

fn outcome(view: &DecisionView, style: Style) -> String {
    match (&view.completion, &view.record.verdict) {
        (Some(done), _) => {
            let took = format!("after {} ms", done.took_ms);
            let gained: Vec<_> = done.labels.iter().map(crate::agent::text_of).collect();
            let gained = match gained.is_empty() {
                true => String::new(),
                false => format!("; the task has read {} data since", style.yellow(&gained.join(" and "))),
            };
            match &done.outcome {
                Outcome::Success => format!("the system {} {took}{gained}", style.green("did it")),
                Outcome::Failure { error } => {
                    format!("the system {} {took}: {}{gained}", style.red("refused it"), clean(error))
                }
                Outcome::Unsent { error } => {
                    format!("it was {}: {}", style.yellow("never sent"), clean(error))
                }
                Outcome::Unknown { error } => {
                    format!("it was sent, and {}: {}", style.yellow("may have happened"), clean(error))
                }
            }
        }
        (None, Verdict::Allow { .. }) if view.record.face == "authzen" => {
            "the answer went to who asked".to_owned()
        }
        (None, Verdict::Allow { .. }) => "no outcome is known yet".to_owned(),
        (None, Verdict::Hold { .. } | Verdict::Deny { .. }) => "nothing was sent to the system".to_owned(),
    }
}

fn again(why: &WhyView, style: Style) -> String {
    match why.same {
        true => format!("decided again from the record: {}, bit by bit", style.green("same")),
        false => format!("decided again from the record: {}", style.red("NOT the same")),
    }
}

fn ledger(view: &DecisionView, style: Style) -> String {
    let id = view.record.id;
    match view.summary.leaf {
        Some(leaf) => format!("leaf {leaf}\n{}", style.dim(&format!("prove it: provost ledger prove {id}"))),
        None => "recorded; enters the ledger within a second".to_owned(),
    }
}

/// Decisions as a table.
/// A row for each step in which something was decided.
fn show_tally(tally: &TallyView, style: Style) -> String {
    let row = |at: String, step: &TallyStep| {
        vec![at, step.allow.to_string(), step.hold.to_string(), step.deny.to_string()]
    };
    let steps = tally.steps.iter().filter(|step| step.all() > 0);
    let mut rows: Vec<_> =
        steps.map(|step| row(step.at.map(when::local).unwrap_or_default(), step)).collect();
    rows.push(row("all".to_owned(), &tally.total));
    let mut text = table(&["from", "allowed", "held", "refused"], rows, style);
    if let Some(since) = tally.only_since {
        let _written = write!(text, "\nonly the newest are counted, since {}", when::local(since));
    }
    text
}

pub(crate) fn decisions(decisions: &[DecisionSummary], style: Style) -> String {
    let row = |decision: &DecisionSummary| {
        let reason = decision.reasons.first().map(|reason| clean(&reason.reason)).unwrap_or_default();
        vec![
            decision.id.to_string(),
            when::short(decision.at),
            style.state(&decision.verdict),
            clean(&decision.subject),
            clean(&decision.tool),
            style.state(&decision.outcome),
            reason.chars().take(REASON_CHARS_MAX).collect(),
        ]
    };
    table(
        &["decision", "when", "verdict", "who", "what", "outcome", "reason"],
        decisions.iter().map(row),
        style,
    )
}

impl From<Least> for Severity {
    fn from(least: Least) -> Self {
        match least {
            Least::Info => Self::Info,
            Least::Low => Self::Low,
            Least::Medium => Self::Medium,
            Least::High => Self::High,
            Least::Critical => Self::Critical,
        }
    }
}

impl From<Word> for VerdictWord {
    fn from(word: Word) -> Self {
        match word {
            Word::Allow => Self::Allow,
            Word::Hold => Self::Hold,
            Word::Deny => Self::Deny,
        }
    }
}

fn query(args: ListArgs) -> DecisionQuery {
    DecisionQuery {
        agent: args.agent,
        task: args.task,
        system: args.system,
        tool: args.tool,
        verdict: args.verdict.map(Into::into),
        severity: args.severity.map(Into::into),
        since: args.since,
        cursor: None,
        limit: None,
    }
}

fn path(id: DecisionId, tail: &str) -> String {
    format!("decisions/{}{tail}", part(&id.to_string()))
}

const MARGIN: usize = 15;
/// Columns left and right of a page, also where the demo quotes one.
const SIDES: usize = 12;
const WIDE_MIN: usize = 40;
const WIDE_MAX: usize = 96;
const VALUE_CHARS_MAX: usize = 120;
const REASON_CHARS_MAX: usize = 120;
