//! Any bytes in place of any file of a small export: no panic, and only the export that was written is sound.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use provost_ledger::export::{Exporter, head_pieces, tile_piece};
use provost_ledger::{Checkpoint, Entry, EntryKind, Options, SigningKey, Tree, tiles_of_tree, verify_export};

fuzz_target!(|input: (u8, &[u8])| {
    let key = SigningKey::log("fuzz.example.com", &[1; 32]).unwrap();
    let entries: Vec<Entry> = (0..3)
        .map(|n| Entry::from_canonical(EntryKind::Alarm, &format!("alarm_{n}"), n, "{\"a\":1}", [0; 16]).unwrap())
        .collect();
    let mut tree = Tree::empty();
    let tiles: BTreeMap<_, _> =
        tree.append(&entries.iter().map(Entry::commitment).collect::<Vec<_>>()).unwrap().tiles.into_iter().collect();
    let note = Checkpoint::sign(3, tree.root(), &key).unwrap();
    let mut exporter = Exporter::new(3);
    let mut pieces = head_pieces(&key.verifier(), &note, &[note.clone()]);
    pieces.extend(entries.iter().flat_map(|entry| exporter.push(entry).unwrap()));
    pieces.extend(tiles_of_tree(3).map(|tile| tile_piece(tile, &tiles[&tile]).unwrap()));
    let mut files: BTreeMap<String, Vec<u8>> = pieces.into_iter().map(|piece| (piece.path, piece.bytes)).collect();

    let path = files.keys().nth(usize::from(input.0) % files.len()).unwrap().clone();
    let before = files.insert(path.clone(), input.1.to_vec()).unwrap();
    let report = verify_export(&files, Options { key: Some(key.verifier()), ..Options::default() });
    // These may be written in more than one way without meaning anything else.
    let free_form = ["vkey", "checkpoint", "previous-checkpoints", "records/000.jsonl"].contains(&path.as_str());
    assert!(free_form || before == input.1 || !report.is_sound(), "{path}");
});
