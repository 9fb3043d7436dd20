"""Checks an export with aics-tlog, an implementation of the C2SP log standards that is not ours.

Usage: check_export.py DIRECTORY WITNESS_VKEY. Needs Python 3.12 and `pip install aics-tlog==0.2.1`.
"""

import base64
import hashlib
import json
import pathlib
import sys

import aics_tlog
from aics_tlog import (
    FileSystemTileReader,
    inclusion_proof_from_tiles,
    parse_note,
    parse_vkey,
    tree_root_from_tiles,
    verify_checkpoint,
    verify_consistency,
    verify_leaf_inclusion,
)


def fail(what: str) -> None:
    sys.exit(f"disagreed: {what}")


def commitment(line: dict) -> bytes:
    """From the words of the documentation, not from the Rust code."""
    body = json.dumps(line["record"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(bytes.fromhex(line["salt"]) + body.encode()).hexdigest()
    header = {"at_ms": line["at_ms"], "digest": digest, "id": line["id"], "kind": line["kind"]}
    return hashlib.sha256(json.dumps(header, separators=(",", ":")).encode()).digest()


root_dir, witness = pathlib.Path(sys.argv[1]), parse_vkey(sys.argv[2])
log = parse_vkey((root_dir / "vkey").read_text().strip())

# The signed head, and the witness that confirms it.
head = verify_checkpoint(parse_note((root_dir / "checkpoint").read_bytes()), log, [witness], quorum=1)
if not head.ok:
    fail(f"checkpoint: {head.error}")
if head.timestamps != {"witness.example.com/w1": 1_780_000_123}:
    fail(f"cosignature time: {head.timestamps}")
size, root = head.size, head.root

# Every tile and every entry bundle.
reader = FileSystemTileReader(root_dir)
audit = aics_tlog.audit_tiles(reader, size, root)
if tree_root_from_tiles(reader, size) != root:
    fail("root from tiles")

# Every record against its entry.
bundles = {}
for file in sorted((root_dir / "records").rglob("*.jsonl")):
    for text in file.read_text().splitlines():
        line = json.loads(text)
        bundles[line["index"]] = commitment(line)
if sorted(bundles) != list(range(size)):
    fail("the records are not the leaves")
if aics_tlog.MerkleTree(bundles[n] for n in range(size)).root() != root:
    fail("root from records")

# The receipt of the last leaf, taken apart by hand, and our proof against theirs.
receipt = (root_dir / "receipt.tlog-proof").read_text().split("\n\n")[0].splitlines()
index = int(receipt[2].removeprefix("index "))
proof = [base64.b64decode(line) for line in receipt[3:]]
if not verify_leaf_inclusion(bundles[index], index, size, proof, root):
    fail("inclusion proof")
if proof != inclusion_proof_from_tiles(reader, index, size):
    fail("inclusion proof from tiles")

# The consistency proof.
old_size, old_root = (root_dir / "older").read_text().split()
lines = (root_dir / "consistency").read_text().splitlines()
proof = [base64.b64decode(line) for line in lines]
if not verify_consistency(int(old_size), size, base64.b64decode(old_root), root, proof):
    fail("consistency proof")

print(f"agreed on {size} leaves: checkpoint, cosignature, tiles, entries, records, receipt, consistency ({audit})")
