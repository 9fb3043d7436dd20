use super::*;
use crate::{Party, encode, soft::Authenticator};
use provost_domain::{
    Approval, DurationMs, Proposal, Stamp, approval::ApprovalStatus, statement::VERSION, statement::Yes,
};
use provost_ledger::Entry;
use serde_json::json;

const PLANE: &str = "https://provost.example";
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn device() -> Authenticator {
    Authenticator::from_seed(&[1; 32]).unwrap()
}

fn passkey() -> Passkey {
    Passkey {
        id: encode(&device().id),
        person: "maria".parse().unwrap(),
        name: "laptop".into(),
        key: encode(&device().cose_key()),
        party: "provost.example".into(),
        counter: 0,
        synced: false,
        added: NOW.minus(DurationMs::from_mins(60)),
        used: None,
        doubt: None,
        removed: None,
    }
}

/// An approval that maria said yes to, signed.
fn approval() -> Approval {
    let mut row: Approval = serde_json::from_value(json!({
        "id": "approval_1", "agent": "clerk", "task": provost_domain::TaskId::new(NOW, [1; 10]), "purpose": "pay",
        "askers": [], "system": "bank", "tool": "transfer", "action": Digest::of(b"pay"), "args": {"amount": 12.5},
        "gates": ["owner"], "reasons": [],
        "bound": {"revision": 4, "pin": Digest::of(b"pin"), "policies": Digest::of(b"policies")},
        "decision": provost_domain::DecisionId::new(NOW, [2; 10]), "asked": NOW, "expires": NOW.plus(DurationMs::from_mins(60)),
        "votes": [{"person": "maria", "gates": ["owner"], "yes": true, "at": NOW.plus(DurationMs::from_secs(30)),
            "reason": "an invoice", "shown_by": "maria, by passkey laptop"}],
        "status": {"is": "granted", "at": NOW, "until": NOW.plus(DurationMs::from_mins(15))},
    }))
    .unwrap();
    let vote = &row.votes[0];
    let statement = Statement {
        v: VERSION,
        matter: row.matter(),
        answer: Yes::Yes,
        person: vote.person.clone(),
        gates: vote.gates.clone(),
        on_behalf_of: None,
        reason: vote.reason.clone(),
        break_glass: false,
        stamp: Stamp { plane: PLANE.into(), at: NOW, nonce: "0123".into() },
    };
    let signature = device().sign_statement(&statement, &Party::of(PLANE).unwrap()).unwrap();
    row.votes[0].signature = Some(Box::new(signature));
    row
}

fn record(check: &mut SignedAnswers, index: u64, object: &Object) -> Result<(), String> {
    let body = json!({"seq": index, "kind": object.key().kind, "after": object});
    let entry = Entry::new(EntryKind::Change, &format!("change-{index}"), 1, &body, [0; 16]).unwrap();
    check.check(&SeenRecord { index, entry: &entry, body: Some(&body) })
}

fn judged(passkey: Passkey, approval: Approval) -> Result<Found, String> {
    let mut check = SignedAnswers::default();
    record(&mut check, 0, &Object::Passkey(Box::new(passkey)))?;
    record(&mut check, 1, &Object::Approval(Box::new(approval)))?;
    Ok(check.found().clone())
}

#[test]
fn a_signed_yes_is_named_with_who_and_what_it_was_given_to() {
    let found = judged(passkey(), approval()).unwrap();
    assert_eq!((found.signed, found.unsigned), (1, 0));
    let answer = &found.answers[0];
    assert_eq!((answer.record, answer.id.as_str(), answer.digest), (1, "approval_1", Digest::of(b"pay")));
    assert_eq!((answer.person.as_str(), answer.passkey.as_str()), ("maria", "laptop"));
}

