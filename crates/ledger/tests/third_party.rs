//! Another implementation of the C2SP log standards reads what we write: `aics-tlog`, pure Python, not ours.
//!
//! ```text
//! python3.12 -m venv env && env/bin/pip install aics-tlog==0.2.1
//! PROVOST_TLOG_PYTHON=$PWD/env/bin/python cargo test -p provost-ledger --test third_party -- --ignored
//! ```
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{entries, export, grow, sign};
use provost_ledger::{Checkpoint, Receipt, SigningKey, consistency_proof, cosign, inclusion_proof};

#[test]
#[ignore = "needs a Python with the package aics-tlog; see the top of this file"]
fn another_implementation_accepts_the_export_and_refuses_a_changed_one() {
    let python =
        std::env::var("PROVOST_TLOG_PYTHON").expect("PROVOST_TLOG_PYTHON names a Python with aics-tlog");
    for count in [1, 256, 700, 66_000] {
        let dir = tempfile::tempdir().unwrap();
        let witness = write_all(dir.path(), count);
        let run = || {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party/check_export.py");
            Command::new(&python).arg(script).arg(dir.path()).arg(&witness).output().unwrap()
        };
        let output = run();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(&format!("agreed on {count} leaves")), "{said}");

        let tile = dir.path().join(if count < 256 { "tile/0/000.p/1" } else { "tile/0/000" });
        let mut bytes = std::fs::read(&tile).unwrap();
        bytes[5] ^= 1;
        std::fs::write(&tile, bytes).unwrap();
        assert!(!run().status.success());
    }
}

/// Writes an export, a cosignature, a receipt of the last leaf and a consistency proof; returns the witness key.
fn write_all(dir: &Path, count: u64) -> String {
    let all = entries(count);
    let mut files = export(&all, &[]);
    let (tree, store) = grow(&all);
    let witness = SigningKey::witness("witness.example.com/w1", &[3; 32]).unwrap();
    let note = cosign(&files["checkpoint"], &witness, 1_780_000_123).unwrap();
    let last = count - 1;
    let proof = inclusion_proof(last, count, |tile| store.read(tile)).unwrap();
    let receipt = Receipt::with_record(last, &all[usize::try_from(last).unwrap()], proof, note.clone());
    let half = count.div_ceil(2);
    let consistency = consistency_proof(half, count, |tile| store.read(tile)).unwrap();
    let older = grow(&all[..usize::try_from(half).unwrap()]).0;
    assert_eq!(Checkpoint::verify(sign(&tree).as_bytes(), &common::key().verifier()).unwrap().size, count);

    files.insert("checkpoint".to_owned(), note.into_bytes());
    files.insert("receipt.tlog-proof".to_owned(), receipt.to_string().into_bytes());
    files.insert("older".to_owned(), format!("{half} {}", older.root()).into_bytes());
    let lines: Vec<String> = consistency.iter().map(ToString::to_string).collect();
    files.insert("consistency".to_owned(), lines.join("\n").into_bytes());
    for (path, bytes) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    witness.verifier().to_string()
}
