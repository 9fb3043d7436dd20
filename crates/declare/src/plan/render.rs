//! The plan as a terminal shows it.

use crate::{
    plan::{Plan, PlannedWrite, Reach, Step, StepKind},
    render_all,
};
use provost_domain::{Kind, Object};
use std::fmt::Write as _;

/// The plan for a reader: one block for each row, `+` added, `~` changed, `-` removed, `·` left alone, and a `!`
/// before every line that lets more happen. Ends with the sum of it.
#[must_use]
pub fn render(plan: &Plan) -> String {
    let mut out = String::new();
    for step in plan.steps.iter().filter(|step| step.kind != StepKind::Keep) {
        block(&mut out, step);
    }
    kept(&mut out, plan);
    if !plan.faults.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", render_all(&plan.faults));
    }
    sum(&mut out, plan);
    out
}

fn block(out: &mut String, step: &Step) {
    let _ = writeln!(out, "{} {}{}", step.kind.symbol(), name(step), revision(step));
    for words in &step.words {
        let mark = if words.reach == Reach::Widens { '!' } else { ' ' };
        let _ = writeln!(out, "  {mark} {words}");
    }
    out.push('\n');
}

/// `agent invoice-clerk`; the one organisation has no name of its own.
fn name(step: &Step) -> String {
    if step.key.kind == Kind::Organisation { step.key.kind.as_str().to_owned() } else { step.key.to_string() }
}

fn revision(step: &Step) -> String {
    match (&step.write, step.kind) {
        (Some(PlannedWrite::Put { object, .. }), StepKind::Change) => match object.as_ref() {
            Object::Agent(agent) => format!(" (charter revision {})", agent.revision),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

fn kept(out: &mut String, plan: &Plan) {
    if plan.left_alone == 0 {
        return;
    }
    let _ = writeln!(out, "Not in the files, left as they are (apply with --prune to remove them):");
    let shown = plan.steps.iter().filter(|step| step.kind == StepKind::Keep);
    let mut count = 0;
    for step in shown {
        let _ = writeln!(out, "{} {}", step.kind.symbol(), name(step));
        count += 1;
    }
    if plan.left_alone > count {
        let _ = writeln!(out, "{} and {} more", StepKind::Keep.symbol(), plan.left_alone - count);
    }
    out.push('\n');
}

fn sum(out: &mut String, plan: &Plan) {
    if plan.is_empty() {
        let _ = writeln!(out, "Nothing to do: the plane is what the files declare.");
        return;
    }
    let count = |kind| plan.changes().filter(|step| step.kind == kind).count();
    let (add, change, remove) = (count(StepKind::Add), count(StepKind::Change), count(StepKind::Remove));
    let _ = writeln!(out, "{add} to add, {change} to change, {remove} to remove.");
    let widening = plan.changes().flat_map(|step| &step.words).filter(|words| words.reach == Reach::Widens);
    let _ = match widening.count() {
        0 => writeln!(out, "Nothing in it lets anybody do more."),
        1 => writeln!(out, "1 line marked ! lets more happen than before: read it."),
        lines => writeln!(out, "{lines} lines marked ! let more happen than before: read those."),
    };
}