#[test]
fn whatever_is_changed_about_a_signed_yes_is_named() {
    type Deed = fn(&mut Passkey, &mut Approval);
    fn signature(row: &mut Approval) -> &mut Signature {
        row.votes[0].signature.as_mut().unwrap()
    }
    let table: [(&str, Deed, &str); 22] = [
        ("the action", |_, row| row.action = Digest::of(b"pay more"), "another challenge"),
        ("the agent", |_, row| row.agent = "other".parse().unwrap(), "another challenge"),
        ("the tool", |_, row| row.tool = "refund".parse().unwrap(), "another challenge"),
        ("the revision", |_, row| row.bound.revision = 5, "another challenge"),
        ("the pin", |_, row| row.bound.pin = Digest::of(b"x"), "another challenge"),
        ("the policies", |_, row| row.bound.policies = Digest::of(b"x"), "another challenge"),
        ("where it came from", |_, row| row.edited_from = Some("approval_0".into()), "another challenge"),
        ("the gates", |_, row| row.votes[0].gates = ["finance".to_owned()].into(), "another challenge"),
        ("the reason", |_, row| row.votes[0].reason = Some("none".into()), "another challenge"),
        ("the nonce", |_, row| signature(row).stamp.nonce.push('4'), "another challenge"),
        ("the plane", |_, row| signature(row).stamp.plane = "https://other.example".into(), "made for"),
        (
            "the person",
            |_, row| row.votes[0].person = "jonas".parse().unwrap(),
            "was registered for that person",
        ),
        (
            "the passkey's person",
            |key, _| key.person = "jonas".parse().unwrap(),
            "was registered for that person",
        ),
        ("the passkey", |_, row| signature(row).passkey.push('A'), "was registered for that person"),
        ("the key beside it", |_, row| signature(row).key.push('A'), "another key of it"),
        (
            "the registered key",
            |key, row| {
                let other = Authenticator::from_seed(&[2; 32]).unwrap();
                key.key = encode(&other.cose_key());
                signature(row).key = key.key.clone();
            },
            "not by this passkey",
        ),
        ("the signature", |_, row| signature(row).signature = encode(&[0; 64]), "not by this passkey"),
        (
            "what the authenticator said",
            |_, row| signature(row).authenticator_data = encode(&[0; 37]),
            "another host",
        ),
        (
            "an answer too late",
            |_, row| row.votes[0].at = NOW.plus(DurationMs::from_mins(6)),
            "not signed within",
        ),
        ("a passkey of later", |key, _| key.added = NOW.plus(DurationMs::from_mins(1)), "not registered"),
        (
            "a passkey taken back",
            |key, _| {
                key.removed = Some(provost_domain::passkey::Removed { at: NOW, by: "maria".into() });
            },
            "taken back",
        ),
        (
            "a passkey that was copied",
            |key, _| {
                key.doubt = Some(provost_domain::passkey::Doubt { at: NOW, kept: 2, shown: 1 });
            },
            "there may be a copy",
        ),
    ];
    for (what, deed, said) in table {
        let (mut key, mut row) = (passkey(), approval());
        deed(&mut key, &mut row);
        let fault = judged(key, row).unwrap_err();
        assert!(fault.contains(said), "{what}: {fault}");
    }
}

#[test]
fn an_answer_on_record_is_judged_once_and_stays_what_it_was() {
    let mut check = SignedAnswers::default();
    let (key, row) = (passkey(), approval());
    record(&mut check, 0, &Object::Passkey(Box::new(key.clone()))).unwrap();
    record(&mut check, 1, &Object::Approval(Box::new(row.clone()))).unwrap();
    let used = Approval { status: ApprovalStatus::Used { at: NOW, decision: None }, ..row.clone() };
    record(&mut check, 2, &Object::Approval(Box::new(used))).unwrap();
    assert_eq!(check.found().signed, 1);
    let mut other = row;
    other.votes[0].signature = None;
    let fault = record(&mut check, 3, &Object::Approval(Box::new(other))).unwrap_err();
    assert!(fault.contains("is another one now"), "{fault}");
    let swapped = Passkey { key: encode(b"x"), ..key };
    let fault = record(&mut check, 4, &Object::Passkey(Box::new(swapped))).unwrap_err();
    assert!(fault.contains("not the one that was registered"), "{fault}");
}

