//! What people are told, in words. Whoever wrote a part of it, it is text; arguments are cut, and left out where a channel says so.

use provost_domain::{
    Approval, Containment, Directory, Finding, Name, Proposal, Timestamp,
    approval::{ApprovalStatus, Vote},
    channel::Event,
    containment::ContainmentStatus,
    decision::tool_path,
    proposal::ProposalStatus,
};
use provost_notify::{Fact, Notice, text::clean};

/// An action waits.
pub(crate) fn asked(issuer: &str, row: &Approval, who: &[Name], details: bool) -> Notice {
    let mut facts = about(row, details);
    facts.push(Fact::new("may answer", names(who)));
    Notice {
        event: Event::Asked,
        at: row.asked,
        title: format!("{} wants to call {}", row.agent, call(row)),
        text: format!("It waits for a person until {}. Silence is a no.", moment(row.expires)),
        facts,
        ..frame(issuer, row)
    }
}

/// Nobody answered.
pub(crate) fn escalated(issuer: &str, row: &Approval, who: &[Name], details: bool, now: Timestamp) -> Notice {
    Notice {
        event: Event::Escalated,
        at: now,
        title: format!("Nobody has answered: {} wants to call {}", row.agent, call(row)),
        text: format!("{} may answer now too. It waits until {}.", names(who), moment(row.expires)),
        ..asked(issuer, row, who, details)
    }
}

/// It is over, or somebody said yes.
pub(crate) fn decided(issuer: &str, row: &Approval, now: Timestamp) -> Notice {
    let end = end(row);
    let votes = row.votes.iter().map(|vote| Fact::new("said", said(vote)));
    Notice {
        event: Event::Decided,
        at: now,
        title: format!("{end}: {} wanted to call {}", row.agent, call(row)),
        text: "Nobody needs to answer this any more.".to_owned(),
        facts: votes.collect(),
        ..frame(issuer, row)
    }
}

/// An administrator answered against the rules.
pub(crate) fn break_glass(issuer: &str, row: &Approval, vote: &Vote, details: bool) -> Notice {
    let mut facts = vec![Fact::new("said", said(vote))];
    facts.extend(about(row, details));
    Notice {
        event: Event::BreakGlass,
        at: vote.at,
        title: format!("{} broke the glass: {} may call {}", vote.person, row.agent, call(row)),
        text: "An administrator answered although the rules name others. It is to be reviewed.".to_owned(),
        facts,
        ..frame(issuer, row)
    }
}

/// A change waits.
pub(crate) fn proposed(issuer: &str, row: &Proposal, who: &[Name]) -> Notice {
    let words =
        row.steps.iter().flat_map(|step| step.words.iter().map(move |words| (&step.key, &words.text)));
    let words: Vec<String> = words.map(|(key, text)| format!("{key} {text}")).collect();
    let mut facts = vec![
        Fact::new("proposed by", clean(&row.author, NAME_CHARS_MAX)),
        Fact::new("because", clean(&row.reason, TEXT_CHARS_MAX)),
    ];
    facts.extend(words.iter().take(ARGS_MAX).map(|text| Fact::new("changes", clean(text, TEXT_CHARS_MAX))));
    if let Some(more @ 1..) = words.len().checked_sub(ARGS_MAX) {
        facts.push(Fact::new("changes", format!("and {more} more; the page shows them")));
    }
    facts.push(Fact::new("may answer", names(who)));
    Notice {
        event: Event::Charter,
        at: row.made,
        title: format!("{} wants to change {} rows", clean(&row.author, NAME_CHARS_MAX), row.writes.len()),
        text: format!("It waits for a person until {}. Silence is a no.", moment(row.expires)),
        facts,
        ..proposal_frame(issuer, row)
    }
}

/// A change that waits no more.
pub(crate) fn proposal_over(issuer: &str, row: &Proposal, now: Timestamp) -> Notice {
    let end = match &row.status {
        ProposalStatus::Waiting => "Waiting",
        ProposalStatus::Applied { .. } => "Applied",
        ProposalStatus::Refused { .. } => "Refused",
        ProposalStatus::Expired { .. } => "Nobody answered in time",
        ProposalStatus::Withdrawn { .. } => "Withdrawn",
        ProposalStatus::Stale { .. } => "Out of date",
    };
    Notice {
        event: Event::Decided,
        at: now,
        title: format!("{end}: the change of {}", clean(&row.author, NAME_CHARS_MAX)),
        text: "Nobody needs to answer this any more.".to_owned(),
        facts: row.votes.iter().map(|vote| Fact::new("said", said(vote))).collect(),
        ..proposal_frame(issuer, row)
    }
}

