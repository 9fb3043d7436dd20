use super::*;
use crate::KeyPurpose;
use crate::testing::{NOW, NOW_S, Signer, with};
use serde_json::{Value, json};

const AUDIENCE: &str = "https://plane.example";

fn claims() -> Value {
    json!({"sub": "spiffe://example.org/ns/payments/sa/clerk", "aud": [AUDIENCE], "exp": NOW_S + 300})
}

fn bundle(signer: &Signer) -> KeySet {
    let mut key = signer.jwk.clone();
    key["use"] = json!("jwt-svid");
    KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes(), KeyPurpose::JwtSvids).unwrap()
}

fn judged(typ: &str, claims: &Value) -> Result<Svid, Fault> {
    let signer = Signer::es(1);
    verify_svid(&signer.token(typ, claims), "example.org", &bundle(&signer), AUDIENCE, NOW)
}

#[test]
fn a_spiffe_id_is_read_strictly() {
    for (text, domain, path) in [
        ("spiffe://example.org/a", "example.org", "/a"),
        ("spiffe://1.2_3-x/A.b/c_d-e", "1.2_3-x", "/A.b/c_d-e"),
        ("spiffe://example.org", "example.org", ""),
        ("spiffe://example.org/...", "example.org", "/..."),
    ] {
        let id: SpiffeId = text.parse().unwrap();
        assert_eq!((id.trust_domain(), id.path(), id.as_str()), (domain, path, text));
    }
    for bad in [
        "",
        "spiffe://",
        "spiffe:///a",
        "SPIFFE://example.org/a",
        "spiffe:/example.org/a",
        "https://example.org/a",
        "spiffe://Example.org/a",
        "spiffe://example.org:80/a",
        "spiffe://u@example.org/a",
        "spiffe://example.org/",
        "spiffe://example.org//a",
        "spiffe://example.org/a/",
        "spiffe://example.org/./a",
        "spiffe://example.org/../a",
        "spiffe://example.org/a?x",
        "spiffe://example.org/a#x",
        "spiffe://example.org/%61",
        "spiffe://example.org/a b",
        "spiffe://ex\u{e4}mple.org/a",
        " spiffe://example.org/a",
        &format!("spiffe://{}/a", "a".repeat(256)),
        &format!("spiffe://example.org/{}", "a".repeat(2_048)),
    ] {
        assert!(bad.parse::<SpiffeId>().is_err(), "{bad}");
    }
}

#[test]
fn an_svid_of_the_trust_domain_is_its_workload() {
    for typ in ["JWT", "JOSE"] {
        let svid = judged(typ, &claims()).unwrap();
        assert_eq!(svid.id.as_str(), "spiffe://example.org/ns/payments/sa/clerk");
        assert_eq!(svid.expires.as_seconds(), NOW_S + 300);
    }
    let token = Signer::es(1).token("JWT", &claims());
    assert_eq!(claimed_id(&token).unwrap().trust_domain(), "example.org");
}

#[test]
fn what_does_not_fit_is_refused() {
    for (changes, fault) in [
        (json!({"sub": "spiffe://other.org/ns/payments/sa/clerk"}), Fault::Issuer),
        (json!({"sub": "spiffe://example.org"}), Fault::Claim("sub")),
        (json!({"sub": "clerk"}), Fault::Claim("sub")),
        (json!({"sub": null}), Fault::Missing("sub")),
        (json!({"aud": null}), Fault::Missing("aud")),
        (json!({"aud": [AUDIENCE, "https://other"]}), Fault::Audience),
        (json!({"aud": "https://other"}), Fault::Audience),
        (json!({"exp": null}), Fault::Missing("exp")),
        (json!({"exp": NOW_S}), Fault::Expired),
        (json!({"exp": NOW_S + 86_401}), Fault::LongLived { seconds_max: 86_400 }),
        (json!({"iat": NOW_S + 31}), Fault::NotYet),
    ] {
        assert_eq!(judged("JWT", &with(&claims(), changes.clone())).unwrap_err(), fault, "{changes}");
    }
    assert_eq!(judged("at+jwt", &claims()).unwrap_err(), Fault::Type);
    let ed = Signer::ed(1);
    let token = ed.token("JWT", &claims());
    let refused = verify_svid(&token, "example.org", &bundle(&ed), AUDIENCE, NOW);
    assert_eq!(refused.unwrap_err(), Fault::Algorithm, "not an algorithm of JWT-SVIDs");
    // The keys of one trust domain say nothing about another.
    let stranger = Signer::es(2).raw(&Signer::es(1).header("JWT"), &claims());
    let refused = verify_svid(&stranger, "example.org", &bundle(&Signer::es(1)), AUDIENCE, NOW);
    assert_eq!(refused.unwrap_err(), Fault::Signature);
}
