//! `provost approvals watch`: what waits, as it comes, until somebody has seen enough.

use super::list;
use crate::{Client, Exit, Failure, Out, out::clean, when};
use provost_api::approval::{ApprovalQuery, ApprovalSummary};
use std::{collections::BTreeMap, time::Duration};

/// Prints what waits now, then each that comes and each that is over; ends with Ctrl-C. As JSON, one object a line.
///
/// # Errors
/// What the plane refused; a plane that does not answer for a while is waited for.
pub(super) async fn watch(query: ApprovalQuery, client: &Client, out: Out) -> Result<Exit, Failure> {
    let mut known = first(&query, client, out).await?;
    let mut silent = false;
    loop {
        tokio::select! {
            // Whoever presses it has seen enough: nothing failed.
            _pressed = tokio::signal::ctrl_c() => return Ok(Exit::Ok),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match client.list::<ApprovalSummary>("approvals", &query, LISTED_MAX).await {
            Ok(page) => {
                if silent {
                    out.say("the plane answers again");
                }
                silent = false;
                tell(&mut known, page.items, out);
            }
            Err(failure) if failure.exit == Exit::Unreachable => {
                if !silent {
                    out.say("the plane does not answer; it is asked again");
                }
                silent = true;
            }
            Err(failure) => return Err(failure),
        }
    }
}

async fn first(
    query: &ApprovalQuery,
    client: &Client,
    out: Out,
) -> Result<BTreeMap<String, ApprovalSummary>, Failure> {
    let page = client.list::<ApprovalSummary>("approvals", query, LISTED_MAX).await?;
    if out.json {
        page.items.iter().for_each(|row| line("waits", row, out));
    } else {
        out.text(&list(&page.items, out.style));
        out.text(&out.style.dim("watching; Ctrl-C ends it"));
    }
    Ok(page.items.into_iter().map(|row| (row.id.clone(), row)).collect())
}

fn tell(known: &mut BTreeMap<String, ApprovalSummary>, now: Vec<ApprovalSummary>, out: Out) {
    let now: BTreeMap<String, ApprovalSummary> = now.into_iter().map(|row| (row.id.clone(), row)).collect();
    for (id, row) in &now {
        match known.get(id) {
            None => line("new", row, out),
            Some(before) if before.status != row.status => line("moved", row, out),
            Some(_same) => {}
        }
    }
    for (id, row) in known.iter().filter(|(id, _)| !now.contains_key(*id)) {
        let over = ApprovalSummary { id: id.clone(), status: "over".to_owned(), ..row.clone() };
        line("over", &over, out);
    }
    *known = now;
}

fn line(what: &str, row: &ApprovalSummary, out: Out) {
    if out.json {
        if let Ok(text) = serde_json::to_string(&serde_json::json!({"event": what, "approval": row})) {
            out.text(&text);
        }
        return;
    }
    let style = out.style;
    let args = row.args.iter().take(ARGS_SHOWN);
    let args: Vec<String> =
        args.map(|(name, value)| format!("{}={}", clean(name), short(&value.to_string()))).collect();
    out.text(&format!(
        "{} {}  {} wants {} {}\n    asks {}, until {}: provost approvals show {}",
        style.dim(&when::local(row.asked)),
        style.state(&row.status),
        style.bold(row.agent.as_str()),
        clean(&row.tool),
        style.dim(&args.join(" ")),
        clean(&row.gates.join(", ")),
        when::short(row.until),
        row.id,
    ));
}

fn short(text: &str) -> String {
    let text = clean(text);
    match text.char_indices().nth(ARG_CHARS_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const LISTED_MAX: usize = 1_000;
const ARGS_SHOWN: usize = 6;
const ARG_CHARS_SHOWN: usize = 40;
