//! What is prepared once for calls of one tool, and for calls of one tool by one agent, so that a decision only
//! evaluates the few policies that can matter.

use crate::{
    charter::{self, Part},
    civil, est,
    rulebook::{self, Rule, Rulebook},
    schema,
};
use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, RestrictedExpression,
};
use jiff::tz::TimeZone;
use provost_domain::{Agent, Charter, Digest, Environment, System, Tool};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// A set of policies, and the part of it that does not look at arguments.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) all: PolicySet,
    pub(crate) without_args: PolicySet,
    pub(crate) count: usize,
    pub(crate) digest: Digest,
}

impl Rules {
    fn new<'a>(rules: impl Iterator<Item = &'a Rule> + Clone) -> Self {
        Self {
            all: rulebook::set_of(rules.clone()),
            without_args: rulebook::set_of(rules.clone().filter(|rule| !rule.reads_args)),
            count: rules.clone().count(),
            digest: rulebook::digest_of(rules),
        }
    }
}

/// For all calls of one tool.
#[derive(Debug)]
pub(crate) struct ToolBucket {
    tool: Arc<Tool>,
    environment: Environment,
    rulebook: Digest,
    /// Guardrails and organisation policies that do not name an agent.
    pub(crate) rules: Rules,
    /// Over the tool's part of the schema.
    pub(crate) schema: Digest,
    pub(crate) action: EntityUid,
    pub(crate) resource: EntityUid,
    action_entity: Entity,
    system_entity: Entity,
    /// The `tool` of the context, for a tool that is as it was reviewed, and for one that is not.
    pub(crate) as_reviewed: RestrictedExpression,
    pub(crate) changed: RestrictedExpression,
}

impl ToolBucket {
    pub(crate) fn new(rulebook: &Rulebook, system: &System, tool: &Tool) -> Result<Self, String> {
        let action = uid(est::ACTION, &tool.path())?;
        let resource = uid(est::SYSTEM, system.name.as_str())?;
        let groups: Result<HashSet<EntityUid>, String> =
            tool.effects_or_worst().into_iter().map(|effect| uid(est::ACTION, effect.as_str())).collect();
        let attributes = HashMap::from([("environment".to_owned(), text(system.environment.as_str()))]);
        let matching = rulebook.rules.iter().filter(|rule| rule.agent().is_none() && rule.can_match(tool));
        Ok(Self {
            rules: Rules::new(matching),
            schema: Digest::of(schema::action(tool).as_bytes()),
            action_entity: Entity::new_no_attrs(action.clone(), groups?),
            system_entity: Entity::new(resource.clone(), attributes, HashSet::new())
                .map_err(|error| error.to_string())?,
            action,
            resource,
            as_reviewed: tool_facts(tool, true)?,
            changed: tool_facts(tool, false)?,
            tool: Arc::new(tool.clone()),
            environment: system.environment,
            rulebook: rulebook.digest,
        })
    }

    pub(crate) fn holds_for(&self, rulebook: &Rulebook, system: &System, tool: &Tool) -> bool {
        self.rulebook == rulebook.digest && self.environment == system.environment && *self.tool == *tool
    }
}

/// For all calls of one tool by one agent.
#[derive(Debug)]
pub(crate) struct AgentBucket {
    agent: Agent,
    pub(crate) tool: Arc<ToolBucket>,
    /// The charter, and organisation policies that name this agent.
    pub(crate) rules: Arc<Rules>,
    /// What would satisfy a policy of the charter, by its id.
    pub(crate) cures: Arc<BTreeMap<String, String>>,
    pub(crate) zone: TimeZone,
    pub(crate) principal: EntityUid,
    pub(crate) entities: Entities,
    pub(crate) granted: bool,
    /// Over every candidate policy and the tool's part of the schema.
    pub(crate) digest: Digest,
}

