//! The caller's connection to a system, and what the system says its tools are.

use super::catalogue::{Catalogue, Catalogues};
use crate::{identify::Caller, pipeline::Pipeline, refusal::Refusal};
use provost_connect::{CallerKey, ClientProfile, Upstream};
use provost_domain::{Digest, Name, System};
use provost_mcp::tools::ToolDefinition;
use std::sync::Arc;

/// Connections and catalogues of a node.
pub struct Connections {
    pipeline: Arc<Pipeline>,
    catalogues: Arc<Catalogues>,
}

impl Connections {
    /// None open.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>) -> Self {
        Self { pipeline, catalogues: Arc::default() }
    }

    /// The caller's connection to a system.
    ///
    /// # Errors
    /// When the system cannot be reached, or its credential cannot be had.
    pub async fn open(
        &self,
        system: &System,
        caller: &Caller,
        profile: &ClientProfile,
    ) -> Result<Arc<Upstream>, Refusal> {
        let shown = self.pipeline.shown(system, caller).await?;
        let key = CallerKey { agent: caller.agent.name.clone(), task: caller.task.id };
        let opened = self.pipeline.upstreams.get_with(system, &key, profile, shown.as_ref()).await;
        opened.map_err(|error| {
            self.pipeline.note_refused(system, caller, &error);
            Refusal::Upstream(error.to_string())
        })
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
}
