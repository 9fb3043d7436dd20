//! The caller's connection to a system, and what the system says its tools are.

use super::catalogue::{Catalogue, Catalogues};
use crate::{identify::Caller, pipeline::Pipeline, refusal::Refusal};
use moka::sync::Cache;
use provost_connect::{CallerKey, ClientProfile, SealingKey, Secret, Upstream};
use provost_domain::{Digest, Name, System};
use provost_mcp::tools::ToolDefinition;
use std::{sync::Arc, time::Duration};

/// Connections, opened credentials and catalogues of a node.
pub struct Connections {
    pipeline: Arc<Pipeline>,
    sealing: Arc<SealingKey>,
    /// Opened credentials, for less than the lease, so that a changed one is picked up within it.
    secrets: Cache<Name, Secret>,
    catalogues: Arc<Catalogues>,
}

impl Connections {
    /// None open.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>, sealing: Arc<SealingKey>) -> Self {
        let secrets = Cache::builder().max_capacity(SECRETS_OPEN_MAX).time_to_live(SECRET_OPEN_MAX).build();
        Self { pipeline, sealing, secrets, catalogues: Arc::default() }
    }

    /// The caller's connection to a system.
    ///
    /// # Errors
    /// When the system cannot be reached, or its credential cannot be opened.
    pub async fn open(
        &self,
        system: &System,
        caller: &Caller,
        profile: &ClientProfile,
    ) -> Result<Arc<Upstream>, Refusal> {
        let secret = self.secret(system).await?;
        let key = CallerKey { agent: caller.agent.name.clone(), task: caller.task.id };
        let opened = self.pipeline.upstreams.get(system, &key, profile, secret.as_ref()).await;
        opened.map_err(|error| Refusal::Upstream(error.to_string()))
    }

    /// The definition the system gives of a tool now, as far as it says so itself; one that changes tools without a word
    /// is found out within [`super::catalogue::AGE_MAX`].
    ///
    /// # Errors
    /// When the system does not list its tools.
    pub async fn definition(
        &self,
        upstream: &Arc<Upstream>,
        tool: &str,
    ) -> Result<Option<Arc<ToolDefinition>>, Refusal> {
        let now = self.pipeline.now();
        if let Some(known) =
            self.catalogues.of(upstream.system(), now).and_then(|known| known.tools.get(tool).cloned())
        {
            return Ok(Some(known));
        }
        // Listened to before it is read: a change in between is not missed.
        self.catalogues.watch(upstream, &crate::bounds::of_systems(&self.pipeline.limits)).await;
        let change = self.catalogues.change();
        let listed = provost_connect::list_tools(upstream).await;
        let (listed, _unusable) = listed.map_err(|error| Refusal::Upstream(error.to_string()))?;
        let tools = listed.into_iter().map(|tool| (tool.name.clone(), Arc::new(tool))).collect();
        let catalogue = Catalogue { tools, read_at: now };
        let definition = catalogue.tools.get(tool).cloned();
        self.catalogues.put(upstream.system(), catalogue, change);
        Ok(definition)
    }

    /// Whether the system still defines a tool as it was reviewed, and how its arguments are mirrored in headers.
    ///
    /// # Errors
    /// As [`Connections::definition`].
    pub async fn pinned(
        &self,
        upstream: &Arc<Upstream>,
        tool: &str,
        pin: Digest,
    ) -> Result<(bool, Option<Arc<ToolDefinition>>), Refusal> {
        let definition = self.definition(upstream, tool).await?;
        Ok((definition.as_ref().is_some_and(|definition| definition.pin() == pin), definition))
    }

    /// Takes note of definitions that passed by in a listing.
    pub fn saw(&self, system: &Name, definitions: Vec<ToolDefinition>) {
        self.catalogues.add(system, definitions);
    }

    /// The system said that its tools changed.
    pub fn forget(&self, system: &Name) {
        self.catalogues.forget(system);
    }

    /// The opened credential of a system; `None` when it wants none, or there is none.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub async fn secret(&self, system: &System) -> Result<Option<Secret>, Refusal> {
        let Some(used) = &system.credential else { return Ok(None) };
        if let Some(open) = self.secrets.get(&used.name) {
            return Ok(Some(open));
        }
        let sealed = self.pipeline.store.sealed(&used.name).await?;
        // A deleted credential is kept as no bytes.
        let Some(sealed) = sealed.filter(|sealed| !sealed.is_empty()) else { return Ok(None) };
        let opened = self
            .sealing
            .open(used.name.as_str(), &sealed)
            .map_err(|error| Refusal::internal(error.to_string()))?;
        self.secrets.insert(used.name.clone(), opened.clone());
        Ok(Some(opened))
    }
}

const SECRETS_OPEN_MAX: u64 = 1_000;
const SECRET_OPEN_MAX: Duration = Duration::from_secs(1);
