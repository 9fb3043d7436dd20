use super::*;
use crate::{SigningKey, issue};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header};
use provost_domain::{TaskId, ids::TaskKind};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const ISSUER: &str = "http://127.0.0.1:7070";
const AUDIENCE: &str = "http://127.0.0.1:7070/mcp";

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32]).unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(ISSUER, vec![key().verifying().clone()])
}

fn claims() -> TaskClaims {
    TaskClaims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: "invoice-clerk".parse().unwrap(),
        client_id: "invoice-clerk".parse().unwrap(),
        task: provost_domain::ids::Id::<TaskKind>::new(NOW, [3; 10]),
        iat: NOW.as_seconds(),
        exp: NOW.as_seconds() + 300,
        jti: "one".into(),
    }
}

/// Signs anything with our key, to see what a careless or hostile issuer could do.
fn signed(header: &Header, claims: &Value) -> String {
    jsonwebtoken::encode(header, claims, &key().encoding).unwrap()
}

fn header(typ: &str) -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(typ.into());
    header.kid = Some(key().verifying().kid().into());
    header
}

#[test]
fn a_token_says_what_was_signed() {
    let token = issue(&claims(), &key()).unwrap();
    assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Ok(claims()));
    let id: TaskId = claims().task;
    assert!(token.len() < TOKEN_BYTES_MAX && !id.to_string().is_empty());
}

#[test]
fn every_claim_that_does_not_fit_has_its_own_refusal() {
    type Row = (&'static str, fn(&mut TaskClaims), TokenError);
    let table: &[Row] = &[
        ("expired", |c| c.exp = NOW.as_seconds(), TokenError::Expired),
        ("not yet", |c| c.iat = NOW.as_seconds() + 6, TokenError::NotYet),
        ("foreign audience", |c| c.aud = "http://elsewhere/mcp".into(), TokenError::Audience),
        ("audience is a prefix only", |c| c.aud = format!("{AUDIENCE}/x"), TokenError::Audience),
        ("foreign issuer", |c| c.iss = "http://elsewhere".into(), TokenError::Issuer),
    ];
    for (name, spoil, wanted) in table {
        let mut claims = claims();
        spoil(&mut claims);
        let token = issue(&claims, &key()).unwrap();
        assert_eq!(verifier().verify(&token, AUDIENCE, NOW).as_ref(), Err(wanted), "{name}");
    }
}

#[test]
fn an_unsigned_token_is_refused_whatever_it_claims() {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).unwrap());
    for alg in ["none", "None", "NONE", "nOnE", "HS256", "invented"] {
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "at+jwt"}).to_string());
        for signature in ["", "AAAA"] {
            let token = format!("{head}.{payload}.{signature}");
            assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Err(TokenError::Algorithm), "{alg}");
        }
    }
}

#[test]
fn the_public_key_used_as_a_shared_secret_signs_nothing() {
    let jwk = key().verifying().jwk();
    let secret = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(jwk.x).unwrap());
    let mut head = Header::new(Algorithm::HS256);
    head.typ = Some(TOKEN_TYPE.into());
    head.kid = Some(jwk.kid);
    let token = jsonwebtoken::encode(&head, &claims(), &secret).unwrap();
    assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Err(TokenError::Algorithm));
}

#[test]
fn another_key_another_type_and_a_touched_byte_are_refused() {
    let other = SigningKey::from_seed(&[2; 32]).unwrap();
    let foreign = issue(&claims(), &other).unwrap();
    assert_eq!(verifier().verify(&foreign, AUDIENCE, NOW), Err(TokenError::UnknownKey));

    // Another key that calls itself ours.
    let forged = jsonwebtoken::encode(&header(TOKEN_TYPE), &claims(), &other.encoding).unwrap();
    assert_eq!(verifier().verify(&forged, AUDIENCE, NOW), Err(TokenError::Signature));

    let id_token = signed(&header("JWT"), &serde_json::to_value(claims()).unwrap());
    assert_eq!(verifier().verify(&id_token, AUDIENCE, NOW), Err(TokenError::Type));

    let token = issue(&claims(), &key()).unwrap();
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let touched = String::from_utf8(bytes).unwrap();
        // The last character of a part carries bits that are not used; it may read the same, never differently.
        match verifier().verify(&touched, AUDIENCE, NOW) {
            Ok(read) => assert_eq!(read, claims(), "byte {at}"),
            Err(_refused) => {}
        }
    }
}

#[test]
fn a_token_without_a_required_claim_is_refused() {
    for missing in ["iss", "aud", "sub", "client_id", "task", "iat", "exp", "jti"] {
        let mut body = serde_json::to_value(claims()).unwrap();
        body.as_object_mut().unwrap().remove(missing);
        let token = signed(&header(TOKEN_TYPE), &body);
        assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Err(TokenError::Claims), "{missing}");
    }
    let mut body = serde_json::to_value(claims()).unwrap();
    body["aud"] = json!([AUDIENCE, "http://elsewhere"]);
    let token = signed(&header(TOKEN_TYPE), &body);
    assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Err(TokenError::Claims), "one audience only");
}

#[test]
fn what_is_no_token_is_refused_unread() {
    for text in ["", ".", "..", "a.b.c", "Bearer x", &"a".repeat(TOKEN_BYTES_MAX + 1)] {
        assert!(verifier().verify(text, AUDIENCE, NOW).is_err(), "{text}");
    }
}
