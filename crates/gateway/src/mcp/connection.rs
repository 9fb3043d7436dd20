//! The caller's connection to a system, and what the system says its tools are.

use super::session::lock;
use crate::{identify::Caller, pipeline::Pipeline, refusal::Refusal};
use moka::sync::Cache;
use provost_connect::{CallerKey, ClientProfile, SealingKey, Secret, Upstream};
use provost_domain::{Digest, Name, System, Timestamp};
use provost_mcp::tools::ToolDefinition;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Connections, opened credentials and catalogues of a node.
pub struct Connections {
    pipeline: Arc<Pipeline>,
    sealing: Arc<SealingKey>,
    /// Opened credentials, for less than the lease, so that a changed one is picked up within it.
    secrets: Cache<Name, Secret>,
    catalogues: Mutex<HashMap<Name, Arc<Catalogue>>>,
}

/// What a system says its tools are.
#[derive(Debug, Default)]
pub struct Catalogue {
    tools: HashMap<String, Arc<ToolDefinition>>,
    read_at: Timestamp,
}

impl Connections {
    /// None open.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>, sealing: Arc<SealingKey>) -> Self {
        let secrets = Cache::builder().max_capacity(SECRETS_OPEN_MAX).time_to_live(SECRET_OPEN_MAX).build();
        Self { pipeline, sealing, secrets, catalogues: Mutex::default() }
    }

    /// The caller's connection to a system.
    ///
    /// # Errors
    /// When the system cannot be reached, or its credential cannot be opened.
    pub async fn open(&self, system: &System, caller: &Caller, profile: &ClientProfile) -> Result<Arc<Upstream>, Refusal> {
        let secret = self.secret(system).await?;
        let key = CallerKey { agent: caller.agent.name.clone(), task: caller.task.id };
        let opened = self.pipeline.upstreams.get(system, &key, profile, secret.as_ref()).await;
        opened.map_err(|error| Refusal::Upstream(error.to_string()))
    }

    /// The definition the system gives of a tool now, or gave within [`CATALOGUE_AGE_MAX_MS`].
    ///
    /// # Errors
    /// When the system does not list its tools.
    pub async fn definition(&self, upstream: &Upstream, tool: &str) -> Result<Option<Arc<ToolDefinition>>, Refusal> {
        let now = self.pipeline.now();
        let known = lock(&self.catalogues).get(upstream.system()).cloned();
        if let Some(known) = known.filter(|known| now.since(known.read_at).0 <= CATALOGUE_AGE_MAX_MS)
            && let Some(definition) = known.tools.get(tool)
        {
            return Ok(Some(Arc::clone(definition)));
        }
        let listed = provost_connect::list_tools(upstream).await;
        let (listed, _unusable) = listed.map_err(|error| Refusal::Upstream(error.to_string()))?;
        let tools = listed.into_iter().map(|tool| (tool.name.clone(), Arc::new(tool))).collect();
        let catalogue = Arc::new(Catalogue { tools, read_at: now });
        let definition = catalogue.tools.get(tool).cloned();
        lock(&self.catalogues).insert(upstream.system().clone(), catalogue);
        Ok(definition)
    }

    /// Whether the system still defines a tool as it was reviewed, and how its arguments are mirrored in headers.
    ///
    /// # Errors
    /// As [`Connections::definition`].
    pub async fn pinned(&self, upstream: &Upstream, tool: &str, pin: Digest) -> Result<(bool, Option<Arc<ToolDefinition>>), Refusal> {
        let definition = self.definition(upstream, tool).await?;
        Ok((definition.as_ref().is_some_and(|definition| definition.pin() == pin), definition))
    }

    /// Takes note of definitions that passed by in a listing.
    pub fn saw(&self, system: &Name, definitions: Vec<ToolDefinition>) {
        let mut catalogues = lock(&self.catalogues);
        let Some(known) = catalogues.get(system) else { return };
        let mut tools = known.tools.clone();
        tools.extend(definitions.into_iter().map(|tool| (tool.name.clone(), Arc::new(tool))));
        let catalogue = Catalogue { tools, read_at: known.read_at };
        catalogues.insert(system.clone(), Arc::new(catalogue));
    }

    /// The system said that its tools changed.
    pub fn forget(&self, system: &Name) {
        lock(&self.catalogues).remove(system);
    }

    async fn secret(&self, system: &System) -> Result<Option<Secret>, Refusal> {
        let Some(used) = &system.credential else { return Ok(None) };
        if let Some(open) = self.secrets.get(&used.name) {
            return Ok(Some(open));
        }
        let sealed = self.pipeline.store.sealed(&used.name).await?;
        // A deleted credential is kept as no bytes.
        let Some(sealed) = sealed.filter(|sealed| !sealed.is_empty()) else { return Ok(None) };
        let opened = self.sealing.open(used.name.as_str(), &sealed).map_err(|error| Refusal::internal(error.to_string()))?;
        self.secrets.insert(used.name.clone(), opened.clone());
        Ok(Some(opened))
    }
}

/// A system that changes a tool without saying so is found out within this time.
const CATALOGUE_AGE_MAX_MS: u64 = 30_000;
const SECRETS_OPEN_MAX: u64 = 1_000;
const SECRET_OPEN_MAX: Duration = Duration::from_secs(1);
