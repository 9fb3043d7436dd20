//! State that travels through somebody else's hands and comes back: sealed, for one purpose, for a while. Nothing is kept
//! here for it, so any node can take it up.

use crate::plane::Plane;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_domain::{DurationMs, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

#[derive(Serialize, Deserialize)]
struct Carried<T> {
    until: Timestamp,
    state: T,
}

/// Seals state for this purpose, good for so long.
///
/// `None` only when it has no JSON, or is longer than anybody would carry.
pub(crate) fn seal<T: Serialize>(
    plane: &Plane,
    purpose: &str,
    state: &T,
    good_for: DurationMs,
) -> Option<String> {
    let carried = Carried { until: plane.now().plus(good_for), state };
    let text = Zeroizing::new(serde_json::to_vec(&carried).ok()?);
    let sealed = plane.sealing_key.seal(&name(purpose), &text).ok()?;
    Some(URL_SAFE_NO_PAD.encode(sealed))
}

/// Opens what [`seal`] sealed for this purpose. `None` for everything else, and for what is no longer good.
pub(crate) fn open<T: DeserializeOwned>(plane: &Plane, purpose: &str, text: &str) -> Option<T> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    let opened = plane.sealing_key.open(&name(purpose), &sealed).ok()?;
    let carried: Carried<T> = serde_json::from_slice(opened.dangerous_expose()).ok()?;
    (plane.now() < carried.until).then_some(carried.state)
}

/// No credential has such a name: names have no `@`.
fn name(purpose: &str) -> String {
    format!("@{purpose}")
}

const TEXT_BYTES_MAX: usize = 8_192;
