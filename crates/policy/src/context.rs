//! What policies are told of a call: Cedar's context.

use crate::{Question, bucket, civil, est::Reads, evaluate::Evaluate};
use cedar_policy::{Context, RestrictedExpression};
use provost_domain::Name;
use std::collections::BTreeSet;

/// The context, with the members that will be looked at.
pub(crate) fn context<E: Evaluate + ?Sized>(
    from: &E,
    question: &Question<'_>,
    args: &RestrictedExpression,
    approvals: &BTreeSet<String>,
    reads: Reads,
) -> Result<Context, String> {
    let now = question.now;
    let mut pairs = Vec::with_capacity(Reads::MEMBERS.len());
    let mut put = |member: &str, value: RestrictedExpression| pairs.push((member.to_owned(), value));
    if reads.has("now") {
        put("now", RestrictedExpression::new_long(now.as_millis()));
    }
    if reads.has("weekday") || reads.has("minute") {
        let (weekday, minute) = civil::day_and_minute(now, from.zone())
            .ok_or_else(|| format!("{} ms is no moment of the calendar", now.as_millis()))?;
        put("weekday", bucket::text(weekday));
        put("minute", RestrictedExpression::new_long(minute));
    }
    if reads.has("task") {
        put("task", task(from, question)?);
    }
    if reads.has("tool") {
        put("tool", from.tool_facts(question.pinned));
    }
    if reads.has("approvals") {
        put("approvals", bucket::texts(approvals.iter().map(String::as_str)));
    }
    if reads.has("exhausted") {
        put("exhausted", bucket::texts(question.exhausted.iter().map(Name::as_str)));
    }
    if reads.has("args") {
        put("args", args.clone());
    }
    let known = question.args_from;
    if reads.has("steered") {
        // What nobody declared steers nothing, whatever was looked for.
        let steered = known.steered.iter().filter(|_| !question.tool.steering.is_empty());
        put("steered", bucket::texts(steered.map(|origin| origin.as_str())));
    }
    if reads.has("carries") {
        put("carries", bucket::texts(known.carries.iter().map(provost_domain::Label::as_str)));
    }
    if reads.has("past") {
        put("past", bucket::texts(known.past.iter().map(|past| past.as_str())));
    }
    if reads.has("drift") {
        put("drift", RestrictedExpression::new_long(i64::from(known.drift)));
    }
    if reads.has("args_from") {
        put("args_from", args_from(question)?);
    }
    Context::from_pairs(pairs).map_err(|error| error.to_string())
}

fn task<E: Evaluate + ?Sized>(from: &E, question: &Question<'_>) -> Result<RestrictedExpression, String> {
    let bool = RestrictedExpression::new_bool;
    let Question { task, state, system, tool, now, .. } = question;
    RestrictedExpression::new_record([
        ("id".to_owned(), RestrictedExpression::new_string(task.id.to_string())),
        ("purpose".to_owned(), bucket::text(&task.purpose)),
        ("requester".to_owned(), RestrictedExpression::new_entity_uid(from.requester(question)?)),
        ("labels".to_owned(), bucket::texts(state.labels.iter().map(provost_domain::Label::as_str))),
        ("untrusted".to_owned(), bool(state.labels.iter().any(provost_domain::Label::is_untrusted))),
        ("confidential".to_owned(), bool(state.labels.iter().any(|label| !label.is_integrity()))),
        ("in_scope".to_owned(), bool(task.includes(&system.name, &tool.name))),
        ("live".to_owned(), bool(task.is_live(*now))),
    ])
    .map_err(|error| error.to_string())
}

/// The origin of each argument that was declared to matter.
fn args_from(question: &Question<'_>) -> Result<RestrictedExpression, String> {
    let steering = &question.tool.steering;
    let declared = |arg: &String| steering.steers.contains(arg) || steering.carries.contains(arg);
    let known = question.args_from.from.iter().filter(|(arg, _)| declared(arg));
    let members = known.map(|(arg, origin)| (arg.clone(), bucket::text(origin.as_str())));
    RestrictedExpression::new_record(members).map_err(|error| error.to_string())
}
