//! `provost activity`: what agents do as they do it, each call with its verdict and its reason, until somebody has seen enough.

use crate::{
    Client, Exit, Failure, Out, Style,
    decision::{Least, Word},
    out::clean,
    when,
};
use clap::Args;
use provost_api::{
    Moment, Page,
    decision::{DecisionQuery, DecisionSummary},
};
use provost_domain::{DecisionId, Name};
use std::{collections::VecDeque, time::Duration};

/// `provost activity`.
#[derive(Debug, Clone, Args)]
pub struct ActivityArgs {
    /// Go on with what comes; Ctrl-C ends it
    #[arg(long, short)]
    pub follow: bool,
    /// Only of this agent
    #[arg(long)]
    pub agent: Option<Name>,
    /// Only on this system
    #[arg(long)]
    pub system: Option<Name>,
    /// Only of this operation (system/tool)
    #[arg(long)]
    pub tool: Option<String>,
    /// Only with this verdict
    #[arg(long, value_enum)]
    pub verdict: Option<Word>,
    /// Only what wants to be looked at this much or more
    #[arg(long, value_enum)]
    pub severity: Option<Least>,
    /// At most so many of what was before
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
}

/// Prints the newest, the very newest last; then each as it comes. As JSON, one object a line.
///
/// # Errors
/// What the plane refused; while following, a plane that does not answer for a while is waited for.
pub async fn run(args: ActivityArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    let (follow, limit) = (args.follow, args.limit);
    let query = DecisionQuery {
        agent: args.agent,
        system: args.system,
        tool: args.tool,
        verdict: args.verdict.map(Into::into),
        severity: args.severity.map(Into::into),
        ..DecisionQuery::default()
    };
    let before = client.list::<DecisionSummary>("decisions", &query, limit).await?;
    let mut seen = Seen::default();
    tell(&mut seen, before.items, out);
    if !follow {
        return Ok(Exit::Ok);
    }
    if !out.json {
        out.text(&out.style.dim("following; Ctrl-C ends it"));
    }
    let mut silent = false;
    loop {
        tokio::select! {
            // Whoever presses it has seen enough: nothing failed.
            _pressed = tokio::signal::ctrl_c() => return Ok(Exit::Ok),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let asked = DecisionQuery { since: seen.newest, ..query.clone() };
        match client.list::<DecisionSummary>("decisions", &asked, AT_ONCE_MAX).await {
            Ok(page) => {
                if silent {
                    out.say("the plane answers again");
                }
                silent = false;
                if page.next.is_some() {
                    out.say("there was more than can be shown; the rest is in `provost decision list`");
                }
                let Page { items, .. } = page;
                tell(&mut seen, items, out);
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

/// What was told already. Several are of one moment, so the last ids are kept beside it.
#[derive(Default)]
struct Seen {
    newest: Option<Moment>,
    ids: VecDeque<DecisionId>,
}

impl Seen {
    /// Whether it is new; from now on it is not.
    fn take(&mut self, row: &DecisionSummary) -> bool {
        if self.ids.contains(&row.id) {
            return false;
        }
        self.newest = self.newest.max(Some(row.at));
        self.ids.push_back(row.id);
        if self.ids.len() > KEPT_MAX {
            self.ids.pop_front();
        }
        true
    }
}

/// Newest first is how they are listed; told they are in the order in which they were made.
fn tell(seen: &mut Seen, rows: Vec<DecisionSummary>, out: Out) {
    for row in rows.iter().rev().filter(|row| seen.take(row)) {
        if !out.json {
            out.text(&line(row, out.style));
        } else if let Ok(text) = serde_json::to_string(row) {
            out.text(&text);
        }
    }
}

fn line(row: &DecisionSummary, style: Style) -> String {
    let reason = row.reasons.first().map(|reason| clean(&reason.reason)).unwrap_or_default();
    let came = if row.verdict == "allow" { style.state(&row.outcome) } else { String::new() };
    format!(
        "{} {} {} {} {}\n    {}{}",
        style.dim(&when::local(row.at)),
        style.state(&row.verdict),
        style.bold(&clean(&row.subject)),
        clean(&row.tool),
        came,
        reason,
        style.dim(&format!("  provost why {}", row.id)),
    )
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const AT_ONCE_MAX: usize = 500;
const KEPT_MAX: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: i64, n: u8) -> DecisionSummary {
        let at = provost_domain::Timestamp::from_millis(at);
        serde_json::from_value(serde_json::json!({
            "id": DecisionId::new(at, [n; 10]), "at": Moment(at), "verdict": "deny", "subject": "clerk\u{1b}[2J",
            "tool": "bank/transfer", "face": "mcp", "reasons": [{"policy": "p", "reason": "no\u{1b}[2J\n more"}],
            "outcome": "refused",
        }))
        .unwrap()
    }

    #[test]
    fn each_is_told_once_also_when_several_are_of_one_moment() {
        let mut seen = Seen::default();
        let told: Vec<bool> = [row(5, 1), row(5, 2), row(5, 1), row(6, 3), row(5, 2)]
            .iter()
            .map(|row| seen.take(row))
            .collect();
        assert_eq!(told, [true, true, false, true, false]);
        assert_eq!(seen.newest, Some(Moment(provost_domain::Timestamp::from_millis(6))));
    }

    #[test]
    fn what_others_wrote_moves_no_terminal() {
        let text = line(&row(5, 1), Style::plain());
        assert!(!text.contains('\u{1b}') && text.contains("provost why decision_"), "{text}");
    }
}
