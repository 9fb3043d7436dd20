//! What the ledger costs: commitments, leaves appended in batches, proofs, and the verifier.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "benchmark")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use provost_ledger::export::{Exporter, head_pieces, tile_piece};
use provost_ledger::{
    Checkpoint, Commitment, Entry, EntryKind, Options, SigningKey, Tree, inclusion_proof, tiles_of_tree,
    verify_export,
};
use serde_json::json;

/// A decision record as the gateway writes it, about 600 bytes.
fn entry(n: u64) -> Entry {
    let body = json!({
        "verdict": "allow", "agent": "agent_01jx8f0c7e3v6t9q2w5y8r1k4m", "task": "task_01jx8f0c7e3v6t9q2w5y8r1k4m",
        "system": "bank", "tool": "transfer", "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "args": {"from": "DE02120300000000202051", "to": "DE02500105170137075030", "amount": n, "purpose": "invoice 4711"},
        "policies": ["charter-clerk-3", "org-payments-12", "guard-effects"], "seq": n, "note": "x".repeat(120),
    });
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&n.to_be_bytes());
    Entry::new(EntryKind::Decision, &format!("dec_{n}"), 1_780_000_000_000, &body, salt).unwrap()
}

fn costs(c: &mut Criterion) {
    let entries: Vec<Entry> = (0..10_000).map(entry).collect();
    let commitments: Vec<Commitment> = entries.iter().map(Entry::commitment).collect();
    let mut group = c.benchmark_group("ledger");

    group.throughput(Throughput::Elements(1));
    group.bench_function("commitment", |b| b.iter(|| black_box(&entries[0]).commitment()));

    for batch in [1, 100, 1_000, 10_000] {
        group.throughput(Throughput::Elements(batch as u64));
        let mut tree = Tree::empty();
        tree.append(&commitments).unwrap();
        group.bench_function(format!("append {batch}"), |b| {
            b.iter_batched_ref(
                || tree.clone(),
                |tree| tree.append(&commitments[..batch]).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }

    let (mut tree, mut tiles) = (Tree::empty(), BTreeMap::new());
    for (tile, bytes) in tree.append(&commitments).unwrap().tiles {
        tiles.insert(tile, bytes);
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("inclusion proof of 10,000", |b| {
        b.iter(|| inclusion_proof(black_box(4_321), 10_000, |tile| Ok(tiles[&tile].clone())).unwrap());
    });
    let key = SigningKey::log("bench.example.com", &[1; 32]).unwrap();
    group.bench_function("sign checkpoint", |b| {
        b.iter(|| Checkpoint::sign(10_000, tree.root(), &key).unwrap())
    });

    let mut files = BTreeMap::new();
    let note = Checkpoint::sign(10_000, tree.root(), &key).unwrap();
    let mut exporter = Exporter::new(10_000);
    let mut pieces = head_pieces(&key.verifier(), &note, &[]);
    pieces.extend(entries.iter().flat_map(|entry| exporter.push(entry).unwrap()));
    pieces.extend(tiles_of_tree(10_000).map(|tile| tile_piece(tile, &tiles[&tile]).unwrap()));
    files.extend(pieces.into_iter().map(|piece| (piece.path, piece.bytes)));
    group.throughput(Throughput::Elements(10_000));
    group.sample_size(20);
    group.bench_function("verify export of 10,000", |b| {
        b.iter(|| {
            assert_eq!(
                verify_export(&files, Options { checks: Vec::new(), ..Options::default() }).faults_total,
                0
            )
        });
    });
    group.finish();
}

criterion_group!(benches, costs);
criterion_main!(benches);
