//! How the story reads: numbered chapters, a sentence before each call, the call, the verdict in colour with its
//! reason; and at the end every promise beside what was observed.

use super::{
    agent::{Answer, Said, Told},
    stage::Stage,
};
use provost_cli::{
    Failure, Out, Style,
    out::{clean, wrapped},
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{cell::Cell, time::Duration};

/// Tells, and keeps count of promises.
pub(crate) struct Teller {
    out: Out,
    pace: Duration,
    chapter: usize,
    /// Whether nothing stands in the chapter yet.
    fresh: Cell<bool>,
    promises: Vec<Promise>,
    /// A decision a reader may ask about afterwards.
    remembered: String,
}

/// Something that was promised, and what was seen.
#[derive(Debug, Clone, Serialize)]
struct Promise {
    promised: String,
    observed: String,
    kept: bool,
}

impl Teller {
    pub(crate) fn new(json: bool, pace: Duration) -> Self {
        Self {
            out: Out::new(json),
            pace,
            chapter: 0,
            fresh: Cell::new(true),
            promises: Vec::new(),
            remembered: String::new(),
        }
    }

    fn style(&self) -> Style {
        self.out.style
    }

    /// What this is.
    pub(crate) fn opening(&self, url: &str) {
        let style = self.style();
        self.out.say(&format!(
            "\n{}",
            style.bold("Provost: two AI agents work for a small company, at its bank")
        ));
        self.out.say("");
        self.words(&format!("A plane is running at {url}, and a bank beside it. Nothing here is played: every arrow is a call over a \
             socket, made by an ordinary MCP client or the plane's own interface, and each promise at the end is checked."
        ));
    }

    /// A new chapter.
    pub(crate) fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        self.fresh.set(true);
        let style = self.style();
        let number = format!("{:>2}", self.chapter);
        self.out.say(&format!("\n{}  {}\n", style.cyan(&number), style.bold(title)));
    }

    /// Plain words.
    pub(crate) fn words(&self, text: &str) {
        if !self.fresh.replace(false) {
            self.out.say("");
        }
        self.out.say(&format!("{INDENT}{}", wrapped(text, wide(), INDENT)));
    }

    /// Something is asked of the plane.
    pub(crate) async fn asks(&self, what: &str) {
        self.wait().await;
        self.out.say(&format!("{INDENT}{} {}", self.style().cyan("→"), wrapped(what, wide(), UNDER)));
    }

    /// An agent calls a tool.
    pub(crate) async fn calls(&self, agent: &str, tool: &str, args: &Map<String, Value>) {
        let style = self.style();
        let args: Vec<_> = args.iter().map(|(name, value)| format!("{name}={}", short(value))).collect();
        self.asks(&format!(
            "{} calls {} {}",
            style.bold(agent),
            style.bold(tool),
            style.dim(&args.join("  "))
        ))
        .await;
    }

    /// What came back, in words.
    pub(crate) fn answers(&self, what: &str) {
        self.out.say(&format!("{INDENT}{} {}", self.style().cyan("←"), wrapped(what, wide(), UNDER)));
    }

    /// What an agent was answered.
    pub(crate) fn answered(&self, answer: &Answer, done: impl FnOnce(&Value) -> String) {
        let style = self.style();
        let took = style.dim(&format!("in {} ms", answer.took.as_millis()));
        match &answer.said {
            Said::Done(value) => {
                let what = clean(&done(value));
                self.line(&wrapped(&format!("{} {took}: {what}", style.green("ALLOWED")), wide(), UNDER));
            }
            Said::Verdict(told) => self.verdict(told, &took),
            Said::ToolError(text) => {
                self.line(&format!("{}  {}", style.red("THE BANK REFUSED"), clean(text)))
            }
            Said::TurnedAway(text) => {
                self.line(&format!("{} {took}", style.red("TURNED AWAY")));
                self.under(&clean(text));
            }
        }
    }

    fn verdict(&self, told: &Told, took: &str) {
        let style = self.style();
        let word = match told.verdict.as_str() {
            "hold" => style.yellow("HELD"),
            _ => style.red("DENIED"),
        };
        self.line(&format!("{word} {took}"));
        for (policy, reason) in &told.reasons {
            self.under(&clean(reason));
            self.out.say(&format!("{UNDER}{}", style.dim(&format!("policy {}", clean(policy)))));
        }
        for way in &told.possible_if {
            self.under(&format!("possible if: {}", clean(way)));
        }
    }

    fn line(&self, text: &str) {
        self.out.say(&format!("{INDENT}{} {text}", self.style().cyan("←")));
    }

    /// Words below an answer.
    pub(crate) fn under(&self, text: &str) {
        self.out.say(&format!("{UNDER}{}", wrapped(text, wide(), UNDER)));
    }

    /// A page of the command line, as it would print it.
    pub(crate) fn page(&self, text: &str) {
        let style = self.style();
        for line in text.lines() {
            self.out.say(&format!("{UNDER}{} {line}", style.dim("│")));
        }
    }

    /// A report of the command line: each line wrapped, since faults are long.
    pub(crate) fn report(&self, text: &str) {
        for line in text.lines() {
            self.page(&wrapped(line, wide(), "  "));
        }
    }

    /// Keeps a decision for the end.
    pub(crate) fn remember(&mut self, decision: &str) {
        decision.clone_into(&mut self.remembered);
    }

    /// How a page is coloured.
    pub(crate) fn page_style(&self) -> Style {
        self.style()
    }

    /// Something that was promised, and whether it was seen.
    pub(crate) fn promise(&mut self, promised: &str, kept: bool, observed: impl Into<String>) {
        let promise = Promise { promised: promised.to_owned(), observed: observed.into(), kept };
        if !kept {
            let style = self.style();
            self.out.say(&format!(
                "{INDENT}{} promised: {promised}\n{UNDER}observed: {}",
                style.red("✗"),
                promise.observed
            ));
        }
        self.promises.push(promise);
    }

    /// The story could not go on.
    pub(crate) fn broke(&mut self, failure: &Failure) {
        self.out.say(&format!("\n{}", failure.render(self.style())));
        self.promises.push(Promise {
            promised: "the story is told to its end".to_owned(),
            observed: failure.error.clone(),
            kept: false,
        });
    }

    /// Every promise beside what was observed; whether all were kept.
    pub(crate) fn summary(&self, to_its_end: bool) -> bool {
        let kept = to_its_end && self.promises.iter().all(|promise| promise.kept);
        if self.out.json {
            self.out.value(&serde_json::json!({"kept": kept, "promises": self.promises}));
            return kept;
        }
        let style = self.style();
        self.out.say(&format!("\n{}\n", style.bold("What was promised, and what was observed")));
        for promise in &self.promises {
            let mark = if promise.kept { style.green("✓") } else { style.red("✗") };
            self.out.say(&format!("  {mark} {}", wrapped(&promise.promised, wide(), "    ")));
            self.out.say(&format!("    {}", style.dim(&wrapped(&promise.observed, wide(), "    "))));
        }
        let n = self.promises.iter().filter(|promise| promise.kept).count();
        let all = format!("{n} of {} promises kept", self.promises.len());
        self.out.say(&format!("\n  {}", if kept { style.green(&all) } else { style.red(&all) }));
        kept
    }

    /// What a reader can try while everything runs.
    pub(crate) fn next_steps(&self, stage: &Stage) {
        let style = self.style();
        let data = std::path::absolute(stage.data()).unwrap_or_else(|_unknowable| stage.data());
        let flags = format!("--url {} --data {}", stage.url(), data.display());
        self.out.say(&format!("\n{}\n", style.bold("The plane is still running. In another terminal:")));
        let why = format!("why {}", self.remembered);
        let steps = [
            ("decision list", "every decision, newest first"),
            (why.as_str(), "the stranger's order again: who, what, which rules, and the proof"),
            ("agent show invoice-clerk", "the charter in words, and how fast the agent can be stopped"),
            ("task start invoice-clerk --purpose \"look around\"", "a token for an MCP client of your own"),
            ("ledger export ./ledger", "take the record away; then `provost ledger verify ./ledger`"),
        ];
        let program = program();
        for (command, why) in steps {
            self.out.say(&format!(
                "  {}\n      {}",
                style.cyan(&format!("{program} {command} {flags}")),
                style.dim(why)
            ));
        }
        let gone = if stage.is_temporary() { "; its folder goes with it" } else { "" };
        self.out.say(&format!("\n  Ctrl-C stops it{gone}."));
    }

    async fn wait(&self) {
        if !self.pace.is_zero() {
            tokio::time::sleep(self.pace).await;
        }
    }
}

/// Columns of words: a page, or less on a narrow terminal.
fn wide() -> usize {
    usize::from(provost_cli::out::width()).saturating_sub(SIDES).min(WORDS_WIDE)
}

/// As it was called here, so that the commands work as they are shown.
fn program() -> String {
    let called = std::env::args().next().filter(|called| called.contains('/'));
    let absolute = called.and_then(|called| std::path::absolute(called).ok());
    absolute.map_or_else(|| "provost".to_owned(), |path| path.display().to_string())
}

fn short(value: &Value) -> String {
    let text = clean(&value.to_string());
    match text.chars().count() {
        0..=60 => text,
        _ => text.chars().take(57).chain("…\"".chars()).collect(),
    }
}

const INDENT: &str = "    ";
const UNDER: &str = "      ";
const WORDS_WIDE: usize = 96;
const SIDES: usize = 8;
