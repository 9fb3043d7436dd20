//! The plane itself: status, fsck, backup.

use crate::{
    Client, Exit, Failure, Out, Style,
    out::{clean, facts},
    plan::plural,
    when,
};
use clap::Args;
use provost_api::plane::{Backup, BackupRequest, FsckReport, Status};
use std::time::Duration;

/// `provost backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Its name, without folders; it is written into `backups` of the plane's data folder
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Shows how the plane is.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn status(client: &Client, out: Out) -> Result<Exit, Failure> {
    let status: Status = client.get("status").await?;
    out.show(&status, render);
    Ok(if status.deciding { Exit::Ok } else { Exit::Refused })
}

fn render(status: &Status, style: Style) -> String {
    let deciding = match status.deciding {
        true => style.green("yes"),
        false => style.red("no: every call is refused until the store answers"),
    };
    let agents: Vec<_> =
        status.agents.iter().map(|(state, n)| format!("{n} {}", style.state(state))).collect();
    let agents = if agents.is_empty() { "none".to_owned() } else { agents.join(", ") };
    facts(
        &[
            ("plane", style.bold(&clean(&status.issuer))),
            ("version", status.version.clone()),
            ("node", status.node.clone()),
            ("deciding", deciding),
            (
                "knowledge",
                format!(
                    "position {}, confirmed {} ago; at most {}",
                    status.seq, status.age, status.staleness_max
                ),
            ),
            ("agents", agents),
            ("tasks", format!("{} running", status.tasks)),
            ("systems", format!("{}, with {} tools", status.systems, status.tools)),
            ("people", status.people.to_string()),
            ("ledger", format!("{} leaves, {} waiting", status.ledger_size, status.ledger_waiting)),
            ("at", when::local(status.at)),
        ],
        style,
    )
}

/// Has the plane check itself.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn fsck(client: &Client, out: Out) -> Result<Exit, Failure> {
    let bar = spinner("checking state against records");
    let report = client.post::<FsckReport>("fsck", &serde_json::json!({})).await;
    bar.finish_and_clear();
    let report = report?;
    out.show(&report, |report, style| {
        let mut text =
            format!("{} leaves hashed again, {} changes replayed\n", report.leaves, report.changes);
        for fault in &report.faults {
            text.push_str(&format!(
                "{} {}: {}\n",
                style.red("fault"),
                clean(&fault.check),
                clean(&fault.detail)
            ));
        }
        let n = report.faults.len();
        text.push_str(&match report.sound {
            true => style.green("sound: nothing contradicts anything"),
            false => style.red(&format!("not sound: {n} {}", plural(n, "fault"))),
        });
        text
    });
    Ok(if report.sound { Exit::Ok } else { Exit::Unverified })
}

/// Has the plane write a copy.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn backup(args: &BackupArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    let bar = spinner("copying");
    let backup = client.post::<Backup>("backups", &BackupRequest { name: args.name.clone() }).await;
    bar.finish_and_clear();
    out.show(&backup?, |backup, style| {
        format!(
            "{} {}\n{}",
            style.green("written:"),
            clean(&backup.path),
            style.dim("the sealing key and the checkpoint file are not in it; keep copies of both elsewhere")
        )
    });
    Ok(Exit::Ok)
}

/// Shows on a terminal that something is going on.
pub(crate) fn spinner(what: &str) -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::new_spinner().with_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
