//! The orders in force, found by what they name. A call is asked about far more often than an order is given: with none in
//! force a look costs one comparison, with very many it costs those that name this agent, its owner or this system, and the
//! few that name none of these.

use super::{Containment, Restriction, Scope};
use crate::{Agent, Name, ToolName, organisation::Organisation};
use imbl::{HashMap, OrdMap};
use std::sync::Arc;

/// Orders by what they name first.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    all: OrdMap<String, Arc<Containment>>,
    by_agent: Index,
    by_owner: Index,
    by_system: Index,
    others: OrdMap<String, Arc<Containment>>,
}

type Index = HashMap<Name, OrdMap<String, Arc<Containment>>>;

impl Orders {
    /// Puts an order in, in place of the one under its id.
    pub fn put(&mut self, order: Containment) {
        self.remove(&order.id);
        let order = Arc::new(order);
        self.all.insert(order.id.clone(), Arc::clone(&order));
        match self.index(&order.scope) {
            Some((index, name)) => {
                index.entry(name).or_default().insert(order.id.clone(), order);
            }
            None => drop(self.others.insert(order.id.clone(), order)),
        }
    }

    /// Takes the order under this id out.
    pub fn remove(&mut self, id: &str) {
        let Some(order) = self.all.remove(id) else { return };
        let Some((index, name)) = self.index(&order.scope) else { return drop(self.others.remove(id)) };
        if let Some(orders) = index.get_mut(&name) {
            orders.remove(id);
            if orders.is_empty() {
                index.remove(&name);
            }
        }
    }

    /// Where orders of this scope are found, and under which name.
    fn index(&mut self, scope: &Scope) -> Option<(&mut Index, Name)> {
        match (&scope.agent, &scope.owner, &scope.system) {
            (Some(agent), ..) => Some((&mut self.by_agent, agent.clone())),
            (None, Some(owner), _) => Some((&mut self.by_owner, owner.clone())),
            (None, None, Some(system)) => Some((&mut self.by_system, system.clone())),
            (None, None, None) => None,
        }
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
        let named = |index: &'a Index, name: &Name| index.get(name).into_iter().flat_map(OrdMap::values);
        named(&self.by_agent, &agent.name)
            .chain(named(&self.by_owner, &agent.charter.owner))
            .chain(named(&self.by_system, system))
            .chain(self.others.values())
            .filter(move |order| {
                order.scope.has_call(system, tool) && order.scope.has_agent(agent, organisation)
            })
    }

    /// The orders about this agent as a whole.
    pub fn about<'a>(
        &'a self,
        agent: &'a Agent,
        organisation: Option<&'a Organisation>,
    ) -> impl Iterator<Item = &'a Arc<Containment>> {
        let named = |index: &'a Index, name: &Name| index.get(name).into_iter().flat_map(OrdMap::values);
        named(&self.by_agent, &agent.name)
            .chain(named(&self.by_owner, &agent.charter.owner))
            .chain(self.others.values())
            .filter(move |order| order.scope.is_about_agents() && order.scope.has_agent(agent, organisation))
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

#[cfg(test)]
mod tests;
