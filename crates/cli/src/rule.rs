//! Rules that order containment by themselves; tried against what is on record before they are trusted.

use crate::{
    Client, Exit, Failure, Out, Style,
    client::part,
    out::{clean, table},
    when,
};
use clap::Subcommand;
use provost_api::{
    Span,
    rule::{RuleFired, RuleTest, RuleTested, RuleView},
};
use provost_domain::Name;

/// `provost rule`.
#[derive(Debug, Clone, Subcommand)]
pub enum RuleCommand {
    /// List the rules that files declare
    List,
    /// Say what a rule would have done, had it stood for a time; changes nothing
    Test {
        /// The rule
        name: Name,
        /// How far back
        #[arg(long, value_name = "SPAN", default_value = "30d")]
        since: Span,
    },
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: RuleCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        RuleCommand::List => {
            let rules: Vec<RuleView> = client.get("rules").await?;
            out.show(&rules, |rules, _style| match rules.as_slice() {
                [] => "no rule orders containment by itself".to_owned(),
                rules => rules.iter().map(|rule| clean(&rule.words)).collect::<Vec<_>>().join("\n"),
            });
        }
        RuleCommand::Test { name, since } => {
            let path = format!("rules/{}/test", part(name.as_str()));
            let tested: RuleTested = client.post(&path, &RuleTest { since }).await?;
            out.show(&tested, render);
        }
    }
    Ok(Exit::Ok)
}

fn render(tested: &RuleTested, style: Style) -> String {
    let times = if tested.fired == 1 { "time" } else { "times" };
    let held = match tested.held_back {
        0 => String::new(),
        n => format!(", and its limit would have held back {n} more"),
    };
    let head = format!(
        "{}\nsince {}: would have fired {} {times}{held} ({} records read)",
        clean(&tested.rule.words),
        when::local(tested.since),
        style.bold(&tested.fired.to_string()),
        tested.records
    );
    if tested.first.is_empty() {
        return head;
    }
    let row = |fired: &RuleFired| {
        let word = if fired.held_back { style.yellow("held back") } else { style.red("fired") };
        vec![when::local(fired.at), word, clean(&fired.stops), clean(&fired.what), fired.finding.clone()]
    };
    format!(
        "{head}\n\n{}",
        table(&["when", "would have", "stopped", "on", "finding"], tested.first.iter().map(row), style)
    )
}
