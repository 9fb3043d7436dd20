//! What an order promises of nodes that lag: whatever happens in whatever order, once an order was acknowledged and the lease has
//! gone by, no node lets a contained agent's call through; the node that gave it does not from the acknowledgement on.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use provost_domain::{
    Clock, Containment, DurationMs, Object, ObjectKey, Restraint, Timestamp, limits::Limits,
};
use provost_replica::Replica;
use provost_store::{Store, Write, conformance::sample};
use provost_store_sqlite::SqliteStore;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

#[derive(Default)]
struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000 + self.0.load(Ordering::SeqCst))
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A node gives the order: it is acknowledged when that node decides on it.
    Order(usize),
    /// A node lifts it.
    Lift(usize),
    /// A node hears of what changed. A node that is cut off has no such steps.
    Hear(usize),
    /// A call at a node.
    Call(usize),
    /// Time passes.
    Pass(u64),
}

const NODES: usize = 3;
const LEASE: DurationMs = DurationMs::from_secs(2);

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..NODES).prop_map(Step::Order),
        1 => (0..NODES).prop_map(Step::Lift),
        4 => (0..NODES).prop_map(Step::Hear),
        8 => (0..NODES).prop_map(Step::Call),
        4 => (1_u64..1_500).prop_map(Step::Pass),
    ]
}

struct World {
    store: Arc<dyn Store>,
    nodes: Vec<Arc<Replica>>,
    clock: Arc<Moved>,
    /// When the order in force was acknowledged, and by which node.
    since: Option<(Timestamp, usize)>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&folder.path().join("provost.db"), &Limits::default()).unwrap());
        store.commit(sample::set(vec![sample::put(sample::agent("clerk"), 0)])).await.unwrap();
        let clock = Arc::<Moved>::default();
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let clock = Arc::clone(&clock) as Arc<dyn Clock>;
            nodes.push(Replica::load(Arc::clone(&store), clock).await.unwrap());
        }
        Self { store, nodes, clock, since: None, _folder: folder }
    }

    async fn set(&mut self, node: usize, lifted: bool) {
        let Object::Containment(row) = sample::containment("containment_1", lifted) else { return };
        let row = Containment { level: Restraint::Off, ..*row };
        let key = ObjectKey::containment("containment_1");
        let expected = self.store.version(&key).await.unwrap();
        let object = Object::Containment(Box::new(row));
        self.store.commit(sample::set(vec![Write::Put { object, expected }])).await.unwrap();
        self.nodes[node].catch_up().await.unwrap();
        self.since = (!lifted).then(|| self.since.unwrap_or((self.clock.now(), node)));
    }

    /// Whether a node would let a call of the clerk through now.
    fn lets_through(&self, node: usize) -> bool {
        let Ok(view) = self.nodes[node].fresh(LEASE) else { return false };
        let clerk = view.directory.agents.get("clerk").unwrap();
        view.directory.acts(clerk)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn after_the_lease_no_interleaving_lets_a_contained_agents_call_through(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in steps {
                match step {
                    Step::Order(node) => world.set(node, false).await,
                    Step::Lift(node) => world.set(node, true).await,
                    Step::Hear(node) => drop(world.nodes[node].catch_up().await.unwrap()),
                    Step::Pass(ms) => {
                        world.clock.0.fetch_add(i64::try_from(ms).unwrap(), Ordering::SeqCst);
                    }
                    Step::Call(node) => {
                        let through = world.lets_through(node);
                        if let Some((since, by)) = world.since {
                            let late = world.clock.now().since(since) > LEASE;
                            prop_assert!(!(through && (late || node == by)), "node {node} let it through");
                        }
                    }
                }
            }
            Ok(())
        })?;
    }
}
