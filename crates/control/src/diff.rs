//! What changed between two versions of a row, in words: `charter.grants.0.tools: [a] → [a, b]`.

use provost_api::agent::{ChangeView, RevisionView};
use provost_domain::{Agent, Object};
use provost_store::ChangeRecord;
use serde_json::Value;

/// Records of one row, newest first, each with what it changed.
pub(crate) fn history(records: Vec<ChangeRecord>) -> Vec<ChangeView> {
    let mut views = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let before = records.get(index.saturating_add(1));
        views.push(ChangeView {
            seq: record.seq.0,
            at: record.at.into(),
            actor: record.by.actor.clone(),
            why: record.by.why.clone(),
            kind: record.key.kind.as_str().to_owned(),
            key: record.key.key.clone(),
            version: record.version,
            summary: summary(record, before),
            revised: revised(record, before),
        });
    }
    views
}

/// Where the charter of an agent came from, in the record that brought it.
fn revised(record: &ChangeRecord, before: Option<&ChangeRecord>) -> Option<RevisionView> {
    let agent = |record: &ChangeRecord| match &record.after {
        Some(Object::Agent(agent)) => Some(agent.clone()),
        _ => None,
    };
    let after = agent(record)?;
    let same = before.and_then(agent).is_some_and(|before| before.revision == after.revision);
    if same { None } else { revision(&after) }
}

/// Where the charter in force came from.
pub(crate) fn revision(agent: &Agent) -> Option<RevisionView> {
    let revised = agent.provenance.revised.as_deref()?;
    Some(RevisionView {
        revision: agent.revision,
        by: revised.by.to_string(),
        at: revised.at.into(),
        how: revised.how.as_str().to_owned(),
        why: revised.why.to_string(),
        approvers: revised.approvers.clone(),
        proposal: revised.proposal.as_deref().map(str::to_owned),
    })
}

fn summary(record: &ChangeRecord, before: Option<&ChangeRecord>) -> Vec<String> {
    let before = before.and_then(|record| record.after.as_ref());
    match (before, &record.after) {
        (_, None) => vec!["removed".to_owned()],
        (None, Some(_)) if record.version <= 1 => vec!["created".to_owned()],
        (None, Some(_)) => vec!["changed".to_owned()],
        (Some(before), Some(after)) => {
            let mut lines = Vec::new();
            compare("", &body(before), &body(after), &mut lines);
            if lines.is_empty() {
                lines.push("nothing in the row itself".to_owned());
            }
            if lines.len() > LINES_MAX {
                let more = lines.len().saturating_sub(LINES_MAX);
                lines.truncate(LINES_MAX);
                lines.push(format!("and {more} more"));
            }
            lines
        }
    }
}

/// The row without its kind.
fn body(object: &Object) -> Value {
    match serde_json::to_value(object) {
        Ok(Value::Object(mut members)) => {
            let mut body = members.remove("body").unwrap_or_default();
            // Told in words of its own.
            if let Some(Value::Object(provenance)) = body.get_mut("provenance") {
                provenance.remove("revised");
            }
            body
        }
        _ => Value::Null,
    }
}

fn compare(path: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let (old, new) =
                    (old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null));
                compare(&path, old, new, lines);
            }
        }
        _ if before == after => {}
        _ => lines.push(format!("{path}: {} → {}", short(before), short(after))),
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text;
    }
    let cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
    format!("{cut}…")
}

const LINES_MAX: usize = 40;
const VALUE_CHARS_MAX: usize = 200;
