//! What is prepared once for calls of one tool, and for calls of one tool by one agent, so that a decision only
//! evaluates the few policies that can matter.

use crate::{
    charter::{self, Part},
    civil, est,
    fold::{Facts, UsualMoment},
    rulebook::{self, Rule, Rulebook},
    schema,
};
use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet, RestrictedExpression,
};
use cedar_policy_core::ast;
use jiff::tz::TimeZone;
use moka::sync::Cache;
use provost_domain::{Agent, Charter, Decimal, Digest, Effect, Environment, Restriction, System, Tool};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, LazyLock, OnceLock},
};

/// Policies ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Rules {
    kept: Vec<Rule>,
    all: Picked,
    without_args: OnceLock<Picked>,
}

/// Policies to be evaluated together, and what they may look at in the context.
#[derive(Debug)]
pub(crate) struct Picked {
    pub(crate) set: PolicySet,
    pub(crate) reads: est::Reads,
}

impl<'a> FromIterator<&'a Rule> for Picked {
    fn from_iter<I: IntoIterator<Item = &'a Rule>>(rules: I) -> Self {
        let rules: Vec<&Rule> = rules.into_iter().collect();
        Self {
            reads: rules.iter().map(|rule| rule.reads).collect(),
            set: rulebook::set_of(rules.into_iter()),
        }
    }
}

impl Rules {
    pub(crate) fn new(kept: Vec<Rule>) -> Self {
        Self { all: kept.iter().collect(), without_args: OnceLock::new(), kept }
    }

    /// Every one, or only those that do not look at arguments.
    pub(crate) fn pick(&self, with_args: bool) -> &Picked {
        let without = || self.kept.iter().filter(|rule| !rule.reads.has("args")).collect();
        if with_args { &self.all } else { self.without_args.get_or_init(without) }
    }

    /// One of them.
    pub(crate) fn rule(&self, id: &PolicyId) -> Option<&Rule> {
        self.kept.iter().find(|rule| rule.policy.id() == id)
    }
}

/// What buckets have in common. Agents made from one template have the same rules under other names; each rule, and
/// each set of rules, is kept once, which spares memory and, more, waiting for memory.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    rules: Cache<Digest, Rule>,
    sets: Cache<Digest, Arc<Rules>>,
}

impl Shared {
    pub(crate) fn new(sets_max: u64) -> Self {
        Self { rules: Cache::new(sets_max.saturating_mul(RULES_PER_SET)), sets: Cache::new(sets_max) }
    }

    fn rule(&self, id: &str, bare: Value) -> Result<Rule, String> {
        let key = rulebook::digest_of_policy(id, &bare)?;
        if let Some(known) = self.rules.get(&key) {
            return Ok(known);
        }
        let rule = Rule::of_charter(id, bare)?;
        self.rules.insert(key, rule.clone());
        Ok(rule)
    }

    fn set(&self, rules: Vec<Rule>) -> Arc<Rules> {
        let key = rulebook::digest_of(rules.iter().map(|rule| rule.digest));
        self.sets.get_with(key, || Arc::new(Rules::new(rules)))
    }
}

/// For all calls of one tool.
#[derive(Debug)]
pub(crate) struct ToolBucket {
    tool: Arc<Tool>,
    environment: Environment,
    rulebook: Digest,
    /// Guardrails and organisation policies that do not name an agent.
    rules: Vec<Rule>,
    /// Over those, and the tool's part of the schema.
    digest: [Digest; 2],
    pub(crate) action: EntityUid,
    pub(crate) resource: EntityUid,
    action_entity: Entity,
    system_entity: Entity,
    /// The `tool` of the context, for a tool that is as it was reviewed, and for one that is not.
    pub(crate) as_reviewed: RestrictedExpression,
    pub(crate) changed: RestrictedExpression,
}

impl ToolBucket {
    pub(crate) fn new(rulebook: &Rulebook, system: &System, tool: Arc<Tool>) -> Result<Self, String> {
        let action = uid(est::ACTION, &tool.path())?;
        let resource = uid(est::SYSTEM, system.name.as_str())?;
        let groups: Result<HashSet<EntityUid>, String> =
            tool.effects_or_worst().into_iter().map(|effect| uid(est::ACTION, effect.as_str())).collect();
        let attributes = HashMap::from([("environment".to_owned(), text(system.environment.as_str()))]);
        let matching = rulebook.rules.iter().filter(|rule| rule.agent().is_none() && rule.can_match(&tool));
        let rules: Vec<Rule> = matching.cloned().collect();
        Ok(Self {
            digest: [
                Digest::of(schema::action(&tool).as_bytes()),
                rulebook::digest_of(rules.iter().map(|rule| rule.digest)),
            ],
            rules,
            action_entity: Entity::new_no_attrs(action.clone(), groups?),
            system_entity: Entity::new(resource.clone(), attributes, HashSet::new())
                .map_err(|error| error.to_string())?,
            action,
            resource,
            as_reviewed: tool_facts(&tool, true)?,
            changed: tool_facts(&tool, false)?,
            tool,
            environment: system.environment,
            rulebook: rulebook.digest,
        })
    }

