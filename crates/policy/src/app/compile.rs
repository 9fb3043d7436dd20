//! An application's row becomes something that can be asked, or every reason why not.

use super::{
    App, Stored,
    types::{Mentioned, Types},
};
use crate::{Place, PolicyFault, Spot, bucket, charter::did_you_mean, render};
use cedar_policy::{
    Authorizer, Entities, Entity, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use provost_domain::{
    Digest,
    application::{Application, StoredEntity},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

impl App {
    /// Compiles an application's types, policies and stored entities.
    ///
    /// # Errors
    /// Everything that is wrong with them, at once.
    pub fn compile(row: &Application) -> Result<Self, Vec<PolicyFault>> {
        let mut compiler = Compiler { row, faults: Vec::new() };
        let Some((schema, types)) = compiler.schema() else { return Err(compiler.faults) };
        let policies = compiler.policies();
        let steps_max = compiler.steps(schema, &policies);
        let accepted = compiler.accepted(&types);
        let (stored, mut entities) = compiler.stored(&types, &accepted);
        compiler.actions(&types, &mut entities);
        let at_rest = compiler.at_rest(entities);
        if !compiler.faults.is_empty() {
            return Err(compiler.faults);
        }
        let mut by_type: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for entity in &row.entities {
            by_type.entry(entity.kind.clone()).or_default().insert(entity.id.clone());
        }
        let text = [row.schema.as_bytes(), row.policies.as_bytes()].map(|text| *Digest::of(text).as_bytes());
        Ok(Self {
            name: row.name.clone(),
            types,
            reasons: reasons(&policies.renamed),
            policies: policies.renamed,
            authorizer: Authorizer::new(),
            stored,
            at_rest,
            accepted,
            by_type,
            steps_max,
            digest: Digest::of(text.as_flattened()),
        })
    }
}

/// Policies as written, and under their own ids.
struct Policies {
    written: PolicySet,
    renamed: PolicySet,
}

struct Compiler<'a> {
    row: &'a Application,
    faults: Vec<PolicyFault>,
}

impl Compiler<'_> {
    fn schema(&mut self) -> Option<(Schema, Types)> {
        let text = &self.row.schema;
        let schema = match Schema::from_cedarschema_str(text) {
            Ok((schema, _warnings)) => schema,
            Err(error) => {
                self.rendered("schema", render::diagnostic(&error, text, None));
                return None;
            }
        };
        match Types::read(text) {
            Ok(types) => Some((schema, types)),
            Err(problem) => {
                self.fault("schema", None, problem, "declare AuthZEN types and actions without a namespace");
                None
            }
        }
    }

    fn policies(&mut self) -> Policies {
        let text = &self.row.policies;
        let mut renamed = PolicySet::new();
        let written: PolicySet = match text.parse() {
            Ok(written) => written,
            Err(errors) => {
                let errors: cedar_policy::ParseErrors = errors;
                for error in errors.iter() {
                    self.rendered("policies", render::diagnostic(error, text, None));
                }
                return Policies { written: PolicySet::new(), renamed };
            }
        };
        if written.num_of_templates() > 0 {
            self.fault("policies", None, "a template cannot be used here", "write the policy without slots");
        }
        let mut all: Vec<&Policy> = written.policies().collect();
        all.sort_unstable_by_key(|policy| text.find(&policy.to_string()));
        for policy in all {
            let id = policy.annotation("id").unwrap_or_default();
            let source = policy.to_string();
            let offset = text.find(&source).unwrap_or_default();
            let at = render::spot(text, offset, source.lines().next().map_or(1, str::len), Some(id));
            if id.is_empty() {
                self.fault(
                    "policies",
                    Some(at.clone()),
                    "the policy has no @id",
                    "put @id(\"a-name\") above it",
                );
            } else if renamed.add(policy.new_id(PolicyId::new(id))).is_err() {
                let message = format!("`{id}` names two policies");
                self.fault("policies", Some(at.clone()), message, "give one of them another @id");
            }
            if policy.annotation("reason").is_none_or(|reason| reason.trim().is_empty()) {
                self.fault(
                    "policies",
                    Some(at.clone()),
                    "the policy has no @reason",
                    "put @reason(\"…\") above it",
                );
            }
            if policy.annotation("gate").is_some() {
                let message = "a gate is for agents; an application's policy permits or forbids";
                self.fault("policies", Some(at), message, "remove @gate");
            }
        }
        Policies { written, renamed }
    }

    /// Strict types, and how far policies go from entity to entity.
    fn steps(&mut self, schema: Schema, policies: &Policies) -> u32 {
        let validator = Validator::new(schema);
        let text = &self.row.policies;
        let mut last = None;
        for steps in 1..=STEPS_MAX {
            let result = validator.validate_with_level(&policies.written, ValidationMode::Strict, steps);
            if result.validation_passed() {
                return steps;
            }
            last = Some(result);
        }
        let id_of = |id: &PolicyId| policies.written.annotation(id, "id").map(str::to_owned);
        for error in last.iter().flat_map(cedar_policy::ValidationResult::validation_errors) {
            let found = render::diagnostic(error, text, id_of(error.policy_id()).as_deref());
            self.rendered("policies", found);
        }
        STEPS_MAX
    }

    fn accepted(&mut self, types: &Types) -> BTreeSet<(String, String)> {
        let mut accepted = BTreeSet::new();
        for word in &self.row.request_properties.accepted {
            let (kind, property) = word.split_once('.').unwrap_or((word, ""));
            let declared = types.entities.get(kind).and_then(|kind| kind.properties.get(property));
            match declared {
                Some(member) if !member.required => {
                    accepted.insert((kind.to_owned(), property.to_owned()));
                }
                Some(_) => {
                    let message = format!("`{word}` is required, and a request need not bring it");
                    self.fault(
                        "request_properties",
                        None,
                        message,
                        "make the attribute optional: `name?: Type`",
                    );
                }
                None => {
                    let known = types.entities.iter().flat_map(|(kind, declared)| {
                        declared.properties.keys().map(move |property| format!("{kind}.{property}"))
                    });
                    let known: Vec<String> = known.collect();
                    let help =
                        did_you_mean(word, known.iter().map(String::as_str), "write it as type.property");
                    self.fault("request_properties", None, format!("the schema has no `{word}`"), help);
                }
            }
        }
        accepted
    }

    fn stored(
        &mut self,
        types: &Types,
        accepted: &BTreeSet<(String, String)>,
    ) -> (HashMap<EntityUid, Stored>, Vec<Entity>) {
        let mut stored = HashMap::with_capacity(self.row.entities.len());
        let mut entities = Vec::with_capacity(self.row.entities.len());
        for (index, entity) in self.row.entities.iter().enumerate() {
            let part = format!("entities[{index}]");
            let one = one(entity, types, accepted);
            match one.and_then(|one| Ok((bucket::uid(&entity.kind, &entity.id)?, one))) {
                Ok((uid, (one, ready))) => {
                    entities.push(ready);
                    if stored.insert(uid, one).is_some() {
                        let message = format!("{:?} {:?} is there twice", entity.kind, entity.id);
                        self.fault(&part, None, message, "keep one of them");
                    }
                }
                Err(problem) => {
                    let message = format!("{:?} {:?}: {problem}", entity.kind, entity.id);
                    self.fault(&part, None, message, "make it fit the schema");
                }
            }
        }
        if let Some(uid) = in_a_circle(&stored) {
            self.fault(
                "entities",
                None,
                format!("{uid} is its own ancestor"),
                "groups cannot hold themselves",
            );
        }
        (stored, entities)
    }

    /// Every action with the groups it is in, all the way up.
    fn actions(&mut self, types: &Types, entities: &mut Vec<Entity>) {
        for name in types.actions.keys() {
            let groups: Result<HashSet<EntityUid>, String> =
                groups(types, name).iter().map(|group| bucket::uid(crate::est::ACTION, group)).collect();
            let one = groups
                .and_then(|groups| Ok(Entity::new_no_attrs(bucket::uid(crate::est::ACTION, name)?, groups)));
            match one {
                Ok(action) => entities.push(action),
                Err(problem) => self.fault("schema", None, problem, "give the action another name"),
            }
        }
    }

    fn at_rest(&mut self, entities: Vec<Entity>) -> Entities {
        if !self.faults.is_empty() {
            return Entities::empty();
        }
        Entities::from_entities(entities, None).unwrap_or_else(|error| {
            self.fault("entities", None, error.to_string(), "make them fit the schema");
            Entities::empty()
        })
    }

    fn rendered(&mut self, part: &str, found: render::Rendered) {
        let place =
            Place::Application { application: self.row.name.clone(), part: part.to_owned(), at: found.at };
        self.faults.push(PolicyFault { place, message: found.message, help: found.help });
    }

    fn fault(&mut self, part: &str, at: Option<Spot>, message: impl Into<String>, help: impl Into<String>) {
        let place = Place::Application { application: self.row.name.clone(), part: part.to_owned(), at };
        self.faults.push(PolicyFault { place, message: message.into(), help: Some(help.into()) });
    }
}

