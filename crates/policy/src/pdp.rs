//! One call and the organisation make one verdict.

use crate::{
    Evaluation, Question,
    bucket::{AgentBucket, Shared, ToolBucket},
    contained,
    context::context,
    cure,
    evaluate::{Evaluate as _, Look, Outcome, Sets, sorted},
    narrow::{Narrowing, Narrowings},
    rulebook::Rulebook,
};
use cedar_policy::{Authorizer, PolicyId, Request, RestrictedExpression};
use moka::sync::Cache;
use provost_domain::{
    Agent, Directory, Name, Reason, System, Task, TaskState, Timestamp, Tool, ToolName, Verdict,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// The decision point for one state of the organisation. Cloning is cheap.
///
/// **Invariant:** caches hold nothing but functions of the directory, so an answer never depends on them.
#[derive(Debug, Clone)]
pub struct Pdp {
    directory: Directory,
    rulebook: Arc<Rulebook>,
    authorizer: Arc<Authorizer>,
    tools: Cache<(Name, ToolName), Arc<ToolBucket>>,
    agents: Cache<(Name, Name, ToolName), Arc<AgentBucket>>,
    shared: Shared,
    narrowings: Narrowings,
    bounds: Bounds,
}

/// Bounds of a decision point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Policies evaluated for one decision; a call with more candidates is refused.
    pub candidate_policies_max: usize,
    /// Pairs of agent and tool kept ready.
    pub prepared_max: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        let limits = provost_domain::limits::Limits::default();
        Self { candidate_policies_max: limits.candidate_policies_max, prepared_max: 16_384 }
    }
}

