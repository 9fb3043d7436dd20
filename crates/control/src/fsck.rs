//! Everything the plane holds, checked against everything else: the store's own check, the tree against the journal,
//! the tables against the changes that made them.

use crate::{ControlError, plane::Plane, sequencer::entry};
use provost_api::plane::{FsckFault, FsckReport};
use provost_domain::{Directory, Kind, Object, ObjectKey, Seq};
use provost_ledger::{Checkpoint, Commitment, TileId, Tree};
use provost_store::{StoreError, StoredLeaf, TileKey};
use std::collections::BTreeMap;

pub(crate) async fn run(plane: &Plane) -> Result<FsckReport, ControlError> {
    let mut faults = Faults::default();
    for fault in plane.store.check().await? {
        faults.add(&fault.check, fault.detail);
    }
    let leaves = tree(plane, &mut faults).await?;
    let changes = tables(plane, &mut faults).await?;
    Ok(FsckReport { sound: faults.total == 0, leaves, changes, faults: faults.into_list() })
}

/// Computes every leaf, tile and the root again from the journal.
async fn tree(plane: &Plane, faults: &mut Faults) -> Result<u64, StoreError> {
    let store = plane.store.as_ref();
    let head = store.ledger_head().await?;
    let mut tree = Tree::empty();
    let mut edge: BTreeMap<u8, (TileId, Vec<u8>)> = BTreeMap::new();
    while tree.size() < head.size {
        let from = tree.size();
        let most = usize::try_from(head.size.saturating_sub(from)).unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let commitments = match commitments(from, &store.leaves(from, most).await?) {
            Ok(commitments) => commitments,
            Err(fault) => {
                faults.add("ledger", fault);
                return Ok(from);
            }
        };
        match tree.append(&commitments) {
            Ok(appended) => tiles(plane, appended.tiles, &mut edge, faults).await?,
            Err(error) => {
                faults.add("ledger", error.to_string());
                return Ok(from);
            }
        }
    }
    for (tile, bytes) in edge.into_values() {
        compare_tile(plane, tile, &bytes, faults).await?;
    }
    heads(plane, &head.checkpoint, &tree, faults);
    Ok(tree.size())
}

fn commitments(from: u64, leaves: &[StoredLeaf]) -> Result<Vec<Commitment>, String> {
    if leaves.is_empty() {
        return Err(format!("leaf {from} is missing from the journal"));
    }
    let mut commitments = Vec::with_capacity(leaves.len());
    for (index, leaf) in (from..).zip(leaves) {
        if leaf.index != index {
            return Err(format!("leaf {index} is missing from the journal"));
        }
        let entry = entry(&leaf.row).map_err(|error| format!("leaf {index} cannot be read: {error}"))?;
        commitments.push(entry.commitment());
    }
    Ok(commitments)
}

/// Compares full tiles at once, and keeps the newest partial one of each level for the end.
async fn tiles(
    plane: &Plane,
    grown: Vec<(TileId, Vec<u8>)>,
    edge: &mut BTreeMap<u8, (TileId, Vec<u8>)>,
    faults: &mut Faults,
) -> Result<(), StoreError> {
    for (tile, bytes) in grown {
        if tile.is_full() {
            compare_tile(plane, tile, &bytes, faults).await?;
            edge.remove(&tile.level());
        } else {
            edge.insert(tile.level(), (tile, bytes));
        }
    }
    Ok(())
}

async fn compare_tile(
    plane: &Plane,
    tile: TileId,
    bytes: &[u8],
    faults: &mut Faults,
) -> Result<(), StoreError> {
    let stored = plane.store.tile(TileKey { level: tile.level(), index: tile.index() }).await?;
    match stored {
        None => faults.add("ledger", format!("{tile} is missing")),
        Some(stored) if stored.get(..bytes.len()) != Some(bytes) => {
            faults.add("ledger", format!("{tile} holds other hashes than its records make"));
        }
        Some(_same) => {}
    }
    Ok(())
}

fn heads(plane: &Plane, checkpoint: &str, tree: &Tree, faults: &mut Faults) {
    if tree.size() == 0 {
        return;
    }
    match Checkpoint::verify(checkpoint.as_bytes(), &plane.ledger_key.verifier()) {
        Ok(signed) if signed.size == tree.size() && signed.root == tree.root() => {}
        Ok(signed) => faults.add(
            "ledger",
            format!(
                "the journal makes a tree of {} leaves with root {}, and {} leaves with root {} were signed",
                tree.size(),
                tree.root(),
                signed.size,
                signed.root
            ),
        ),
        Err(error) => faults.add("ledger", format!("the checkpoint does not hold: {error}")),
    }
}