#[test]
fn a_yes_without_a_signature_is_counted_and_break_glass_apart() {
    let mut row = approval();
    row.votes[0].signature = None;
    row.votes[0].break_glass = true;
    let found = judged(passkey(), row).unwrap();
    assert_eq!((found.signed, found.unsigned, found.break_glass), (0, 1, 1));
}

fn signed(statement: &Statement) -> Box<Signature> {
    Box::new(device().sign_statement(statement, &Party::of(PLANE).unwrap()).unwrap())
}

/// A change that maria said yes to, signed.
fn proposal() -> Proposal {
    let mut row: Proposal = serde_json::from_value(json!({
        "id": "proposal_1", "author": "person ada", "person": "ada", "reason": "more is wanted",
        "writes": [{"write": "remove", "key": {"kind": "policy", "key": "payments"}, "base": 3}],
        "reads": [{"kind": "organisation", "key": "organisation", "version": 2}],
        "plan": "sha256:00", "gates": {"administrators": {"asks": {"who": "administrators"}, "rows": []}},
        "made": NOW, "expires": NOW.plus(DurationMs::from_mins(60)),
        "votes": [{"person": "maria", "gates": ["administrators"], "yes": true,
            "at": NOW.plus(DurationMs::from_secs(30)), "reason": "read it", "shown_by": "maria, by passkey laptop"}],
        "status": {"is": "applied", "at": NOW},
    }))
    .unwrap();
    row.votes[0].signature = Some(signed(&blank(row.matter().unwrap(), &row.votes[0])));
    row
}

/// The statement of a vote that is not signed yet.
fn blank(matter: Matter, vote: &Vote) -> Statement {
    Statement {
        v: VERSION,
        matter,
        answer: Yes::Yes,
        person: vote.person.clone(),
        gates: vote.gates.clone(),
        on_behalf_of: vote.on_behalf_of.clone(),
        reason: vote.reason.clone(),
        break_glass: vote.break_glass,
        stamp: Stamp { plane: PLANE.into(), at: NOW, nonce: "0123".into() },
    }
}

/// An order at `off` that jonas asked to be lifted and maria agreed to, signed.
fn lifted() -> Containment {
    let mut row: Containment = serde_json::from_value(json!({
        "id": "containment_1", "scope": {"agent": "clerk"}, "level": {"is": "off"}, "reason": "a key leaked",
        "by": {"person": "ada", "shown_by": "ada, signed in"}, "at": NOW.minus(DurationMs::from_mins(9)),
        "status": {"is": "lifted", "by": {"person": "maria", "shown_by": "maria, by passkey laptop"},
            "at": NOW.plus(DurationMs::from_secs(30)), "reason": "it was changed",
            "asked": {"person": "jonas", "shown_by": "jonas, signed in"}},
    }))
    .unwrap();
    // What is signed is made as the plane makes it: with a signature that says nothing yet.
    sign(&mut row, Some(nothing()));
    let statement = row.lift_statement().unwrap().unwrap();
    sign(&mut row, Some(signed(&statement)));
    row
}

fn nothing() -> Box<Signature> {
    let none = String::new;
    let stamp = Stamp { plane: PLANE.into(), at: NOW, nonce: "0123".into() };
    let (authenticator_data, client_data) = (none(), none());
    Box::new(Signature {
        stamp,
        passkey: none(),
        key: none(),
        authenticator_data,
        client_data,
        signature: none(),
    })
}

fn sign(row: &mut Containment, by: Option<Box<Signature>>) {
    let ContainmentStatus::Lifted { signature, .. } = &mut row.status else { panic!() };
    *signature = by;
}