    pub(crate) fn holds_for(&self, rulebook: &Rulebook, system: &System, tool: &Tool) -> bool {
        self.rulebook == rulebook.digest && self.environment == system.environment && same(&self.tool, tool)
    }
}

/// For all calls of one tool by one agent.
#[derive(Debug)]
pub(crate) struct AgentBucket {
    agent: Arc<Agent>,
    /// What containment leaves these calls.
    left: Restriction,
    pub(crate) tool: Arc<ToolBucket>,
    charter: Arc<CharterRules>,
    /// Everything that can matter, less what cannot match in the agent's present state.
    pub(crate) rules: Arc<Rules>,
    /// The part of them that can match at each usual moment, made when it is first asked for.
    usual: [OnceLock<Arc<Rules>>; UsualMoment::COUNT],
    pub(crate) zone: TimeZone,
    pub(crate) principal: EntityUid,
    pub(crate) entities: Entities,
    pub(crate) granted: bool,
    /// Over every candidate policy and the tool's part of the schema.
    pub(crate) digest: Digest,
}

impl AgentBucket {
    /// `before`: what was prepared for an earlier state of the same agent, from which the charter's policies can be
    /// taken if neither the charter nor anything else they come from has changed.
    pub(crate) fn new(
        (rulebook, shared): (&Rulebook, &Shared),
        tool: Arc<ToolBucket>,
        (agent, left): (Arc<Agent>, Restriction),
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let before = before.filter(|before| {
            before.agent.name == agent.name
                && before.agent.revision == agent.revision
                && before.agent.charter == agent.charter
                && Arc::ptr_eq(&before.tool, &tool)
        });
        let charter = match before {
            Some(before) => Arc::clone(&before.charter),
            None => Arc::new(CharterRules::new(rulebook, shared, &tool.tool, &agent)?),
        };
        let principal = uid(est::AGENT, agent.name.as_str())?;
        let entities = [
            agent_entity(&principal, &agent, &left)?,
            tool.action_entity.clone(),
            tool.system_entity.clone(),
        ];
        let facts = Facts::new((&agent, &left), tool.environment, &tool.tool);
        let can_match = tool.rules.iter().filter(|rule| !facts.never_match(&rule.json));
        let digests = [&tool.digest[0], &tool.digest[1], &charter.digest].map(|digest| *digest.as_bytes());
        Ok(Self {
            rules: shared.set(can_match.chain(&charter.rules).cloned().collect()),
            usual: Default::default(),
            entities: Entities::from_entities(entities, None).map_err(|error| error.to_string())?,
            principal,
            zone: zone_of(&agent.charter)?,
            granted: agent.charter.grants_tool(&tool.tool.system, &tool.tool.name),
            digest: Digest::of(digests.as_flattened()),
            agent,
            left,
            tool,
            charter,
        })
    }

    pub(crate) fn holds_for(&self, tool: &Arc<ToolBucket>, agent: &Agent, left: &Restriction) -> bool {
        Arc::ptr_eq(&self.tool, tool) && self.left == *left && same(&self.agent, agent)
    }

    /// Those that can match at this moment, if it is a usual one.
    pub(crate) fn rules_at(&self, moment: Option<UsualMoment>, shared: &Shared) -> &Arc<Rules> {
        let Some((moment, ready)) = moment.and_then(|m| Some((m, self.usual.get(m.index())?))) else {
            return &self.rules;
        };
        ready.get_or_init(|| {
            let agent = (self.agent.as_ref(), &self.left);
            let facts = Facts::new(agent, self.tool.environment, &self.tool.tool).at(moment);
            let can_match = |rule: &&Rule| !rule.silent && !facts.never_match(&rule.json);
            shared.set(self.rules.kept.iter().filter(can_match).cloned().collect())
        })
    }

    pub(crate) fn candidates(&self) -> usize {
        self.tool.rules.len() + self.charter.rules.len()
    }

    /// A policy's id as people know it: with the agent whose charter it is of.
    pub(crate) fn name(&self, id: &str) -> String {
        match id.strip_prefix(SOME_CHARTER) {
            Some(rest) => format!("{}/{rest}", charter::prefix(&self.agent)),
            None => id.to_owned(),
        }
    }

    /// What would satisfy a policy of the charter, by its id.
    pub(crate) fn cures(&self) -> &BTreeMap<String, String> {
        &self.charter.cures
    }
}

/// Nearly always the very row that was prepared: comparing addresses first spares reading two charters.
fn same<T: PartialEq>(prepared: &Arc<T>, asked: &T) -> bool {
    std::ptr::eq(Arc::as_ptr(prepared), asked) || **prepared == *asked
}

