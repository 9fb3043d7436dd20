//! Any bytes as what an authenticator and a browser say: no panic, and nothing is good that nobody signed. The first byte says
//! which part they are; the other parts are by the book.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_passkey::{Expected, Party, PublicKey, register, soft::Authenticator, verify};

const CHALLENGE: &[u8] = &[7; 32];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let party = Party::of("https://plane.example").unwrap();
    let mut device = Authenticator::from_seed(&[1; 32]).unwrap();
    let key = PublicKey::read(&device.cose_key()).unwrap();
    let mut made = device.register(CHALLENGE, &party);
    let mut signed = device.sign(CHALLENGE, &party);
    match which % 6 {
        0 => drop(PublicKey::read(bytes).map(|key| key.verifies(CHALLENGE, bytes))),
        1 => made.attestation = bytes.to_vec(),
        2 => made.client_data = bytes.to_vec(),
        3 => signed.authenticator_data = bytes.to_vec(),
        4 => signed.client_data = bytes.to_vec(),
        _ => signed.signature = bytes.to_vec(),
    }
    // Attestation is not signed, so other bytes may make another key; it is never this device's under another id.
    if let Ok(registered) = register(&made, CHALLENGE, &party) {
        assert_eq!(registered.id, device.id);
    }
    let by_the_book = device.sign(CHALLENGE, &party);
    let expected = Expected { challenge: CHALLENGE, party: &party, key: &key, counter: None };
    if verify(&signed, &expected).is_ok() {
        assert_eq!(signed.client_data, by_the_book.client_data);
        assert_eq!(signed.authenticator_data.len(), by_the_book.authenticator_data.len());
    }
});
