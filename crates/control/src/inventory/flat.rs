//! One layout: names in order as lines of one text, and a row of numbers for each.

use super::Sought;
use memchr::memmem::Finder;
use provost_domain::{Agent, AgentStatus, Directory, Environment, Name};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// All agents of one moment.
pub(super) struct Flat {
    /// The moment, as the directory counts changes of agents.
    pub(super) mark: u64,
    /// How many are in each state.
    pub(super) by_status: BTreeMap<AgentStatus, usize>,
    /// Names in order, a line each.
    names: Lines,
    rows: Vec<Row>,
    /// What agents are for in small letters, each text once.
    purposes: Lines,
    owners: HashMap<Name, u32>,
    /// What sets of systems there are.
    systems: Vec<BTreeSet<Name>>,
}

/// One agent: places of what it says among what all say.
struct Row {
    purpose: u32,
    owner: u32,
    systems: u32,
    status: AgentStatus,
    environment: Environment,
}

impl Flat {
    /// Of everything there is: a moment for a hundred thousand, most of a second for a million.
    pub(super) fn of(directory: &Directory) -> Self {
        let mut agents: Vec<&Arc<Agent>> = directory.agents.values().collect();
        agents.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let (mut purposes, mut owners, mut sets) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (mut names, mut meant, mut systems) = (Lines::default(), Lines::default(), Vec::new());
        let mut by_status: BTreeMap<AgentStatus, usize> = BTreeMap::new();
        let mut rows = Vec::with_capacity(agents.len());
        for agent in agents {
            let charter = &agent.charter;
            names.push(agent.name.as_str());
            let count = by_status.entry(agent.status).or_default();
            *count = count.saturating_add(1);
            let purpose =
                *purposes.entry(&*charter.purpose).or_insert_with(|| meant.push_small(&charter.purpose));
            let next = place(owners.len());
            let owner = *owners.entry(charter.owner.clone()).or_insert(next);
            let next = place(systems.len());
            let set = *sets.entry(Arc::as_ptr(&charter.grants)).or_insert_with(|| {
                systems.push(charter.grants.iter().map(|grant| grant.system.clone()).collect());
                next
            });
            rows.push(Row {
                purpose,
                owner,
                systems: set,
                status: agent.status,
                environment: charter.environment,
            });
        }
        Self { mark: directory.agents_mark(), by_status, names, rows, purposes: meant, owners, systems }
    }

    /// The name in a row; empty for a row there is none.
    pub(super) fn name(&self, row: usize) -> &str {
        self.names.get(row)
    }

    pub(super) fn status(&self, row: usize) -> Option<AgentStatus> {
        self.rows.get(row).map(|row| row.status)
    }

    /// The row of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let row = self.names.first_from(name);
        (self.names.get(row) == name && row < self.rows.len()).then_some(row)
    }

    /// Rows that are like this, after a name.
    pub(super) fn rows<'f>(
        &'f self,
        sought: &'f Sought,
        after: Option<&str>,
    ) -> Box<dyn Iterator<Item = usize> + 'f> {
        let first = after.map_or(0, |after| {
            let at = self.names.first_from(after);
            if self.names.get(at) == after { at.saturating_add(1) } else { at }
        });
        let owner = sought.owner.as_ref().map(|owner| self.owners.get(owner).copied().unwrap_or(u32::MAX));
        let sets: Option<Vec<bool>> = sought
            .system
            .as_ref()
            .map(|system| self.systems.iter().map(|set| set.contains(system)).collect());
        let fits = move |row: &usize| {
            self.rows.get(*row).is_some_and(|row| {
                sought.status.is_none_or(|status| row.status == status)
                    && sought.environment.is_none_or(|environment| row.environment == environment)
                    && owner.is_none_or(|owner| row.owner == owner)
                    && sets.as_ref().is_none_or(|sets| sets.get(row.systems as usize).is_some_and(|has| *has))
            })
        };
        match sought.part.as_deref().filter(|part| !part.is_empty()) {
            Some(part) => Box::new(self.names.having(part, first).filter(fits)),
            None => Box::new((first..self.rows.len()).filter(fits)),
        }
    }

    /// Rows whose name begins with this.
    pub(super) fn starting<'f>(&'f self, part: &'f str) -> impl Iterator<Item = usize> + 'f {
        let first = self.names.first_from(part);
        (first..self.rows.len()).take_while(move |row| self.names.get(*row).starts_with(part))
    }

    /// Rows whose name has this.
    pub(super) fn having<'f>(&'f self, part: &'f str) -> impl Iterator<Item = usize> + 'f {
        self.names.having(part, 0)
    }

    /// Rows whose purpose has this.
    pub(super) fn meant_for(&self, part: &str) -> Vec<usize> {
        let mut meant = vec![false; self.purposes.len()];
        for purpose in self.purposes.having(part, 0) {
            if let Some(meant) = meant.get_mut(purpose) {
                *meant = true;
            }
        }
        if !meant.contains(&true) {
            return Vec::new();
        }
        let has = |row: &Row| meant.get(row.purpose as usize).is_some_and(|has| *has);
        self.rows.iter().enumerate().filter(|(_, row)| has(row)).map(|(place, _)| place).collect()
    }
}

/// Texts as lines of one.
#[derive(Default)]
struct Lines {
    text: String,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Lines {
    fn push(&mut self, line: &str) -> u32 {
        let at = place(self.starts.len());
        self.starts.push(self.text.len());
        self.text.push_str(line);
        self.text.push('\n');
        at
    }

    /// In small letters; what would break the line is a space.
    fn push_small(&mut self, line: &str) -> u32 {
        self.push(&line.to_ascii_lowercase().replace('\n', " "))
    }

    fn len(&self) -> usize {
        self.starts.len()
    }

    fn get(&self, line: usize) -> &str {
        let start = self.starts.get(line).copied();
        let end = self.starts.get(line.saturating_add(1)).copied().unwrap_or(self.text.len());
        start.and_then(|start| self.text.get(start..end.saturating_sub(1))).unwrap_or_default()
    }

    /// The first line that is this or later, where lines are in order.
    fn first_from(&self, text: &str) -> usize {
        let (mut low, mut high) = (0, self.starts.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle) < text {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    /// The lines that have this, from one of them on, each once.
    fn having<'l>(&'l self, part: &'l str, first: usize) -> impl Iterator<Item = usize> + 'l {
        let finder = Finder::new(part.as_bytes());
        // No line holds a break, so nothing is found across two.
        let none = part.is_empty() || part.contains('\n');
        let mut line = if none { self.len() } else { first };
        std::iter::from_fn(move || {
            let from = *self.starts.get(line)?;
            let at = from.saturating_add(finder.find(self.text.as_bytes().get(from..)?)?);
            let found = self.starts.partition_point(|start| *start <= at).checked_sub(1)?;
            line = found.saturating_add(1);
            Some(found)
        })
    }
}

/// A place as it is kept; there are fewer than four thousand million of anything.
fn place(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