/// The charter, and organisation policies that name this agent.
#[derive(Debug)]
struct CharterRules {
    rules: Vec<Rule>,
    cures: BTreeMap<String, String>,
    digest: Digest,
}

impl CharterRules {
    fn new(rulebook: &Rulebook, shared: &Shared, tool: &Tool, agent: &Agent) -> Result<Self, String> {
        let compiled = charter::compile(agent, Part::Tool(tool)).map_err(|faults| {
            let texts: Vec<String> =
                faults.iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect();
            format!("the charter of {} cannot be compiled: {}", agent.name, texts.join("; "))
        })?;
        let prefix = charter::prefix(agent);
        let mut cures = BTreeMap::new();
        let mut digests = Vec::with_capacity(compiled.len());
        let mut rules = Vec::with_capacity(compiled.len());
        for policy in compiled {
            digests.push(rulebook::digest_of_policy(&policy.id, &policy.json)?);
            let of_any = policy.id.strip_prefix(&prefix).and_then(|rest| rest.strip_prefix('/'));
            let of_any = format!("{SOME_CHARTER}{}", of_any.ok_or("a charter's policy has a foreign id")?);
            rules.push(shared.rule(&of_any, est::bare(policy.json))?);
            cures.extend(policy.cure.map(|cure| (policy.id, cure)));
        }
        let named = |rule: &&Rule| rule.agent() == Some(agent.name.as_str()) && rule.can_match(tool);
        let named = rulebook.rules.iter().filter(named);
        digests.extend(named.clone().map(|rule| rule.digest));
        rules.extend(named.cloned());
        Ok(Self { digest: rulebook::digest_of(digests.into_iter()), rules, cures })
    }
}

fn zone_of(charter: &Charter) -> Result<TimeZone, String> {
    match &charter.hours {
        None => Ok(TimeZone::UTC),
        Some(hours) => civil::zone(&hours.timezone)
            .ok_or_else(|| format!("the charter's time zone `{}` is not known", hours.timezone)),
    }
}

fn agent_entity(principal: &EntityUid, agent: &Agent, left: &Restriction) -> Result<Entity, String> {
    let charter = &agent.charter;
    let attributes = HashMap::from([
        ("owner".to_owned(), RestrictedExpression::new_entity_uid(uid(est::PERSON, charter.owner.as_str())?)),
        ("environment".to_owned(), text(charter.environment.as_str())),
        ("autonomy".to_owned(), text(charter.autonomy.as_str())),
        ("status".to_owned(), text(agent.status.as_str())),
        ("level".to_owned(), text(left.level.as_str())),
        ("asks".to_owned(), RestrictedExpression::new_bool(left.asks)),
        ("without".to_owned(), texts(left.without.iter().map(|effect| effect.as_str()))),
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
        ("effects".to_owned(), texts(tool.effects_or_worst().into_iter().map(Effect::as_str))),
        ("sends_out".to_owned(), bool(tool.sends_out)),
        ("plain".to_owned(), bool(tool.is_plain())),
        ("steers".to_owned(), bool(!tool.steering.is_empty())),
        ("returns".to_owned(), texts(data.map(provost_domain::Label::as_str))),
    ])
    .map_err(|error| error.to_string())
}

pub(crate) fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let name = match TYPE_NAMES.get(kind) {
        Some(known) => known,
        None => {
            let read: EntityTypeName =
                kind.parse().map_err(|error: cedar_policy::ParseErrors| error.to_string())?;
            TYPE_NAMES.insert(kind.to_owned(), read.clone());
            read
        }
    };
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

/// Names of types, read. Cedar's parser takes longer over a name than a whole decision takes over an id.
static TYPE_NAMES: LazyLock<Cache<String, EntityTypeName>> = LazyLock::new(|| Cache::new(TYPE_NAMES_MAX));

/// A decimal. Cedar's own constructor reads the name of its function anew each time, at a fifth of the cost of a decision;
/// what is called here is what it calls then.
pub(crate) fn decimal(decimal: Decimal) -> RestrictedExpression {
    match DECIMAL.as_ref() {
        Some(name) => {
            let text = ast::RestrictedExpr::val(decimal.to_string());
            ast::RestrictedExpr::call_extension_fn(name.clone(), [text]).into()
        }
        None => RestrictedExpression::new_decimal(decimal.to_string()),
    }
}

static DECIMAL: LazyLock<Option<ast::Name>> =
    LazyLock::new(|| ast::Name::parse_unqualified_name("decimal").ok());

pub(crate) fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

pub(crate) fn texts<'a>(all: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(all.map(text))
}

/// In place of `charter/<agent>/<rev>/`, so that charters that say the same share their policies.
const SOME_CHARTER: &str = "charter//";
const RULES_PER_SET: u64 = 8;
const TYPE_NAMES_MAX: u64 = 1_024;
