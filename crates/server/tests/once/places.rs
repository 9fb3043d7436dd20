//! Where things happen: nodes, which decide, and desks, where people are.

use crate::rows::{ISSUER, sealing};
use provost_broker::{Broker, BrokerParts};
use provost_connect::{Config, Upstreams};
use provost_control::{OsRandom, Plane, keys, metrics::Metrics, token_keys::TokenKeys};
use provost_domain::{Clock, DurationMs, NodeId, Timestamp, limits::Limits};
use provost_gateway::{Identifier, Parts, Pipeline};
use provost_replica::Replica;
use provost_store::Store;
use provost_token::{SigningKey, Verifier};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// A clock that a case moves.
pub struct HandClock(pub AtomicI64);

impl HandClock {
    /// Later by so much.
    pub fn pass(&self, ms: u64) {
        self.0.fetch_add(i64::try_from(ms).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Where calls are decided.
pub struct Node {
    pub replica: Arc<Replica>,
    pub pipeline: Arc<Pipeline>,
}

pub async fn node(store: &Arc<dyn Store>, clock: &Arc<HandClock>, number: u8) -> Node {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let replica = Replica::load(Arc::clone(store), Arc::clone(&clock)).await.unwrap();
    let limits = Limits::default();
    let upstreams = Upstreams::new(Config::new(limits.clone())).unwrap();
    let broker = Broker::new(BrokerParts {
        store: Arc::clone(store),
        replica: Arc::clone(&replica),
        clock: Arc::clone(&clock),
        sealing: Arc::new(sealing()),
        upstreams: upstreams.clone(),
        node: id(number),
        issuer: ISSUER.into(),
        signer: Arc::new(SigningKey::es256_from_seed(&[6; 32]).unwrap()),
    });
    let key = SigningKey::from_seed(&[5; 32]).unwrap();
    let verifier = Arc::new(Verifier::new(ISSUER.to_owned(), vec![key.verifying().clone()]));
    let verifiers: provost_gateway::Verifiers = Arc::new(move || Arc::clone(&verifier));
    let pipeline = Arc::new(Pipeline::from(Parts {
        store: Arc::clone(store),
        replica: Arc::clone(&replica),
        clock,
        limits,
        node: id(number),
        identifier: Identifier::new(verifiers, format!("{ISSUER}/mcp"), Timestamp::from_millis(0)),
        upstreams,
        broker,
        marks: provost_connect::Marks::of(&sealing()).unwrap(),
    }));
    Node { replica, pipeline }
}

/// Where people answer, order and lift: everything that operations work with.
pub async fn desk(store: &Arc<dyn Store>, clock: &Arc<HandClock>, number: u8) -> Arc<Plane> {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let limits = Limits::default();
    let key = keys::ledger_key(store.as_ref(), &sealing(), &OsRandom, "plane.example/ledger").await.unwrap();
    Arc::new(Plane {
        token_keys: Arc::new(TokenKeys::load(store.as_ref(), &sealing(), &OsRandom, ISSUER).await.unwrap()),
        documents: Default::default(),
        quality: Default::default(),
        lifted: Default::default(),
        connectors: Default::default(),
        checks: Default::default(),
        trusted: Default::default(),
        bound_tokens: Default::default(),
        ledger_key: key,
        upstreams: Upstreams::new(Config::new(limits.clone())).unwrap(),
        random: Arc::new(OsRandom),
        token_lifetime_max: DurationMs::from_mins(15),
        outbox: Default::default(),
        inventory: Default::default(),
        metrics: Metrics::default(),
        door: Default::default(),
        data: std::env::temp_dir(),
        node: id(number),
        replica: Replica::load(Arc::clone(store), Arc::clone(&clock)).await.unwrap(),
        store: Arc::clone(store),
        clock,
        limits,
        issuer: ISSUER.to_owned(),
        sealing_key: sealing(),
    })
}

fn id(number: u8) -> NodeId {
    NodeId::new(Timestamp::from_millis(i64::from(number)), [number; 10])
}
