//! Work that was handed on: what may be done is what everybody along the chain may do today, never more. Each agent of the
//! chain is asked the same question about the same call, in its own task; any no is a no.

use crate::{Evaluation, Pdp, Question, question::Link};
use provost_domain::{Digest, Reason, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Pdp {
    /// Decides one call. Never waits; the same question gets the same answer.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Evaluation {
        let own = self.decide_alone(question);
        if question.chain.is_empty() {
            return own;
        }
        let mut evaluation = question.chain.iter().fold(own, |so_far, link| {
            let above =
                self.decide_alone(&Question { agent: link.agent, task: link.task, chain: &[], ..*question });
            join(so_far, above, link)
        });
        if let Some(input) = evaluation.input.as_object_mut() {
            input.insert("chain".to_owned(), question.chain.iter().map(said).collect());
        }
        evaluation
    }
}

/// How the record names a link.
fn said(link: &Link<'_>) -> Value {
    json!({"agent": link.agent.name, "task": link.task.id})
}

fn join(below: Evaluation, above: Evaluation, link: &Link<'_>) -> Evaluation {
    let digests = [below.policies, above.policies].map(|digest| *digest.as_bytes());
    let mut errors = below.errors;
    errors.extend(above.errors);
    Evaluation {
        verdict: both(below.verdict, above.verdict, link),
        policies: Digest::of(digests.as_flattened()),
        input: below.input,
        errors,
        candidates: below.candidates + above.candidates,
    }
}

/// The narrower of two verdicts; where both hold, everybody is asked.
fn both(below: Verdict, above: Verdict, link: &Link<'_>) -> Verdict {
    let from_above = |reasons: Vec<Reason>| -> Vec<Reason> {
        let name = &link.agent.name;
        let reason = |reason: Reason| Reason {
            reason: format!("{name}, who handed this on, may not do it: {}", reason.reason),
            ..reason
        };
        reasons.into_iter().map(reason).collect()
    };
    match (below, above) {
        (below @ Verdict::Deny { .. }, _) => below,
        (_, Verdict::Deny { reasons, possible_if }) => {
            Verdict::Deny { reasons: from_above(reasons), possible_if }
        }
        (Verdict::Hold { approvers, reasons }, Verdict::Hold { approvers: more, reasons: others }) => {
            let approvers: BTreeSet<String> = approvers.into_iter().chain(more).collect();
            let reasons: BTreeSet<Reason> = reasons.into_iter().chain(others).collect();
            Verdict::Hold {
                approvers: approvers.into_iter().collect(),
                reasons: reasons.into_iter().collect(),
            }
        }
        (held @ Verdict::Hold { .. }, Verdict::Allow { .. })
        | (Verdict::Allow { .. }, held @ Verdict::Hold { .. }) => held,
        (allowed @ Verdict::Allow { .. }, Verdict::Allow { .. }) => allowed,
    }
}
