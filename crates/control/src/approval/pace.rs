//! How fast an answer comes: what is faster than reading is marked, and who goes on like that is asked whether it is meant.

use crate::{Action, ControlError, Op, quality};
use provost_domain::{Approval, Name, Timestamp};
use provost_lifecycle::quality::{Pace, shown_chars};

/// When an answer is given, after which others, and together with what.
pub(super) struct Given {
    pub(super) at: Timestamp,
    pace: Pace,
    sure: bool,
    /// When the first of them was asked for, and the characters of them all.
    together: Option<(Timestamp, usize)>,
}

impl Given {
    pub(super) async fn now(op: &Op, person: &Name, sure: bool) -> Result<Self, ControlError> {
        let pace = quality::pace(&op.plane, person).await?;
        Ok(Self { at: op.plane.now(), pace, sure, together: None })
    }

    /// The same, for several at once that were read together.
    pub(super) fn together(self, asked: Timestamp, chars: usize) -> Self {
        Self { together: Some((asked, chars)), ..self }
    }

    /// The row after an answer, with how fast that came. A no is never too fast.
    ///
    /// # Errors
    /// When a yes comes too fast after others, and is not said to be meant.
    pub(super) fn mark(&self, mut voted: Approval, row: &Approval) -> Result<Approval, ControlError> {
        let Some(vote) = voted.votes.last_mut() else { return Ok(voted) };
        let (asked, chars) = self.together.unwrap_or_else(|| (row.asked, shown_chars(row)));
        vote.hurried = self.pace.is_hurried(asked, chars, self.at);
        vote.warned = vote.yes && self.pace.wants_warning();
        self.check(vote.yes)?;
        Ok(voted)
    }

    /// Refuses a yes that comes too fast after others, unless it is said to be meant.
    ///
    /// # Errors
    /// As said.
    pub(super) fn check(&self, yes: bool) -> Result<(), ControlError> {
        match too_fast(&self.pace) {
            Some(why) if yes && !self.sure => Err(ControlError::conflict(
                "your answers come faster than they can be read",
            )
            .because(why)
            .cure(
                "read it again, and say that you mean it: the tick on the page, `--sure`, `\"sure\": true`",
            )),
            _ => Ok(()),
        }
    }
}

/// What to tell a person before the next yes; nothing, when all is well.
///
/// # Errors
/// When the operator may not, or the store fails.
pub async fn warning(op: &Op, person: &Name) -> Result<Option<String>, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    Ok(too_fast(&quality::pace(&op.plane, person).await?))
}

fn too_fast(pace: &Pace) -> Option<String> {
    pace.wants_warning().then(|| {
        format!(
            "the last {} answers within ten minutes were yes, {} of them faster than what was shown can be read",
            pace.in_a_row, pace.hurried
        )
    })
}
