//! Nothing counts before it was checked: guardrails, organisation policies, charters and applications, strictly,
//! against the schema of what is really there. Every fault is told at once.

use crate::{
    App, CharterFault, Place, PolicyFault, Spot,
    charter::{self, Part, did_you_mean},
    est, render, rulebook, schema,
};
use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use provost_domain::{
    Agent, Directory, Effect as ToolEffect, Kind, Name, ObjectKey, Tool, policy_file::PolicyFile,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// Every fault of an organisation; empty means that it may count.
#[must_use]
pub fn check(directory: &Directory) -> Vec<PolicyFault> {
    let mut faults = guardrails();
    faults.extend(tools(directory.tools.values()));
    faults.extend(policies(directory));
    let mut agents: Vec<&Arc<Agent>> = directory.agents.values().collect();
    agents.sort_unstable_by_key(|agent| &agent.name);
    faults.extend(charters(directory, agents.into_iter()));
    faults.extend(directory.applications.values().filter_map(|row| App::compile(row).err()).flatten());
    faults
}

/// The faults that these changed rows can have brought: their own, and those of whatever speaks about them.
#[must_use]
pub fn check_changed(directory: &Directory, changed: &[ObjectKey]) -> Vec<PolicyFault> {
    let mut faults = Vec::new();
    let of = |kind: Kind| changed.iter().filter(move |key| key.kind == kind);
    let names = |kind: Kind| of(kind).filter_map(|key| key.key.parse::<Name>().ok());
    let parts: Vec<_> = of(Kind::Tool).filter_map(|key| key.tool_parts().ok()).collect();
    faults.extend(tools(parts.iter().filter_map(|key| directory.tools.get(key))));
    // Policies may name anything but workloads, applications and tasks.
    let spoken_of = [Kind::Policy, Kind::Tool, Kind::System, Kind::Agent, Kind::Person];
    let removed = |key: &&ObjectKey| {
        matches!(key.kind, Kind::Policy | Kind::Tool | Kind::System) || directory.get(key).is_none()
    };
    if changed.iter().filter(|key| spoken_of.contains(&key.kind)).any(|key| removed(&key)) {
        faults.extend(policies(directory));
    }
    let mut systems: BTreeSet<Name> = names(Kind::System).collect();
    systems.extend(parts.into_iter().map(|(system, _)| system));
    let agents: BTreeSet<Name> = names(Kind::Agent).collect();
    let concerned = directory.agents.values().filter(|agent| {
        agents.contains(&agent.name)
            || (!systems.is_empty()
                && (agent.charter.grants.iter().any(|grant| systems.contains(&grant.system))
                    || agent.charter.budgets.iter().any(|budget| systems.contains(&budget.system))))
    });
    let mut concerned: Vec<&Arc<Agent>> = concerned.collect();
    concerned.sort_unstable_by_key(|agent| &agent.name);
    faults.extend(charters(directory, concerned.into_iter()));
    let applications = names(Kind::Application).filter_map(|name| directory.applications.get(&name).cloned());
    faults.extend(applications.filter_map(|row| App::compile(&row).err()).flatten());
    faults
}

/// The guardrails, against a schema in which every effect has an operation.
fn guardrails() -> Vec<PolicyFault> {
    let text = schema::head(&ToolEffect::ALL.into_iter().collect());
    let place = |at| Place::Guardrails { at };
    let checked = File { text: rulebook::GUARDRAILS, place: &place, ours: true, empty: &BTreeSet::new() };
    match schema_of(&text) {
        Ok(schema) => checked.check(&Validator::new(schema), &mut BTreeMap::new()),
        Err(message) => vec![PolicyFault { place: place(None), message, help: None }],
    }
}

fn tools<'a>(tools: impl Iterator<Item = &'a Arc<Tool>>) -> Vec<PolicyFault> {
    tools
        .filter_map(|tool| {
            Some(PolicyFault {
                place: Place::Tool { tool: tool.path() },
                message: schema::undeclarable(tool)?,
                help: Some("declare the deep or large arguments as `json`".to_owned()),
            })
        })
        .collect()
}

