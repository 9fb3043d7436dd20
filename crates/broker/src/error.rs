//! Why a system's credential cannot be had. No message quotes a secret, or what somebody else wrote beyond a code.

use provost_connect::{FetchError, SealError};
use provost_domain::Name;
use provost_store::{CommitError, StoreError};

/// Why a credential cannot be had or taken back.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Nothing is sealed under the name.
    #[error(
        "system `{system}` wants the credential `{name}`, which is not set; run provost credential set {name}"
    )]
    Missing {
        /// The system.
        system: Name,
        /// The credential.
        name: Name,
    },
    /// It is for a person, and the task acts for none.
    #[error(
        "system `{system}` is used with a person's own authority, and this task acts for nobody: start it as a person who \
         signed in and agreed"
    )]
    Nobody {
        /// The system.
        system: Name,
    },
    /// The person has no account there.
    #[error("{person} has not connected an account at `{system}`: {person} can do so at {at}")]
    NotConnected {
        /// The system.
        system: Name,
        /// The person.
        person: Name,
        /// Where that is done.
        at: String,
    },
    /// The task ended meanwhile.
    #[error("the task has ended, so nothing more is obtained for it")]
    Over,
    /// Whoever gives it said no, or not what the standard says.
    #[error("system `{system}`: {who} {why}")]
    Refused {
        /// The system.
        system: Name,
        /// Who was asked.
        who: &'static str,
        /// What came of it, and what to do.
        why: String,
        /// The error code of OAuth (RFC 6749 section 5.2), if there was one.
        code: Option<String>,
    },
    /// It cannot be used as it is written or sealed.
    #[error("system `{system}`: {why}")]
    Unusable {
        /// The system.
        system: Name,
        /// Why, and what to do.
        why: String,
    },
    /// A bound was reached.
    #[error("system `{system}`: the limit {limit} = {max} is reached; end tasks that are no longer needed")]
    Full {
        /// The system.
        system: Name,
        /// The limit's name.
        limit: &'static str,
        /// Its value.
        max: usize,
    },
    /// It was taken back, and is still there.
    #[error("system `{system}`: {id} is still there: {why}")]
    StillThere {
        /// The system.
        system: Name,
        /// What.
        id: String,
        /// How that was seen.
        why: String,
    },
    /// Whoever gives it was not reached.
    #[error("system `{system}`: its credential could not be obtained: {why}")]
    Unreachable {
        /// The system.
        system: Name,
        /// Who, and why.
        why: FetchError,
    },
    /// What is sealed does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The row could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl BrokerError {
    pub(crate) fn refused(system: &Name, who: &'static str, why: impl Into<String>) -> Self {
        Self::Refused { system: system.clone(), who, why: why.into(), code: None }
    }

    pub(crate) fn unreachable(system: &Name, why: FetchError) -> Self {
        Self::Unreachable { system: system.clone(), why }
    }

    pub(crate) fn unusable(system: &Name, why: impl Into<String>) -> Self {
        Self::Unusable { system: system.clone(), why: why.into() }
    }

    /// The store's error, if the store is what failed.
    ///
    /// # Errors
    /// Itself, for everything else.
    pub fn into_store(self) -> Result<StoreError, Self> {
        match self {
            Self::Store(error) | Self::Commit(CommitError::Store(error)) => Ok(error),
            other => Err(other),
        }
    }
}
