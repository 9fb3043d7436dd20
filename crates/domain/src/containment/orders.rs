//! The orders in force, found by what they name. A call is asked about far more often than an order is given: with none in
//! force a look costs one comparison, with very many it costs those that name this agent, its owner, this system, a group of the
//! owner, its environment, or a pattern that begins as its name or model does, and those about everything.

use super::{Containment, Restraint, Restriction, Scope};
use crate::{Agent, Name, Timestamp, ToolName, organisation::Organisation, pattern};
use imbl::{HashMap, OrdMap};
use std::sync::Arc;

/// Orders by what they name first.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    all: OrdMap<String, Arc<Containment>>,
    /// By [`Place::key`].
    places: HashMap<String, OrdMap<String, Arc<Containment>>>,
    /// How many of each kind of place there are: what nobody names is not looked for.
    kinds: [usize; KINDS],
}

/// Where an order is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Agent(&'a str),
    Owner(&'a str),
    System(&'a str),
    Group(&'a str),
    /// Patterns by what stands before their first star.
    Like(&'a str),
    Model(&'a str),
    Environment(&'a str),
    Everything,
}

impl<'a> Place<'a> {
    fn of(scope: &'a Scope) -> Self {
        let Scope { agent, owner, group, like, model, environment, system, tool: _ } = scope;
        let first = [
            agent.as_ref().map(|name| Self::Agent(name.as_str())),
            owner.as_ref().map(|name| Self::Owner(name.as_str())),
            system.as_ref().map(|name| Self::System(name.as_str())),
            group.as_ref().map(|name| Self::Group(name.as_str())),
            like.as_deref().map(|like| Self::Like(pattern::literal_start(like))),
            model.as_deref().map(|like| Self::Model(pattern::literal_start(like))),
            environment.map(|environment| Self::Environment(environment.as_str())),
        ];
        first.into_iter().flatten().next().unwrap_or(Self::Everything)
    }

    /// Its kind, and its name there.
    const fn parts(self) -> (usize, &'a str) {
        match self {
            Self::Agent(name) => (0, name),
            Self::Owner(name) => (1, name),
            Self::System(name) => (2, name),
            Self::Group(name) => (GROUP, name),
            Self::Like(start) => (LIKE, start),
            Self::Model(start) => (MODEL, start),
            Self::Environment(name) => (6, name),
            Self::Everything => (7, ""),
        }
    }

    /// What it is kept under. No two kinds share a key.
    fn key(self) -> String {
        let (kind, name) = self.parts();
        format!("{kind}{name}")
    }
}

impl Orders {
    /// Puts an order in, in place of the one under its id.
    pub fn put(&mut self, order: Containment) {
        self.remove(&order.id);
        let order = Arc::new(order);
        self.all.insert(order.id.clone(), Arc::clone(&order));
        let place = Place::of(&order.scope);
        let (kind, key) = (place.parts().0, place.key());
        self.count(kind, |count| count.saturating_add(1));
        self.places.entry(key).or_default().insert(order.id.clone(), order);
    }

    /// Takes the order under this id out.
    pub fn remove(&mut self, id: &str) {
        let Some(order) = self.all.remove(id) else { return };
        let place = Place::of(&order.scope);
        let (kind, key) = (place.parts().0, place.key());
        self.count(kind, |count| count.saturating_sub(1));
        if let Some(orders) = self.places.get_mut(&key) {
            orders.remove(id);
            if orders.is_empty() {
                self.places.remove(&key);
            }
        }
    }

    fn count(&mut self, kind: usize, change: impl Fn(usize) -> usize) {
        if let Some(count) = self.kinds.get_mut(kind) {
            *count = change(*count);
        }
    }

    fn at<'s>(&'s self, place: Place<'_>) -> impl Iterator<Item = &'s Arc<Containment>> + use<'s> {
        let orders = if self.has(place.parts().0) { self.places.get(&place.key()) } else { None };
        orders.into_iter().flat_map(OrdMap::values)
    }

    fn has(&self, kind: usize) -> bool {
        self.kinds.get(kind).is_some_and(|count| *count > 0)
    }

    /// The orders that may be about this agent, whatever they say besides.
    fn near<'a>(
        &'a self,
        agent: &'a Agent,
        organisation: Option<&'a Organisation>,
        system: Option<&'a Name>,
    ) -> impl Iterator<Item = &'a Arc<Containment>> {
        let groups =
            organisation.filter(|_| self.has(GROUP)).map(|all| all.groups.iter()).into_iter().flatten();
        let groups = groups.filter(|(_name, group)| group.members.contains(&agent.charter.owner));
        let name = Some(agent.name.as_str()).filter(|_| self.has(LIKE));
        let model = agent.charter.manifest.get(super::MODEL).filter(|_| self.has(MODEL));
        self.at(Place::Agent(agent.name.as_str()))
            .chain(self.at(Place::Owner(agent.charter.owner.as_str())))
            .chain(system.into_iter().flat_map(|system| self.at(Place::System(system.as_str()))))
            .chain(groups.flat_map(|(name, _group)| self.at(Place::Group(name.as_str()))))
            .chain(name.into_iter().flat_map(starts).flat_map(|start| self.at(Place::Like(start))))
            .chain(model.into_iter().flat_map(starts).flat_map(|start| self.at(Place::Model(start))))
            .chain(self.at(Place::Environment(agent.charter.environment.as_str())))
            .chain(self.at(Place::Everything))
    }

    /// The order of this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Containment>> {
        self.all.get(id)
    }

    /// Every order in force, by id.
    pub fn values(&self) -> impl Iterator<Item = &Arc<Containment>> {
        self.all.values()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The orders that match a call of this agent.
    pub fn matching<'a>(
        &'a self,
        agent: &'a Agent,
        organisation: Option<&'a Organisation>,
        system: &'a Name,
        tool: Option<&'a ToolName>,
    ) -> impl Iterator<Item = &'a Arc<Containment>> {
        self.near(agent, organisation, Some(system)).filter(move |order| {
            order.scope.has_call(system, tool) && order.scope.has_agent(agent, organisation)
        })
    }

    /// Whether what was made for this agent at a system is taken back: an order at `off` about the system, or about an operation
    /// of it, was given since. What is made afterwards is for calls that are let through knowing of it.
    #[must_use]
    pub fn recall(
        &self,
        agent: &Agent,
        organisation: Option<&Organisation>,
        (system, made): (&Name, Timestamp),
    ) -> bool {
        self.near(agent, organisation, Some(system)).any(|order| {
            order.level == Restraint::Off
                && order.scope.system.as_ref() == Some(system)
                && made <= order.at
                && order.scope.has_agent(agent, organisation)
        })
    }

    /// The orders about this agent as a whole.
    pub fn about<'a>(
        &'a self,
        agent: &'a Agent,
        organisation: Option<&'a Organisation>,
    ) -> impl Iterator<Item = &'a Arc<Containment>> {
        let near = self.near(agent, organisation, None);
        near.filter(move |order| order.scope.is_about_agents() && order.scope.has_agent(agent, organisation))
    }

    /// What all of them together leave a call of this agent.
    #[must_use]
    pub fn restriction(
        &self,
        agent: &Agent,
        organisation: Option<&Organisation>,
        system: &Name,
        tool: &ToolName,
    ) -> Restriction {
        let mut restriction = Restriction::own(agent.level);
        if !self.is_empty() {
            for order in self.matching(agent, organisation, system, Some(tool)) {
                restriction.add(&order.level);
            }
        }
        restriction
    }
}

/// Every beginning of a text, the empty one and the whole of it too.
fn starts(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.char_indices().map(|(at, _)| at).chain(std::iter::once(text.len()));
    ends.filter_map(|end| text.get(..end))
}

const GROUP: usize = 3;
const LIKE: usize = 4;
const MODEL: usize = 5;
const KINDS: usize = 8;

#[cfg(test)]
mod tests;