fn policies(directory: &Directory) -> Vec<PolicyFault> {
    if directory.policies.is_empty() {
        return Vec::new();
    }
    let (text, empty) = representative_schema(directory);
    let schema = match schema_of(&text) {
        Ok(schema) => schema,
        Err(message) => {
            return vec![PolicyFault { place: Place::Guardrails { at: None }, message, help: None }];
        }
    };
    let validator = Validator::new(schema);
    let mut ids = BTreeMap::new();
    let mut faults = Vec::new();
    for file in directory.policies.values() {
        let place = |at| Place::Policy { file: file.name.clone(), at };
        let checked = File { text: &file.text, place: &place, ours: false, empty: &empty };
        faults.extend(checked.check(&validator, &mut ids));
        faults.extend(unknown_names(file, directory));
    }
    faults
}

/// A schema that types every policy as the whole one would: one operation for each different shape, and each that
/// is named. Types depend on nothing else.
fn representative_schema(directory: &Directory) -> (String, BTreeSet<ToolEffect>) {
    let named: HashSet<String> =
        directory.policies.values().flat_map(|file| named_actions(&file.text)).collect();
    let mut empty: BTreeSet<ToolEffect> = ToolEffect::ALL.into_iter().collect();
    let mut shapes = HashSet::new();
    let mut actions = String::new();
    for system in directory.systems.values() {
        for tool in schema::operations(directory, system) {
            for effect in tool.effects_or_worst() {
                empty.remove(&effect);
            }
            if named.contains(&tool.path()) | shapes.insert(schema::shape_key(&tool)) {
                actions.push_str(&schema::action(&tool));
            }
        }
    }
    (schema::head(&empty) + &actions, empty)
}

fn named_actions(text: &str) -> Vec<String> {
    let Ok(set) = text.parse::<PolicySet>() else { return Vec::new() };
    let literals = set.policies().flat_map(Policy::entity_literals);
    literals
        .filter(|uid| uid.type_name().basename() == est::ACTION)
        .map(|uid| uid.id().unescaped().to_owned())
        .collect()
}

/// A policy about somebody who does not exist is a policy that never matches: most likely a slip of the pen.
fn unknown_names(file: &PolicyFile, directory: &Directory) -> Vec<PolicyFault> {
    let Ok(set) = file.text.parse::<PolicySet>() else { return Vec::new() };
    let mut faults = Vec::new();
    for policy in set.policies() {
        for uid in policy.entity_literals() {
            let (kind, id) = (uid.type_name().basename(), uid.id().unescaped());
            let known: Vec<&Name> = match kind {
                est::AGENT => directory.agents.keys().collect(),
                est::SYSTEM => directory.systems.keys().collect(),
                est::PERSON => directory.people.keys().collect(),
                _ => continue,
            };
            if known.iter().any(|name| name.as_str() == id) {
                continue;
            }
            let shown = schema::quoted(id);
            let offset = file.text.find(&format!("{kind}::{shown}")).unwrap_or_default();
            let at = render::spot(&file.text, offset, kind.len() + 2 + shown.len(), policy.annotation("id"));
            faults.push(PolicyFault {
                place: Place::Policy { file: file.name.clone(), at: Some(at) },
                message: format!("no {} is named {shown}", kind.to_lowercase()),
                help: Some(did_you_mean(
                    id,
                    known.into_iter().map(Name::as_str),
                    "declare it, or remove the policy",
                )),
            });
        }
    }
    faults
}

/// One text of policies on its way through the checks.
struct File<'a> {
    text: &'a str,
    place: &'a dyn Fn(Option<Spot>) -> Place,
    /// Whether it is the product's own.
    ours: bool,
    /// Effects that no tool has yet.
    empty: &'a BTreeSet<ToolEffect>,
}

