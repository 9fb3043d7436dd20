//! How a command ends, for scripts.

use std::process::ExitCode;

/// The exit code of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Refused by the plane, or failed.
    Refused,
    /// The command line makes no sense.
    Usage,
    /// Something was verified, and does not hold.
    Unverified,
    /// Nothing was changed yet: a proposal waits for those who must agree.
    Waits,
    /// The configuration cannot be meant (`EX_USAGE` of sysexits).
    Configuration,
    /// No plane answers (`EX_UNAVAILABLE`).
    Unreachable,
    /// `provost run`: ended because no plane answered within the lease (`EX_TEMPFAIL`).
    CutOff,
    /// `provost run`: ended because it was contained, suspended, or its task ended (`EX_NOPERM`).
    Stopped,
    /// `provost run`: as the program ended; 128 and the number of the signal that ended it.
    Child(u8),
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unverified => 3,
            Self::Waits => 4,
            Self::Configuration => 64,
            Self::Unreachable => 69,
            Self::CutOff => 75,
            Self::Stopped => 77,
            Self::Child(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
