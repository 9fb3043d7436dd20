//! Who asks the decision point: control keeps the tokens, the gateway asks here. The two rooms never meet.

use async_trait::async_trait;
use http::HeaderMap;
use moka::sync::Cache;
use provost_control::{Operator, Plane, session};
use provost_domain::Digest;
use provost_gateway::{
    Refusal,
    authzen::{Asker, Askers},
    bearer,
};
use std::{sync::Arc, time::Duration};

/// The tokens of this plane's administrator and workloads. A token is looked up once and then remembered under its
/// digest for less than the lease, so that one that was replaced is refused within it.
pub(crate) struct Tokens {
    plane: Arc<Plane>,
    known: Cache<Digest, Operator>,
}

impl Tokens {
    pub(crate) fn new(plane: Arc<Plane>) -> Self {
        let known = Cache::builder().max_capacity(TOKENS_KNOWN_MAX).time_to_live(TOKEN_KNOWN_MAX).build();
        Self { plane, known }
    }

    async fn operator(&self, token: &str) -> Result<Option<Operator>, Refusal> {
        let key = Digest::of(token.as_bytes());
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(known));
        }
        let resolved = session::resolve(&self.plane, token).await?;
        if let Some(operator) = &resolved {
            self.known.insert(key, operator.clone());
        }
        Ok(resolved)
    }
}

#[async_trait]
impl Askers for Tokens {
    async fn who(&self, headers: &HeaderMap) -> Result<Asker, Refusal> {
        match self.operator(bearer(headers)?).await? {
            Some(Operator::LocalAdministrator) => Ok(Asker::Administrator),
            Some(Operator::Workload(name)) => {
                let view = self.plane.replica.fresh(self.plane.limits.staleness_max)?;
                let workload = view.directory.workloads.get(&name).map(Arc::clone);
                workload.map(Asker::Workload).ok_or(Refusal::NoToken)
            }
            Some(Operator::Plane | Operator::Agent(_) | Operator::Connector(_) | Operator::Person(..))
            | None => Err(Refusal::NoToken),
        }
    }
}

const TOKENS_KNOWN_MAX: u64 = 10_000;
const TOKEN_KNOWN_MAX: Duration = Duration::from_secs(1);
