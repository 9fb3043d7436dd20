//! Applications: the decision point for anything that asks (OpenID AuthZEN Authorization API 1.0), with the types
//! and policies that the application brings itself.

mod compile;
mod search;
mod types;

pub use search::{Found, Page};

use crate::{Evaluation, bucket, evaluate::Look};
use cedar_policy::{Authorizer, Context, Entities, Entity, EntityUid, PolicyId, PolicySet, Request};
use provost_domain::{Digest, Name, Reason, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
};
use types::{Mentioned, Types};

/// A question of an application (AuthZEN 1.0, Access Evaluation API). Unknown members are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthzenRequest {
    /// Who.
    pub subject: AuthzenEntity,
    /// Does what.
    pub action: AuthzenAction,
    /// To what.
    pub resource: AuthzenEntity,
    /// Under which circumstances.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
}

/// A subject or a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthzenEntity {
    /// An entity type of the application's schema.
    #[serde(rename = "type")]
    pub kind: String,
    /// Unique inside its type.
    pub id: String,
    /// Only those an application accepts from askers are seen.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthzenAction {
    /// An action of the application's schema.
    pub name: String,
    /// Policies see them as `context.action`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
}

/// An application ready to be asked.
pub struct App {
    name: Name,
    types: Types,
    policies: PolicySet,
    authorizer: Authorizer,
    /// The `@reason` of each policy: Cedar reads the key of an annotation anew each time it is asked.
    reasons: HashMap<PolicyId, String>,
    stored: HashMap<EntityUid, Stored>,
    /// Every stored entity as it is without a request, and every action with its groups.
    at_rest: Entities,
    /// Properties by (type, name) that come with the request or not at all.
    accepted: BTreeSet<(String, String)>,
    /// Ids of the stored entities by type, in order; what searches walk.
    by_type: BTreeMap<String, BTreeSet<String>>,
    /// How many steps policies go from entity to entity.
    steps_max: u32,
    digest: Digest,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("entities", &self.stored.len())
            .finish_non_exhaustive()
    }
}

/// What an application stored about one entity.
struct Stored {
    properties: Map<String, Value>,
    parents: Vec<EntityUid>,
    mentions: Vec<EntityUid>,
}

impl AuthzenEntity {
    fn names(&self, other: &Self) -> bool {
        (&self.kind, &self.id) == (&other.kind, &other.id)
    }
}

