//! Checks: control says when and what, the gateway asks as if an agent had called. The two rooms never meet.

use async_trait::async_trait;
use provost_control::check::{Planter, Planting};
use provost_gateway::Pipeline;
use std::sync::Arc;

/// Asks through the pipeline.
pub(crate) struct ThroughPipeline(pub(crate) Arc<Pipeline>);

#[async_trait]
impl Planter for ThroughPipeline {
    async fn plant(&self, wanted: Planting) -> Result<bool, String> {
        let Planting { task, system, tool, args, face, mark } = wanted;
        let wanted = provost_gateway::Planting { task, system, tool, args, face, mark };
        self.0.plant(wanted).await.map_err(|refusal| refusal.to_string())
    }
}
