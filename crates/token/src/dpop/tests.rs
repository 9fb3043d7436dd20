use super::*;
use crate::testing::{NOW, NOW_S, Signer, with};
use serde_json::{Value, json};

const URI: &str = "https://plane.example/mcp";
const TOKEN: &str = "access.token.text";

fn claims() -> Value {
    json!({"jti": "one", "htm": "POST", "htu": URI, "iat": NOW_S})
}

fn proof_of(signer: &Signer, claims: &Value) -> String {
    signer.raw(&json!({"alg": signer.alg, "typ": "dpop+jwt", "jwk": signer.bare_jwk()}), claims)
}

fn judged(changes: Value, rules: &ProofRules<'_>) -> Result<Proof, Fault> {
    verify_proof(&proof_of(&Signer::es(1), &with(&claims(), changes)), rules, NOW)
}

#[test]
fn a_good_proof_names_its_key_and_what_to_remember() {
    for signer in [Signer::ed(1), Signer::es(1), Signer::rsa("RS256"), Signer::rsa("PS256")] {
        let proof = verify_proof(&proof_of(&signer, &claims()), &ProofRules::new("POST", URI), NOW).unwrap();
        assert_eq!(proof.jkt, signer.public().thumbprint());
        assert!(!proof.covers_token);
        assert_eq!((proof.replay.issuer, proof.replay.jti.as_str()), (proof.jkt.to_string(), "one"));
        assert_eq!(proof.replay.until.as_seconds(), NOW_S + 301, "longer than it would be accepted");
    }
}

#[test]
fn the_example_of_the_rfc_is_good() {
    // RFC 9449 section 4.2.
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let then = moment(1_562_262_616);
    let read =
        verify_proof(proof, &ProofRules::new("POST", "https://server.example.com/token"), then).unwrap();
    assert_eq!(read.jkt.to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "RFC 9449 section 6.1");
}

#[test]
fn the_header_must_be_a_proofs_with_one_public_key() {
    let (signer, other) = (Signer::es(1), Signer::es(2));
    let good = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": signer.bare_jwk()});
    let mut private = signer.bare_jwk();
    private["d"] = json!("AAAA");
    for (changes, fault) in [
        (json!({"typ": "JWT"}), Fault::Type),
        (json!({"typ": "at+jwt"}), Fault::Type),
        (json!({"typ": null}), Fault::Type),
        (json!({"alg": "none"}), Fault::Algorithm),
        (json!({"alg": "HS256"}), Fault::Algorithm),
        (json!({"alg": "ES384"}), Fault::Algorithm),
        (json!({"alg": "EdDSA"}), Fault::ProofKey),
        (json!({"jwk": null}), Fault::ProofKey),
        (json!({"jwk": "x"}), Fault::ProofKey),
        (json!({"jwk": private}), Fault::ProofKey),
        (json!({"jwk": {"kty": "oct", "k": "AAAA"}}), Fault::ProofKey),
        (json!({"jwk": other.bare_jwk()}), Fault::Signature),
        (json!({"jku": "https://evil"}), Fault::EmbeddedKey),
        (json!({"x5c": ["AAAA"]}), Fault::EmbeddedKey),
        (json!({"crit": ["x"]}), Fault::Critical),
    ] {
        let proof = signer.raw(&with(&good, changes.clone()), &claims());
        let refused = verify_proof(&proof, &ProofRules::new("POST", URI), NOW);
        assert_eq!(refused.unwrap_err(), fault, "{changes}");
    }
    let two = format!("{0},{0}", proof_of(&signer, &claims()));
    assert!(verify_proof(&two, &ProofRules::new("POST", URI), NOW).is_err(), "two in one header");
}

#[test]
fn a_proof_is_for_one_method_and_one_address() {
    let rules = ProofRules::new("POST", "https://plane.example/mcp?session=1");
    for (changes, good) in [
        (json!({}), true),
        (json!({"htu": "https://PLANE.example:443/mcp?x=1#y"}), true),
        (json!({"htu": "https://plane.example/%6dcp"}), true),
        (json!({"htm": "post"}), false),
        (json!({"htm": "GET"}), false),
        (json!({"htm": null}), false),
        (json!({"htu": null}), false),
        (json!({"htu": "https://plane.example/mcp/bank"}), false),
        (json!({"htu": "https://plane.example/"}), false),
        (json!({"htu": "http://plane.example/mcp"}), false),
        (json!({"htu": "https://evil.example/mcp"}), false),
        (json!({"htu": "https://plane.example@evil.example/mcp"}), false),
        (json!({"htu": "/mcp"}), false),
        (json!({"htu": "nonsense"}), false),
    ] {
        assert_eq!(judged(changes.clone(), &rules).is_ok(), good, "{changes}");
    }
    // What cannot be read is not equal to what cannot be read.
    let broken = ProofRules::new("POST", "nonsense");
    assert_eq!(judged(json!({"htu": "nonsense"}), &broken), Err(Fault::Request));
}

