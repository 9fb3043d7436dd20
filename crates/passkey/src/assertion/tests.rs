//! The attack table: every check of a registration and of an assertion, each as a row that changes one thing.

use super::*;
use crate::{Registration, encode, register, soft::Authenticator};
use proptest::prelude::*;

const CHALLENGE: &[u8] = &[7; 32];

fn party() -> Party {
    Party::of("https://provost.example").unwrap()
}

fn device() -> Authenticator {
    Authenticator::from_seed(&[1; 32]).unwrap()
}

fn judged(assertion: &Assertion, counter: Option<u32>) -> Result<Verified, Fault> {
    let key = PublicKey::read(&device().cose_key()).unwrap();
    verify(assertion, &Expected { challenge: CHALLENGE, party: &party(), key: &key, counter })
}

/// Client data that says this, and nothing else.
fn saying(kind: &str, challenge: &[u8], origin: &str, more: &str) -> Vec<u8> {
    let challenge = encode(challenge);
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"{more}}}"#).into_bytes()
}

#[test]
fn a_signature_by_the_book_is_good_and_counts() {
    let mut device = device();
    assert_eq!(judged(&device.sign(CHALLENGE, &party()), Some(0)), Ok(Verified { counter: 1 }));
    assert_eq!(judged(&device.sign(CHALLENGE, &party()), Some(1)), Ok(Verified { counter: 2 }));
    // Members nobody knows do not hurt.
    let client_data = saying(GET, CHALLENGE, &party().origin, r#","other_keys_can_be_added_here":"x""#);
    let assertion = resigned(&mut device, |it| it.client_data = client_data.clone());
    assert!(judged(&assertion, None).is_ok());
}

/// An assertion with something changed before it was signed.
fn resigned(device: &mut Authenticator, change: impl FnOnce(&mut Assertion)) -> Assertion {
    let mut assertion = device.sign(CHALLENGE, &party());
    change(&mut assertion);
    assertion.signature = device.sign_bytes(&assertion.authenticator_data, &assertion.client_data);
    assertion
}

#[test]
fn every_check_of_an_assertion_refuses_what_it_is_there_for() {
    type Attack = Box<dyn Fn(&mut Assertion)>;
    let client =
        |kind: &'static str, challenge: &'static [u8], origin: &'static str, more: &'static str| -> Attack {
            Box::new(move |it| it.client_data = saying(kind, challenge, origin, more))
        };
    let ours = "https://provost.example";
    let flags = |flags: u8| -> Attack { Box::new(move |it| it.authenticator_data[32] = flags) };
    let malformed = Fault::Malformed("client data");
    let table: Vec<(&str, Attack, Fault)> = vec![
        ("a registration", client("webauthn.create", CHALLENGE, ours, ""), Fault::Type(GET)),
        ("a payment", client("payment.get", CHALLENGE, ours, ""), Fault::Type(GET)),
        ("another challenge", client(GET, &[8; 32], ours, ""), Fault::Challenge),
        ("a part of the challenge", client(GET, &[7; 31], ours, ""), Fault::Challenge),
        ("another site", client(GET, CHALLENGE, "https://evil.example", ""), Fault::Origin),
        ("a site below", client(GET, CHALLENGE, "https://a.provost.example", ""), Fault::Origin),
        ("another port", client(GET, CHALLENGE, "https://provost.example:8443", ""), Fault::Origin),
        ("in the clear", client(GET, CHALLENGE, "http://provost.example", ""), Fault::Origin),
        ("inside another page", client(GET, CHALLENGE, ours, r#","crossOrigin":true"#), Fault::CrossOrigin),
        (
            "below another page",
            client(GET, CHALLENGE, ours, r#","topOrigin":"https://evil.example""#),
            Fault::CrossOrigin,
        ),
        (
            "a member twice",
            client(GET, CHALLENGE, ours, r#","origin":"https://provost.example""#),
            malformed.clone(),
        ),
        ("no JSON", Box::new(|it| it.client_data = b"{".to_vec()), malformed.clone()),
        ("a book", Box::new(|it| it.client_data = vec![b' '; 9_000]), malformed),
        ("another host", Box::new(|it| it.authenticator_data[0] ^= 1), Fault::Party),
        ("nobody there", flags(VERIFIED_ONLY), Fault::NobodyThere),
        ("nobody verified", flags(1), Fault::NotVerified),
        ("backed up, and cannot be", flags(1 | 4 | 16), Fault::BackupFlags),
        ("a key that is not there", flags(1 | 4 | 64), Fault::Malformed("authenticator data")),
        ("extensions that are not there", flags(1 | 4 | 128), Fault::Malformed("authenticator data")),
        ("a byte more", Box::new(|it| it.authenticator_data.push(0)), Fault::Malformed("authenticator data")),
        (
            "a byte less",
            Box::new(|it| it.authenticator_data.truncate(36)),
            Fault::Malformed("authenticator data"),
        ),
    ];
    for (what, attack, fault) in table {
        let assertion = resigned(&mut device(), |it| attack(it));
        assert_eq!(judged(&assertion, None), Err(fault), "{what}");
    }
}

const VERIFIED_ONLY: u8 = 4;

#[test]
fn nothing_that_was_signed_can_be_changed_afterwards_and_no_other_key_will_do() {
    let good = device().sign(CHALLENGE, &party());
    let mut other = Authenticator::from_seed(&[2; 32]).unwrap();
    assert_eq!(judged(&other.sign(CHALLENGE, &party()), None), Err(Fault::Signature));
    let mut counted = good.clone();
    counted.authenticator_data[36] = 9;
    assert_eq!(judged(&counted, None), Err(Fault::Signature), "the counter is signed");
    for bit in 0..good.signature.len() * 8 {
        let mut bent = good.clone();
        bent.signature[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(judged(&bent, None), Err(Fault::Signature), "bit {bit}");
    }
    let mut short = good;
    short.signature.pop();
    assert_eq!(judged(&short, None), Err(Fault::Signature));
}

#[test]
fn a_counter_that_does_not_run_is_a_copy_unless_it_never_counts() {
    for (kept, shown, good) in [
        (0, 0, true),
        (0, 1, true),
        (4, 5, true),
        (4, 900, true),
        (5, 5, false),
        (5, 4, false),
        (1, 0, false),
    ] {
        let mut device = device();
        device.counter = shown;
        let assertion = resigned(&mut device, |it| {
            it.authenticator_data[33..37].copy_from_slice(&u32::to_be_bytes(shown))
        });
        let expected =
            if good { Ok(Verified { counter: shown }) } else { Err(Fault::Counter { kept, shown }) };
        assert_eq!(judged(&assertion, Some(kept)), expected, "{kept} {shown}");
    }
}

fn registered(change: impl FnOnce(&mut Registration)) -> Result<crate::Registered, Fault> {
    let mut answer = device().register(CHALLENGE, &party());
    change(&mut answer);
    register(&answer, CHALLENGE, &party())
}

#[test]
fn a_registration_gives_the_key_that_signs_afterwards() {
    let made = registered(|_as_it_is| {}).unwrap();
    assert_eq!(
        (made.id.clone(), made.key_bytes.clone(), made.counter),
        (device().id, device().cose_key(), 0)
    );
    assert!(made.key.algorithm() == "EdDSA" && !made.synced);
}

#[test]
fn every_check_of_a_registration_refuses_what_it_is_there_for() {
    type Attack = fn(&mut Registration);
    // The authenticator data begins after the head of the attestation.
    const DATA: usize = 31;
    let attestation = Fault::Malformed("attestation");
    let data = Fault::Malformed("authenticator data");
    let key = Fault::Malformed("public key");
    let table: [(&str, Attack, Fault); 16] = [
        (
            "an assertion",
            |it| it.client_data = saying(GET, CHALLENGE, "https://provost.example", ""),
            Fault::Type("webauthn.create"),
        ),
        (
            "another challenge",
            |it| it.client_data = saying("webauthn.create", &[1], "https://provost.example", ""),
            Fault::Challenge,
        ),
        (
            "another site",
            |it| it.client_data = saying("webauthn.create", CHALLENGE, "https://evil.example", ""),
            Fault::Origin,
        ),
        ("another host", |it| it.attestation[DATA] ^= 1, Fault::Party),
        ("nobody there", |it| it.attestation[DATA + 32] &= !1, Fault::NobodyThere),
        ("nobody verified", |it| it.attestation[DATA + 32] &= !4, Fault::NotVerified),
        (
            "no key",
            |it| {
                it.attestation.truncate(DATA + 37);
                it.attestation[DATA + 32] = 1 | 4;
                it.attestation[DATA - 2..DATA].copy_from_slice(&37_u16.to_be_bytes());
            },
            Fault::NoKey,
        ),
        ("another id outside", |it| it.id.push(0), Fault::IdDiffers),
        ("no id", |it| it.attestation[DATA + 53..DATA + 55].fill(0), Fault::IdLength),
        ("an id that is too long", |it| it.attestation[DATA + 53] = 4, Fault::IdLength),
        ("a key of another kind", |it| it.attestation[DATA + 91] = 0x26, Fault::Algorithm),
        ("a key with a member twice", |it| it.attestation[DATA + 90] = 1, key),
        (
            "a byte after the key",
            |it| {
                it.attestation.push(0);
                it.attestation[DATA - 1] += 1;
            },
            data,
        ),
        ("a byte after the attestation", |it| it.attestation.push(0), attestation.clone()),
        ("`none` that says something", |it| it.attestation[18] = 0xa1, attestation.clone()),
        ("no attestation", |it| it.attestation.clear(), attestation),
    ];
    for (what, attack, fault) in table {
        assert_eq!(registered(attack).map(drop), Err(fault), "{what}");
    }
}

proptest! {
    /// Whatever the bytes are, they are read or refused; and what nobody signed is never good.
    #[test]
    fn no_bytes_break_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..200, with: u8) {
        let party = party();
        let _read = PublicKey::read(&bytes);
        let random = Registration { id: vec![1], client_data: bytes.clone(), attestation: bytes.clone() };
        prop_assert!(register(&random, CHALLENGE, &party).is_err());
        let mut bent = device().register(CHALLENGE, &party);
        if let Some(byte) = bent.attestation.get_mut(at) {
            *byte = with;
        }
        let _judged = register(&bent, CHALLENGE, &party);
        let mut good = device().sign(CHALLENGE, &party);
        good.authenticator_data = bytes;
        prop_assert!(judged(&good, None).is_err());
    }
}
