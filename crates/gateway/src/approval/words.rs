//! Where a held call stands, in words for the agent and whoever reads over its shoulder.

use super::Held;
use provost_domain::{Approval, Directory, Timestamp, approval::ApprovalStatus};
use provost_lifecycle::approval as life;
use std::collections::{BTreeMap, BTreeSet};

impl Held {
    /// Where it stands, in words for the agent and whoever reads over its shoulder.
    #[must_use]
    pub fn note(&self) -> String {
        let Self { approval, edited, url, .. } = self;
        match (&approval.status, edited) {
            (ApprovalStatus::Edited { by, .. }, Some(edited)) => edited_note(approval, edited, by.as_str()),
            (ApprovalStatus::Granted { .. }, _) => "It is approved: make the same call again now.".to_owned(),
            (ApprovalStatus::Refused { .. }, _) => {
                let no = approval.votes.iter().rfind(|vote| !vote.yes);
                let by = no.map_or("an approver", |vote| vote.person.as_str());
                let why = no.and_then(|vote| vote.reason.as_deref()).unwrap_or("no reason was given");
                format!(
                    "{by} said no: {why}. Do not repeat this call; do something else, or ask your requester."
                )
            }
            (ApprovalStatus::Expired { .. }, _) => {
                "Nobody answered or used it in time, and silence is a no. The same call asks again."
                    .to_owned()
            }
            (ApprovalStatus::Withdrawn { why, .. }, _) => {
                format!("It was taken back: {why}. The same call asks again.")
            }
            (ApprovalStatus::Used { .. }, _) => {
                "It was used: this call was made already, once. The same call asks again.".to_owned()
            }
            (ApprovalStatus::Waiting | ApprovalStatus::Edited { .. }, _) => format!(
                "It waits for an answer at {url} until {}. Make the same call again after the answer; it runs once.",
                when(approval.expires)
            ),
        }
    }
}

fn edited_note(approval: &Approval, edited: &Approval, by: &str) -> String {
    let names: BTreeSet<&String> = approval.args.keys().chain(edited.args.keys()).collect();
    let mut changes = BTreeMap::new();
    for name in names {
        let (was, is) = (approval.args.get(name), edited.args.get(name));
        if was != is {
            let word =
                |value: Option<&serde_json::Value>| value.map_or("nothing".to_owned(), ToString::to_string);
            changes.insert(name, format!("{name}: {} → {}", word(was), word(is)));
        }
    }
    let changes: Vec<String> = changes.into_values().collect();
    let standing = match &edited.status {
        ApprovalStatus::Granted { until, .. } => {
            format!(
                "That call is approved, once, until {}: make it with exactly these arguments",
                when(*until)
            )
        }
        ApprovalStatus::Used { .. } => "That call was made already, with these arguments".to_owned(),
        other => {
            format!("The approval of that call ({}) is {}; its arguments are", edited.id, other.as_str())
        }
    };
    let args = serde_json::Value::Object(edited.args.clone());
    format!(
        "{by} changed the arguments, and this call will not be approved as it is. Changed: {}. {standing}: {args}",
        changes.join(", ")
    )
}

/// For whom an approval waits, and until when.
pub(crate) fn waits_for(approval: &Approval, directory: &Directory, now: Timestamp) -> String {
    let missing = life::missing(approval, directory);
    let whom: Vec<String> = missing
        .iter()
        .map(|(gate, more)| {
            let may = life::approvers(approval, directory, gate, now);
            let names: Vec<&str> = may.iter().take(NAMES_MAX).map(provost_domain::Name::as_str).collect();
            let others = may.len().saturating_sub(names.len());
            let others = if others > 0 { format!(" or {others} others") } else { String::new() };
            match (names.is_empty(), *more > 1) {
                (true, _) => format!("{gate}, for which nobody may answer"),
                (false, true) => format!("{more} of {}{others}", names.join(", ")),
                (false, false) => format!("{}{others}", names.join(" or ")),
            }
        })
        .collect();
    format!("waiting for {}, until {}", whom.join(" and "), when(approval.expires))
}

/// RFC 3339 in UTC.
pub(crate) fn when(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).map(|at| at.to_string()).unwrap_or_default()
}

/// Approvers that are named; a large group is not listed.
const NAMES_MAX: usize = 5;
