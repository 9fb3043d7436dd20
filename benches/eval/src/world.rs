//! The organisation the runs happen in: a system and an agent for each suite, from files like any organisation's.

use anyhow::{Context as _, bail};
use provost_declare::{SourceFile, any_error, read, render_all};
use provost_domain::{
    Agent, AgentStatus, Directory, DurationMs, Label, Level, Name, Object, System, Task, Timestamp, Tool,
    agent::Provenance, ids::AgentId, ids::TaskId, task::TaskStatus,
};
use provost_policy::Pdp;
use std::{collections::BTreeMap, path::Path, sync::Arc};

pub struct World {
    pub pdp: Pdp,
    suites: BTreeMap<String, Suite>,
}

/// A mechanism to judge without: what the tools' files say is taken back that far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Without {
    /// Labels of single fields: a result with any is that altogether.
    Fields,
    /// Colleagues apart from strangers: what they wrote is a stranger's.
    Insiders,
    /// Text that goes along: links and labelled data in it.
    Carries,
    /// Where arguments come from, at all: only what the task has read (`guardrail/flow`).
    Origins,
}

impl Without {
    fn from(self, tool: &mut Tool) {
        match self {
            Self::Fields => tool.returns.iter_mut().for_each(|returns| returns.field = None),
            Self::Insiders => {
                let insiders = tool.returns.iter_mut().filter(|returns| returns.label.is_integrity());
                let untrusted: Option<Label> = "untrusted".parse().ok();
                insiders.zip(std::iter::repeat(untrusted)).for_each(|(returns, untrusted)| {
                    returns.label = untrusted.unwrap_or_else(|| returns.label.clone());
                });
            }
            Self::Carries => tool.steering.carries.clear(),
            Self::Origins => tool.steering = Default::default(),
        }
    }
}

/// One suite.
pub struct Suite {
    pub agent: Arc<Agent>,
    pub system: Arc<System>,
    pub tools: BTreeMap<String, Arc<Tool>>,
}

impl World {
    pub fn read(folder: &Path, without: Option<Without>) -> anyhow::Result<Self> {
        let (declared, faults) = read(&files(folder)?);
        if any_error(&faults) {
            bail!("the organisation has faults:\n{}", render_all(&faults));
        }
        let mut directory = Directory::default();
        declared.organisation.into_iter().for_each(|row| directory.put(Object::Organisation(row)));
        declared.people.into_values().for_each(|row| directory.put(Object::Person(row)));
        declared.systems.into_values().for_each(|row| directory.put(Object::System(row)));
        for mut tool in declared.tools.into_values() {
            without.into_iter().for_each(|without| without.from(&mut tool));
            directory.put(Object::Tool(tool));
        }
        for agent in declared.agents.into_values() {
            let provenance = Provenance {
                created_by: "files".into(),
                created_at: Timestamp::from_millis(0),
                source: "files".into(),
                revised: None,
            };
            directory.put(Object::Agent(Agent {
                id: AgentId::from_bytes([0; 16]),
                name: agent.name,
                status: AgentStatus::Active,
                level: Level::Normal,
                revision: 1,
                charter: agent.charter,
                provenance,
                loosening: None,
                life: None,
                proofs: Vec::new(),
            }));
        }
        let suites =
            directory.systems.values().map(|system| suite(&directory, system)).collect::<Result<_, _>>()?;
        Ok(Self { pdp: Pdp::new(directory), suites })
    }

    pub fn suite(&self, name: &str) -> Option<&Suite> {
        self.suites.get(name)
    }
}

impl Suite {
    /// A task that somebody started with these words.
    pub fn task(&self, id: [u8; 16], purpose: &str) -> Task {
        Task {
            id: TaskId::from_bytes(id),
            agent: self.agent.name.clone(),
            purpose: purpose.into(),
            requester: self.agent.charter.owner.clone(),
            scope: None,
            started: NOW,
            expires: NOW.plus(DurationMs::from_mins(60)),
            status: TaskStatus::Running,
            parent: None,
            revoked: Default::default(),
            for_person: false,
            refresh: None,
            trial: None,
            inputs: Default::default(),
            bill: None,
        }
    }
}

fn suite(directory: &Directory, system: &Arc<System>) -> anyhow::Result<(String, Suite)> {
    let name: Name = format!("{}-agent", system.name).parse()?;
    let agent = directory.agents.get(&name).with_context(|| format!("no agent {name}"))?;
    let tools = directory.tools_of(&system.name).map(|tool| (tool.name.to_string(), Arc::clone(tool)));
    let suite = Suite { agent: Arc::clone(agent), system: Arc::clone(system), tools: tools.collect() };
    Ok((system.name.to_string(), suite))
}

fn files(folder: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for part in ["", "systems", "agents", "policies"] {
        let within = folder.join(part);
        if !within.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&within).with_context(|| within.display().to_string())? {
            let path = entry?.path();
            if path.is_file() {
                let text = std::fs::read_to_string(&path)?;
                let relative = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                files.push(SourceFile::new(relative, text));
            }
        }
    }
    Ok(files)
}

/// A Monday at noon, UTC.
pub const NOW: Timestamp = Timestamp::from_millis(1_767_614_400_000);
