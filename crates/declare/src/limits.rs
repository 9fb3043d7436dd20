//! Bounds on what files may say, with their names. A refusal quotes name and value.

/// Files in one organisation directory.
pub const FILES_MAX: usize = 50_000;
/// Bytes of one file.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Bytes of all files together.
pub const FILES_BYTES_MAX: usize = 256 << 20;
/// Faults reported at once; one more says how many were left out.
pub const FAULTS_MAX: usize = 1_000;
/// Characters of a sentence: a purpose, a description, a display name.
pub const SENTENCE_CHARS_MAX: usize = 2_000;
/// Characters of any other text in a TOML file.
pub const TEXT_CHARS_MAX: usize = 4_096;
/// Characters of what a system says about a tool.
pub const TOOL_DESCRIPTION_CHARS_MAX: usize = 65_536;
/// Items in one list, members of one table.
pub const LIST_MAX: usize = 1_000;
/// Nesting of records in the type of an argument, and of groups in the limits of a grant.
pub const RECORD_DEPTH_MAX: usize = 8;
/// Entities an application stores in its file.
pub const ENTITIES_MAX: usize = 100_000;
