//! `provost plan` and `provost apply`: files in, changes in words out.

use crate::{
    Client, Exit, Failure, Out, Style, approval, folder,
    out::{clean, wrapped},
    proposal,
};
use clap::Args;
use provost_api::{
    plan::{Applied, ApplyRequest, PlanRequest, PlanStep, PlanView},
    problem::{Fault, Severity},
};
use provost_domain::Name;
use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

/// `provost plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// The folder with the organisation's files
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Also remove what no file declares
    #[arg(long)]
    pub prune: bool,
}

/// `provost apply`.
#[derive(Debug, Clone, Args)]
pub struct ApplyArgs {
    /// What to apply.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Why, for the record
    #[arg(long, default_value = "applied from files")]
    pub reason: String,
    /// Do not ask, even when somebody gains power
    #[arg(long, short)]
    pub yes: bool,
    /// Whose change it is.
    #[command(flatten)]
    pub author: AuthorArgs,
}

/// Whose change it is, where the local administrator passes it on.
#[derive(Debug, Clone, Default, Args)]
pub struct AuthorArgs {
    /// Whose change it is; whoever it is, somebody else agrees to it
    #[arg(long = "as", value_name = "PERSON", env = "PROVOST_PERSON", hide_env_values = true)]
    pub person: Option<Name>,
    /// At once, without those who must agree: recorded as that, and reviewed by somebody else
    #[arg(long)]
    pub break_glass: bool,
}

/// Shows the plan.
///
/// # Errors
/// What the plane refused, or what cannot be read.
pub async fn plan(args: &PlanArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    let view = ask(args, client).await?;
    out.show(&view, render);
    Ok(if view.refused { Exit::Refused } else { Exit::Ok })
}

/// Shows the plan, asks where somebody gains power, and applies exactly what was shown.
///
/// # Errors
/// As [`plan`], and when nobody agreed.
pub async fn apply(args: &ApplyArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    let view = ask(&args.plan, client).await?;
    if view.refused {
        out.show(&view, render);
        return Ok(Exit::Refused);
    }
    if changes(&view).next().is_none() {
        let nothing = Applied { seq: view.seq, steps: Vec::new(), warnings: view.faults, proposal: None };
        out.show(&nothing, |_, _| "nothing to do: the organisation is as the files say".to_owned());
        return Ok(Exit::Ok);
    }
    out.say(&render(&view, out.style));
    agree(&view, args.yes)?;
    let request = ApplyRequest {
        files: folder::read(&args.plan.dir)?,
        prune: args.plan.prune,
        reason: args.reason.clone(),
        plan: Some(view.digest.clone()),
        person: args.author.person.clone(),
        break_glass: args.author.break_glass,
    };
    let applied: Applied = client.post("apply", &request).await?;
    out.show(&applied, |applied, style| {
        if let Some(proposal) = &applied.proposal {
            return proposal::waits(proposal, style);
        }
        let n = applied.steps.len();
        format!(
            "{} {n} {}, in force at position {}",
            style.green("applied:"),
            plural(n, "change"),
            applied.seq
        )
    });
    Ok(if applied.proposal.is_some() { Exit::Waits } else { Exit::Ok })
}

async fn ask(args: &PlanArgs, client: &Client) -> Result<PlanView, Failure> {
    client.post("plan", &PlanRequest { files: folder::read(&args.dir)?, prune: args.prune }).await
}

fn agree(view: &PlanView, yes: bool) -> Result<(), Failure> {
    let widening = changes(view).filter(|step| step.reach == WIDENS).count();
    let n = changes(view).count();
    // Without a terminal nobody can be asked; whoever scripts it has seen the plan, or says --yes to nothing.
    if yes || widening == 0 || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    eprint!("{widening} of {n} {} give somebody power. Apply? [y/N] ", plural(n, "change"));
    let _shown = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new("not applied").because("nobody said yes").means("nothing was changed")),
    }
}

