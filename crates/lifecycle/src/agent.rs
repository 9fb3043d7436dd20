//! An agent's life.
//!
//! ```text
//! unmanaged ──adopt──▶ proposed ──activate──▶ active ──suspend──▶ suspended
//!                         ▲                   │  ▲  ◀──resume───────┘
//!                         │            change │  │ reapprove
//!                         │                   ▼  │
//!                         │             pending-reapproval
//!      every state but the last ──decommission──▶ decommissioned
//! ```

use provost_domain::AgentStatus;

/// A move that somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A person takes responsibility for a discovered agent.
    Adopt,
    /// The charter is in force.
    Activate,
    /// What the agent is made of changed.
    ManifestChanged,
    /// A person confirmed the agent as it is now made.
    Reapprove,
    /// Stop it.
    Suspend,
    /// Let it act again.
    Resume,
    /// End it for ever.
    Decommission,
}

/// Where a move leads.
///
/// # Errors
/// When the state has no such move, with the moves it has.
pub fn decide(from: AgentStatus, wanted: Move) -> Result<AgentStatus, MoveError> {
    use AgentStatus::{Active, Decommissioned, PendingReapproval, Proposed, Suspended, Unmanaged};
    match (from, wanted) {
        (Unmanaged, Move::Adopt) => Ok(Proposed),
        (Proposed, Move::Activate) | (PendingReapproval, Move::Reapprove) | (Suspended, Move::Resume) => {
            Ok(Active)
        }
        (Active, Move::ManifestChanged) => Ok(PendingReapproval),
        (Active | PendingReapproval, Move::Suspend) => Ok(Suspended),
        (Unmanaged | Proposed | Active | PendingReapproval | Suspended, Move::Decommission) => {
            Ok(Decommissioned)
        }
        _ => Err(MoveError { from, wanted }),
    }
}

/// What an agent that was stopped goes back to: to act, or to wait for the person it waited for before it was stopped.
/// `before` is the state before the stop; where nobody knows it, a person looks.
#[must_use]
pub const fn resumes_to(before: Option<AgentStatus>) -> AgentStatus {
    match before {
        Some(AgentStatus::Active) => AgentStatus::Active,
        _ => AgentStatus::PendingReapproval,
    }
}

/// Whether a move lets an agent act that nobody had agreed to as it is: such a move waits for those who must agree.
#[must_use]
pub const fn is_gain(wanted: Move) -> bool {
    matches!(wanted, Move::Activate | Move::Reapprove)
}

/// Whether an agent in this state may act at all.
#[must_use]
pub const fn may_act(status: AgentStatus) -> bool {
    matches!(status, AgentStatus::Active)
}

/// The moves a state has.
pub fn moves(from: AgentStatus) -> impl Iterator<Item = Move> {
    Move::ALL.into_iter().filter(move |wanted| decide(from, *wanted).is_ok())
}

impl Move {
    /// Every move.
    pub const ALL: [Self; 7] = [
        Self::Adopt,
        Self::Activate,
        Self::ManifestChanged,
        Self::Reapprove,
        Self::Suspend,
        Self::Resume,
        Self::Decommission,
    ];

    /// The word used on the command line and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Activate => "activate",
            Self::ManifestChanged => "manifest-changed",
            Self::Reapprove => "reapprove",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Decommission => "decommission",
        }
    }
}

/// A move that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveError {
    from: AgentStatus,
    wanted: Move,
}

impl std::error::Error for MoveError {}

impl std::fmt::Display for MoveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let open: Vec<&str> = moves(self.from).map(Move::as_str).collect();
        let open = if open.is_empty() { "nothing, for ever".to_owned() } else { open.join(", ") };
        write!(f, "an agent that is {} cannot {}: what it can is {open}", self.from, self.wanted.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_machine_is_the_published_one() {
        let published = [
            ("unmanaged", "adopt", "proposed"),
            ("unmanaged", "decommission", "decommissioned"),
            ("proposed", "activate", "active"),
            ("proposed", "decommission", "decommissioned"),
            ("active", "manifest-changed", "pending-reapproval"),
            ("active", "suspend", "suspended"),
            ("active", "decommission", "decommissioned"),
            ("pending-reapproval", "reapprove", "active"),
            ("pending-reapproval", "suspend", "suspended"),
            ("pending-reapproval", "decommission", "decommissioned"),
            ("suspended", "resume", "active"),
            ("suspended", "decommission", "decommissioned"),
        ];
        let mut found = Vec::new();
        for from in AgentStatus::ALL {
            for wanted in Move::ALL {
                if let Ok(to) = decide(from, wanted) {
                    found.push((from.as_str(), wanted.as_str(), to.as_str()));
                }
            }
        }
        assert_eq!(found, published);
    }

    proptest! {
        #[test]
        fn nothing_comes_back_from_decommissioned_and_only_active_acts(moves in proptest::collection::vec(0_usize..7, 0..40)) {
            let mut status = AgentStatus::Unmanaged;
            let mut ended = false;
            for index in moves {
                if let Ok(next) = decide(status, Move::ALL[index]) {
                    prop_assert!(!ended);
                    status = next;
                }
                ended |= status == AgentStatus::Decommissioned;
                prop_assert_eq!(may_act(status), status == AgentStatus::Active);
            }
        }
    }

    #[test]
    fn a_move_that_does_not_exist_says_which_do() {
        let error = decide(AgentStatus::Suspended, Move::Activate).unwrap_err().to_string();
        assert_eq!(error, "an agent that is suspended cannot activate: what it can is resume, decommission");
    }
}