fn one(
    entity: &StoredEntity,
    types: &Types,
    accepted: &BTreeSet<(String, String)>,
) -> Result<(Stored, Entity), String> {
    let kind = types.entities.get(&entity.kind).ok_or("the schema has no such type")?;
    if kind.ids.as_ref().is_some_and(|ids| !ids.contains(&entity.id)) {
        return Err("the schema lists the ids of this type, and this is not among them".to_owned());
    }
    if let Some(name) = entity.properties.keys().find(|name| !kind.properties.contains_key(*name)) {
        return Err(format!("the type has no property `{name}`"));
    }
    let parents: Result<Vec<EntityUid>, String> =
        entity.parents.iter().map(|(kind, id)| bucket::uid(kind, id)).collect();
    let parents = parents?;
    let mut mentioned = Mentioned::default();
    // Also what comes with requests must fit where it is stored, though policies never see it there.
    Mentioned::default().members(&kind.properties, &entity.properties)?;
    let mut at_rest = entity.properties.clone();
    at_rest.retain(|name, _| !accepted.contains(&(entity.kind.clone(), name.clone())));
    let attributes = mentioned.members(&kind.properties, &at_rest)?;
    let uid = bucket::uid(&entity.kind, &entity.id)?;
    let ready = Entity::new(uid, attributes.into_iter().collect(), parents.iter().cloned().collect())
        .map_err(|error| error.to_string())?;
    Ok((Stored { properties: at_rest, parents, mentions: mentioned.0 }, ready))
}