#[test]
fn whatever_is_changed_about_a_signed_change_or_the_signed_end_of_an_order_is_named() {
    let judge = |object: Object| {
        let mut check = SignedAnswers::default();
        record(&mut check, 0, &Object::Passkey(Box::new(passkey()))).unwrap();
        record(&mut check, 1, &object).map(|()| check.found().clone())
    };
    let found = judge(Object::Proposal(Box::new(proposal()))).unwrap();
    assert_eq!(
        (found.signed, found.answers[0].kind, found.answers[0].digest),
        (1, MatterKind::Proposal, proposal().digest().unwrap())
    );
    let found = judge(Object::Containment(Box::new(lifted()))).unwrap();
    assert_eq!(
        (found.signed, found.answers[0].kind, found.answers[0].id.as_str()),
        (1, MatterKind::Lift, "containment_1")
    );

    type Deed = fn(&mut Proposal);
    let deeds: [(&str, Deed); 8] = [
        ("another change", |row| row.id.push('2')),
        ("the rows", |row| row.writes.clear()),
        ("what they build on", |row| row.reads[0].version = 3),
        ("the author", |row| row.author = "person eve".into()),
        ("why", |row| row.reason = "less is wanted".into()),
        ("who must agree", |row| row.gates.clear()),
        ("the plan", |row| row.plan = "sha256:01".into()),
        ("the words", |row| row.votes[0].reason = None),
    ];
    for (what, deed) in deeds {
        let mut row = proposal();
        deed(&mut row);
        let fault = judge(Object::Proposal(Box::new(row))).unwrap_err();
        assert!(fault.contains("another challenge"), "{what}: {fault}");
    }
    type Undo = fn(&mut Containment);
    let deeds: [(&str, Undo, &str); 9] = [
        ("another order", |row| row.id.push('2'), "another challenge"),
        ("whom it stopped", |row| row.scope.agent = None, "another challenge"),
        ("how far", |row| row.level = provost_domain::Restraint::ReadOnly, "another challenge"),
        ("why it stopped them", |row| row.reason.push('x'), "another challenge"),
        ("who ordered it", |row| row.by.person = Some("eve".parse().unwrap()), "another challenge"),
        (
            "who asked",
            |row| {
                let ContainmentStatus::Lifted { asked, .. } = &mut row.status else { panic!() };
                asked.as_mut().unwrap().person = Some("eve".parse().unwrap());
            },
            "another challenge",
        ),
        (
            "why it ends",
            |row| {
                let ContainmentStatus::Lifted { reason, .. } = &mut row.status else { panic!() };
                reason.push('x');
            },
            "another challenge",
        ),
        (
            "who agreed",
            |row| {
                let ContainmentStatus::Lifted { by, .. } = &mut row.status else { panic!() };
                by.person = Some("jonas".parse().unwrap());
            },
            "was registered for that person",
        ),
        (
            "nobody agreed",
            |row| {
                let ContainmentStatus::Lifted { by, .. } = &mut row.status else { panic!() };
                by.person = None;
            },
            "says nobody's name",
        ),
    ];
    for (what, deed, said) in deeds {
        let mut row = lifted();
        deed(&mut row);
        let fault = judge(Object::Containment(Box::new(row))).unwrap_err();
        assert!(fault.contains(said), "{what}: {fault}");
    }
}

#[test]
fn the_end_of_an_order_is_judged_once_and_stays_what_it_was() {
    let mut check = SignedAnswers::default();
    record(&mut check, 0, &Object::Passkey(Box::new(passkey()))).unwrap();
    let row = lifted();
    record(&mut check, 1, &Object::Containment(Box::new(row.clone()))).unwrap();
    let mut looked_into = row.clone();
    looked_into.ended.tasks = 3;
    record(&mut check, 2, &Object::Containment(Box::new(looked_into))).unwrap();
    assert_eq!(check.found().signed, 1);
    let mut unsigned = row.clone();
    sign(&mut unsigned, None);
    let again = Containment { status: ContainmentStatus::InForce, ..row };
    for other in [unsigned, again] {
        let fault = record(&mut check, 3, &Object::Containment(Box::new(other))).unwrap_err();
        assert!(fault.contains("is another one now"), "{fault}");
    }
}