/// Replays every change from the first, and compares the outcome with the tables.
async fn tables(plane: &Plane, faults: &mut Faults) -> Result<u64, StoreError> {
    let store = plane.store.as_ref();
    let mut stored: BTreeMap<ObjectKey, Object> = BTreeMap::new();
    let seq = store.load(&mut |object| drop(stored.insert(object.key(), object))).await?;
    let mut replayed = Directory::default();
    while replayed.seq < seq {
        let records = store.tail(replayed.seq, PAGE_MAX).await?;
        if records.is_empty() {
            break;
        }
        for record in records {
            let wanted = Seq(replayed.seq.0.saturating_add(1));
            if record.seq != wanted {
                faults.add("changes", format!("change {wanted} is missing; {} follows", record.seq));
                return Ok(replayed.seq.0);
            }
            if record.seq > seq {
                break;
            }
            match record.after {
                Some(object) => replayed.put(object),
                None => replayed.remove(&record.key),
            }
            replayed.seq = record.seq;
        }
    }
    compare(&replayed, &stored, faults);
    Ok(replayed.seq.0)
}

fn compare(replayed: &Directory, stored: &BTreeMap<ObjectKey, Object>, faults: &mut Faults) {
    for (key, object) in stored {
        match replayed.get(key) {
            Some(told) if told == *object => {}
            Some(_other) => faults.add("tables", format!("{key} is another one than its changes made")),
            None => faults.add("tables", format!("{key} stands in the tables, and no change made it")),
        }
    }
    for key in keys(replayed) {
        if !stored.contains_key(&key) {
            faults.add("tables", format!("{key} was made by a change, and is not in the tables"));
        }
    }
}

fn keys(directory: &Directory) -> Vec<ObjectKey> {
    let named = |kind: Kind, name: &provost_domain::Name| ObjectKey::new(kind, name.as_str());
    let mut keys: Vec<ObjectKey> = Vec::new();
    keys.extend(directory.organisation.iter().map(|_settings| ObjectKey::organisation()));
    keys.extend(directory.people.keys().map(|name| named(Kind::Person, name)));
    keys.extend(directory.workloads.keys().map(|name| named(Kind::Workload, name)));
    keys.extend(directory.systems.keys().map(|name| named(Kind::System, name)));
    keys.extend(directory.tools.keys().map(|(system, tool)| ObjectKey::tool(system, tool)));
    keys.extend(directory.policies.keys().map(|name| named(Kind::Policy, name)));
    keys.extend(directory.applications.keys().map(|name| named(Kind::Application, name)));
    keys.extend(directory.agents.keys().map(|name| named(Kind::Agent, name)));
    keys.extend(directory.tasks.keys().map(|id| ObjectKey::task(*id)));
    keys.extend(directory.issuers.keys().map(|name| named(Kind::Issuer, name)));
    keys.extend(directory.sessions.keys().map(ObjectKey::session));
    keys.extend(directory.accounts.keys().map(|(system, person)| ObjectKey::account(system, person)));
    keys.extend(directory.minted.keys().map(|id| ObjectKey::new(Kind::Minted, id.as_str())));
    keys.extend(directory.proposals.keys().map(|id| ObjectKey::proposal(id)));
    keys.extend(directory.approvals.keys().map(|id| ObjectKey::approval(id)));
    keys.extend(directory.findings.keys().map(|id| ObjectKey::finding(id)));
    keys.extend(directory.envelopes.keys().map(|(agent, id)| ObjectKey::envelope(agent, id)));
    keys.extend(directory.channels.keys().map(|name| named(Kind::Channel, name)));
    keys.extend(directory.deliveries.keys().map(|id| ObjectKey::delivery(id)));
    keys.extend(directory.containments.values().map(|order| ObjectKey::containment(&order.id)));
    keys.extend(directory.drills.keys().map(|id| ObjectKey::drill(id)));
    keys.extend(directory.reviews.keys().map(|id| ObjectKey::review(id)));
    keys.extend(directory.connectors.keys().map(|name| named(Kind::Connector, name)));
    keys.extend(directory.rosters.keys().map(|id| ObjectKey::roster(id)));
    keys.extend(directory.streams.keys().map(|id| ObjectKey::new(Kind::Stream, id.as_str())));
    keys
}

/// Faults, the first ones named and all counted.
#[derive(Default)]
struct Faults {
    list: Vec<FsckFault>,
    total: usize,
}

impl Faults {
    fn add(&mut self, check: &str, detail: String) {
        self.total = self.total.saturating_add(1);
        if self.list.len() < FAULTS_MAX {
            self.list.push(FsckFault { check: check.to_owned(), detail });
        }
    }

    fn into_list(mut self) -> Vec<FsckFault> {
        if self.total > self.list.len() {
            let more = self.total.saturating_sub(self.list.len());
            self.list.push(FsckFault { check: "fsck".to_owned(), detail: format!("and {more} more faults") });
        }
        self.list
    }
}

const PAGE_MAX: usize = 1_000;
const FAULTS_MAX: usize = 999;
