//! What the browser says of a ceremony (5.8.1). It may say more than is known here; what is known, it says once.

use crate::{Fault, Party, encode};
use serde::Deserialize;

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
    #[serde(rename = "topOrigin", default)]
    top_origin: Option<String>,
}

/// Checks `clientDataJSON` against what is expected.
pub(crate) fn check(bytes: &[u8], kind: &'static str, challenge: &[u8], party: &Party) -> Result<(), Fault> {
    let malformed = Fault::Malformed("client data");
    if bytes.len() > BYTES_MAX {
        return Err(malformed);
    }
    let data: ClientData = serde_json::from_slice(bytes).map_err(|_other| malformed)?;
    if data.kind != kind {
        return Err(Fault::Type(kind));
    }
    if data.challenge != encode(challenge) {
        return Err(Fault::Challenge);
    }
    if data.origin != party.origin {
        return Err(Fault::Origin);
    }
    if data.cross_origin || data.top_origin.is_some() {
        return Err(Fault::CrossOrigin);
    }
    Ok(())
}

pub(crate) const CREATE: &str = "webauthn.create";
pub(crate) const GET: &str = "webauthn.get";
const BYTES_MAX: usize = 8_192;