impl Pdp {
    /// Reads the guardrails and the organisation's policies; charters are compiled when they are first needed.
    #[must_use]
    pub fn new(directory: Directory) -> Self {
        Self::with_bounds(directory, Bounds::default())
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_bounds(directory: Directory, bounds: Bounds) -> Self {
        Self {
            rulebook: Arc::new(Rulebook::new(&directory)),
            directory,
            authorizer: Arc::new(Authorizer::new()),
            tools: Cache::new(bounds.prepared_max),
            agents: Cache::new(bounds.prepared_max),
            shared: Shared::new(bounds.prepared_max),
            narrowings: Cache::new(bounds.prepared_max),
            bounds,
        }
    }

    /// The decision point for the next state, keeping everything prepared that still holds.
    #[must_use]
    pub fn with(&self, directory: Directory) -> Self {
        let rulebook = if self.rulebook.is_of(&directory) {
            Arc::clone(&self.rulebook)
        } else {
            Arc::new(Rulebook::new(&directory))
        };
        Self { directory, rulebook, ..self.clone() }
    }

    /// The organisation it decides for.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Decides one call by its own agent and task alone.
    pub(crate) fn decide_alone(&self, question: &Question<'_>) -> Evaluation {
        let prepared = self.prepare(question.agent, question.system, question.tool);
        let (policies, candidates) = prepared
            .as_ref()
            .map_or((self.rulebook.digest, 0), |bucket| (bucket.digest, bucket.candidates()));
        let Said { verdict, errors } = match prepared {
            Ok(bucket) => self.say(question, &bucket),
            Err(error) => Said::broken(vec![error]),
        };
        let verdict = contained::named(&self.directory, question, verdict);
        Evaluation { verdict, policies, input: input(question), errors, candidates }
    }

    /// Whether a call of this tool could be allowed or held for some arguments: what a listing shows.
    #[must_use]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one thing a listing knows; arguments are what it lacks"
    )]
    pub fn could_allow(
        &self,
        agent: &Agent,
        task: &Task,
        state: &TaskState,
        system: &System,
        tool: &Tool,
        pinned: bool,
        now: Timestamp,
    ) -> bool {
        let args = Map::new();
        let question = Question {
            agent,
            task,
            state,
            system,
            tool,
            pinned,
            args: &args,
            approvals: &[],
            exhausted: &[],
            args_from: &provost_domain::origin::NOTHING,
            chain: &[],
            now,
        };
        let Ok(bucket) = self.prepare(agent, system, tool) else { return false };
        if !bucket.granted || self.refused_before(&question, &bucket).is_some() {
            return false;
        }
        let Ok(nothing) = RestrictedExpression::new_record([]) else { return false };
        let sets = self.sets(&bucket, false);
        !matches!(sets.outcome(&question, &nothing), Outcome::Forbidden { .. } | Outcome::Failed(_))
    }

    fn sets<'a>(&'a self, bucket: &'a AgentBucket, with_args: bool) -> Sets<'a> {
        Sets { authorizer: &self.authorizer, shared: &self.shared, bucket, with_args }
    }

    fn say(&self, question: &Question<'_>, bucket: &AgentBucket) -> Said {
        if let Some(said) = self.refused_before(question, bucket) {
            return said;
        }
        let args = match crate::args::typed(&question.tool.args, question.args) {
            Ok(args) => args,
            Err(faults) => return Said::plainly(cure::arguments(&faults)),
        };
        match self.narrowed(question, bucket, &args) {
            Ok(None) => {}
            Ok(Some(refused)) => return Said::plainly(refused),
            Err(error) => return Said::failed(error),
        }
        let sets = self.sets(bucket, true);
        match sets.outcome(question, &args) {
            Outcome::Allowed { reasons } if bucket.granted => Said::plainly(Verdict::Allow { reasons }),
            Outcome::Held { approvers, reasons } if bucket.granted => {
                Said::plainly(Verdict::Hold { approvers, reasons: told(reasons, question) })
            }
            Outcome::Allowed { .. } | Outcome::Held { .. } | Outcome::NoPermit => {
                Said::plainly(cure::not_granted(question))
            }
            Outcome::Forbidden { reasons } => {
                let possible_if = cure::all(&reasons, question, bucket.cures());
                Said::plainly(Verdict::Deny { reasons, possible_if })
            }
            Outcome::Failed(failures) => {
                let errors =
                    failures.iter().map(|reason| format!("{}: {}", reason.policy, reason.reason)).collect();
                Said { verdict: Verdict::Deny { reasons: failures, possible_if: Vec::new() }, errors }
            }
        }
    }

    /// The denial by the limits that the task sets itself, if they are not met.
    fn narrowed(
        &self,
        question: &Question<'_>,
        bucket: &AgentBucket,
        args: &RestrictedExpression,
    ) -> Result<Option<Verdict>, String> {
        let Some(narrowing) = Narrowing::of(question.task, question.tool, &self.narrowings)? else {
            return Ok(None);
        };
        let sets = self.sets(bucket, true);
        let picked = narrowing.rules.pick(true);
        let context = context(&sets, question, args, &BTreeSet::new(), picked.reads)?;
        let (principal, tool) = (bucket.principal.clone(), &bucket.tool);
        let request = Request::new(principal, tool.action.clone(), tool.resource.clone(), context, None)
            .map_err(|error| error.to_string())?;
        let mut look = Look::default();
        look.add(&self.authorizer.is_authorized(&request, &picked.set, &bucket.entities));
        if let Some((id, error)) = look.errors.first() {
            return Err(format!("{id}: {error}"));
        }
        if look.forbids.is_empty() {
            return Ok(None);
        }
        let reason = |id: &PolicyId| Reason {
            policy: id.to_string(),
            reason: narrowing
                .rules
                .rule(id)
                .and_then(|rule| rule.reason.as_deref())
                .unwrap_or("a limit of the task")
                .to_owned(),
        };
        let reasons = sorted(look.forbids.iter().map(reason).collect());
        let possible_if =
            reasons.iter().filter_map(|reason| narrowing.cures.get(&reason.policy).cloned()).collect();
        Ok(Some(Verdict::Deny { reasons, possible_if }))
    }

    /// What is refused whatever the policies would say.
    fn refused_before(&self, question: &Question<'_>, bucket: &AgentBucket) -> Option<Said> {
        if !self.rulebook.broken.is_empty() {
            return Some(Said::broken(self.rulebook.broken.clone()));
        }
        let candidates = bucket.candidates();
        if candidates > self.bounds.candidate_policies_max {
            let reason = format!(
                "{candidates} policies could matter to this call; candidate_policies_max is {}",
                self.bounds.candidate_policies_max
            );
            let cure = "give the organisation's policies narrower scopes".to_owned();
            return Some(Said::plainly(Verdict::deny("guardrail/candidates", reason, Some(cure))));
        }
        if question.task.agent != question.agent.name {
            let reason =
                format!("the task belongs to {}, not to {}", question.task.agent, question.agent.name);
            return Some(Said::plainly(Verdict::deny("guardrail/task-agent", reason, None)));
        }
        let requester = self.directory.people.get(&question.task.requester);
        if requester.is_some_and(|person| !person.active) {
            let reason = format!("{}, who asked for this task, has left", question.task.requester);
            let cure = "have somebody who is here start a task".to_owned();
            return Some(Said::plainly(Verdict::deny("guardrail/requester", reason, Some(cure))));
        }
        if question.tool.system != question.system.name {
            let reason = format!("{} is not a tool of {}", question.tool.path(), question.system.name);
            return Some(Said::plainly(Verdict::deny("guardrail/tool-system", reason, None)));
        }
        None
    }

    fn prepare(&self, agent: &Agent, system: &System, tool: &Tool) -> Result<Arc<AgentBucket>, String> {
        let key = (tool.system.clone(), tool.name.clone());
        let by_tool = match self.tools.get(&key) {
            Some(ready) if ready.holds_for(&self.rulebook, system, tool) => ready,
            _ => {
                let row = shared(self.directory.tools.get(&key), tool);
                let fresh = Arc::new(ToolBucket::new(&self.rulebook, system, row)?);
                self.tools.insert(key.clone(), Arc::clone(&fresh));
                fresh
            }
        };
        // An order changes nothing that is kept of the agent: what it leaves is asked each time.
        let left = self.directory.restriction(agent, &key.0, &key.1);
        let key = (agent.name.clone(), key.0, key.1);
        let before = self.agents.get(&key);
        if let Some(ready) = &before
            && ready.holds_for(&by_tool, agent, &left)
        {
            return Ok(Arc::clone(ready));
        }
        let row = shared(self.directory.agents.get(&agent.name), agent);
        let agent = (row, left);
        let fresh = AgentBucket::new((&self.rulebook, &self.shared), by_tool, agent, before.as_deref())?;
        let fresh = Arc::new(fresh);
        self.agents.insert(key, Arc::clone(&fresh));
        Ok(fresh)
    }
}

