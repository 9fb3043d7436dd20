//! The body of the fuzz target `passkey`, over bytes by chance and over what is by the book with a few bytes changed.

use proptest::prelude::*;
use provost_passkey::{Expected, Party, PublicKey, register, soft::Authenticator, verify};

const CHALLENGE: &[u8] = &[7; 32];

/// Any bytes, or changes of bytes that are good: where, and to what.
fn bytes() -> impl Strategy<Value = (Option<Vec<u8>>, Vec<(usize, u8)>)> {
    let fresh = prop::collection::vec(any::<u8>(), 0..200);
    let changes = prop::collection::vec((0_usize..400, any::<u8>()), 0..4);
    (prop::option::weighted(0.4, fresh), changes)
}

fn changed(good: &[u8], (any, changes): &(Option<Vec<u8>>, Vec<(usize, u8)>)) -> Vec<u8> {
    let mut bytes = any.clone().unwrap_or_else(|| good.to_vec());
    for (at, to) in changes {
        let length = bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at % length) {
            *byte = *to;
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_good_that_nobody_signed_whatever_the_bytes(which in 0_u8..6, how in bytes()) {
        let party = Party::of("https://plane.example").unwrap();
        let mut device = Authenticator::from_seed(&[1; 32]).unwrap();
        let key = PublicKey::read(&device.cose_key()).unwrap();
        let mut made = device.register(CHALLENGE, &party);
        let mut signed = device.sign(CHALLENGE, &party);
        match which {
            0 => {
                let bytes = changed(&device.cose_key(), &how);
                drop(PublicKey::read(&bytes).map(|key| key.verifies(CHALLENGE, &bytes)));
            }
            1 => made.attestation = changed(&made.attestation, &how),
            2 => made.client_data = changed(&made.client_data, &how),
            3 => signed.authenticator_data = changed(&signed.authenticator_data, &how),
            4 => signed.client_data = changed(&signed.client_data, &how),
            _ => signed.signature = changed(&signed.signature, &how),
        }
        if let Ok(registered) = register(&made, CHALLENGE, &party) {
            prop_assert_eq!(registered.id, device.id.clone());
        }
        let by_the_book = device.sign(CHALLENGE, &party);
        let expected = Expected { challenge: CHALLENGE, party: &party, key: &key, counter: None };
        if verify(&signed, &expected).is_ok() {
            prop_assert_eq!(&signed.client_data, &by_the_book.client_data);
            prop_assert_eq!(signed.authenticator_data.len(), by_the_book.authenticator_data.len());
        }
    }
}
