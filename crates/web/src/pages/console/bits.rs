//! Small pieces of pages. Each is a template of its own, so that what is in it is escaped whatever it is.

use askama::{Template, filters::HtmlSafe};
use provost_domain::{DecisionId, DurationMs, Name, Severity, TaskId};
use std::fmt::Display;

/// A moment: UTC as it stands; once the module ran, how long ago, with the moment in the reader's zone as its title.
#[derive(Template)]
#[template(
    source = r#"<time datetime="{{ iso }}"{% if exact %} data-exact{% endif %}>{{ text }}</time>"#,
    ext = "html"
)]
pub(super) struct When {
    iso: String,
    text: String,
    exact: bool,
}

/// A moment, as [`provost_api::Moment`] prints it.
pub(super) fn when(at: impl Display) -> When {
    let iso = at.to_string();
    let text = format!("{} UTC", iso.get(..19).unwrap_or(&iso).replace('T', " "));
    When { iso, text, exact: false }
}

/// A moment where the second counts: not said as a distance from now.
pub(super) fn exact(at: impl Display) -> When {
    When { exact: true, ..when(at) }
}

/// Something to copy as it is: an id, a digest, a key.
#[derive(Template)]
#[template(
    source = r#"<span class="id"><code>{{ text }}</code><button class="copy" type="button" data-copy aria-label="Copy {{ text }}">Copy</button></span>"#,
    ext = "html"
)]
pub(super) struct Id {
    text: String,
}

/// Something to copy as it is.
pub(super) fn id(text: impl Display) -> Id {
    Id { text: text.to_string() }
}

/// A length of time, in its two largest units.
pub(super) fn length(span: DurationMs) -> String {
    let seconds = span.0 / 1_000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let words: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).take(2).map(|(n, unit)| format!("{n} {unit}")).collect();
    if words.is_empty() { format!("{} ms", span.0) } else { words.join(" ") }
}

/// The same, for templates, which hand on what they name.
pub(super) fn span(span: &DurationMs) -> String {
    length(*span)
}

/// A word with a colour that says the same.
#[derive(Template)]
#[template(source = r#"<span class="word {{ class }}">{{ text }}</span>"#, ext = "html")]
pub(super) struct Word {
    class: &'static str,
    text: String,
}

/// What was decided.
pub(super) fn verdict(word: &str) -> Word {
    let (class, text) = match word {
        "allow" => ("good", "allowed"),
        "hold" => ("wait", "held"),
        "deny" => ("stop", "refused"),
        other => ("plain", other),
    };
    Word { class, text: text.to_owned() }
}

/// What came of a call, or where a row stands. Words nobody knows are plain.
pub(super) fn state(word: impl ToString) -> Word {
    let text = word.to_string();
    let class = match text.as_str() {
        "success"
        | "delivered"
        | "active"
        | "running"
        | "normal"
        | "set"
        | "granted"
        | "ready"
        | "refused by every face"
        | "contained"
        | "lifted"
        | "passed" => "good",
        "unknown" | "missing" | "accepted" | "given-up" | "off" | "not ready" | "still answered"
        | "in-force" | "failed" => "stop",
        "failure" | "unsent" | "under way" | "suspended" | "pending-reapproval" | "unmanaged"
        | "proposed" | "open" | "partial" | "lift-asked" | "approvals-only" | "read-only" | "expired"
        | "unreachable" | "waiting" => "wait",
        _ => "plain",
    };
    Word { class, text }
}

/// How bad something is.
pub(super) fn severity(severity: &Severity) -> Word {
    let class = match severity {
        Severity::Critical | Severity::High => "stop",
        Severity::Medium => "risk",
        Severity::Low => "wait",
        Severity::Info => "plain",
    };
    Word { class, text: severity.to_string() }
}

/// A word of a few that are known: an effect, an environment. The class is the word only if it is one of ours.
pub(super) fn tag(word: impl ToString) -> Word {
    let text = word.to_string();
    let class = match text.as_str() {
        "production" | "financial" | "delete" | "move-data" | "infrastructure" | "permission" | "execute" => {
            "tag risk"
        }
        "sandbox" | "read" => "tag good",
        _ => "tag",
    };
    Word { class, text }
}

/// A link whose text is code.
#[derive(Template)]
#[template(
    source = r#"{% if let Some(href) = href %}<a href="{{ href }}"{% if short %} class="nowrap"{% endif %}>{{ text }}</a>{% else %}{{ text }}{% endif %}"#,
    ext = "html"
)]
pub(super) struct Link {
    href: Option<String>,
    text: String,
    /// Whether it is short enough to stay on one line.
    short: bool,
}

/// Who wanted to act: an agent's page, if it is one.
pub(super) fn subject(text: &str) -> Link {
    let href = text.parse::<Name>().ok().map(|name| format!("/console/agents/{name}"));
    Link { href, text: text.to_owned(), short: text.len() <= SHORT }
}

/// An agent.
pub(super) fn agent(name: &Name) -> Link {
    named(format!("/console/agents/{name}"), name.as_str())
}

/// A person.
pub(super) fn person(name: &Name) -> Link {
    named(format!("/console/people/{name}"), name.as_str())
}

/// A system.
pub(super) fn system(name: &Name) -> Link {
    named(format!("/console/systems/{name}"), name.as_str())
}

/// An issuer.
pub(super) fn issuer(name: &Name) -> Link {
    named(format!("/console/issuers/{name}"), name.as_str())
}

