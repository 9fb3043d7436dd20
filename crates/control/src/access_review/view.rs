//! What people are shown of a review.

use crate::diff;
use provost_api::access_review::{LineView, ReviewSummary, ReviewView};
use provost_domain::{
    AccessReview, Directory,
    access_review::{Choice, ReviewLine, ReviewStatus},
};
use provost_store::ChangeRecord;

pub(super) fn summary(row: &AccessReview, directory: &Directory) -> ReviewSummary {
    let count = |choice: Choice| row.lines.iter().filter(|line| AccessReview::choice(line) == choice).count();
    ReviewSummary {
        id: row.id.clone(),
        agent: row.agent.clone(),
        owner: directory.agents.get(&row.agent).map(|agent| agent.answers().clone()),
        because: row.because.clone(),
        state: if row.is_open() { "open" } else { "done" }.to_owned(),
        opened: row.opened.into(),
        due: row.due.into(),
        tools: row.lines.len(),
        unused: row.lines.iter().filter(|line| line.used == 0 && line.held == 0).count(),
        unanswered: row.lines.iter().filter(|line| line.answer.is_none()).count(),
        keep: count(Choice::Keep),
        narrow: count(Choice::Narrow),
        revoke: count(Choice::Revoke),
    }
}

pub(super) fn whole(row: &AccessReview, directory: &Directory, history: Vec<ChangeRecord>) -> ReviewView {
    let mut view = ReviewView {
        summary: summary(row, directory),
        since: row.since.into(),
        revision: row.revision,
        decisions: row.decisions,
        whole: row.whole,
        effect: effect(row),
        lines: row.lines.iter().map(line).collect(),
        done: None,
        by: None,
        lapsed: false,
        became: None,
        refused: Vec::new(),
        still: Vec::new(),
        verified: false,
        history: diff::history(history),
    };
    if let ReviewStatus::Done { at, by, lapsed, revision, verified } = &row.status {
        view.done = Some((*at).into());
        view.by = Some(by.clone());
        view.lapsed = *lapsed;
        view.became = Some(*revision);
        if let Some(verified) = verified {
            view.verified = verified.still.is_empty();
            view.refused.clone_from(&verified.refused);
            view.still.clone_from(&verified.still);
        }
    }
    view
}

/// `0 of 4,213 calls since then would have come out otherwise`.
fn effect(row: &AccessReview) -> String {
    let (changed, calls) = (grouped(row.effect.changed), grouped(row.effect.calls));
    format!("{changed} of {calls} calls since then would have come out otherwise")
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn line(row: &ReviewLine) -> LineView {
    LineView {
        tool: row.path(),
        effects: row.effects.iter().map(ToString::to_string).collect(),
        risk: row.risk.as_str().to_owned(),
        used: row.used,
        held: row.held,
        denied: row.denied,
        first: row.first.map(Into::into),
        last: row.last.map(Into::into),
        tasks: row.tasks.clone(),
        peers_with: row.peers.with,
        peers: row.peers.of,
        limits: row
            .limits
            .iter()
            .map(|(arg, rule)| format!("{arg} {}", provost_declare::rule_words(rule)))
            .collect(),
        proposed: row.proposed,
        answer: row.answer,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_number_is_read_in_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (4_213, "4,213"), (1_000_000, "1,000,000")] {
            assert_eq!(super::grouped(number), text);
        }
    }
}