impl AgentBucket {
    /// `before`: what was prepared for an earlier state of the same agent, from which the policies can be taken if
    /// neither the charter nor anything else they come from has changed.
    pub(crate) fn new(
        rulebook: &Rulebook,
        tool: Arc<ToolBucket>,
        agent: &Agent,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let before = before.filter(|before| {
            before.agent.name == agent.name
                && before.agent.revision == agent.revision
                && before.agent.charter == agent.charter
                && Arc::ptr_eq(&before.tool, &tool)
        });
        let (rules, cures) = match before {
            Some(before) => (Arc::clone(&before.rules), Arc::clone(&before.cures)),
            None => charter_rules(rulebook, &tool.tool, agent)?,
        };
        let principal = uid(est::AGENT, agent.name.as_str())?;
        let entities =
            [agent_entity(&principal, agent)?, tool.action_entity.clone(), tool.system_entity.clone()];
        let digests = [&tool.schema, &tool.rules.digest, &rules.digest].map(|digest| *digest.as_bytes());
        Ok(Self {
            entities: Entities::from_entities(entities, None).map_err(|error| error.to_string())?,
            principal,
            zone: zone_of(&agent.charter)?,
            granted: agent.charter.grants_tool(&tool.tool.system, &tool.tool.name),
            digest: Digest::of(digests.as_flattened()),
            agent: agent.clone(),
            tool,
            rules,
            cures,
        })
    }

    pub(crate) fn holds_for(&self, tool: &Arc<ToolBucket>, agent: &Agent) -> bool {
        Arc::ptr_eq(&self.tool, tool) && self.agent == *agent
    }

    pub(crate) fn candidates(&self) -> usize {
        self.tool.rules.count + self.rules.count
    }
}

type CharterRules = (Arc<Rules>, Arc<BTreeMap<String, String>>);

fn charter_rules(rulebook: &Rulebook, tool: &Tool, agent: &Agent) -> Result<CharterRules, String> {
    let compiled = charter::compile(agent, Part::Tool(tool)).map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect();
        format!("the charter of {} cannot be compiled: {}", agent.name, texts.join("; "))
    })?;
    let mut cures = BTreeMap::new();
    let mut rules = Vec::with_capacity(compiled.len());
    for policy in compiled {
        cures.extend(policy.cure.map(|cure| (policy.id.clone(), cure)));
        let policy =
            Policy::from_json(Some(PolicyId::new(policy.id)), policy.json).map_err(|error| error.to_string())?;
        rules.push(Rule::new(policy)?);
    }
    let named = |rule: &&Rule| rule.agent() == Some(agent.name.as_str()) && rule.can_match(tool);
    let rules = Rules::new(rules.iter().chain(rulebook.rules.iter().filter(named)));
    Ok((Arc::new(rules), Arc::new(cures)))
}

fn zone_of(charter: &Charter) -> Result<TimeZone, String> {
    match &charter.hours {
        None => Ok(TimeZone::UTC),
        Some(hours) => civil::zone(&hours.timezone)
            .ok_or_else(|| format!("the charter's time zone `{}` is not known", hours.timezone)),
    }
}

fn agent_entity(principal: &EntityUid, agent: &Agent) -> Result<Entity, String> {
    let charter = &agent.charter;
    let attributes = HashMap::from([
        (
            "owner".to_owned(),
            RestrictedExpression::new_entity_uid(uid(est::PERSON, charter.owner.as_str())?),
        ),
        ("environment".to_owned(), text(charter.environment.as_str())),
        ("autonomy".to_owned(), text(charter.autonomy.as_str())),
        ("status".to_owned(), text(agent.status.as_str())),
        ("level".to_owned(), text(agent.level.as_str())),
        ("revision".to_owned(), RestrictedExpression::new_long(i64::from(agent.revision))),
        ("data".to_owned(), texts(charter.data.iter().map(provost_domain::Label::as_str))),
    ]);
    Entity::new(principal.clone(), attributes, HashSet::new()).map_err(|error| error.to_string())
}

fn tool_facts(tool: &Tool, pinned: bool) -> Result<RestrictedExpression, String> {
    let bool = RestrictedExpression::new_bool;
    let data = tool.labels().into_iter().filter(|label| !label.is_integrity());
    RestrictedExpression::new_record([
        ("pinned".to_owned(), bool(pinned)),
        ("classified".to_owned(), bool(!tool.effects.is_empty())),
        ("only_reads".to_owned(), bool(tool.only_reads())),
        ("sends_out".to_owned(), bool(tool.sends_out)),
        ("returns".to_owned(), texts(data.map(provost_domain::Label::as_str))),
    ])
    .map_err(|error| error.to_string())
}

pub(crate) fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind: EntityTypeName = kind.parse().map_err(|error: cedar_policy::ParseErrors| error.to_string())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

pub(crate) fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

pub(crate) fn texts<'a>(all: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(all.map(text))
}
