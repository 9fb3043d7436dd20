//! How a command ends, for scripts.

use std::process::ExitCode;

/// The exit code of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Refused by the plane, or failed.
    Refused = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Something was verified, and does not hold.
    Unverified = 3,
    /// Nothing was changed yet: a proposal waits for those who must agree.
    Waits = 4,
    /// The configuration cannot be meant (`EX_USAGE` of sysexits).
    Configuration = 64,
    /// No plane answers (`EX_UNAVAILABLE`).
    Unreachable = 69,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
