//! The guardrails and the organisation's policies, read once, and sorted by what they can match.

use crate::{est, fold::Facts};
use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint, ResourceConstraint,
};
use provost_domain::{Digest, Directory, Name, Tool, policy_file::PolicyFile};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

/// The guardrails that ship with the product.
pub const GUARDRAILS: &str = include_str!("../../../policies/guardrails.cedar");

/// The guardrails, read: the same in every rulebook.
static SHIPPED: LazyLock<Result<Vec<Rule>, String>> = LazyLock::new(|| read_file(GUARDRAILS));

/// All policies that are not of a charter.
#[derive(Debug)]
pub(crate) struct Rulebook {
    files: imbl::OrdMap<Name, Arc<PolicyFile>>,
    pub(crate) rules: Vec<Rule>,
    /// Why not every policy could be read; then nothing is allowed.
    pub(crate) broken: Vec<String>,
    /// Over all of them.
    pub(crate) digest: Digest,
}

/// One policy, and what it can match.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) policy: Policy,
    /// Id, text and reason, hashed.
    pub(crate) digest: Digest,
    /// What it may look at in the context.
    pub(crate) reads: est::Reads,
    /// Its `@reason`. Kept beside the policy, since Cedar reads the key of an annotation anew each time it is asked.
    pub(crate) reason: Option<Arc<str>>,
    /// Its `@gate`.
    pub(crate) gate: Option<Arc<str>>,
    /// Whether it matches no call at a usual moment.
    pub(crate) silent: bool,
    /// Cedar's JSON form; not kept for a charter's policy, which always depends on the call.
    pub(crate) json: Arc<Value>,
    /// It names one agent.
    agent: Option<String>,
    /// It names actions or groups of them.
    actions: Option<Vec<String>>,
    /// It names one system.
    system: Option<String>,
}

impl Rulebook {
    /// Reads the guardrails and every file. Files that cannot be read are remembered in `broken`.
    pub(crate) fn new(directory: &Directory) -> Self {
        let mut book = Self {
            files: directory.policies.clone(),
            rules: Vec::new(),
            broken: Vec::new(),
            digest: Digest::of(b""),
        };
        match SHIPPED.as_ref() {
            Ok(rules) => book.rules.extend(rules.iter().cloned()),
            Err(message) => book.broken.push(format!("the guardrails cannot be read: {message}")),
        }
        for file in directory.policies.values() {
            book.read(file.name.as_str(), &file.text);
        }
        let mut ids = BTreeSet::new();
        let twice = book.rules.iter().filter(|rule| !ids.insert(rule.policy.id().clone()));
        let twice: Vec<String> =
            twice.map(|rule| format!("two policies are called `{}`", rule.policy.id())).collect();
        book.broken.extend(twice);
        book.digest = digest_of(book.rules.iter().map(|rule| rule.digest));
        book
    }

    /// Whether it was read from the same files.
    pub(crate) fn is_of(&self, directory: &Directory) -> bool {
        self.files.ptr_eq(&directory.policies)
            || (self.files.len() == directory.policies.len()
                && self
                    .files
                    .iter()
                    .zip(&directory.policies)
                    .all(|((_, a), (_, b))| Arc::ptr_eq(a, b) || a == b))
    }

    fn read(&mut self, name: &str, text: &str) {
        match read_file(text) {
            Ok(rules) => {
                // An id of ours on a policy of theirs could put one in the place of the other.
                let ours = |rule: &&Rule| {
                    let id: &str = rule.policy.id().as_ref();
                    RESERVED.iter().any(|prefix| id.starts_with(prefix))
                };
                let taken = rules
                    .iter()
                    .filter(ours)
                    .map(|rule| format!("`{}` is an id of the product", rule.policy.id()));
                self.broken.extend(taken);
                self.rules.extend(rules);
            }
            Err(message) => self.broken.push(format!("policies `{name}` cannot be read: {message}")),
        }
    }
}

/// The policies of one text, under the ids their `@id` gives them.
fn read_file(text: &str) -> Result<Vec<Rule>, String> {
    let set: PolicySet = text.parse().map_err(|error: cedar_policy::ParseErrors| error.to_string())?;
    if set.num_of_templates() > 0 {
        return Err("it holds templates".to_owned());
    }
    set.policies()
        .map(|policy| {
            let id = policy.annotation("id").ok_or("a policy has no @id")?;
            Rule::new(policy.new_id(PolicyId::new(id)))
        })
        .collect()
}