/// The directory's own row, if that is what was asked about.
fn shared<T: Clone>(row: Option<&Arc<T>>, asked: &T) -> Arc<T> {
    match row {
        Some(row) if std::ptr::eq(Arc::as_ptr(row), asked) => Arc::clone(row),
        _ => Arc::new(asked.clone()),
    }
}

/// A person who is asked because of where an argument came from hears which argument, and where; because of what is usual,
/// what is unusual. Never a value.
fn told(mut reasons: Vec<Reason>, question: &Question<'_>) -> Vec<Reason> {
    let known = question.args_from;
    let steered = |reason: &&mut Reason| reason.policy.starts_with(STEERED);
    for reason in reasons.iter_mut().filter(steered).filter(|_| !known.why.is_empty()) {
        reason.reason = format!("{} ({})", reason.reason, known.why.join("; "));
    }
    for reason in reasons.iter_mut().filter(|reason| reason.policy == DRIFT && !known.unusual.is_empty()) {
        reason.reason = format!("{} ({})", reason.reason, known.unusual.join("; "));
    }
    reasons
}

/// What was said, with the evaluation errors.
struct Said {
    verdict: Verdict,
    errors: Vec<String>,
}

impl Said {
    fn plainly(verdict: Verdict) -> Self {
        Self { verdict, errors: Vec::new() }
    }

    /// A limit that cannot be evaluated allows nothing.
    fn failed(error: String) -> Self {
        let reason = "a limit of the task cannot be evaluated; this is an alarm";
        Self { verdict: Verdict::deny("guardrail/task-limits", reason, None), errors: vec![error] }
    }

    /// Policies that cannot be read or prepared allow nothing.
    fn broken(errors: Vec<String>) -> Self {
        let reason = "the policies of the organisation cannot be used; this is an alarm";
        Self { verdict: Verdict::deny("guardrail/policies", reason, None), errors }
    }
}

fn input(question: &Question<'_>) -> Value {
    let approvals: BTreeSet<&String> = question.approvals.iter().collect();
    let exhausted: BTreeSet<&Name> = question.exhausted.iter().collect();
    let mut input = json!({
        "args": question.args,
        "now": question.now,
        "labels": question.state.labels,
        "approvals": approvals,
        "exhausted": exhausted,
        "pinned": question.pinned,
        "task": question.task.id,
    });
    if let Some(members) = input.as_object_mut()
        && !question.args_from.is_nothing()
    {
        members.insert("args_from".to_owned(), json!(question.args_from));
    }
    input
}

/// What the guardrails about origins are called.
const STEERED: &str = "guardrail/steered-";
const DRIFT: &str = "guardrail/drift";