/// A task, by the end of its id: the beginning is the time.
pub(super) fn task(id: &TaskId) -> Link {
    let whole = id.to_string();
    let text = format!("task …{}", ending(&whole));
    Link { text, href: Some(format!("/console/tasks/{whole}")), short: true }
}

/// A decision, by the end of its id.
pub(super) fn decision(id: &DecisionId) -> Link {
    let whole = id.to_string();
    let text = format!("…{}", ending(&whole));
    Link { text, href: Some(format!("/console/decisions/{whole}")), short: true }
}

/// What a change does to what may happen: `widens`, `narrows`, `neutral`.
pub(super) fn reach(word: &str) -> Word {
    let class = match word {
        "widens" => "risk",
        "narrows" => "good",
        _ => "plain",
    };
    Word { class, text: word.to_owned() }
}

/// What an argument may be, in words.
pub(super) fn rule(rule: &provost_domain::charter::ArgRule) -> String {
    provost_declare::rule_words(rule)
}

fn named(href: String, name: &str) -> Link {
    Link { href: Some(href), text: name.to_owned(), short: name.len() <= SHORT }
}

/// A row that changed: its page, if it has one; what has no name of its own by the end of its id.
pub(super) fn changed(kind: &str, key: &str) -> Link {
    let page = match kind {
        "agent" | "system" | "person" | "issuer" if key.parse::<Name>().is_ok() => {
            let folder = if kind == "person" { "people".to_owned() } else { format!("{kind}s") };
            Some(format!("/console/{folder}/{key}"))
        }
        "containment" | "finding" | "task" | "approval" | "proposal" => {
            let id = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
            let folder = match kind {
                "approval" | "proposal" => format!("/{kind}s"),
                _ => format!("/console/{kind}s"),
            };
            id.then(|| format!("{folder}/{key}"))
        }
        _ => None,
    };
    let text = if key.len() > SHORT { tail(key) } else { key.to_owned() };
    Link { href: page, text, short: true }
}

/// What shows a finding: the page of what it names, if it is an id, or a text that others wrote.
pub(super) fn evidence(text: &str) -> Link {
    let is = |prefix: &str| {
        let id = |rest: &str| rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && id(rest))
    };
    let (approval, proposal) = (is("approval_"), is("proposal_"));
    let href = if text.parse::<DecisionId>().is_ok() {
        Some(format!("/console/decisions/{text}"))
    } else if text.parse::<TaskId>().is_ok() {
        Some(format!("/console/tasks/{text}"))
    } else if proposal {
        Some(format!("/proposals/{text}"))
    } else {
        approval.then(|| format!("/approvals/{text}"))
    };
    Link { href, text: text.to_owned(), short: text.len() <= SHORT }
}

/// Who wrote a revision of a charter, who agreed to it, and the proposal it was.
#[derive(Template)]
#[template(
    source = r#"revision {{ revision }} by {{ by }}, {{ how }}{% for name in approvers %}{% if !loop.first %},{% endif %} {{ name }}{% endfor %}{% if let Some(id) = proposal %} (<a href="/proposals/{{ id }}">proposal</a>){% endif %}: {{ why }}"#,
    ext = "html"
)]
pub(super) struct Revision {
    revision: u32,
    by: String,
    how: &'static str,
    approvers: Vec<Link>,
    proposal: Option<String>,
    why: String,
}

/// Where a revision came from, in words.
pub(super) fn revision(revised: &provost_api::agent::RevisionView) -> Revision {
    let how = match revised.how.as_str() {
        "first" => "with the first apply of the plane",
        "narrower" => "which gains nothing",
        "direct" => "where nobody is asked",
        "approved" => "agreed to by",
        "break-glass" => "without those who must agree",
        _ => "in a way that is not known here",
    };
    Revision {
        revision: revised.revision,
        by: revised.by.clone(),
        how,
        approvers: revised.approvers.iter().map(person).collect(),
        proposal: revised.proposal.clone(),
        why: revised.why.clone(),
    }
}

/// The end of an id: the beginning is alike.
pub(super) fn tail(id: &str) -> String {
    format!("…{}", ending(id))
}

fn ending(id: &str) -> &str {
    id.len().checked_sub(ENDING).and_then(|from| id.get(from..)).unwrap_or(id)
}

/// A name this long stays on one line, also where there is little room.
const SHORT: usize = 24;
/// Enough to tell the rows of a page apart.
const ENDING: usize = 6;

impl HtmlSafe for When {}
impl HtmlSafe for Id {}
impl HtmlSafe for Word {}
impl HtmlSafe for Link {}
impl HtmlSafe for Revision {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text_in_every_piece() {
        let hostile = "\"><img src=x onerror=alert(1)>";
        let pieces = [
            subject(hostile).to_string(),
            verdict(hostile).to_string(),
            state(hostile).to_string(),
            evidence(hostile).to_string(),
            id(hostile).to_string(),
            evidence(&format!("approval_{hostile}")).to_string(),
            changed("finding", hostile).to_string(),
            changed(hostile, hostile).to_string(),
        ];
        for piece in pieces {
            assert!(!piece.contains("<img"), "{piece}");
        }
    }

    #[test]
    fn a_moment_reads_without_script() {
        let at: provost_api::Moment = "2026-11-22T05:54:29.123Z".parse().unwrap();
        let html = "<time datetime=\"2026-11-22T05:54:29.123Z\">2026-11-22 05:54:29 UTC</time>";
        assert_eq!(when(at).to_string(), html);
    }
}
