//! From policies and a call to one of a few outcomes, wherever the policies come from.

use crate::{
    Question,
    bucket::{self, AgentBucket, Shared},
    context::context,
    fold::UsualMoment,
};
use cedar_policy::{Authorizer, Decision, EntityUid, PolicyId, Request, RestrictedExpression};
use provost_domain::Reason;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) enum Outcome {
    Allowed { reasons: Vec<Reason> },
    Held { approvers: Vec<String>, reasons: Vec<Reason> },
    Forbidden { reasons: Vec<Reason> },
    NoPermit,
    Failed(Vec<Reason>),
}

/// What one look at the policies gives.
#[derive(Default)]
pub(crate) struct Look {
    pub(crate) permits: Vec<PolicyId>,
    pub(crate) forbids: Vec<PolicyId>,
    pub(crate) errors: Vec<(PolicyId, String)>,
}

/// Where policies come from: the index, or (in tests) all of them at once.
pub(crate) trait Evaluate {
    fn look(
        &self,
        question: &Question<'_>,
        args: &RestrictedExpression,
        approvals: &BTreeSet<String>,
    ) -> Result<Look, String>;
    /// Its `@reason`.
    fn reason(&self, id: &PolicyId) -> Option<&str>;
    /// Its `@gate`.
    fn gate(&self, id: &PolicyId) -> Option<&str>;
    /// The id as people know it.
    fn name(&self, id: &PolicyId) -> String {
        id.to_string()
    }
    fn zone(&self) -> &jiff::tz::TimeZone;
    fn tool_facts(&self, pinned: bool) -> RestrictedExpression;
    fn requester(&self, question: &Question<'_>) -> Result<EntityUid, String> {
        bucket::uid(crate::est::PERSON, question.task.requester.as_str())
    }

    /// The verdict in three outcomes (DESIGN.md section 5): when only gates stand in the way, their approvals are
    /// assumed and everything is evaluated again, since a denial lists forbids and never says whether a permit
    /// was there.
    fn outcome(&self, question: &Question<'_>, args: &RestrictedExpression) -> Outcome {
        let mut approvals: BTreeSet<String> = question.approvals.iter().cloned().collect();
        let mut gates: BTreeMap<PolicyId, String> = BTreeMap::new();
        for _round in 0..GATE_ROUNDS_MAX {
            let look = match self.look(question, args, &approvals) {
                Ok(look) => look,
                Err(error) => return Outcome::Failed(vec![failure("guardrail/context", error)]),
            };
            if !look.errors.is_empty() {
                let failures = look.errors.iter().map(|(id, error)| failure(&self.name(id), error));
                return Outcome::Failed(sorted(failures.collect()));
            }
            if look.forbids.is_empty() {
                return self.unforbidden(look.permits, gates);
            }
            let (gated, plain): (Vec<_>, Vec<_>) =
                look.forbids.into_iter().partition(|id| self.gate(id).is_some());
            if !plain.is_empty() {
                return Outcome::Forbidden { reasons: self.reasons(plain.iter()) };
            }
            let before = approvals.len();
            for id in gated {
                let approver = self.gate(&id).unwrap_or_default().to_owned();
                approvals.insert(approver.clone());
                gates.insert(id, approver);
            }
            if approvals.len() == before {
                // A gate that its own approval does not open.
                break;
            }
        }
        Outcome::Forbidden { reasons: self.reasons(gates.keys()) }
    }

    fn unforbidden(&self, permits: Vec<PolicyId>, gates: BTreeMap<PolicyId, String>) -> Outcome {
        if permits.is_empty() {
            return Outcome::NoPermit;
        }
        if gates.is_empty() {
            return Outcome::Allowed { reasons: self.reasons(permits.iter()) };
        }
        let reasons = self.reasons(gates.keys());
        let approvers: BTreeSet<String> = gates.into_values().collect();
        Outcome::Held { approvers: approvers.into_iter().collect(), reasons }
    }

    fn reasons<'a>(&self, ids: impl Iterator<Item = &'a PolicyId>) -> Vec<Reason> {
        sorted(
            ids.map(|id| Reason {
                policy: self.name(id),
                reason: self.reason(id).unwrap_or("no reason given").to_owned(),
            })
            .collect(),
        )
    }
}

pub(crate) struct Sets<'a> {
    pub(crate) authorizer: &'a Authorizer,
    pub(crate) shared: &'a Shared,
    pub(crate) bucket: &'a AgentBucket,
    pub(crate) with_args: bool,
}

impl Evaluate for Sets<'_> {
    fn look(
        &self,
        question: &Question<'_>,
        args: &RestrictedExpression,
        approvals: &BTreeSet<String>,
    ) -> Result<Look, String> {
        let moment = UsualMoment::of(question, !approvals.is_empty());
        let picked = self.bucket.rules_at(moment, self.shared).pick(self.with_args);
        let context = context(self, question, args, approvals, picked.reads)?;
        let (principal, tool) = (self.bucket.principal.clone(), &self.bucket.tool);
        let request = Request::new(principal, tool.action.clone(), tool.resource.clone(), context, None)
            .map_err(|error| error.to_string())?;
        let mut look = Look::default();
        look.add(&self.authorizer.is_authorized(&request, &picked.set, &self.bucket.entities));
        Ok(look)
    }

    fn reason(&self, id: &PolicyId) -> Option<&str> {
        self.bucket.rules.rule(id)?.reason.as_deref()
    }

    fn gate(&self, id: &PolicyId) -> Option<&str> {
        self.bucket.rules.rule(id)?.gate.as_deref()
    }

    fn name(&self, id: &PolicyId) -> String {
        self.bucket.name(id.as_ref())
    }

    fn zone(&self) -> &jiff::tz::TimeZone {
        &self.bucket.zone
    }

    fn tool_facts(&self, pinned: bool) -> RestrictedExpression {
        if pinned { self.bucket.tool.as_reviewed.clone() } else { self.bucket.tool.changed.clone() }
    }
}

impl Look {
    pub(crate) fn add(&mut self, response: &cedar_policy::Response) {
        let diagnostics = response.diagnostics();
        let list = if response.decision() == Decision::Allow { &mut self.permits } else { &mut self.forbids };
        list.extend(diagnostics.reason().cloned());
        self.errors.extend(diagnostics.errors().map(|error| {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(failed) = error;
            (failed.policy_id().clone(), failed.inner().to_string())
        }));
    }
}

fn failure(policy: &str, error: impl std::fmt::Display) -> Reason {
    Reason { policy: policy.to_owned(), reason: format!("could not be evaluated: {error}") }
}

pub(crate) fn sorted(mut reasons: Vec<Reason>) -> Vec<Reason> {
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

/// Each round adds at least one approver, so this is also how many different approvers one call may need.
const GATE_ROUNDS_MAX: usize = 8;