#[test]
fn a_proof_is_good_for_its_minutes_and_not_a_second_more() {
    let rules = ProofRules::new("POST", URI);
    for (iat, fault) in [
        (json!(NOW_S - 300), None),
        (json!(NOW_S - 301), Some(Fault::Expired)),
        (json!(NOW_S + 60), None),
        (json!(NOW_S + 61), Some(Fault::NotYet)),
        (json!(null), Some(Fault::Missing("iat"))),
        (json!("now"), Some(Fault::Claim("iat"))),
    ] {
        assert_eq!(judged(json!({ "iat": iat }), &rules).err(), fault, "{iat}");
    }
    assert_eq!(judged(json!({"exp": NOW_S}), &rules), Err(Fault::Expired));
}

#[test]
fn a_proof_with_a_token_must_be_for_that_token() {
    let rules = ProofRules { access_token: Some(TOKEN), ..ProofRules::new("POST", URI) };
    let ath = |text: &str| json!({"ath": Thumbprint::of(text.as_bytes())});
    assert!(judged(ath(TOKEN), &rules).unwrap().covers_token);
    for bad in [ath("another.token"), json!({}), json!({"ath": ""}), json!({"ath": TOKEN}), json!({"ath": 7})]
    {
        assert!(judged(bad.clone(), &rules).is_err(), "{bad}");
    }
}

#[test]
fn a_nonce_is_demanded_where_one_is_required() {
    let nonces = Nonces::new(&[1; 32], 300);
    let rules = ProofRules { nonces: Some(&nonces), ..ProofRules::new("POST", URI) };
    assert!(judged(json!({"nonce": nonces.make(NOW)}), &rules).is_ok());
    let old = nonces.make(Timestamp::from_millis(NOW.as_millis() - 300_000));
    let foreign = Nonces::new(&[2; 32], 300).make(NOW);
    for bad in [json!(null), json!(""), json!("x"), json!(old), json!(foreign)] {
        let fault = judged(json!({ "nonce": bad }), &rules).unwrap_err();
        assert_eq!(fault.as_proof_error().code(), crate::OauthCode::UseDpopNonce, "{bad}");
    }
    // A proof that is no good anyway learns nothing about nonces.
    let fault = judged(json!({"htm": "GET"}), &rules).unwrap_err();
    assert_eq!(fault.as_proof_error().code(), crate::OauthCode::InvalidDpopProof);
}

#[test]
fn jti_and_body_are_checked() {
    let rules = ProofRules::new("POST", URI);
    for jti in [json!(null), json!(""), json!(1), json!("a".repeat(257))] {
        assert!(judged(json!({ "jti": jti }), &rules).is_err(), "{jti}");
    }
    let rules = ProofRules { body: Some(b"{\"hello\": \"world\"}"), ..rules };
    // RFC 9530 appendix D, without the newline.
    let good = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    assert!(judged(json!({"content_digest": good}), &rules).is_ok());
    assert!(judged(json!({}), &rules).is_ok(), "only where the client says it");
    assert_eq!(judged(json!({"content_digest": "sha-256=:AAAA=:"}), &rules), Err(Fault::Content));
}

#[test]
fn a_proof_of_ours_is_good_for_its_request_and_token_alone() {
    let key = crate::SigningKey::from_seed(&[7; 32]).unwrap();
    let proof = crate::OutwardProof {
        htm: "POST".to_owned(),
        htu: "https://plane.example/mcp".to_owned(),
        iat: 1_000,
        jti: "once".to_owned(),
        ath: Some(crate::OutwardProof::hash_of("token")),
    };
    let proof = proof.issue(&key).unwrap();
    let now = provost_domain::Timestamp::from_millis(1_000_000);
    let uri = "https://plane.example/mcp";
    let rules = ProofRules { access_token: Some("token"), ..ProofRules::new("POST", uri) };
    let read = verify_proof(&proof, &rules, now).unwrap();
    assert_eq!(read.jkt.to_string(), key.verifying().kid());
    for other in [
        ProofRules { access_token: Some("another"), ..ProofRules::new("POST", uri) },
        ProofRules { access_token: Some("token"), ..ProofRules::new("GET", uri) },
        ProofRules { access_token: Some("token"), ..ProofRules::new("POST", "https://plane.example/mcp/x") },
    ] {
        assert!(verify_proof(&proof, &other, now).is_err());
    }
}