fn groups<'a>(types: &'a Types, action: &'a str) -> BTreeSet<&'a str> {
    let mut groups = BTreeSet::new();
    let mut waiting = vec![action];
    while let Some(name) = waiting.pop() {
        for group in types.actions.get(name).into_iter().flat_map(|action| &action.groups) {
            if groups.insert(group.as_str()) {
                waiting.push(group);
            }
        }
    }
    groups
}

fn reasons(policies: &PolicySet) -> HashMap<PolicyId, String> {
    let reason = |policy: &Policy| Some((policy.id().clone(), policy.annotation("reason")?.to_owned()));
    policies.policies().filter_map(reason).collect()
}

/// Some entity above itself, if there is one.
fn in_a_circle(stored: &HashMap<EntityUid, Stored>) -> Option<EntityUid> {
    // Entities whose parents are all settled settle in turn; what never settles is in a circle or below one.
    let mut waiting: HashMap<&EntityUid, usize> = HashMap::new();
    let mut children: HashMap<&EntityUid, Vec<&EntityUid>> = HashMap::new();
    for (uid, entity) in stored {
        let known = entity.parents.iter().filter(|parent| stored.contains_key(*parent));
        for parent in known.clone() {
            children.entry(parent).or_default().push(uid);
        }
        waiting.insert(uid, known.count());
    }
    let mut settled: Vec<&EntityUid> =
        waiting.iter().filter(|(_, left)| **left == 0).map(|(uid, _)| *uid).collect();
    while let Some(uid) = settled.pop() {
        waiting.remove(uid);
        for child in children.remove(uid).into_iter().flatten() {
            if let Some(left) = waiting.get_mut(child) {
                *left -= 1;
                if *left == 0 {
                    settled.push(child);
                }
            }
        }
    }
    waiting.into_keys().min().cloned()
}

const STEPS_MAX: u32 = 4;