/// The plan as a person reads it.
pub(crate) fn render(view: &PlanView, style: Style) -> String {
    let mut text = String::new();
    for fault in &view.faults {
        text.push_str(&self::fault(fault, style));
    }
    for step in changes(view) {
        text.push_str(&render_step(step, style));
    }
    let widening = changes(view).filter(|step| step.reach == WIDENS).count();
    let errors = view.faults.iter().filter(|fault| fault.severity == Severity::Error).count();
    let n = changes(view).count();
    let _written = match (errors, n) {
        (0, 0) => writeln!(text, "nothing to do: the organisation is as the files say"),
        (0, _) => writeln!(
            text,
            "{n} {}; {widening} of them {} somebody power ({})",
            plural(n, "change"),
            if widening == 1 { "gives" } else { "give" },
            style.yellow("▲")
        ),
        _ => writeln!(
            text,
            "{}",
            style.red(&format!(
                "{errors} {}: nothing can be applied until they are gone",
                plural(errors, "error")
            ))
        ),
    };
    if errors == 0 {
        for missing in &view.asks {
            let _written = writeln!(text, "applied, it waits: {}", approval::wants(missing, style));
        }
    }
    text
}

pub(crate) fn render_step(step: &PlanStep, style: Style) -> String {
    let sign = match step.verb.as_str() {
        "add" => style.green("+"),
        "remove" => style.red("-"),
        _ => style.yellow("~"),
    };
    let widens = if step.reach == WIDENS { style.yellow(" ▲") } else { String::new() };
    let title = format!("{} {}", clean(&step.kind), clean(&step.key));
    let mut text = format!("{sign} {}{widens}\n", style.bold(&title));
    for words in &step.words {
        let line = wrapped(&clean(&words.text), 100, "      ");
        text.push_str(&match words.reach.as_str() {
            WIDENS => format!("    {}\n", style.yellow(&line)),
            _ => format!("    {line}\n"),
        });
    }
    text
}

/// A fault with its place and cure.
#[must_use]
pub fn fault(fault: &Fault, style: Style) -> String {
    let severity = match fault.severity {
        Severity::Error => style.red("error"),
        Severity::Warning => style.yellow("warning"),
    };
    let place = match (&fault.file, fault.line, fault.column) {
        (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}: "),
        (Some(file), Some(line), None) => format!("{file}:{line}: "),
        (Some(file), None, _) => format!("{file}: "),
        (None, ..) => String::new(),
    };
    let mut text = format!("{}{severity}: {}\n", style.bold(&place), clean(&fault.what));
    if let Some(excerpt) = &fault.excerpt {
        let column = fault.column.unwrap_or(1).saturating_sub(1);
        let mark = "^".repeat(fault.width.unwrap_or(1).clamp(1, excerpt.chars().count().max(1)));
        text.push_str(&format!("    {}\n    {}{}\n", clean(excerpt), " ".repeat(column), style.red(&mark)));
    }
    if let Some(cure) = &fault.cure {
        text.push_str(&format!("    {} {}\n", style.bold("do:"), clean(cure)));
    }
    text
}

/// Steps that change something.
fn changes(view: &PlanView) -> impl Iterator<Item = &PlanStep> {
    view.steps.iter().filter(|step| step.verb != "keep")
}

/// The word for so many.
pub(crate) fn plural(n: usize, word: &str) -> String {
    if n == 1 { word.to_owned() } else { format!("{word}s") }
}

const WIDENS: &str = "widens";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_in_words_with_every_fault_at_its_place() {
        let view: PlanView = serde_json::from_str(
            r#"{"seq":7,"digest":"d","left_alone":0,"widens":true,"refused":true,
                "steps":[{"verb":"add","kind":"agent","key":"clerk","reach":"widens",
                    "words":[{"text":"gains bank/transfer","reach":"widens"}]}],
                "faults":[{"severity":"error","file":"agents/clerk.toml","line":3,"column":1,"width":4,
                    "excerpt":"ownr = 'x'","what":"unknown key `ownr`","do":"write `owner`"}]}"#,
        )
        .unwrap();
        let text = render(&view, Style::plain());
        assert_eq!(
            text,
            "agents/clerk.toml:3:1: error: unknown key `ownr`\n    ownr = 'x'\n    ^^^^\n    do: write `owner`\n\
             + agent clerk ▲\n    gains bank/transfer\n\
             1 error: nothing can be applied until they are gone\n"
        );
    }
}
