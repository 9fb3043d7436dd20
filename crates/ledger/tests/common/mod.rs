//! A small organisation's ledger, in memory, for the tests.
#![expect(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;

use provost_ledger::export::{Exporter, head_pieces, tile_piece};
use provost_ledger::{
    Checkpoint, Commitment, Entry, EntryKind, ReadError, SigningKey, TileId, Tree, parse_line, tiles_of_tree,
    write_line,
};
use serde_json::json;

pub(crate) const ORIGIN: &str = "ledger.example.com/main";

/// An export in memory: what a directory would hold.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Tiles as a store keeps them: the newest of each level and index.
#[derive(Clone, Default)]
pub(crate) struct Store(BTreeMap<(u8, u64), Vec<u8>>);

impl Store {
    pub(crate) fn put(&mut self, tiles: Vec<(TileId, Vec<u8>)>) {
        for (tile, bytes) in tiles {
            self.0.insert((tile.level(), tile.index()), bytes);
        }
    }

    pub(crate) fn read(&self, tile: TileId) -> Result<Vec<u8>, ReadError> {
        self.0.get(&(tile.level(), tile.index())).cloned().ok_or_else(|| format!("no {tile}").into())
    }
}

pub(crate) fn key() -> SigningKey {
    SigningKey::log(ORIGIN, &[7; 32]).unwrap()
}

pub(crate) fn other_key() -> SigningKey {
    SigningKey::log(ORIGIN, &[8; 32]).unwrap()
}

pub(crate) fn commitments(count: u64) -> Vec<Commitment> {
    (0..count).map(|n| entry(n).commitment()).collect()
}

/// A change now and then, and between them decisions, each completed by the next record.
pub(crate) fn entry(n: u64) -> Entry {
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&n.to_be_bytes());
    let at_ms = 1_780_000_000_000 + i64::try_from(n).unwrap();
    let (kind, id, body) = match n % 3 {
        0 => (
            EntryKind::Change,
            format!("change_{n}"),
            json!({"seq": n / 3 + 1, "agent": "agent_7", "why": "onboarding"}),
        ),
        1 => (
            EntryKind::Decision,
            format!("dec_{n}"),
            json!({"verdict": "allow", "tool": "bank.transfer", "amount": n}),
        ),
        _ => (
            EntryKind::Completion,
            format!("done_{n}"),
            json!({"decision": format!("dec_{}", n - 1), "outcome": "success"}),
        ),
    };
    Entry::new(kind, &id, at_ms, &body, salt).unwrap()
}

/// The tree of the given entries, appended in batches, and its tiles.
pub(crate) fn grow(entries: &[Entry]) -> (Tree, Store) {
    let commitments: Vec<Commitment> = entries.iter().map(Entry::commitment).collect();
    let (mut tree, mut store) = (Tree::empty(), Store::default());
    for batch in commitments.chunks(100) {
        store.put(tree.append(batch).unwrap().tiles);
    }
    (tree, store)
}

pub(crate) fn sign(tree: &Tree) -> String {
    Checkpoint::sign(tree.size(), tree.root(), &key()).unwrap()
}

/// An export of the given entries, with checkpoints signed at the sizes in `earlier`.
pub(crate) fn export(entries: &[Entry], earlier: &[usize]) -> Files {
    let (tree, store) = grow(entries);
    let notes: Vec<String> = earlier.iter().map(|size| sign(&grow(&entries[..*size]).0)).collect();
    let mut files: Files =
        head_pieces(&key().verifier(), &sign(&tree), &notes).into_iter().map(|p| (p.path, p.bytes)).collect();
    let mut exporter = Exporter::new(tree.size());
    for entry in entries {
        files.extend(exporter.push(entry).unwrap().into_iter().map(|p| (p.path, p.bytes)));
    }
    exporter.finish().unwrap();
    for tile in tiles_of_tree(tree.size()) {
        let piece = tile_piece(tile, &store.read(tile).unwrap()).unwrap();
        files.insert(piece.path, piece.bytes);
    }
    files
}

pub(crate) fn entries(count: u64) -> Vec<Entry> {
    (0..count).map(entry).collect()
}

/// The lines of a file of records.
pub(crate) fn lines(files: &Files, path: &str) -> Vec<String> {
    String::from_utf8(files[path].clone()).unwrap().lines().map(str::to_owned).collect()
}

pub(crate) fn set_lines(files: &mut Files, path: &str, lines: &[String]) {
    files.insert(path.to_owned(), (lines.join("\n") + "\n").into_bytes());
}

/// The same record on a line of another index.
pub(crate) fn renumber(line: &str, index: u64) -> String {
    write_line(index, &parse_line(line).unwrap().1)
}