fn proposal_frame(issuer: &str, row: &Proposal) -> Notice {
    Notice {
        event: Event::Charter,
        at: row.made,
        title: String::new(),
        text: String::new(),
        facts: Vec::new(),
        link: Some(format!("{issuer}/proposals/{}", row.id)),
        about: Some(format!("proposal {}", row.id)),
        status: None,
    }
}

/// Something was found.
pub(crate) fn finding(issuer: &str, row: &Finding) -> Notice {
    let mut facts = vec![Fact::new("severity", row.severity.to_string())];
    let about = [("agent", &row.about.agent), ("person", &row.about.person), ("system", &row.about.system)];
    facts.extend(
        about.into_iter().filter_map(|(label, name)| Some(Fact::new(label, name.as_ref()?.to_string()))),
    );
    facts.extend(row.owner.iter().map(|owner| Fact::new("answers for it", owner.to_string())));
    let seen = row.evidence.iter().take(REASONS_MAX);
    facts.extend(seen.map(|evidence| Fact::new("shown by", clean(evidence, TEXT_CHARS_MAX))));
    Notice {
        event: Event::Finding,
        at: row.opened,
        title: clean(&row.what, TEXT_CHARS_MAX),
        text: "Somebody should look at this.".to_owned(),
        facts,
        link: Some(format!("{issuer}/console/findings/{}", row.id)),
        about: Some(format!("finding {}", row.id)),
        status: Some("open".to_owned()),
    }
}

/// Something is contained, is asked to be let go, or is.
pub(crate) fn contained(issuer: &str, row: &Containment) -> Notice {
    let scope = clean(&row.scope.words(), TEXT_CHARS_MAX);
    let (title, text) = match &row.status {
        ContainmentStatus::InForce => (
            format!("Contained at level {}: {scope}", row.level),
            format!("{} ordered it.", clean(&row.by.to_string(), NAME_CHARS_MAX)),
        ),
        ContainmentStatus::LiftAsked { by, .. } => (
            format!("To be lifted? {scope}"),
            format!(
                "{} asks for it, and another person has to agree.",
                clean(&by.to_string(), NAME_CHARS_MAX)
            ),
        ),
        ContainmentStatus::Lifted { by, .. } => (
            format!("Lifted: {scope}"),
            format!("{} lifted it. What it was about may act again.", clean(&by.to_string(), NAME_CHARS_MAX)),
        ),
    };
    let why = match &row.status {
        ContainmentStatus::InForce => &row.reason,
        ContainmentStatus::LiftAsked { reason, .. } | ContainmentStatus::Lifted { reason, .. } => reason,
    };
    Notice {
        event: Event::Containment,
        at: row.since(),
        title,
        text,
        facts: vec![
            Fact::new("because", clean(why, TEXT_CHARS_MAX)),
            Fact::new("level", row.level.to_string()),
        ],
        link: Some(format!("{issuer}/console/containments/{}", row.id)),
        about: Some(format!("containment {}", row.id)),
        status: Some(row.status.as_str().to_owned()),
    }
}

/// Somebody tries a channel.
pub(crate) fn test(issuer: &str, by: &str, now: Timestamp) -> Notice {
    Notice {
        event: Event::Test,
        at: now,
        title: "This channel works".to_owned(),
        text: format!("{} tried it. Nobody has to do anything.", clean(by, NAME_CHARS_MAX)),
        facts: Vec::new(),
        link: Some(format!("{issuer}/console")),
        about: None,
        status: None,
    }
}

fn frame(issuer: &str, row: &Approval) -> Notice {
    Notice {
        event: Event::Asked,
        at: row.asked,
        title: String::new(),
        text: String::new(),
        facts: Vec::new(),
        // The id is ours: a word and hexadecimal digits.
        link: Some(format!("{issuer}/approvals/{}", row.id)),
        about: Some(format!("approval {}", row.id)),
        status: Some(row.status.as_str().to_owned()),
    }
}

fn about(row: &Approval, details: bool) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("agent", row.agent.to_string()),
        Fact::new("task", clean(&row.purpose, TEXT_CHARS_MAX)),
        Fact::new("asked for by", askers(row)),
    ];
    if details {
        let args = row.args.iter().take(ARGS_MAX);
        facts.extend(args.map(|(name, value)| {
            let (name, value) = (clean(name, NAME_CHARS_MAX), clean(&value.to_string(), ARG_CHARS_MAX));
            Fact::new("with", format!("{name} = {value}"))
        }));
        if let Some(more @ 1..) = row.args.len().checked_sub(ARGS_MAX) {
            facts.push(Fact::new("with", format!("and {more} more arguments; the page shows them")));
        }
    } else if !row.args.is_empty() {
        facts.push(Fact::new("with", "arguments that the page shows"));
    }
    let reasons = row.reasons.iter().take(REASONS_MAX);
    facts.extend(reasons.map(|reason| Fact::new("stopped by", clean(&reason.reason, TEXT_CHARS_MAX))));
    facts
}

