//! An order and what is proven of it, for a terminal. What others wrote is text.

use crate::{
    Style,
    agent::history,
    out::{clean, facts, table},
    when,
};
use provost_api::containment::{
    ContainedSystem, ContainmentHits, ContainmentSummary, ContainmentView, ToldView, UnknownCall,
};
use provost_domain::Name;
use std::fmt::Write as _;

pub(super) fn list(rows: &[ContainmentSummary], style: Style) -> String {
    if rows.is_empty() {
        return "nothing is contained".to_owned();
    }
    let row = |row: &ContainmentSummary| {
        vec![
            row.id.clone(),
            clean(&row.scope),
            level(&row.level, style),
            proof(row.proof.as_deref().unwrap_or("-"), style),
            style.state(&row.status),
            clean(&row.by),
            when::short(row.at),
            clean(&row.reason),
        ]
    };
    table(
        &["order", "stops", "level", "proof", "stands", "by", "since", "because"],
        rows.iter().map(row),
        style,
    )
}

pub(super) fn ordered(view: &ContainmentView, style: Style) -> String {
    let row = &view.summary;
    let mut text =
        format!("{} {} at level {}: {}\n", style.red("CONTAINED"), clean(&row.scope), row.level, row.id);
    text.push_str("It binds on this node now; a node that is cut off stops deciding when its lease ends.\n");
    text.push_str(&render_hits(&view.hits, "hit", style));
    let _written = write!(text, "\nWhat is proven: provost kill show {} --watch", row.id);
    text
}

pub(super) fn answered(view: &ContainmentView, style: Style) -> String {
    let row = &view.summary;
    match (row.status.as_str(), &view.lift) {
        ("lifted", _) => format!("{} {}: what it was about may act again", row.id, style.green("is lifted")),
        ("lift-asked", Some(lift)) => format!(
            "{} {}, and binds until another person agrees{}: {}",
            row.id,
            style.yellow("is asked to be lifted"),
            lift.until.map(|until| format!(" ({})", when::short(until))).unwrap_or_default(),
            match lift.digest {
                Some(_) => {
                    format!("they sign with their passkey, in a browser at /console/containments/{}", row.id)
                }
                None => format!("provost kill lift {} --as PERSON --reason …", row.id),
            }
        ),
        _ => format!("{} stays in force", row.id),
    }
}

pub(super) fn render(view: &ContainmentView, style: Style) -> String {
    let row = &view.summary;
    let lift = view.lift.as_ref().map(|lift| {
        let asked =
            lift.asked.as_ref().map(|asked| format!(", asked for by {}", clean(asked))).unwrap_or_default();
        format!("{} {}: {}{asked}", clean(&lift.by), when::long(lift.at), clean(&lift.reason))
    });
    let ended = &view.ended;
    let mut text = facts(
        &[
            ("order", style.bold(&row.id)),
            ("stops", style.bold(&clean(&row.scope))),
            ("level", level(&row.level, style)),
            ("proof", row.proof.as_deref().map(|word| proof(word, style)).unwrap_or_default()),
            ("stands", style.state(&row.status)),
            ("ordered", format!("{} ({}), {}", clean(&row.by), clean(&view.shown_by), when::long(row.at))),
            ("because", clean(&row.reason)),
            (if row.status == "lifted" { "lifted" } else { "lift asked" }, lift.unwrap_or_default()),
            (
                "ended",
                format!(
                    "{} tasks, {} approvals, {} envelopes{}",
                    ended.tasks,
                    ended.approvals,
                    ended.envelopes,
                    ended.done.map(|done| format!("; all of it {}", when::long(done))).unwrap_or_default()
                ),
            ),
        ],
        style,
    );
    if row.status != "lifted" {
        let _written = writeln!(text, "\n{}", render_hits(&view.hits, "is about", style));
    }
    if !view.systems.is_empty() {
        let _written = writeln!(text, "\n{}", systems(&view.systems, style));
    }
    if !view.told.is_empty() {
        let _written = writeln!(text, "\n{}", told(&view.told, style));
    }
    if !view.unknown.is_empty() {
        let _written = writeln!(text, "\n{}", unknown(&view.unknown, style));
    }
    text.push_str(&history(&view.history, style));
    text
}

