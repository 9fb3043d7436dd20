//! Any bytes as a checkpoint note, and as a verifier key: no panic, and what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_ledger::{Checkpoint, SigningKey, VerifierKey, add_signatures};

fuzz_target!(|bytes: &[u8]| {
    let key = SigningKey::log("fuzz.example.com", &[1; 32]).unwrap().verifier();
    let witness = SigningKey::witness("witness.example.com", &[2; 32]).unwrap().verifier();
    if let Ok(head) = Checkpoint::dangerous_parse_unverified(bytes) {
        assert!(bytes.starts_with(head.to_string().as_bytes()));
    }
    // Nobody can sign with this key but us.
    assert!(Checkpoint::verify_witnessed(bytes, &key, &[witness]).is_err());
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = add_signatures(bytes, text);
        if let Ok(key) = text.parse::<VerifierKey>() {
            assert_eq!(key.to_string(), text);
        }
    }
});