impl App {
    /// Decides one question. The same question gets the same answer; every fault is a denial with its reason.
    #[must_use]
    pub fn decide(&self, request: &AuthzenRequest) -> Evaluation {
        let (verdict, errors) = match self.evaluate(request) {
            Ok(look) => self.verdict(&look),
            Err(problem) => (self.refuse(problem), Vec::new()),
        };
        Evaluation {
            verdict,
            policies: self.digest,
            input: json!(request),
            errors,
            candidates: self.policies.num_of_policies(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether this is one of its types.
    #[must_use]
    pub fn has_type(&self, kind: &str) -> bool {
        self.types.entities.contains_key(kind)
    }

    fn evaluate(&self, request: &AuthzenRequest) -> Result<Look, String> {
        let AuthzenRequest { subject, action, resource, context } = request;
        let declared = self
            .types
            .actions
            .get(&action.name)
            .ok_or_else(|| format!("action {:?} is not known", action.name))?;
        for (entity, allowed, role) in
            [(subject, &declared.subjects, "subject"), (resource, &declared.resources, "resource")]
        {
            if !allowed.contains(&entity.kind) {
                return Err(format!("action {:?} has no {role} of type {:?}", action.name, entity.kind));
            }
        }
        let mut mentioned = Mentioned::default();
        let mut context = context.clone();
        // The name is the action's; an asker's own `action` in the context is not seen.
        context.insert("action".to_owned(), Value::Object(action.properties.clone()));
        let context =
            mentioned.members(&declared.context, &context).map_err(|p| format!("the context's {p}"))?;
        let context = Context::from_pairs(context).map_err(|error| error.to_string())?;
        let action_uid = bucket::uid(crate::est::ACTION, &action.name)?;
        if subject.names(resource) && subject.properties != resource.properties {
            return Err("subject and resource are the same entity with different properties".to_owned());
        }
        let subject_uid = bucket::uid(&subject.kind, &subject.id)?;
        let resource_uid = bucket::uid(&resource.kind, &resource.id)?;
        let made;
        let entities = if self.is_at_rest(&subject_uid, subject) && self.is_at_rest(&resource_uid, resource) {
            &self.at_rest
        } else {
            let mut entities: Vec<Entity> = self.at_rest.get(&action_uid).cloned().into_iter().collect();
            entities.push(self.entity(subject, &subject_uid, "subject", &mut mentioned)?);
            if !subject.names(resource) {
                entities.push(self.entity(resource, &resource_uid, "resource", &mut mentioned)?);
            }
            self.neighbours(&[&subject_uid, &resource_uid], mentioned, &mut entities);
            made = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
            &made
        };
        let request = Request::new(subject_uid, action_uid, resource_uid, context, None)
            .map_err(|error| error.to_string())?;
        let mut look = Look::default();
        look.add(&self.authorizer.is_authorized(&request, &self.policies, entities));
        Ok(look)
    }

    /// Whether an entity is stored, and the request brings nothing of it that policies would see.
    fn is_at_rest(&self, uid: &EntityUid, given: &AuthzenEntity) -> bool {
        self.stored.contains_key(uid)
            && !given.properties.keys().any(|property| self.accepts(&given.kind, property))
    }

    /// The entity as policies see it: each property either the asker's or the stored one, never merged.
    fn entity(
        &self,
        given: &AuthzenEntity,
        uid: &EntityUid,
        role: &str,
        mentioned: &mut Mentioned,
    ) -> Result<Entity, String> {
        let stored = self.stored.get(uid);
        if let Some(Stored { mentions, .. }) = stored.filter(|_| self.is_at_rest(uid, given))
            && let Some(ready) = self.at_rest.get(uid)
        {
            mentioned.0.extend(mentions.iter().cloned());
            return Ok(ready.clone());
        }
        let Some(kind) = self.types.entities.get(&given.kind) else {
            return Err(format!("type {:?} is not known", given.kind));
        };
        if kind.ids.as_ref().is_some_and(|ids| !ids.contains(&given.id)) {
            return Err(format!("the {role} {:?} is not one of the ids of type {:?}", given.id, given.kind));
        }
        let none = Map::new();
        let at_rest = stored.map_or(&none, |stored| &stored.properties);
        let properties = kind.properties.keys().filter_map(|name| {
            let from = if self.accepts(&given.kind, name) { &given.properties } else { at_rest };
            from.get(name).map(|value| (name.clone(), value.clone()))
        });
        let attributes = mentioned
            .members(&kind.properties, &properties.collect())
            .map_err(|problem| format!("the {role}'s {problem}"))?;
        let parents = stored.map(|stored| stored.parents.iter().cloned().collect()).unwrap_or_default();
        Entity::new(uid.clone(), attributes.into_iter().collect(), parents)
            .map_err(|error| format!("the {role}'s properties cannot be used: {error}"))
    }

    /// Everything policies can reach from there: groups all the way up, mentioned entities as far as policies go.
    fn neighbours(&self, roots: &[&EntityUid], mentioned: Mentioned, entities: &mut Vec<Entity>) {
        let mut seen: HashSet<EntityUid> = roots.iter().map(|uid| (*uid).clone()).collect();
        let parents = roots.iter().filter_map(|uid| self.stored.get(uid)).flat_map(|stored| &stored.parents);
        let mut waiting: Vec<(EntityUid, u32)> = parents.map(|uid| (uid.clone(), 0)).collect();
        waiting.extend(mentioned.0.into_iter().map(|uid| (uid, 1)));
        while let Some((uid, steps)) = waiting.pop() {
            let Some(stored) = self.stored.get(&uid) else { continue };
            if steps > self.steps_max || seen.contains(&uid) {
                continue;
            }
            entities.extend(self.at_rest.get(&uid).cloned());
            seen.insert(uid);
            waiting.extend(stored.parents.iter().map(|parent| (parent.clone(), steps)));
            waiting.extend(stored.mentions.iter().map(|other| (other.clone(), steps + 1)));
        }
    }

    fn verdict(&self, look: &Look) -> (Verdict, Vec<String>) {
        if !look.errors.is_empty() {
            let reasons = look.errors.iter().map(|(id, error)| Reason {
                policy: id.to_string(),
                reason: format!("could not be evaluated: {error}"),
            });
            let mut reasons: Vec<Reason> = reasons.collect();
            reasons.sort_unstable();
            let errors =
                reasons.iter().map(|reason| format!("{}: {}", reason.policy, reason.reason)).collect();
            return (Verdict::Deny { reasons, possible_if: Vec::new() }, errors);
        }
        if !look.forbids.is_empty() {
            let reasons = self.reasons(&look.forbids);
            return (Verdict::Deny { reasons, possible_if: Vec::new() }, Vec::new());
        }
        if look.permits.is_empty() {
            return (self.refuse("no policy permits this".to_owned()), Vec::new());
        }
        (Verdict::Allow { reasons: self.reasons(&look.permits) }, Vec::new())
    }

    fn reasons(&self, ids: &[PolicyId]) -> Vec<Reason> {
        let reason = |id: &PolicyId| Reason {
            policy: id.to_string(),
            reason: self.reasons.get(id).map_or("no reason given", String::as_str).to_owned(),
        };
        let mut reasons: Vec<Reason> = ids.iter().map(reason).collect();
        reasons.sort_unstable();
        reasons
    }

    fn refuse(&self, problem: String) -> Verdict {
        Verdict::deny(&format!("application/{}", self.name), problem, None)
    }

    fn accepts(&self, kind: &str, property: &str) -> bool {
        // Two allocations would be spared by a nested map; the set is nearly always tiny or empty.
        !self.accepted.is_empty() && self.accepted.contains(&(kind.to_owned(), property.to_owned()))
    }
}
