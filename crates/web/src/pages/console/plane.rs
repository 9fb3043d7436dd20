//! The plane itself: how this node is, the keys that sign, copies of the database.

use super::{
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use provost_api::plane::{Readiness, Status};
use provost_control::{Action, care};

#[derive(Template)]
#[template(path = "console/plane.html")]
struct Page {
    frame: Frame,
    status: Status,
    readiness: Readiness,
    /// The key that signs, and how many before it still verify.
    kid: String,
    verifying: usize,
    may_rotate: bool,
    may_back_up: bool,
}

/// The page.
pub(super) async fn show(looker: Looker) -> Shown {
    looker.may(Action::Status)?;
    let failed = |error| looker.failed(&error);
    let plane = looker.plane();
    let keys = plane.token_keys.jwks(plane.now()).keys.len();
    let page = Page {
        frame: looker.frame("/console/plane"),
        status: care::status(&looker.op).await.map_err(failed)?,
        readiness: care::readiness(plane).await,
        kid: plane.token_keys.kid().map_err(failed)?,
        verifying: keys.saturating_sub(1),
        may_rotate: looker.can(Action::KeysRotate),
        may_back_up: looker.can(Action::Backup),
    };
    Ok(looker.page(&page))
}
