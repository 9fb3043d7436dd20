//! Keys, checkpoints, witnesses and receipts.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod common;

use common::{ORIGIN, entries, grow, key, other_key, sign};
use provost_ledger::{
    Checkpoint, CheckpointError, Cosignature, Hash, KeyError, Receipt, ReceiptError, SigningKey, VerifierKey,
    add_signatures, cosign, inclusion_proof,
};

#[test]
fn a_signed_checkpoint_reads_as_the_standard_says() {
    let (tree, _) = grow(&entries(300));
    let note = sign(&tree);
    let lines: Vec<&str> = note.lines().collect();
    assert_eq!(lines[..3], [ORIGIN, "300", &tree.root().to_string()]);
    assert_eq!(lines[3], "");
    assert!(lines[4].starts_with("— ledger.example.com/main "));
    assert!(note.ends_with('\n') && lines.len() == 5);
    let read = Checkpoint::verify(note.as_bytes(), &key().verifier()).unwrap();
    assert_eq!((&*read.origin, read.size, read.root), (ORIGIN, 300, tree.root()));
}

/// From the standard's own example of Go's checksum database key.
#[test]
fn known_verifier_keys_are_read_and_written_the_same() {
    for text in [
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    ] {
        assert_eq!(text.parse::<VerifierKey>().unwrap().to_string(), text);
    }
    let witness = SigningKey::witness("witness.example.com/w1", &[3; 32]).unwrap().verifier();
    assert_eq!(witness.to_string().parse::<VerifierKey>().unwrap(), witness);
}

#[test]
fn a_note_of_another_program_verifies() {
    let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    // The signature holds; the text is just no checkpoint.
    assert!(matches!(Checkpoint::verify(note.as_bytes(), &key), Err(CheckpointError::Body(_))));
    let changed = note.replace("answer", "Answer");
    assert!(matches!(
        Checkpoint::verify(changed.as_bytes(), &key),
        Err(CheckpointError::BadSignature { .. })
    ));
}

#[test]
fn what_is_no_trusted_checkpoint_is_refused_with_its_reason() {
    let good = sign(&grow(&entries(20)).0);
    let verify = |note: &str| Checkpoint::verify(note.as_bytes(), &key().verifier()).unwrap_err().to_string();
    let resigned = |body: &str| {
        let mut note = signed_note::Note::new(body.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&signed_note::StandardSigner::new(&skey()).unwrap()]).unwrap();
        String::from_utf8(note.to_bytes()).unwrap()
    };
    let root = Hash::EMPTY;
    let table = [
        (good.replace("\n20\n", "\n21\n"), "signature of ledger.example.com/main does not hold"),
        (good.replace("— ledger", "— lodger"), "not signed by the key"),
        (good.trim_end().to_owned(), "not a signed note"),
        (good.split("\n\n").next().unwrap().to_owned(), "not a signed note"),
        (String::new(), "not a signed note"),
        (resigned(&format!("{ORIGIN}\n07\n{root}\n")), "shortest form"),
        (resigned(&format!("{ORIGIN}\n-7\n{root}\n")), "no number"),
        (resigned(&format!("{ORIGIN}\n7\n{}\n", &root.to_string()[1..])), "not 32 bytes"),
        (resigned(&format!("{ORIGIN}\n7\n")), "not 32 bytes"),
        (resigned(&format!("{ORIGIN}\n0\n{}\n", Hash::leaf(b""))), "hash of nothing"),
        (resigned(&format!("{ORIGIN}\n9223372036854775807\n{root}\n")), "tree_size_max"),
        (resigned(&format!("other.example.com\n7\n{root}\n")), "is of `other.example.com`"),
        (good.clone() + &"— x AAAAAAAAAAAA\n".repeat(40), "note_signatures_max"),
        (good.clone() + &"x".repeat(70_000), "note_bytes_max"),
    ];
    for (note, reason) in table {
        let error = verify(&note);
        assert!(error.contains(reason), "{error:?} should say {reason:?}");
    }
    assert!(Checkpoint::verify(good.as_bytes(), &other_key().verifier()).is_err());
    assert!(
        Checkpoint::verify(
            resigned(&format!("{ORIGIN}\n0\n{root}\nextension\n")).as_bytes(),
            &key().verifier()
        )
        .is_ok()
    );
}

