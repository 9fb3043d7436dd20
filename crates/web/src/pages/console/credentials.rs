//! Sealed credentials: which there are and who uses them, never what is in them.

use super::{
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use provost_api::credential::CredentialView;
use provost_control::{Action, credential};

#[derive(Template)]
#[template(path = "console/credentials.html")]
struct Page {
    frame: Frame,
    credentials: Vec<CredentialView>,
    may_set: bool,
    may_forget: bool,
}

/// The page.
pub(super) async fn list(looker: Looker) -> Shown {
    looker.may(Action::CredentialRead)?;
    let credentials = credential::list(&looker.op).await.map_err(|error| looker.failed(&error))?;
    let page = Page {
        frame: looker.frame("/console/credentials"),
        credentials,
        may_set: looker.can(Action::CredentialSet),
        may_forget: looker.can(Action::CredentialDelete),
    };
    Ok(looker.page(&page))
}
