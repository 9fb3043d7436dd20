//! What a client says that it is made of: the claim `provost_bill` of the token or assertion that proves who it is, or the
//! parameter `bill` beside it. Both are a JSON object of names and texts; neither is of any standard.

use super::{refused, token::Ask};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_domain::{
    Bill,
    bill::{Presented, Word},
};
use provost_token::{AssertionKind, ClientCredential, Grant, OauthCode, OauthError};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What was said, and by whose word. The signature around the claim was judged before this is asked.
///
/// # Errors
/// When it is no bill, or the two are not the same.
pub(super) fn presented(ask: &Ask<'_>) -> Result<Option<Presented>, OauthError> {
    let signed = signed(ask)?;
    let beside = ask.request.others.get(PARAMETER).map(|text| bill(text)).transpose()?;
    let (bill, by) = match (signed, beside) {
        (None, None) => return Ok(None),
        (None, Some(bill)) => (bill, Word::Observed),
        (Some((signed, by)), None) => (signed, by),
        (Some((signed, by)), Some(beside)) if signed == beside => (signed, by),
        (Some(_), Some(_)) => {
            let text = "the parameter bill does not say what the signed claim provost_bill says";
            return Err(OauthError::new(OauthCode::InvalidRequest, text));
        }
    };
    Ok(Some(Presented { bill, by, at: ask.plane.now() }))
}

fn signed(ask: &Ask<'_>) -> Result<Option<(Bill, Word)>, OauthError> {
    #[derive(Deserialize)]
    struct Claims {
        provost_bill: Option<BTreeMap<String, String>>,
    }
    let (jwt, by) = match (&ask.request.grant, &ask.request.credential) {
        (Grant::JwtBearer { assertion }, ClientCredential::None) => (assertion, Word::Platform),
        (_, ClientCredential::Assertion { kind: AssertionKind::JwtSpiffe, assertion }) => {
            (assertion, Word::Platform)
        }
        (_, ClientCredential::Assertion { kind: AssertionKind::JwtBearer, assertion }) => {
            (assertion, Word::Key)
        }
        (_, ClientCredential::None) => return Ok(None),
    };
    let claims = jwt.dangerous_expose_secret().split('.').nth(1);
    let claims = claims.and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.ok_or_else(|| no_bill("the claims of the assertion cannot be read"))?;
    let claims: Claims = serde_json::from_slice(&claims)
        .map_err(|_other| no_bill("the claim provost_bill is no object of names and texts"))?;
    let bill = claims.provost_bill.map(|parts| Bill::of(parts).map_err(|error| refused(error.into())));
    Ok(bill.transpose()?.map(|bill| (bill, by)))
}

fn bill(text: &str) -> Result<Bill, OauthError> {
    let parts: BTreeMap<String, String> = serde_json::from_str(text)
        .map_err(|_other| no_bill("the parameter bill is no JSON object of names and texts"))?;
    Bill::of(parts).map_err(|error| refused(error.into()))
}

fn no_bill(text: &'static str) -> OauthError {
    OauthError::new(OauthCode::InvalidRequest, text)
}

const PARAMETER: &str = "bill";