fn askers(row: &Approval) -> String {
    if row.askers.is_empty() { "nobody in particular".to_owned() } else { names(row.askers.iter()) }
}

fn names<'n>(names: impl IntoIterator<Item = &'n Name>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<&str> = names.by_ref().take(NAMES_MAX).map(Name::as_str).collect();
    match (shown.is_empty(), names.count()) {
        (true, _) => "nobody at present".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn call(row: &Approval) -> String {
    clean(&tool_path(&row.system, &row.tool), NAME_CHARS_MAX)
}

fn said(vote: &Vote) -> String {
    let word = if vote.yes { "yes" } else { "no" };
    let glass = if vote.break_glass { ", breaking the glass" } else { "" };
    let reason = vote.reason.as_deref().map(|reason| format!(": {}", clean(reason, TEXT_CHARS_MAX)));
    format!("{} said {word}{glass}{}", vote.person, reason.unwrap_or_default())
}

fn end(row: &Approval) -> String {
    match &row.status {
        ApprovalStatus::Waiting => "Waiting".to_owned(),
        ApprovalStatus::Granted { .. } | ApprovalStatus::Used { .. } => "Approved".to_owned(),
        ApprovalStatus::Edited { by, .. } => format!("Approved with other arguments by {by}"),
        ApprovalStatus::Refused { .. } => "Refused".to_owned(),
        ApprovalStatus::Expired { .. } => "Nobody answered in time".to_owned(),
        ApprovalStatus::Withdrawn { why, .. } => format!("Withdrawn ({})", clean(why, TEXT_CHARS_MAX)),
    }
}

/// `2026-11-30 04:25 UTC`: a message does not know its reader's zone.
fn moment(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis());
    at.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

/// Who may open a gate of an approval now, in order.
pub(crate) fn may_answer(row: &Approval, directory: &Directory, now: Timestamp) -> Vec<Name> {
    let missing = provost_lifecycle::approval::missing(row, directory);
    let who =
        missing.keys().flat_map(|gate| provost_lifecycle::approval::approvers(row, directory, gate, now));
    who.collect::<std::collections::BTreeSet<Name>>().into_iter().collect()
}

const NAME_CHARS_MAX: usize = 160;
const TEXT_CHARS_MAX: usize = 300;
const ARG_CHARS_MAX: usize = 200;
const ARGS_MAX: usize = 12;
const REASONS_MAX: usize = 5;
const NAMES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn approval() -> Approval {
        let mut args = serde_json::Map::new();
        for n in 0..20 {
            args.insert(format!("arg{n}\u{202e}"), json!(format!("line\none {}", "x".repeat(900))));
        }
        serde_json::from_value(json!({
            "id": "approval_1", "agent": "clerk", "task": "task_00000000000000000000000000",
            "purpose": "pay\r\nbcc: x", "askers": ["maria"], "system": "bank", "tool": "transfer",
            "action": format!("sha256:{}", "0".repeat(64)), "args": args, "gates": ["owner"],
            "reasons": [{"policy": "p", "reason": "large\u{1b}[2J payments"}],
            "bound": {"revision": 1, "pin": format!("sha256:{}", "0".repeat(64)),
                      "policies": format!("sha256:{}", "0".repeat(64))},
            "decision": "decision_00000000000000000000000000", "asked": 0, "expires": 3_600_000,
            "status": {"is": "waiting"},
        }))
        .unwrap()
    }

    #[test]
    fn a_message_is_short_and_has_only_text_in_it() {
        let notice = asked("https://plane.example", &approval(), &[], true);
        let whole = serde_json::to_string(&notice).unwrap();
        assert!(whole.len() < 8_000, "{} bytes", whole.len());
        for fact in &notice.facts {
            assert!(!fact.text.chars().any(char::is_control) && !fact.text.contains('\u{202e}'), "{fact:?}");
        }
        assert_eq!(notice.facts.iter().filter(|fact| fact.label == "with").count(), ARGS_MAX + 1);
        assert!(notice.text.contains("1970-01-01 01:00 UTC"), "{}", notice.text);
        assert_eq!(notice.link.as_deref(), Some("https://plane.example/approvals/approval_1"));
    }

    #[test]
    fn a_channel_without_details_hears_no_argument() {
        let notice = asked("https://plane.example", &approval(), &[], false);
        let whole = serde_json::to_string(&notice).unwrap();
        assert!(!whole.contains("arg1") && !whole.contains("xxx"), "{whole}");
    }
}
