//! What an operation answers when it does not do it, split by who can change that.

use provost_api::problem::Fault;
use provost_connect::UpstreamError;
use provost_replica::Stale;
use provost_store::{CommitError, StoreError};

/// An operation that was not done.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// What was sent is wrong: the caller sends something else.
    #[error("{0}")]
    Caller(Explained),
    /// Nobody knows it, or the caller may not know of it.
    #[error("{0}")]
    NotFound(Explained),
    /// It stands otherwise than the caller thinks: read again, decide again.
    #[error("{0}")]
    Conflict(Explained),
    /// A rule says no.
    #[error("{0}")]
    Refused(Explained),
    /// A system beyond the plane did not do its part.
    #[error("{text}")]
    Upstream {
        /// What, why, what to do.
        text: Explained,
        /// What the connection said.
        #[source]
        source: Option<Box<UpstreamError>>,
    },
    /// The plane cannot just now; trying again later may do.
    #[error("{text}")]
    Unavailable {
        /// What, why, what to do.
        text: Explained,
        /// What failed; for the log.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The plane is broken; a person must look.
    #[error("{text}")]
    Us {
        /// What, why, what to do.
        text: Explained,
        /// What failed; for the log, never for the answer.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// A refusal in three parts, and the faults behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    /// What.
    pub what: String,
    /// Why.
    pub because: Option<String>,
    /// What to do.
    pub cure: Option<String>,
    /// Every fault, where there can be several.
    pub faults: Vec<Fault>,
}

impl std::fmt::Display for Explained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl ControlError {
    /// What was sent is wrong.
    pub fn caller(what: impl Into<String>) -> Self {
        Self::Caller(what.into().into())
    }

    /// Nobody knows it: `agent` and its name, say; and where those stand that somebody does.
    #[must_use]
    pub fn unknown(what: &str, name: &str) -> Self {
        let error = Self::NotFound(format!("there is no {what} `{name}`").into());
        match LISTED.iter().find(|(listed, _)| *listed == what) {
            Some((_, command)) => error.cure(format!("see `provost {command}` for those that there are")),
            None => error,
        }
    }

    /// It stands otherwise.
    pub fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict(what.into().into())
    }

    /// A rule says no.
    pub fn refused(what: impl Into<String>) -> Self {
        Self::Refused(what.into().into())
    }

    /// Not now.
    pub fn unavailable(what: impl Into<String>) -> Self {
        Self::Unavailable { text: what.into().into(), source: None }
    }

    /// Broken.
    pub fn us(what: impl Into<String>, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Us { text: what.into().into(), source: Some(Box::new(source)) }
    }

    /// Adds why.
    #[must_use]
    pub fn because(mut self, because: impl Into<String>) -> Self {
        self.text_mut().because = Some(because.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.text_mut().cure = Some(cure.into());
        self
    }

    /// Adds the faults behind it.
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.text_mut().faults = faults;
        self
    }

    /// What, why, what to do.
    #[must_use]
    pub fn text(&self) -> &Explained {
        match self {
            Self::Caller(text) | Self::NotFound(text) | Self::Conflict(text) | Self::Refused(text) => text,
            Self::Upstream { text, .. } | Self::Unavailable { text, .. } | Self::Us { text, .. } => text,
        }
    }

    fn text_mut(&mut self) -> &mut Explained {
        match self {
            Self::Caller(text) | Self::NotFound(text) | Self::Conflict(text) | Self::Refused(text) => text,
            Self::Upstream { text, .. } | Self::Unavailable { text, .. } | Self::Us { text, .. } => text,
        }
    }
}

impl From<String> for Explained {
    fn from(what: String) -> Self {
        Self { what, ..Self::default() }
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        let text = |what: &str| Explained::from(what.to_owned());
        match error {
            StoreError::DiskFull => Self::Unavailable {
                text: Explained {
                    cure: Some("free space, then try again".into()),
                    ..text("the disk is full")
                },
                source: Some(Box::new(error)),
            },
            StoreError::Uncertain => Self::Unavailable {
                text: Explained {
                    because: Some("the connection to the store broke in the middle of a commit".into()),
                    cure: Some("read it again before you try again".into()),
                    ..text("it is not known whether this was done")
                },
                source: Some(Box::new(error)),
            },
            StoreError::Unsupported(why) => Self::Refused(why.to_owned().into()),
            StoreError::Corrupt { .. } => Self::Us {
                text: Explained {
                    cure: Some("run `provost fsck`".into()),
                    ..text("a stored row cannot be read")
                },
                source: Some(Box::new(error)),
            },
            StoreError::Backend { .. } | StoreError::Closed => Self::Unavailable {
                text: Explained { cure: Some("try again later".into()), ..text("the store does not answer") },
                source: Some(Box::new(error)),
            },
        }
    }
}

impl From<CommitError> for ControlError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } => {
                Self::conflict(error.to_string()).cure("read it again, then decide again")
            }
            CommitError::Taken { claim, by } if !claim.starts_with("identity:") => {
                Self::conflict(format!("{claim} belongs to {by} already"))
                    .because(
                        "a key or subject stands for one alone, so that nobody is taken for somebody else",
                    )
                    .cure("register another: what once stood for one is never given to another")
            }
            CommitError::Taken { claim, by } => Self::conflict(format!(
                "{claim} is already taken by {by}; names of identities are given once"
            ))
            .because("people, workloads and agents share one inventory, and a name is never given again")
            .cure("choose another name"),
            CommitError::Store(error) => error.into(),
        }
    }
}

impl From<Stale> for ControlError {
    fn from(stale: Stale) -> Self {
        Self::unavailable(stale.to_string()).cure("try again when the store answers")
    }
}

impl From<UpstreamError> for ControlError {
    fn from(error: UpstreamError) -> Self {
        let text = Explained::from(error.to_string());
        Self::Upstream { text, source: Some(Box::new(error)) }
    }
}

impl From<provost_broker::BrokerError> for ControlError {
    fn from(error: provost_broker::BrokerError) -> Self {
        match error.into_store() {
            Ok(error) => error.into(),
            Err(error) => Self::Upstream { text: error.to_string().into(), source: None },
        }
    }
}

/// What there is a list of, and the command that shows it.
const LISTED: [(&str, &str); 19] = [
    ("agent", "agent list"),
    ("task", "task list"),
    ("person", "person list"),
    ("workload", "workload list"),
    ("system", "system list"),
    ("issuer", "issuer list"),
    ("channel", "channel list"),
    ("connector", "connector list"),
    ("delivery", "delivery list"),
    ("session", "session list"),
    ("credential", "credential list"),
    ("finding", "finding list"),
    ("review", "review list"),
    ("proposal", "proposal list"),
    ("approval", "approval list"),
    ("containment", "kill list"),
    ("drill", "drill list"),
    ("rule", "rule list"),
    ("decision", "decision list"),
];