impl File<'_> {
    fn check(&self, validator: &Validator, ids: &mut BTreeMap<String, ()>) -> Vec<PolicyFault> {
        let set: PolicySet = match self.text.parse() {
            Ok(set) => set,
            Err(errors) => return self.unreadable(&errors),
        };
        let mut faults = Vec::new();
        for template in set.templates() {
            let at = self.at(&template.to_string(), template.annotation("id"));
            faults.push(self.fault(
                Some(at),
                "a template cannot be used here",
                "write the policy without slots",
            ));
        }
        let mut policies: Vec<&Policy> = set.policies().collect();
        policies.sort_unstable_by_key(|policy| self.text.find(&policy.to_string()));
        for policy in policies {
            faults.extend(self.annotations(policy, ids));
        }
        faults.extend(self.types(validator, &set));
        faults
    }

    fn unreadable(&self, errors: &cedar_policy::ParseErrors) -> Vec<PolicyFault> {
        errors.iter().map(|error| self.rendered(render::diagnostic(error, self.text, None))).collect()
    }

    fn annotations(&self, policy: &Policy, ids: &mut BTreeMap<String, ()>) -> Vec<PolicyFault> {
        let id = policy.annotation("id").unwrap_or_default();
        let at = || Some(self.at(&policy.to_string(), (!id.is_empty()).then_some(id)));
        let mut faults = Vec::new();
        let mut fault = |message: String, help: &str| faults.push(self.fault(at(), &message, help));
        if id.is_empty() {
            fault(
                "the policy has no @id".to_owned(),
                "put @id(\"a-name\") above it; refusals and records quote it",
            );
        } else if ids.insert(id.to_owned(), ()).is_some() {
            fault(format!("`{id}` names two policies"), "give one of them another @id");
        } else if id.len() > ID_BYTES_MAX || id.chars().any(char::is_control) {
            fault(format!("the @id is longer than {ID_BYTES_MAX} bytes or not printable"), "shorten it");
        }
        let reserved = rulebook::RESERVED.iter().find(|prefix| id.starts_with(**prefix));
        if let Some(prefix) = reserved.filter(|_| !self.ours) {
            fault(format!("ids that start with `{prefix}` are the product's own"), "choose another @id");
        }
        if policy.annotation("reason").is_none_or(|reason| reason.trim().is_empty()) {
            fault(
                "the policy has no @reason".to_owned(),
                "put @reason(\"…\") above it; whoever is refused reads it",
            );
        }
        if policy.effect() == Effect::Permit {
            fault(
                "an organisation policy cannot permit".to_owned(),
                "what an agent may do stands in its charter; write a forbid with `unless` instead",
            );
        }
        if let Some(gate) = policy.annotation("gate") {
            if gate.trim().is_empty() {
                fault("@gate names nobody".to_owned(), "name who must agree: @gate(\"owner\")");
            } else if policy.effect() == Effect::Forbid && !opens(policy, gate) {
                let help = format!("add unless {{ context.approvals.contains({}) }}", schema::quoted(gate));
                fault("the gate never opens: its approval is not among its exceptions".to_owned(), &help);
            }
        }
        faults
    }

    fn types(&self, validator: &Validator, set: &PolicySet) -> Vec<PolicyFault> {
        // One step into an entity is all that a decision loads: the agent's and the system's own attributes.
        let result = validator.validate_with_level(set, ValidationMode::Strict, 1);
        let id_of = |id: &PolicyId| set.annotation(id, "id").map(str::to_owned);
        let errors = result.validation_errors().map(|error| {
            self.rendered(render::diagnostic(error, self.text, id_of(error.policy_id()).as_deref()))
        });
        let about_nothing_yet = |id: &PolicyId| {
            let literals = set.policy(id).map(Policy::entity_literals).unwrap_or_default();
            literals.iter().any(|uid| self.empty.iter().any(|effect| effect.as_str() == uid.id().unescaped()))
        };
        let warnings = result
            .validation_warnings()
            .filter(|warning| !about_nothing_yet(warning.policy_id()))
            .map(|warning| {
                self.rendered(render::diagnostic(warning, self.text, id_of(warning.policy_id()).as_deref()))
            });
        errors.chain(warnings).collect()
    }

    fn at(&self, policy: &str, id: Option<&str>) -> Spot {
        let offset = self.text.find(policy).unwrap_or_default();
        render::spot(self.text, offset, policy.lines().next().map_or(1, str::len), id)
    }

    fn rendered(&self, found: render::Rendered) -> PolicyFault {
        PolicyFault { place: (self.place)(found.at), message: found.message, help: found.help }
    }

    fn fault(&self, at: Option<Spot>, message: &str, help: &str) -> PolicyFault {
        PolicyFault { place: (self.place)(at), message: message.to_owned(), help: Some(help.to_owned()) }
    }
}

