//! The SCIM 2.0 server (RFC 7644): a connector says who comes, who leaves and who is in which group. What that is, `provost-scim`
//! knows; who may, what becomes of the rows and what ends with somebody who leaves is here.
//!
//! **Invariant.** A connector sees and changes the people and groups that it made or that an administrator linked to it. Of all
//! others it learns at most that a name is taken.

mod groups;
mod said;
mod users;

pub use groups::{
    create as create_group, list as list_groups, patch as patch_group, read as read_group,
    remove as remove_group, replace as replace_group,
};
pub use users::{
    create as create_user, list as list_users, patch as patch_user, read as read_user, remove as remove_user,
    replace as replace_user,
};

use crate::{Action, ControlError, Op, Operator, access::Authorised, plane::Plane};
use jiff::Timestamp as Civil;
use provost_domain::{Connector, Directory, Name, Timestamp};
use provost_scim::{Fault, Projection, envelope};
use serde_json::Value;
use std::sync::Arc;

/// What an operation answers.
#[derive(Debug)]
pub struct Answer {
    /// The resource, or a list of them.
    pub body: Value,
    /// Its ETag.
    pub version: Option<String>,
    /// Where it is, if it is new.
    pub location: Option<String>,
}

/// Under which conditions something is done (RFC 7644 section 3.14).
#[derive(Debug, Clone, Default)]
pub struct If {
    /// `If-Match`.
    pub version: Option<String>,
    /// `If-None-Match`.
    pub other_than: Option<String>,
}

/// What may be done with what a connector governs, and what of it is answered.
struct Call<'op> {
    authorised: Authorised<'op>,
    connector: Name,
}

impl<'op> Call<'op> {
    fn new(op: &'op Op) -> Result<Self, Fault> {
        let authorised = op.authorize(Action::ScimProvision).map_err(fault)?;
        match &op.subject {
            Operator::Connector(connector) => Ok(Self { authorised, connector: connector.clone() }),
            _ => Err(Fault::new(403, "only a connector provisions")),
        }
    }

    fn plane(&self) -> &'op Arc<Plane> {
        &self.authorised.op.plane
    }

    /// The connector's row, if its word counts.
    fn row(&self, directory: &Directory) -> Result<Arc<Connector>, Fault> {
        let row = directory.connectors.get(&self.connector).filter(|row| row.active);
        row.map(Arc::clone)
            .ok_or_else(|| Fault::new(401, "this connector's word counts for nothing any more"))
    }

    /// The newest rows, of all nodes.
    async fn newest(&self) -> Result<Arc<provost_replica::View>, Fault> {
        self.plane().replica.catch_up().await.map_err(|error| fault(error.into()))?;
        Ok(self.plane().replica.latest())
    }

    fn why(&self) -> String {
        format!("connector {} says so", self.connector)
    }
}

impl If {
    /// Refuses to change what is not what the caller saw.
    fn check(&self, version: &str) -> Result<(), Fault> {
        match &self.version {
            Some(wanted) if !envelope::is_among(version, wanted) => {
                Err(Fault::new(412, "it changed meanwhile: read it again"))
            }
            _ => Ok(()),
        }
    }

    /// Says that nothing changed since the caller saw it.
    fn check_read(&self, version: &str) -> Result<(), Fault> {
        self.check(version)?;
        match &self.other_than {
            Some(known) if envelope::is_among(version, known) => Err(Fault::new(304, "not modified")),
            _ => Ok(()),
        }
    }
}

/// The address that all resources are under.
#[must_use]
pub fn base(plane: &Plane) -> String {
    format!("{}/scim/v2", plane.issuer)
}

/// A page of what was found.
fn page(body: Value) -> Answer {
    Answer { body, version: None, location: None }
}

/// A resource as it is answered.
fn answer(resource: provost_scim::Attributes, projection: &Projection) -> Answer {
    let meta = |name: &str| Some(resource.get("meta")?.get(name)?.as_str()?.to_owned());
    let (version, location) = (meta("version"), meta("location"));
    Answer { body: Value::Object(projection.apply(resource)), version, location }
}

/// RFC 3339, as SCIM writes moments.
fn moment(at: Timestamp) -> String {
    Civil::from_millisecond(at.as_millis()).map_or_else(|_never| String::new(), |at| format!("{at:.3}"))
}

/// A refusal of an operation in the protocol's words.
fn fault(error: ControlError) -> Fault {
    let text = error.text();
    let detail = match &text.because {
        Some(because) => format!("{}: {because}", text.what),
        None => text.what.clone(),
    };
    match &error {
        ControlError::Caller(_) => Fault::value(detail),
        ControlError::NotFound(_) => Fault::new(404, detail),
        ControlError::Conflict(_) => Fault::uniqueness(detail),
        ControlError::Refused(_) => Fault::new(403, detail),
        ControlError::Upstream { .. } | ControlError::Unavailable { .. } => {
            tracing::warn!(%error, "a connector could not be answered");
            Fault::new(503, "not just now")
        }
        ControlError::Us { .. } => {
            tracing::error!(%error, "a connector could not be answered");
            Fault::new(500, "the plane failed, and a person must look")
        }
    }
}
