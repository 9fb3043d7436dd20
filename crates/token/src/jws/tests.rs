use super::*;
use crate::testing::Signer;
use serde_json::json;

const RULES: JwsRules<'static> = JwsRules {
    bytes_max: 4_096,
    algorithms: &[Algorithm::EdDsa, Algorithm::Es256],
    types: &["JWT"],
    type_may_be_absent: true,
    embedded_key: false,
};

fn fault(token: &str) -> Option<Fault> {
    Jws::read(token, &RULES).err()
}

#[test]
fn none_symmetric_and_unlisted_algorithms_are_refused_before_any_key_is_looked_at() {
    let signer = Signer::ed(1);
    for alg in
        ["none", "None", "nOnE", "NONE", "", "HS256", "hs256", "RS256", "PS256", "ES384", "EdDSA ", "eddsa"]
    {
        let token = signer.raw(&json!({ "alg": alg }), &json!({}));
        assert_eq!(fault(&token), Some(Fault::Algorithm), "{alg}");
    }
    for header in [json!({}), json!({"alg": null}), json!({"alg": ["EdDSA"]}), json!({"alg": 1})] {
        assert_eq!(fault(&signer.raw(&header, &json!({}))), Some(Fault::Algorithm), "{header}");
    }
    for good in ["EdDSA", "Ed25519", "ES256"] {
        assert_eq!(fault(&signer.raw(&json!({ "alg": good }), &json!({}))), None, "{good}");
    }
}

#[test]
fn a_header_that_brings_a_key_or_wants_to_be_understood_is_refused() {
    let signer = Signer::ed(1);
    for (name, value, wanted) in [
        ("jwk", signer.bare_jwk(), Fault::EmbeddedKey),
        ("jwk", json!(null), Fault::EmbeddedKey),
        ("jku", json!("https://evil/jwks"), Fault::EmbeddedKey),
        ("x5u", json!("https://evil/cert"), Fault::EmbeddedKey),
        ("x5c", json!(["AAAA"]), Fault::EmbeddedKey),
        ("crit", json!(["exp"]), Fault::Critical),
        ("crit", json!([]), Fault::Critical),
        ("b64", json!(false), Fault::Critical),
        ("b64", json!(true), Fault::Critical),
        ("kid", json!(1), Fault::Malformed),
        ("kid", json!("a".repeat(257)), Fault::Malformed),
    ] {
        let mut header = signer.header("JWT");
        header[name] = value;
        assert_eq!(fault(&signer.raw(&header, &json!({}))), Some(wanted), "{name}");
    }
    // Others that nobody has to understand are ignored (RFC 7515 section 4).
    let mut header = signer.header("JWT");
    header["x5t"] = json!("AAAA");
    assert_eq!(fault(&signer.raw(&header, &json!({}))), None);
}

#[test]
fn the_type_is_compared_without_case_and_prefix_and_nothing_else() {
    let signer = Signer::ed(1);
    for (typ, fits) in [
        (json!("JWT"), true),
        (json!("jwt"), true),
        (json!("application/jwt"), true),
        (json!("APPLICATION/JWT"), true),
        (json!("application/application/jwt"), false),
        (json!("text/jwt"), false),
        (json!("JWT "), false),
        (json!(""), false),
        (json!(null), false),
        (json!("at+jwt"), false),
        (json!("dpop+jwt"), false),
    ] {
        let token = signer.raw(&json!({ "alg": "EdDSA", "typ": typ }), &json!({}));
        assert_eq!(fault(&token), (!fits).then_some(Fault::Type), "{typ}");
    }
    let untyped = signer.raw(&json!({ "alg": "EdDSA" }), &json!({}));
    assert_eq!(fault(&untyped), None);
    let strict = JwsRules { type_may_be_absent: false, ..RULES };
    assert_eq!(Jws::read(&untyped, &strict).err(), Some(Fault::Type));
}

#[test]
fn a_member_twice_is_refused_in_header_and_claims() {
    let signer = Signer::ed(1);
    let token = signer.text(r#"{"alg":"EdDSA","alg":"none"}"#, "{}");
    assert_eq!(fault(&token), Some(Fault::Duplicate));
    let token = signer.text(r#"{"alg":"EdDSA"}"#, r#"{"sub":"a","sub":"b"}"#);
    let jws = Jws::read(&token, &RULES).unwrap();
    assert_eq!(jws.verify(&signer.public()), Err(Fault::Duplicate));
    assert_eq!(jws.dangerous_unverified_claims(), Err(Fault::Duplicate));
}

#[test]
fn what_is_not_three_canonical_parts_is_refused() {
    let good = Signer::ed(1).token("JWT", &json!({"sub": "a"}));
    let parts: Vec<&str> = good.split('.').collect();
    let (h, p, s) = (parts[0], parts[1], parts[2]);
    let long = format!("{h}.{p}.{}", "A".repeat(4_096));
    assert_eq!(fault(&long), Some(Fault::TooLong { bytes_max: 4_096 }));
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "a.b.c".into(),
        format!("{h}.{p}"),
        format!("{h}.{p}.{s}.{s}"),
        format!("{h}.{p}.{s}.x.y"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{h}=.{p}.{s}"),
        format!("{h}.{p}.{s}=="),
        format!("{h}.{p}.{}", s.replace(['-', '_'], "+").replacen(|_c: char| true, "/", 1)),
        format!("{}.{p}.{s}", URL_SAFE_NO_PAD.encode("[]")),
        format!("{}.{p}.{s}", URL_SAFE_NO_PAD.encode("\u{feff}{\"alg\":\"EdDSA\"}")),
    ] {
        assert_eq!(fault(&bad), Some(Fault::Malformed), "{bad}");
    }
    assert_eq!(fault(&good), None);
}

#[test]
fn every_touched_character_breaks_the_signature() {
    for signer in [Signer::ed(1), Signer::es(1)] {
        let token = signer.token("JWT", &json!({"sub": "somebody"}));
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let touched = String::from_utf8(bytes).unwrap();
            let read = Jws::read(&touched, &RULES).and_then(|jws| jws.verify(&signer.public()));
            assert!(read.is_err(), "byte {at}");
        }
    }
}