/// Whether an `unless` of the policy looks for this approval.
fn opens(policy: &Policy, gate: &str) -> bool {
    let Ok(json) = policy.to_json() else { return false };
    let wanted = est::op("contains", est::context("approvals"), est::lit(gate));
    let unless = json.get("conditions").and_then(Value::as_array).into_iter().flatten();
    unless
        .filter(|condition| condition.get("kind").and_then(Value::as_str) == Some("unless"))
        .any(|condition| condition.get("body").is_some_and(|body| holds(body, &wanted)))
}

/// Whether the expression is true as soon as `wanted` is: it is one of its alternatives.
fn holds(body: &Value, wanted: &Value) -> bool {
    body == wanted
        || body.get("||").is_some_and(|or| {
            [or.get("left"), or.get("right")].into_iter().flatten().any(|side| holds(side, wanted))
        })
}

fn charters<'a>(directory: &Directory, agents: impl Iterator<Item = &'a Arc<Agent>>) -> Vec<PolicyFault> {
    // Agents made from one template have the same rules; each set of rules is typed once.
    let mut typed = HashSet::new();
    let mut faults = Vec::new();
    for agent in agents {
        let found = match charter::compile(agent, Part::Whole(directory)) {
            Err(found) => found,
            Ok(policies) => {
                let charter = &agent.charter;
                let key =
                    format!("{:?}", (&charter.grants, &charter.budgets, &charter.hours, charter.retirement));
                if typed.insert(key) { charter_types(directory, agent, &policies) } else { Vec::new() }
            }
        };
        faults.extend(found.into_iter().map(|fault| PolicyFault {
            place: Place::Charter { agent: agent.name.clone(), path: fault.path },
            message: fault.message,
            help: fault.help,
        }));
    }
    faults
}

/// The compiled policies, strictly typed: a last line behind the compiler's own checks.
fn charter_types(
    directory: &Directory,
    agent: &Agent,
    policies: &[charter::CharterPolicy],
) -> Vec<CharterFault> {
    let fault = |message: String| CharterFault { path: "grants".to_owned(), message, help: None };
    let charter = &agent.charter;
    let mut tools: BTreeMap<String, Tool> = BTreeMap::new();
    let granted = charter.grants.iter().map(|grant| (&grant.system, &grant.tools));
    for (system, names) in granted.chain(charter.budgets.iter().map(|budget| (&budget.system, &budget.tools)))
    {
        let found = names.iter().filter_map(|name| charter::find_tool(directory, system, name));
        tools.extend(found.map(|tool| (tool.path(), tool)));
    }
    // Hours and expiry hold for any operation, so there must be one.
    let mut text = schema::head(&BTreeSet::from([ToolEffect::Read]));
    text.extend(tools.values().map(schema::action));
    let schema = match schema_of(&text) {
        Ok(schema) => schema,
        Err(message) => return vec![fault(message)],
    };
    let mut set = PolicySet::new();
    for policy in policies {
        let parsed = Policy::from_json(Some(PolicyId::new(&policy.id)), policy.json.clone());
        if let Err(message) =
            parsed.map_err(|e| e.to_string()).and_then(|p| set.add(p).map_err(|e| e.to_string()))
        {
            return vec![fault(message)];
        }
    }
    let result = Validator::new(schema).validate_with_level(&set, ValidationMode::Strict, 1);
    result.validation_errors().map(|error| fault(error.to_string())).collect()
}

pub(crate) fn schema_of(text: &str) -> Result<Schema, String> {
    Schema::from_cedarschema_str(text).map(|(schema, _warnings)| schema).map_err(|error| error.to_string())
}

const ID_BYTES_MAX: usize = 200;
