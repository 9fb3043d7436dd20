//! The plane's keys, for what it signs for the authorization servers of systems.

use crate::token_keys::TokenKeys;
use provost_token::{KeyError, SigningKey};

impl provost_broker::Signer for TokenKeys {
    fn sign(&self, make: &dyn Fn(&SigningKey) -> Result<String, KeyError>) -> Option<String> {
        self.with_outward(make).ok()?.ok()
    }
}