#[test]
fn witnesses_cosign_and_are_told_apart() {
    let note = sign(&grow(&entries(20)).0);
    let [one, two] = [("witness.example.com/w1", 1), ("witness.example.com/w2", 2)]
        .map(|(name, seed)| SigningKey::witness(name, &[seed; 32]).unwrap());
    let once = cosign(note.as_bytes(), &one, 1_780_000_000).unwrap();
    let answer = once.lines().last().unwrap();
    assert_eq!(add_signatures(note.as_bytes(), answer).unwrap(), once);

    let asked = [one.verifier(), two.verifier()];
    let verified = Checkpoint::verify_witnessed(once.as_bytes(), &key().verifier(), &asked).unwrap();
    let expected = Cosignature { witness: "witness.example.com/w1".into(), time_s: 1_780_000_000 };
    assert_eq!(verified.cosignatures, [expected]);
    // Nobody asked for them: ignored, and the checkpoint still holds.
    let alone = Checkpoint::verify_witnessed(once.as_bytes(), &key().verifier(), &[]).unwrap();
    assert!(alone.cosignatures.is_empty());
    // A cosignature over another checkpoint.
    let other = sign(&grow(&entries(21)).0);
    let moved = add_signatures(other.as_bytes(), answer).unwrap();
    let refused = Checkpoint::verify_witnessed(moved.as_bytes(), &key().verifier(), &asked);
    assert!(matches!(refused, Err(CheckpointError::BadSignature { .. })));
    // A witness alone is no log.
    let lonely = note.split("— ").next().unwrap().to_owned() + answer + "\n";
    let refused = Checkpoint::verify_witnessed(lonely.as_bytes(), &key().verifier(), &asked);
    assert!(matches!(refused, Err(CheckpointError::NotSigned)));
    // Each kind of key in its place.
    assert!(matches!(cosign(note.as_bytes(), &key(), 1), Err(CheckpointError::KeyUse { .. })));
    assert!(matches!(Checkpoint::sign(0, Hash::EMPTY, &one), Err(CheckpointError::KeyUse { .. })));
    assert!(matches!(
        Checkpoint::verify(note.as_bytes(), &one.verifier()),
        Err(CheckpointError::KeyUse { .. })
    ));
}

#[test]
fn a_malformed_key_is_refused_with_its_reason() {
    let good = key().verifier().to_string();
    for (text, error) in [
        (String::new(), KeyError::Format),
        ("name+12345678".to_owned(), KeyError::Format),
        (good.replace("ledger", "lodger"), KeyError::Id),
        (good.replace("ledger", "led ger"), KeyError::Name),
        (format!("+{good}"), KeyError::Name),
        ("a+00000000+/w==".to_owned(), KeyError::Type { type_byte: 0xff }),
        ("a+00000000+AQ==".to_owned(), KeyError::Format),
    ] {
        assert_eq!(text.parse::<VerifierKey>(), Err(error), "{text}");
    }
    assert_eq!(SigningKey::log("a b", &[0; 32]).unwrap_err(), KeyError::Name);
    assert_eq!(SigningKey::log(&"n".repeat(256), &[0; 32]).unwrap_err(), KeyError::Name);
    assert!(!format!("{:?}", key()).contains('7'));
}

#[test]
fn a_receipt_proves_its_record_offline() {
    let all = entries(500);
    let (tree, store) = grow(&all);
    let proof = inclusion_proof(321, 500, |tile| store.read(tile)).unwrap();
    let file = Receipt::with_record(321, &all[321], proof, sign(&tree)).to_string();
    assert!(file.starts_with("c2sp.org/tlog-proof@v1\nextra "));

    let receipt = Receipt::parse(file.as_bytes()).unwrap();
    assert_eq!(receipt.to_string(), file);
    let entry = receipt.entry().unwrap().unwrap();
    assert_eq!(entry, all[321]);
    let verified = receipt.verify(&entry.commitment(), &key().verifier(), &[]).unwrap();
    assert_eq!(verified.checkpoint.size, 500);

    // Erased or whole, the proof is the same.
    assert!(receipt.verify(&entry.clone().erase().commitment(), &key().verifier(), &[]).is_ok());
    let other = receipt.verify(&all[322].commitment(), &key().verifier(), &[]);
    assert!(matches!(other, Err(ReceiptError::Proof(_))));
    let forged = receipt.verify(&entry.commitment(), &other_key().verifier(), &[]);
    assert!(matches!(forged, Err(ReceiptError::Checkpoint(_))));
}

#[test]
fn a_malformed_receipt_is_refused_with_its_reason() {
    let note = sign(&grow(&entries(1)).0);
    for (file, reason) in [
        (format!("c2sp.org/tlog-proof@v2\nindex 0\n\n{note}"), "first line"),
        (format!("c2sp.org/tlog-proof@v1\nindex 00\n\n{note}"), "index"),
        (format!("c2sp.org/tlog-proof@v1\nextra ?\nindex 0\n\n{note}"), "extra data"),
        (format!("c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n{note}"), "a hash"),
        (
            format!("c2sp.org/tlog-proof@v1\nindex 0\n{}\n{note}", format!("{}\n", Hash::EMPTY).repeat(64)),
            "proof_hashes_max",
        ),
        ("c2sp.org/tlog-proof@v1\nindex 0\n".to_owned(), "checkpoint is missing"),
        ("x".repeat(3 << 20), "receipt_bytes_max"),
    ] {
        let error = Receipt::parse(file.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error:?} should say {reason:?}");
    }
}

/// The same seed in the text form of another implementation.
fn skey() -> String {
    use base64::Engine as _;
    let secret = base64::engine::general_purpose::STANDARD.encode([&[1][..], &[7; 32]].concat());
    format!("PRIVATE+KEY+{ORIGIN}+{:08x}+{secret}", key().verifier().id())
}