pub(super) fn progress(view: &ContainmentView, style: Style) -> String {
    let waiting: Vec<String> = view
        .systems
        .iter()
        .map(|system| format!("{} {} ({})", system.system, proof(&system.proof, style), system.stage))
        .collect();
    format!(
        "{} tasks ended, {} to go; {} credentials to take back; {}",
        view.ended.tasks,
        view.hits.tasks,
        view.hits.minted,
        if waiting.is_empty() { "no system looked at yet".to_owned() } else { waiting.join(", ") }
    )
}

fn systems(rows: &[ContainedSystem], style: Style) -> String {
    let row = |row: &ContainedSystem| {
        let seen = |seen: Option<provost_api::containment::SeenCall>| {
            seen.map_or("none".to_owned(), |seen| when::local(seen.at))
        };
        vec![
            row.system.to_string(),
            proof(&row.proof, style),
            row.stage.clone(),
            seen(row.last_accepted),
            seen(row.first_refused),
            row.confirmed.map_or("not yet".to_owned(), when::local),
            clean(&row.because),
        ]
    };
    let heads = ["system", "proof", "stage", "last accepted", "first refused", "confirmed", "because"];
    table(&heads, rows.iter().map(row), style)
}

fn told(rows: &[ToldView], style: Style) -> String {
    let row = |row: &ToldView| {
        let stands = match row.given_up {
            0 if row.done == row.owed => style.green("acknowledged"),
            0 => style.yellow("on its way"),
            _ => style.red("given up"),
        };
        vec![clean(&row.to), format!("{} of {}", row.done, row.owed), row.given_up.to_string(), stands]
    };
    table(&["told", "acknowledged", "given up", "stands"], rows.iter().map(row), style)
}

pub(super) fn unknown(calls: &[UnknownCall], style: Style) -> String {
    if calls.is_empty() {
        return "no call was cut half-way".to_owned();
    }
    let open = calls.iter().filter(|call| call.found.is_none()).count();
    let row = |call: &UnknownCall| {
        let found = match (&call.found, &call.by) {
            (Some(found), Some(by)) => format!("{}: {}", clean(by), clean(found)),
            _ => style.yellow("nobody has looked"),
        };
        vec![
            call.decision.to_string(),
            clean(&call.agent),
            clean(&call.tool),
            when::local(call.cut),
            clean(&call.seen),
            found,
        ]
    };
    let heads = ["cut half-way", "agent", "tool", "cut", "seen last", "found"];
    let table = table(&heads, calls.iter().map(row), style);
    match open {
        0 => table,
        open => format!(
            "{table}\n{}",
            style.yellow(&format!("{open} may have happened: look, then provost kill settle"))
        ),
    }
}

pub(super) fn render_hits(hits: &ContainmentHits, word: &str, style: Style) -> String {
    let join = |names: &[Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let named = |count: usize, names: &[Name]| match names {
        [] => count.to_string(),
        names if names.len() < count => format!("{count}: {}, …", join(names)),
        names => format!("{count}: {}", join(names)),
    };
    let systems: Vec<String> = hits
        .systems
        .iter()
        .map(|system| format!("{} within {} ({})", system.system, system.at_most, clean(&system.because)))
        .collect();
    let rows = [
        ("agents", named(hits.agents, &hits.names)),
        ("tasks", hits.tasks.to_string()),
        ("calls under way", hits.calls.to_string()),
        ("calls held", hits.held.to_string()),
        ("envelopes", hits.envelopes.to_string()),
        ("credentials", hits.minted.to_string()),
        ("systems", systems.join("\n")),
        ("people", named(hits.people.len(), &hits.people)),
        ("at worst", format!("nothing of it works anywhere after {}", when::length(hits.worst))),
    ];
    format!("{}\n{}", style.bold(&format!("What {word}:")), facts(&rows, style).trim_end())
}

fn level(word: &str, style: Style) -> String {
    match word {
        "off" => style.red(word),
        _ => style.yellow(word),
    }
}

fn proof(word: &str, style: Style) -> String {
    match word {
        "contained" => style.green("CONTAINED"),
        "partial" => style.yellow("PARTIAL"),
        "unknown" => style.red("UNKNOWN"),
        other => other.to_owned(),
    }
}
