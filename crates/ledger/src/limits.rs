//! The named bounds of everything that comes from outside. A value over its bound is refused with an error that
//! quotes both.

/// Bytes of one canonical record body. A decision with its arguments is a few kilobytes.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one line of `records/*.jsonl`: the body and its header.
pub const LINE_BYTES_MAX: usize = RECORD_BYTES_MAX + 1024;

/// Bytes of a record id: visible ASCII without `"` and `\`.
pub const ID_BYTES_MAX: usize = 128;

/// Nesting of a record body, counted in open brackets.
pub const RECORD_DEPTH_MAX: usize = 100;

/// Milliseconds in either direction that RFC 8785 can write exactly (2^53 - 1).
pub const AT_MS_MAX: i64 = 9_007_199_254_740_991;

/// Leaves of a tree. Keeps every proof within [`PROOF_HASHES_MAX`] and every sum of indexes within a `u64`.
pub const TREE_SIZE_MAX: u64 = 1 << 62;

/// Hashes of an inclusion or consistency proof (tlog-witness, "add-checkpoint").
pub const PROOF_HASHES_MAX: usize = 63;

/// Bytes of a signed note that holds a checkpoint.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Signature lines of a note, unknown ones included. signed-note asks for at least 16.
pub const NOTE_SIGNATURES_MAX: usize = 32;

/// Bytes of a key name or an origin.
pub const KEY_NAME_BYTES_MAX: usize = 255;

/// Bytes of a `.tlog-proof` file: the record line as extra data in base64, the proof, the checkpoint.
pub const RECEIPT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Earlier checkpoints that one export may carry.
pub const EARLIER_CHECKPOINTS_MAX: usize = 100_000;

/// Bytes of the file `previous-checkpoints`.
pub const EARLIER_CHECKPOINTS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Leaves, other than matching ones, that the verifier keeps to explain them; more are counted.
pub const DIVERGENCES_MAX: usize = 65_536;
