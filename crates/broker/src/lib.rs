//! What a system is shown: obtained, cached, renewed and taken back for one agent, task and person.
//!
//! The gateway asks one question, [`Broker::shown`]. A sealed secret is opened, as it always was; everything else is asked
//! for where it is given, once for a system and task, and kept until shortly before it expires. No agent ever holds any of it.
//!
//! | module | what it answers |
//! |---|---|
//! | [`whom`] | for whom: the agent, its task, those above it, the person |
//! | `held` | what is in hand already |
//! | [`oauth`] | authorization servers: asking for tokens, taking them back |
//! | `subject` | what the plane signs about whom it asks for |
//! | [`account`] | the accounts people connected |
//! | `postgres`, `aws` | roles |
//! | `minted` | what is on record before it is made |
//! | [`sweep`] | taking back, until it was seen to be gone |
//!
//! **Invariants.** Nothing is minted that is not on record, and nothing leaves the record that was not seen to be gone
//! or has expired. No secret is in a log, an error, or a record.
//!
//! What a crash leaves behind, and what becomes of it (`sweep` on any node):
//!
//! | the node dies after | what is there | what becomes of it |
//! |---|---|---|
//! | its password is sealed | a sealed password of nothing | kept; it opens nothing, and is no row |
//! | the row | a row, no role | nothing is found to drop; that is checked, the row is gone |
//! | `CREATE ROLE` | a row and a role nobody uses | this node, once it is back, drops it; any node, once the task ends |
//! | `NOLOGIN`, during the drop | a row, a role that lets nobody in | dropped again from the beginning; each step may be done twice |
//! | the drop | a row, no role | checked, gone |
//! | a token is asked for | a row, and a token nobody knows | the row stands until the token has expired |
//! | the token is sealed | a row and a token | revoked when the task ends |

pub mod account;
mod aws;
mod broker;
mod error;
mod held;
mod minted;
pub mod oauth;
mod postgres;
mod subject;
pub mod sweep;
pub mod whom;

pub use broker::{Broker, BrokerParts};
pub use error::BrokerError;
pub use oauth::{OauthClient, TokenAnswer};
pub use sweep::follow;
pub use whom::Whom;

use provost_token::{KeyError, SigningKey};

/// The plane's keys, for what it signs for others: ES256, which everybody verifies who verifies anything.
pub trait Signer: Send + Sync + 'static {
    /// Signs with the present key; `None` when there is none.
    fn sign(&self, make: &dyn Fn(&SigningKey) -> Result<String, KeyError>) -> Option<String>;
}

/// A key that never changes.
impl Signer for SigningKey {
    fn sign(&self, make: &dyn Fn(&SigningKey) -> Result<String, KeyError>) -> Option<String> {
        make(self).ok()
    }
}
