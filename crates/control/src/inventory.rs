//! The agents of the plane, laid out for those who look at all of them: lists, counts and searches. A million rows one after the
//! other take a large part of a second to walk through, most of it waiting for memory; their names in one text, and the few words
//! that lists are narrowed by in columns beside it, take milliseconds.
//!
//! A layout is of one moment. What changed since is few, is known by name ([`Directory::agents_touched_since`]) and is looked at in
//! the directory itself, so that an answer is always of now; when it is no longer few, the next layout is made beside the answers.

mod flat;

use crate::{ControlError, plane::Plane};
use arc_swap::ArcSwapOption;
use flat::Flat;
use provost_domain::{Agent, AgentStatus, Directory, Environment, Name};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What this node has laid out.
#[derive(Default)]
pub struct Inventory(Arc<Layout>);

#[derive(Default)]
struct Layout {
    flat: ArcSwapOption<Flat>,
    /// Whether the next one is being made.
    making: AtomicBool,
}

/// What agents are looked for by; everything said must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sought {
    /// These small letters somewhere in the name.
    pub(crate) part: Option<String>,
    /// In this state.
    pub(crate) status: Option<AgentStatus>,
    /// Owned by this person.
    pub(crate) owner: Option<Name>,
    /// Living there.
    pub(crate) environment: Option<Environment>,
    /// With a grant on this system.
    pub(crate) system: Option<Name>,
}

/// All agents at one moment.
pub(crate) struct Look {
    flat: Arc<Flat>,
    directory: Directory,
    /// Those that changed after the layout was made.
    touched: BTreeSet<Name>,
}

/// Makes the first layout, so that nobody's first look waits for it.
pub async fn lay_out(plane: Arc<Plane>) {
    if let Err(error) = plane.inventory.look(&plane).await {
        tracing::warn!(%error, "agents are not laid out yet; the first look does it");
    }
}

impl Inventory {
    /// All agents as they are now.
    ///
    /// # Errors
    /// When they cannot be laid out.
    pub(crate) async fn look(&self, plane: &Plane) -> Result<Look, ControlError> {
        self.look_at(plane.replica.latest().directory.clone()).await
    }

    async fn look_at(&self, directory: Directory) -> Result<Look, ControlError> {
        let names = |flat: &Arc<Flat>| -> Option<BTreeSet<Name>> {
            directory.agents_touched_since(flat.mark).map(|names| names.cloned().collect())
        };
        let stood = self.0.flat.load_full().and_then(|flat| names(&flat).map(|touched| (flat, touched)));
        if let Some((flat, touched)) = stood {
            if touched.len() > TOUCHED_MAX {
                self.make_next(directory.clone());
            }
            return Ok(Look { flat, directory, touched });
        }
        let of = directory.clone();
        let made = tokio::task::spawn_blocking(move || Arc::new(Flat::of(&of))).await;
        let flat = made.map_err(|error| ControlError::us("agents could not be laid out", error))?;
        self.0.flat.store(Some(Arc::clone(&flat)));
        Ok(Look { flat, directory, touched: BTreeSet::new() })
    }

    /// Makes the next layout beside the answers, one at a time; looks go by it once it is there.
    fn make_next(&self, directory: Directory) {
        if self.0.making.swap(true, Ordering::AcqRel) {
            return;
        }
        let layout = Arc::clone(&self.0);
        drop(tokio::task::spawn_blocking(move || {
            layout.flat.store(Some(Arc::new(Flat::of(&directory))));
            layout.making.store(false, Ordering::Release);
        }));
    }
}

impl Look {
    /// Those that are like this, in order of their names, after one of them or from the first, at most so many.
    pub(crate) fn agents(&self, sought: &Sought, after: Option<&str>, most: usize) -> Vec<&Arc<Agent>> {
        let stood = self.flat.rows(sought, after).map(|row| self.flat.name(row));
        let stood = stood.filter(|name| !self.touched.contains(*name)).take(most);
        let mut found: Vec<&Arc<Agent>> = stood.filter_map(|name| self.directory.agents.get(name)).collect();
        let later = |agent: &&Arc<Agent>| after.is_none_or(|after| agent.name.as_str() > after);
        found.extend(self.changed().filter(later).filter(|agent| sought.fits(agent)));
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.truncate(most);
        found
    }

    /// Those whose name has these small letters, after one of them; with them at the front first, the others afterwards.
    pub(crate) fn named(&self, part: &str, most: usize) -> Vec<&Arc<Agent>> {
        // Those that changed are left out before they are counted, or they would stand in the way of others.
        let stood = |row: &usize| !self.touched.contains(self.flat.name(*row));
        let starting = self.flat.starting(part).filter(stood).take(most);
        let having = self.flat.having(part).filter(stood).take(most.saturating_mul(2));
        let names = starting.chain(having).map(|row| self.flat.name(row));
        let mut found: Vec<&Arc<Agent>> = names.filter_map(|name| self.directory.agents.get(name)).collect();
        found.extend(self.changed().filter(|agent| agent.name.as_str().contains(part)));
        found.sort_by_key(|agent| (!agent.name.as_str().starts_with(part), &agent.name));
        found.dedup_by(|a, b| a.name == b.name);
        found.truncate(most);
        found
    }

    /// Those whose purpose has these small letters, whatever the case, in order of their names.
    pub(crate) fn meant_for(&self, part: &str, most: usize) -> Vec<&Arc<Agent>> {
        let stood = self.flat.meant_for(part).into_iter().map(|row| self.flat.name(row));
        let stood = stood.filter(|name| !self.touched.contains(*name)).take(most);
        let mut found: Vec<&Arc<Agent>> = stood.filter_map(|name| self.directory.agents.get(name)).collect();
        let has = |agent: &&Arc<Agent>| agent.charter.purpose.to_ascii_lowercase().contains(part);
        found.extend(self.changed().filter(has));
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.truncate(most);
        found
    }

    /// How many there are in each state.
    pub(crate) fn by_status(&self) -> BTreeMap<AgentStatus, usize> {
        let mut counts = self.flat.by_status.clone();
        for name in &self.touched {
            if let Some(status) = self.flat.find(name.as_str()).and_then(|row| self.flat.status(row)) {
                let count = counts.entry(status).or_default();
                *count = count.saturating_sub(1);
            }
            if let Some(agent) = self.directory.agents.get(name) {
                let count = counts.entry(agent.status).or_default();
                *count = count.saturating_add(1);
            }
        }
        counts.retain(|_, count| *count > 0);
        counts
    }

    fn changed(&self) -> impl Iterator<Item = &Arc<Agent>> {
        self.touched.iter().filter_map(|name| self.directory.agents.get(name))
    }
}

impl Sought {
    fn fits(&self, agent: &Agent) -> bool {
        let charter = &agent.charter;
        self.part.as_ref().is_none_or(|part| agent.name.as_str().contains(part.as_str()))
            && self.status.is_none_or(|status| agent.status == status)
            && self.owner.as_ref().is_none_or(|owner| charter.owner == *owner)
            && self.environment.is_none_or(|environment| charter.environment == environment)
            && self
                .system
                .as_ref()
                .is_none_or(|system| charter.grants.iter().any(|one| one.system == *system))
    }
}

/// So many that changed are looked at one by one; beyond, the next layout is worth its making.
const TOUCHED_MAX: usize = 2_048;

#[cfg(test)]
mod tests;