impl Rule {
    pub(crate) fn new(policy: Policy) -> Result<Self, String> {
        let json = policy.to_json().map_err(|error| error.to_string())?;
        Self::of(policy, json)
    }

    /// A compiled policy of a charter, for calls that are known to be in its scope: the scope is not asked again,
    /// and only what is evaluated is kept, not the form it was read from. There may be very many.
    pub(crate) fn of_charter(id: &str, bare: Value) -> Result<Self, String> {
        let policy =
            Policy::from_json(Some(PolicyId::new(id)), bare.clone()).map_err(|error| error.to_string())?;
        let evaluated = Policy::from(policy.as_ref().clone());
        Ok(Self { json: Arc::new(Value::Null), ..Self::of(evaluated, bare)? })
    }

    fn of(policy: Policy, json: Value) -> Result<Self, String> {
        Ok(Self {
            digest: digest_of_policy(policy.id().as_ref(), &json)?,
            reads: est::Reads::of(&json),
            reason: policy.annotation("reason").map(Arc::from),
            gate: policy.annotation("gate").map(Arc::from),
            silent: Facts::of_usual_moments().never_match(&json),
            agent: agent_of(&policy.principal_constraint()),
            actions: actions_of(&policy.action_constraint()),
            system: system_of(&policy.resource_constraint()),
            json: Arc::new(json),
            policy,
        })
    }

    /// Whether it can match calls of this tool, by some agent.
    pub(crate) fn can_match(&self, tool: &Tool) -> bool {
        let is_named = |action: &String| {
            *action == tool.path()
                || if tool.effects.is_empty() {
                    provost_domain::Effect::ALL.iter().any(|effect| effect.as_str() == action)
                } else {
                    tool.effects.iter().any(|effect| effect.as_str() == action)
                }
        };
        self.system.as_ref().is_none_or(|system| system == tool.system.as_str())
            && self.actions.as_ref().is_none_or(|actions| actions.iter().any(is_named))
    }

    /// The one agent it can match; none means any.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }
}

/// Over a policy's id and its canonical JSON form.
pub(crate) fn digest_of_policy(id: &str, json: &Value) -> Result<Digest, String> {
    let text = provost_domain::canonical::to_string(json).map_err(|error| error.to_string())?;
    Ok(Digest::of(format!("{id}\n{text}").as_bytes()))
}

/// Over a sorted list, so that the order of files does not matter.
pub(crate) fn digest_of(digests: impl Iterator<Item = Digest>) -> Digest {
    let mut digests: Vec<Digest> = digests.collect();
    digests.sort_unstable();
    Digest::of(&digests.iter().flat_map(Digest::as_bytes).copied().collect::<Vec<u8>>())
}

/// A set of these policies. Ids are unique in a rulebook that is not broken; a second one is left out here, and
/// the rulebook denies everything.
pub(crate) fn set_of<'a>(rules: impl Iterator<Item = &'a Rule>) -> PolicySet {
    let mut set = PolicySet::new();
    for rule in rules {
        _ = set.add(rule.policy.clone());
    }
    set
}

fn agent_of(constraint: &PrincipalConstraint) -> Option<String> {
    // Agents have no groups, so `in` an agent is that agent.
    match constraint {
        PrincipalConstraint::Eq(uid) | PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => {
            id_of(uid, est::AGENT)
        }
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
    }
}

fn system_of(constraint: &ResourceConstraint) -> Option<String> {
    match constraint {
        ResourceConstraint::Eq(uid) | ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => {
            id_of(uid, est::SYSTEM)
        }
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
    }
}

fn actions_of(constraint: &ActionConstraint) -> Option<Vec<String>> {
    let ids = |uids: &[EntityUid]| uids.iter().map(|uid| uid.id().unescaped().to_owned()).collect();
    match constraint {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(uid) => Some(ids(std::slice::from_ref(uid))),
        ActionConstraint::In(uids) => Some(ids(uids)),
    }
}

fn id_of(uid: &EntityUid, kind: &str) -> Option<String> {
    (uid.type_name().basename() == kind && uid.type_name().namespace().is_empty())
        .then(|| uid.id().unescaped().to_owned())
}

/// How the ids of the product's own policies start.
pub(crate) const RESERVED: [&str; 2] = ["guardrail/", "charter/"];
