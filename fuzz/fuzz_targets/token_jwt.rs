//! Any text as every kind of token, and any bytes as a key set: no panic, and nothing is good that nobody signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_domain::Timestamp;
use provost_token::{
    ClientAssertionRules, IdJagRules, IdTokenRules, KeyPurpose, KeySet, ProofRules, SigningKey, Verifier,
    claimed_client, federation::claimed_issuer, id_jag::claimed_provider, set, svid::claimed_id, verify_client, verify_id_jag,
    verify_id_token, verify_proof, verify_svid,
};

const PLANE: &str = "https://plane.example";
const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fuzz_target!(|bytes: &[u8]| {
    for purpose in [KeyPurpose::Signatures, KeyPurpose::JwtSvids] {
        let _ = KeySet::parse(bytes, purpose);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    let set = serde_json::json!({ "keys": [key.verifying().jwk()] }).to_string();
    let keys = KeySet::parse(set.as_bytes(), KeyPurpose::Signatures).unwrap();
    let rules = ClientAssertionRules::strict(PLANE);
    let _ = claimed_client(text, &rules);
    let _ = (claimed_issuer(text), claimed_provider(text), claimed_id(text));
    assert!(verify_client(text, "clerk", &keys, &rules, NOW).is_err());
    let jag = IdJagRules { provider: "https://idp.example", issuer: PLANE, client_id: "clerk", ahead_seconds_max: 600 };
    assert!(verify_id_jag(text, &keys, &jag, NOW).is_err());
    let id = IdTokenRules { issuer: "https://idp.example", client_id: "provost", nonce: "n", max_age_seconds: None };
    assert!(verify_id_token(text, &keys, &id, NOW).is_err());
    assert!(verify_svid(text, "acme.example", &keys, PLANE, NOW).is_err());
    let _ = set::claimed_issuer(text);
    assert!(set::read_event(text, &keys, ("https://idp.example", &[PLANE]), NOW).is_err());
    // A proof brings its own key, so somebody can sign one; for this request it would still have to be of this moment.
    let _ = verify_proof(text, &ProofRules::new("POST", "https://plane.example/oauth/token"), NOW);
    let _ = Verifier::with_ring(PLANE, &provost_token::KeyRing::new(key)).issued(text, NOW).map(|_| unreachable!());
});
