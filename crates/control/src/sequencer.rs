//! The sequencer: merges what was journalled into the tree, a batch at a time, and signs each new head.
//!
//! ```text
//! unsequenced rows -> leaves -> tiles, root -> checkpoint -> one transaction, if the tree is still the one read
//!                                                         -> the file `checkpoint`, outside the database
//! ```
//!
//! Any node may run it. A crash before the transaction changes nothing; a crash after it leaves a file older than the
//! database, which is fine and caught up by the next step.

use crate::{anchor, anchor::AnchorError, plane::Plane};
use provost_domain::DurationMs;
use provost_ledger::{Checkpoint, CheckpointError, Entry, EntryError, EntryKind, Tree, TreeError};
use provost_store::{JournalKind, JournalRow, LedgerHead, Sequenced, Store, StoreError, TileKey};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This many records became leaves.
    Appended(u64),
    /// Nothing waited.
    Idle,
    /// Another node was faster; nothing was written.
    Lost,
}

/// Takes one step.
///
/// # Errors
/// When the store fails, or the stored tree is not the one that was signed. Nothing is appended to such a tree.
pub async fn sequence_once(plane: &Plane) -> Result<Step, SequencerError> {
    let store = plane.store.as_ref();
    let rows = store.unsequenced(BATCH_ROWS_MAX).await?;
    if rows.is_empty() {
        plane.metrics.sequenced(0, plane.now());
        return Ok(Step::Idle);
    }
    let head = store.ledger_head().await?;
    let mut tree = open(store, &head, &plane.ledger_key.verifier()).await?;
    let entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let commitments: Vec<_> = entries.iter().map(Entry::commitment).collect();
    let appended = tree.append(&commitments)?;
    let checkpoint = Checkpoint::sign(appended.new_size, appended.root, &plane.ledger_key)?;
    let tiles = appended.tiles.into_iter();
    let sequenced = Sequenced {
        expected_size: appended.old_size,
        rows: rows.iter().map(|row| row.row).collect(),
        tiles: tiles
            .map(|(tile, bytes)| (TileKey { level: tile.level(), index: tile.index() }, bytes))
            .collect(),
        checkpoint: checkpoint.clone(),
        at: plane.now(),
    };
    if !store.sequence(sequenced).await? {
        plane.metrics.sequencer_lost();
        return Ok(Step::Lost);
    }
    anchor::write(&plane.data, &checkpoint).await?;
    let count = appended.new_size.saturating_sub(appended.old_size);
    plane.metrics.sequenced(count, plane.now());
    Ok(Step::Appended(count))
}

/// Steps until nothing waits.
///
/// # Errors
/// As [`sequence_once`].
pub async fn sequence_all(plane: &Plane) -> Result<(), SequencerError> {
    while sequence_once(plane).await? != Step::Idle {}
    Ok(())
}

/// Steps for as long as the node lives: at once while records wait, else every `every`. A failure is logged when it
/// starts and when it ends; meanwhile records wait in the journal, and nothing is lost.
pub async fn run(plane: Arc<Plane>, every: DurationMs, mut stop: watch::Receiver<bool>) {
    let mut failing = false;
    while !*stop.borrow() {
        let step = sequence_once(&plane).await;
        let pause = match &step {
            Ok(Step::Appended(rows)) => u64::try_from(BATCH_ROWS_MAX).is_ok_and(|most| *rows < most),
            Ok(Step::Idle | Step::Lost) | Err(_) => true,
        };
        failing = report(&plane, step.as_ref().err(), failing);
        if pause {
            tokio::select! {
                () = tokio::time::sleep(every.to_std()) => {}
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }
}

fn report(plane: &Plane, error: Option<&SequencerError>, failing: bool) -> bool {
    match error {
        Some(error) => {
            plane.metrics.sequencer_failed();
            if !failing {
                tracing::error!(%error, "the ledger cannot grow; records wait in the journal");
            }
            true
        }
        None => {
            if failing {
                tracing::info!("the ledger grows again");
            }
            false
        }
    }
}

/// Takes up the stored tree, and makes sure that it is the one that was signed.
pub(crate) async fn open(
    store: &dyn Store,
    head: &LedgerHead,
    key: &provost_ledger::VerifierKey,
) -> Result<Tree, SequencerError> {
    if head.size == 0 {
        return Ok(Tree::empty());
    }
    let signed = Checkpoint::verify(head.checkpoint.as_bytes(), key)?;
    let tiles = fetch(store, Tree::edge_tiles(head.size)?).await?;
    let tree = Tree::open(head.size, |tile| tiles.read(tile))?;
    if signed.size != head.size || signed.root != tree.root() {
        return Err(SequencerError::Parted { size: head.size, signed: signed.size });
    }
    Ok(tree)
}

/// The entry a journal row stands for.
///
/// # Errors
/// A row beyond the limits of a record.
pub(crate) fn entry(row: &JournalRow) -> Result<Entry, EntryError> {
    let kind = match row.kind {
        JournalKind::Change => EntryKind::Change,
        JournalKind::Decision => EntryKind::Decision,
        JournalKind::Completion => EntryKind::Completion,
        JournalKind::Refused => EntryKind::Alarm,
    };
    Entry::from_canonical(kind, &row.id, row.at.as_millis(), row.record.as_str(), row.salt)
}

/// Tiles that were read before somebody computes with them.
pub(crate) struct Tiles(BTreeMap<TileKey, Vec<u8>>);

impl Tiles {
    pub(crate) fn read(&self, tile: provost_ledger::TileId) -> Result<Vec<u8>, provost_ledger::ReadError> {
        let key = TileKey { level: tile.level(), index: tile.index() };
        self.0.get(&key).cloned().ok_or_else(|| format!("the store has no {tile}").into())
    }
}

/// Reads tiles from the store; one that is missing is found missing when it is used.
pub(crate) async fn fetch(
    store: &dyn Store,
    wanted: Vec<provost_ledger::TileId>,
) -> Result<Tiles, StoreError> {
    let mut tiles = BTreeMap::new();
    for tile in wanted {
        let key = TileKey { level: tile.level(), index: tile.index() };
        if let Some(bytes) = store.tile(key).await? {
            tiles.insert(key, bytes);
        }
    }
    Ok(Tiles(tiles))
}

/// Why the ledger did not grow.
#[derive(Debug, thiserror::Error)]
pub enum SequencerError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored tree.
    #[error("the stored tree cannot be taken up: {0}; run `provost fsck`")]
    Tree(#[from] TreeError),
    /// The stored checkpoint, or signing the next.
    #[error("the stored checkpoint does not hold: {0}; run `provost fsck`")]
    Checkpoint(#[from] CheckpointError),
    /// A record that no leaf can hold.
    #[error("a journalled record cannot become a leaf: {0}; run `provost fsck`")]
    Entry(#[from] EntryError),
    /// Tiles and checkpoint are of different trees.
    #[error(
        "the stored tiles of {size} leaves do not have the root that was signed for {signed}; run `provost fsck`"
    )]
    Parted {
        /// Leaves by the table.
        size: u64,
        /// Leaves by the checkpoint.
        signed: u64,
    },
    /// The file outside the database.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
}

const BATCH_ROWS_MAX: usize = 4_096;
