use super::*;
use proptest::prelude::*;
use provost_domain::{
    Agent, DurationMs, Environment, Object, Signature, Stamp,
    organisation::{Agree, Group, Organisation, Signed},
    proposal::{Base, ProposedWrite},
};
use serde_json::{Value, json};
use std::collections::HashMap;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn row(kind: &str, body: Value) -> Object {
    serde_json::from_value(json!({"kind": kind, "body": body})).unwrap()
}

fn agent_row(of: &str, owner: &str, environment: &str, max: &str) -> Object {
    row(
        "agent",
        json!({
            "id": provost_domain::ids::AgentId::new(NOW, [1; 10]), "name": of, "status": "active", "revision": 1,
            "charter": {
                "purpose": "pays", "owner": owner, "deputies": ["dora"], "environment": environment,
                "autonomy": "supervised", "delegation": {"depth_max": 0, "children_max": 0}, "retirement": {},
                "grants": [{"system": "bank", "tools": ["pay"], "args": {"amount": {"max": max}}}],
                "task_duration_max": 3_600_000,
            },
            "provenance": {"created_by": "t", "created_at": 1, "source": "t"},
        }),
    )
}

fn rules_of(production: &[Agree]) -> ChangeRules {
    ChangeRules { production: production.iter().cloned().collect(), ..ChangeRules::default() }
}

/// `clerk` in production and `toy` in the sandbox are olga's, with the deputy dora; mona is olga's manager; ada and ben are
/// administrators, wim writes proposals and is none. `security` are sid and sue, one of whom must agree.
fn world(production: &[Agree]) -> Directory {
    let mut directory = Directory::default();
    for of in ["olga", "dora", "mona", "ada", "ben", "wim", "sid", "sue", "newt"] {
        let roles: &[&str] = if matches!(of, "ada" | "ben") { &["administrator"] } else { &[] };
        let manager = (of == "olga").then_some("mona");
        directory.put(row(
            "person",
            json!({"name": of, "display": of, "active": true, "roles": roles, "manager": manager}),
        ));
    }
    let members = ["sid", "sue"].map(name).into();
    directory.put(Object::Organisation(Organisation {
        display: "Acme".into(),
        production_revocation_max: None,
        groups: [(name("security"), Group { members, needs: 1 })].into(),
        approvals: Default::default(),
        changes: rules_of(production),
        drills: Default::default(),
        rules: Default::default(),
        autonomy: Default::default(),
        lifecycle: Default::default(),
    }));
    for (of, environment) in [("clerk", "production"), ("stage", "staging"), ("toy", "sandbox")] {
        directory.put(agent_row(of, "olga", environment, "500.0"));
    }
    for (of, environment) in [("bank", "production"), ("play", "sandbox")] {
        directory.put(row(
            "system",
            json!({"name": of, "description": of, "environment": environment,
            "connection": {"kind": "mcp-local"}, "revocation_max": 1}),
        ));
    }
    directory
}

fn both() -> Directory {
    world(&[Agree::Owner, Agree::Group(name("security"))])
}

fn edit(directory: &Directory, key: &ObjectKey, pointer: &str, value: Value) -> Object {
    let mut row = serde_json::to_value(directory.get(key).unwrap()).unwrap();
    let (around, last) = pointer.rsplit_once('/').unwrap();
    row.pointer_mut(&format!("/body{around}")).unwrap()[last] = value;
    serde_json::from_value(row).unwrap()
}

fn agent_key(of: &str) -> ObjectKey {
    ObjectKey::new(provost_domain::Kind::Agent, of)
}

fn gates_of(directory: &Directory, rows: &[Object], author: &str) -> Vec<String> {
    let keys: Vec<ObjectKey> = rows.iter().map(Object::key).collect();
    let made: Vec<Made<'_>> =
        keys.iter().zip(rows).map(|(key, row)| Made { key, after: Some(row) }).collect();
    let author = (!author.is_empty()).then(|| name(author));
    gates(directory, &made, author.as_ref()).into_keys().collect()
}

fn propose(directory: &Directory, rows: Vec<Object>, author: &str) -> Proposal {
    let keys: Vec<ObjectKey> = rows.iter().map(Object::key).collect();
    let made: Vec<Made<'_>> =
        keys.iter().zip(&rows).map(|(key, row)| Made { key, after: Some(row) }).collect();
    let person = name(author);
    Proposal {
        id: "proposal_1".into(),
        author: format!("person {author}"),
        gates: gates(directory, &made, Some(&person)),
        person: Some(person),
        by_token: false,
        reason: "because".into(),
        writes: rows.into_iter().map(|row| ProposedWrite::Put { object: Box::new(row), base: 1 }).collect(),
        reads: vec![Base { key: ObjectKey::organisation(), version: 1 }],
        steps: Vec::new(),
        plan: String::new(),
        made: NOW,
        expires: NOW.plus(DurationMs::from_mins(60)),
        votes: Vec::new(),
        broken: None,
        status: ProposalStatus::Waiting,
    }
}

fn ballot(by: &str, yes: bool) -> Ballot {
    Ballot {
        person: name(by),
        yes,
        reason: Some("r".into()),
        shown_by: "test".into(),
        break_glass: false,
        signature: Some(Box::new(signature())),
    }
}

/// Whoever hands a signature in has verified it: here it is there, or it is not.
fn signature() -> Signature {
    let none = String::new;
    Signature {
        stamp: Stamp { plane: none(), at: NOW, nonce: none() },
        passkey: none(),
        key: none(),
        authenticator_data: none(),
        client_data: none(),
        signature: none(),
    }
}

fn unsigned(by: &str) -> Ballot {
    Ballot { signature: None, ..ballot(by, true) }
}

fn say(proposal: &Proposal, directory: &Directory, by: &str) -> Result<Answered, VoteError> {
    answer(proposal, directory, |_| 1, Answer { ballot: ballot(by, true), by_token: false }, NOW)
}

fn refused(answered: Result<Answered, VoteError>) -> String {
    answered.unwrap_err().to_string()
}

fn waits(answered: Result<Answered, VoteError>) -> Proposal {
    match answered.unwrap() {
        Answered::Waits(proposal) => proposal,
        other => panic!("{other:?}"),
    }
}

fn wider(directory: &Directory, of: &str) -> Object {
    edit(directory, &agent_key(of), "/charter/grants/0/args/amount/max", json!("900.0"))
}

#[test]
fn who_must_agree_to_what() {
    let directory = both();
    let bank = ObjectKey::new(provost_domain::Kind::System, "bank");
    let play = ObjectKey::new(provost_domain::Kind::System, "play");
    let person = |of: &str| ObjectKey::new(provost_domain::Kind::Person, of);
    let owner_of = |of: &str, to: &str| edit(&directory, &agent_key(of), "/charter/owner", json!(to));
    let tool = |system: &str| {
        row("tool", json!({"system": system, "name": "pay", "pin": provost_domain::Digest::of(b"x")}))
    };
    let cases: Vec<(&str, Object, &str, &[&str])> = vec![
        ("more in production", wider(&directory, "clerk"), "wim", &["owner of clerk", "security"]),
        ("more in staging", wider(&directory, "stage"), "wim", &["owner of stage"]),
        ("more in the sandbox", wider(&directory, "toy"), "wim", &[]),
        (
            "less in production",
            edit(&directory, &agent_key("clerk"), "/charter/grants", json!([])),
            "wim",
            &[],
        ),
        (
            "from the sandbox to production",
            edit(&directory, &agent_key("toy"), "/charter/environment", json!("production")),
            "wim",
            &["owner of toy", "security"],
        ),
        (
            "from production to the sandbox",
            edit(&directory, &agent_key("clerk"), "/charter/environment", json!("sandbox")),
            "wim",
            &["owner of clerk", "security"],
        ),
        (
            "a copy of what is good in the sandbox",
            agent_row("copy", "olga", "production", "500.0"),
            "wim",
            &["owner of copy", "security"],
        ),
        (
            "another owner: both",
            owner_of("clerk", "newt"),
            "wim",
            &["new owner of clerk", "owner of clerk", "security"],
        ),
        (
            "another owner, by the old one",
            owner_of("clerk", "newt"),
            "olga",
            &["new owner of clerk", "security"],
        ),
        ("another owner, by the new one", owner_of("clerk", "newt"), "newt", &["owner of clerk", "security"]),
        (
            "another deputy",
            edit(&directory, &agent_key("clerk"), "/charter/deputies", json!(["wim"])),
            "wim",
            &["owner of clerk", "security"],
        ),
        (
            "a system of production",
            edit(&directory, &bank, "/revocation_max", json!(2)),
            "wim",
            &["security"],
        ),
        (
            "a system becomes one of the sandbox",
            edit(&directory, &bank, "/environment", json!("sandbox")),
            "wim",
            &["security"],
        ),
        ("a system of the sandbox", edit(&directory, &play, "/revocation_max", json!(2)), "wim", &[]),
        ("a tool of production", tool("bank"), "wim", &["security"]),
        ("a tool of the sandbox", tool("play"), "wim", &[]),
        (
            "a role",
            edit(&directory, &person("wim"), "/roles", json!(["administrator"])),
            "wim",
            &["administrators"],
        ),
        (
            "a person",
            row("person", json!({"name": "sock", "display": "s", "active": true})),
            "wim",
            &["administrators"],
        ),
        (
            "a policy that forbids",
            row("policy", json!({"name": "p", "text": "forbid (principal, action, resource);"})),
            "wim",
            &[],
        ),
        (
            "a policy that permits",
            row("policy", json!({"name": "p", "text": "permit (principal, action, resource);"})),
            "wim",
            &["administrators"],
        ),
        (
            "the rules themselves",
            edit(&directory, &ObjectKey::organisation(), "/changes", json!({"production": ["owner"]})),
            "wim",
            &["administrators"],
        ),
        (
            "a group",
            edit(
                &directory,
                &ObjectKey::organisation(),
                "/groups/security/members",
                json!(["sid", "sue", "wim"]),
            ),
            "wim",
            &["administrators"],
        ),
    ];
    for (what, row, author, expected) in cases {
        assert_eq!(gates_of(&directory, &[row], author), expected, "{what}");
    }
}

#[test]
fn a_system_of_production_is_asked_of_administrators_where_no_group_is_named_for_it() {
    let directory = world(&[Agree::Owner]);
    let bank = ObjectKey::new(provost_domain::Kind::System, "bank");
    let gates = gates_of(&directory, &[edit(&directory, &bank, "/revocation_max", json!(2))], "wim");
    assert_eq!(gates, ["administrators"]);
}

#[test]
fn as_long_as_everything_is_a_sandbox_and_nobody_has_a_role_nobody_is_asked() {
    let mut directory = Directory::default();
    directory.put(row("person", json!({"name": "you", "display": "You", "active": true})));
    let another = row("person", json!({"name": "me", "display": "Me", "active": true}));
    assert!(
        gates_of(&directory, &[another.clone(), agent_row("toy", "you", "sandbox", "1.0")], "you").is_empty()
    );
    // With what must be protected in the same change, or with anything of it there, it is no longer so.
    let clerk = agent_row("clerk", "you", "production", "1.0");
    assert_eq!(
        gates_of(&directory, &[another.clone(), clerk.clone()], "you"),
        ["administrators", "owner of clerk"]
    );
    let Object::Agent(clerk) = clerk else { unreachable!() };
    directory.put(Object::Agent(Agent { status: provost_domain::AgentStatus::Decommissioned, ..clerk }));
    assert_eq!(
        gates_of(&directory, &[another], "you"),
        ["administrators"],
        "an agent that was let go counts for ever"
    );
}

#[test]
fn the_last_yes_that_is_needed_and_no_other_applies_it() {
    let directory = both();
    let proposal = propose(&directory, vec![wider(&directory, "clerk")], "wim");
    for (by, why) in
        [("wim", "proposed this"), ("ada", "neither the owner"), ("newt", "not a member of security")]
    {
        let text = refused(say(&proposal, &directory, by));
        assert!(text.contains(why), "{by}: {text}");
    }
    let one = waits(say(&proposal, &directory, "sid"));
    assert_eq!(missing(&one, &directory, NOW), BTreeMap::from([("owner of clerk".to_owned(), 1)]));
    assert!(refused(say(&one, &directory, "sid")).contains("has said yes for security already"));
    for by in ["olga", "dora"] {
        let Ok(Answered::Agreed(applied)) = say(&one, &directory, by) else { panic!("{by}") };
        assert_eq!(applied.status, ProposalStatus::Applied { at: NOW });
        assert!(refused(say(&applied, &directory, "olga")).contains("it is applied"), "it is applied once");
    }
}

#[test]
fn an_owner_cannot_agree_to_what_they_wrote_and_a_deputy_or_somebody_above_can() {
    let mut directory = world(&[Agree::Owner]);
    let proposal = propose(&directory, vec![wider(&directory, "clerk")], "olga");
    assert!(refused(say(&proposal, &directory, "olga")).contains("proposed this"));
    assert_eq!(approvers(&proposal, &directory, "owner of clerk", NOW), [name("dora")]);
    assert!(matches!(say(&proposal, &directory, "dora"), Ok(Answered::Agreed(_))));
    // The deputy has left: nobody who answers for the owner is there but the author.
    let mut dora = directory.people.get("dora").unwrap().as_ref().clone();
    dora.active = false;
    directory.put(Object::Person(dora));
    assert_eq!(approvers(&proposal, &directory, "owner of clerk", NOW), ["ada", "ben", "mona"].map(name));
    assert!(matches!(say(&proposal, &directory, "mona"), Ok(Answered::Agreed(_))));
}

#[test]
fn ways_around_the_gate_end_at_a_gate() {
    let directory = both();
    let clerk = |pointer: &str, value: Value| edit(&directory, &agent_key("clerk"), pointer, value);

    // Who becomes deputy by a change does not agree to that change.
    let mut both_at_once = serde_json::to_value(clerk("/charter/deputies", json!(["newt"]))).unwrap();
    both_at_once["body"]["charter"]["grants"][0]["args"]["amount"]["max"] = json!("9000.0");
    let proposal = propose(&directory, vec![serde_json::from_value(both_at_once).unwrap()], "wim");
    assert!(refused(say(&proposal, &directory, "newt")).contains("neither the owner"));

    // Nor who joins the group by it, nor who gets the role by it.
    let group =
        edit(&directory, &ObjectKey::organisation(), "/groups/security/members", json!(["newt", "sid"]));
    let person = ObjectKey::new(provost_domain::Kind::Person, "newt");
    let role = edit(&directory, &person, "/roles", json!(["administrator"]));
    let proposal = propose(&directory, vec![group, role, wider(&directory, "clerk")], "wim");
    assert_eq!(
        proposal.gates.keys().map(String::as_str).collect::<Vec<_>>(),
        ["administrators", "owner of clerk", "security"],
        "they are asked together, on what is before"
    );
    assert!(say(&proposal, &directory, "newt").is_err());

    // Rules that are loosened with the change are those before it.
    let rules = edit(&directory, &ObjectKey::organisation(), "/changes/production", json!(["owner"]));
    assert_eq!(
        gates_of(&directory, &[rules, wider(&directory, "clerk")], "wim"),
        ["administrators", "owner of clerk", "security"]
    );

    // An administrator does not make themselves two.
    let proposal =
        propose(&directory, vec![edit(&directory, &person, "/roles", json!(["administrator"]))], "ada");
    assert!(refused(say(&proposal, &directory, "ada")).contains("proposed this"));
    assert!(matches!(say(&proposal, &directory, "ben"), Ok(Answered::Agreed(_))));

    // A yes that is only a name beside the token of the machine is nobody's, whoever proposed it; a signed one is.
    for by_token in [true, false] {
        let row = Proposal { by_token, ..propose(&directory, vec![wider(&directory, "stage")], "wim") };
        let said = |ballot: Ballot| answer(&row, &directory, |_| 1, Answer { ballot, by_token: true }, NOW);
        assert_eq!(said(unsigned("olga")), Err(VoteError::SameHand), "proposed by token: {by_token}");
        let glass = Ballot { break_glass: true, ..unsigned("ada") };
        assert_eq!(said(glass), Err(VoteError::SameHand), "proposed by token: {by_token}");
        assert!(matches!(said(ballot("olga", true)), Ok(Answered::Agreed(_))));
        let own = Answer { ballot: unsigned("olga"), by_token: false };
        assert!(matches!(answer(&row, &directory, |_| 1, own, NOW), Ok(Answered::Agreed(_))));
    }

    // Somebody who left the group, or the company, after a yes has said it for nothing.
    let proposal = propose(&directory, vec![wider(&directory, "clerk")], "wim");
    let one = waits(say(&proposal, &directory, "sid"));
    let mut later = directory.clone();
    let mut sid = later.people.get("sid").unwrap().as_ref().clone();
    sid.active = false;
    later.put(Object::Person(sid));
    let two = waits(say(&one, &later, "olga"));
    assert_eq!(missing(&two, &later, NOW), BTreeMap::from([("security".to_owned(), 1)]));
    assert!(matches!(say(&two, &later, "sue"), Ok(Answered::Agreed(_))));
}

#[test]
fn a_row_that_went_to_and_fro_and_rules_that_changed_make_it_stale() {
    let directory = both();
    let proposal = propose(&directory, vec![wider(&directory, "clerk")], "wim");
    for key in [agent_key("clerk"), ObjectKey::organisation()] {
        let version = |asked: &ObjectKey| if *asked == key { 3 } else { 1 };
        assert_eq!(moved(&proposal, version), std::slice::from_ref(&key));
        let yes = Answer { ballot: ballot("olga", true), by_token: false };
        let text = refused(answer(&proposal, &directory, version, yes, NOW));
        assert!(text.contains("has to be proposed again"), "{text}");
    }
    let over = stale(&proposal, "agent clerk moved", NOW).unwrap();
    assert!(refused(say(&over, &directory, "olga")).contains("it is stale"));
    let late = answer(
        &proposal,
        &directory,
        |_| 1,
        Answer { ballot: ballot("olga", true), by_token: false },
        proposal.expires,
    );
    assert!(refused(late).contains("expired"));
}

#[test]
fn an_answer_to_one_proposal_is_none_to_another() {
    let directory = both();
    let one = propose(&directory, vec![wider(&directory, "clerk")], "wim");
    let same = |change: &dyn Fn(&mut Proposal)| {
        let mut other = one.clone();
        change(&mut other);
        other.digest().unwrap() == one.digest().unwrap()
    };
    assert!(same(&|row| row.votes.clear()) && same(&|row| row.status = ProposalStatus::Expired { at: NOW }));
    assert!(!same(&|row| row.id = "proposal_2".into()));
    assert!(!same(&|row| row.reason = "another".into()));
    assert!(!same(&|row| row.person = None));
    assert!(!same(&|row| row.gates.clear()));
    assert!(!same(&|row| row.reads.clear()));
    assert!(!same(&|row| row.writes =
        vec![ProposedWrite::Put { object: Box::new(wider(&directory, "clerk")), base: 2 }]));
    assert!(!same(
        &|row| row.writes = vec![ProposedWrite::Put { object: Box::new(wider(&directory, "toy")), base: 1 }]
    ));
}

#[test]
fn a_yes_to_what_reaches_production_is_signed_and_one_to_what_does_not_need_not_be() {
    let person = ObjectKey::new(provost_domain::Kind::Person, "newt");
    let role = |directory: &Directory| edit(directory, &person, "/roles", json!(["operator"]));
    let charter = |of: &'static str| move |directory: &Directory| wider(directory, of);
    let moved = |directory: &Directory| {
        edit(directory, &agent_key("stage"), "/charter/environment", json!("production"))
    };
    type Row<'a> = &'a dyn Fn(&Directory) -> Object;
    let rows: [(&str, Row<'_>, &str, bool); 5] = [
        ("a charter in production", &charter("clerk"), "olga", true),
        ("one of staging", &charter("stage"), "olga", false),
        ("one that moves there", &moved, "olga", true),
        ("a role, which holds everywhere", &role, "ben", true),
        (
            "a system of production",
            &|directory| {
                edit(
                    directory,
                    &ObjectKey::new(provost_domain::Kind::System, "bank"),
                    "/description",
                    json!("b"),
                )
            },
            "sid",
            true,
        ),
    ];
    for (what, row, by, wants) in rows {
        let mut directory = both();
        let proposal = propose(&directory, vec![row(&directory)], "wim");
        let said = |directory: &Directory, ballot: Ballot| {
            answer(&proposal, directory, |_| 1, Answer { ballot, by_token: false }, NOW)
        };
        assert_eq!(wants_signature(&proposal, &directory), wants, "{what}");
        let word = said(&directory, unsigned(by));
        let missing = matches!(word, Err(VoteError::SignatureMissing { ref id, .. }) if id == "proposal_1");
        assert_eq!(missing, wants, "{what}: {word:?}");
        assert!(said(&directory, ballot(by, true)).is_ok(), "{what}");
        assert!(
            said(&directory, Ballot { yes: false, ..unsigned(by) }).is_ok(),
            "{what}: a no is never signed"
        );
        // The organisation may ask for it always, or never.
        for (signed, wants) in [(Signed::Always, true), (Signed::Never, false)] {
            let mut rules = directory.organisation.as_deref().unwrap().clone();
            rules.approvals.signed = signed;
            directory.put(Object::Organisation(rules));
            assert_eq!(said(&directory, unsigned(by)).is_err(), wants, "{what}, {}", signed.as_str());
        }
    }
    // A plane on which nothing stands in production has nothing of it to protect.
    let mut directory = both();
    for of in ["clerk", "stage"] {
        directory.put(edit(&directory, &agent_key(of), "/charter/environment", json!("sandbox")));
    }
    directory.put(edit(
        &directory,
        &ObjectKey::new(provost_domain::Kind::System, "bank"),
        "/environment",
        json!("sandbox"),
    ));
    let proposal = propose(&directory, vec![role(&directory)], "wim");
    assert!(!wants_signature(&proposal, &directory));
    // And a word that was enough when it was given is none once it reaches production.
    let Ok(Answered::Agreed(said)) =
        answer(&proposal, &directory, |_| 1, Answer { ballot: unsigned("ben"), by_token: false }, NOW)
    else {
        panic!()
    };
    assert!(missing(&said, &directory, NOW).is_empty());
    assert!(!missing(&said, &both(), NOW).is_empty());
}

#[test]
fn breaking_the_glass_is_for_administrators_who_did_not_write_it_and_needs_a_reason() {
    let directory = both();
    let proposal = propose(&directory, vec![wider(&directory, "clerk")], "ada");
    let broken = |by: &str, reason: Option<&str>| {
        let ballot = Ballot { break_glass: true, reason: reason.map(str::to_owned), ..ballot(by, true) };
        answer(&proposal, &directory, |_| 1, Answer { ballot, by_token: false }, NOW)
    };
    assert_eq!(broken("sid", Some("fire")), Err(VoteError::NotAdministrator(name("sid"))));
    assert_eq!(broken("ben", None), Err(VoteError::ReasonMissing));
    assert!(refused(broken("ada", Some("fire"))).contains("proposed this"));
    let Ok(Answered::Agreed(applied)) = broken("ben", Some("fire")) else { panic!() };
    let glass = applied.broken.unwrap();
    assert_eq!((glass.person, glass.reason.as_str()), (Some(name("ben")), "fire"));
}

/// One move of somebody, somewhere.
#[derive(Debug, Clone)]
enum Do {
    Say {
        by: usize,
        yes: bool,
        glass: bool,
        token: bool,
        signed: bool,
    },
    Change {
        key: usize,
    },
    Leave {
        who: usize,
    },
    Withdraw,
    Wait {
        minutes: u64,
    },
    Settle,
    /// The node dies before the answer is written.
    Crash,
}

fn moves() -> impl Strategy<Value = Vec<Do>> {
    let weighted = proptest::bool::weighted;
    let say = (0..PEOPLE.len(), weighted(0.9), weighted(0.05), any::<bool>(), weighted(0.8))
        .prop_map(|(by, yes, glass, token, signed)| Do::Say { by, yes, glass, token, signed });
    let one = prop_oneof![
        12 => say,
        1 => (0_usize..3).prop_map(|key| Do::Change { key }),
        1 => (0..PEOPLE.len()).prop_map(|who| Do::Leave { who }),
        1 => Just(Do::Withdraw),
        1 => (1_u64..50).prop_map(|minutes| Do::Wait { minutes }),
        1 => Just(Do::Settle),
        1 => Just(Do::Crash),
    ];
    proptest::collection::vec(one, 1..14)
}

const PEOPLE: [&str; 8] = ["olga", "dora", "mona", "ada", "ben", "wim", "sid", "sue"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    /// Whatever people, other changes, time and crashes do, in any order: it is written once at most, on exactly the
    /// versions it was made on, and only when everybody who must had agreed and still counted, or the glass was broken by
    /// somebody who may.
    #[test]
    fn nothing_is_written_that_was_not_agreed_to_and_nothing_twice(
        moves in moves(), author in 0..PEOPLE.len(), by_token in any::<bool>(),
    ) {
        let mut directory = both();
        let clerk = agent_key("clerk");
        let mut row = Proposal { by_token, ..propose(&directory, vec![wider(&directory, "clerk")], PEOPLE[author]) };
        let keys = [clerk.clone(), ObjectKey::organisation(), agent_key("toy")];
        let mut versions: HashMap<ObjectKey, u64> = keys.iter().map(|key| (key.clone(), 1)).collect();
        let mut now = NOW;
        let mut written = 0_u32;
        for step in moves {
            let before = row.clone();
            match step {
                Do::Say { by, yes, glass, token, signed } => {
                    let ballot = Ballot { break_glass: glass, ..ballot(PEOPLE[by], yes) };
                    let ballot = Ballot { signature: ballot.signature.filter(|_| signed), ..ballot };
                    let said = answer(&row, &directory, |key| versions[key], Answer { ballot, by_token: token }, now);
                    let Ok(answered) = said else { continue };
                    prop_assert!(!before.is_over() && now < row.expires);
                    prop_assert!(!yes || signed || !token, "a name beside the token of the machine is no yes");
                    prop_assert!(moved(&before, |key| versions[key]).is_empty());
                    match answered {
                        Answered::Waits(next) | Answered::Refused(next) => row = next,
                        Answered::Agreed(next) => {
                            let yes = next.votes.last().unwrap();
                            prop_assert!(yes.yes);
                            let glass = next.broken.is_some();
                            if glass {
                                prop_assert!(is_administrator(&directory, &yes.person, now) && next.person.as_ref() != Some(&yes.person));
                            } else {
                                let agreed = |gate: &str, of: &[&str]| next.votes.iter().any(|vote| {
                                    vote.yes && vote.signature.is_some() && vote.gates.contains(gate) && of.contains(&vote.person.as_str())
                                        && Some(&vote.person) != next.person.as_ref()
                                        && directory.people.get(&vote.person).unwrap().active
                                });
                                prop_assert!(agreed("security", &["sid", "sue"]));
                                prop_assert!(agreed("owner of clerk", &["olga", "dora", "mona", "ada", "ben"]));
                            }
                            written += 1;
                            *versions.get_mut(&clerk).unwrap() += 1;
                            row = next;
                        }
                    }
                }
                Do::Change { key } => *versions.get_mut(&keys[key]).unwrap() += 1,
                Do::Leave { who } => {
                    let mut person = directory.people.get(PEOPLE[who]).unwrap().as_ref().clone();
                    person.active = !person.active;
                    directory.put(Object::Person(person));
                }
                Do::Withdraw => row = withdraw(&row, "x", "y", now).unwrap_or(row),
                Do::Wait { minutes } => now = now.plus(DurationMs::from_mins(minutes)),
                Do::Settle => {
                    if !moved(&row, |key| versions[key]).is_empty() {
                        row = stale(&row, "moved", now).unwrap_or(row);
                    }
                    row = expire(&row, now).unwrap_or(row);
                }
                Do::Crash => {
                    // The answer was worked out and never written: nothing of it is there.
                    let yes = Answer { ballot: ballot("olga", true), by_token: false };
                    let _lost = answer(&row, &directory, |key| versions[key], yes, now);
                    prop_assert_eq!(&row, &before);
                }
            }
            prop_assert!(!before.is_over() || row == before, "what is over stays as it is");
        }
        prop_assert!(written <= 1);
        prop_assert_eq!(written == 1, matches!(row.status, ProposalStatus::Applied { .. }));
    }
}

#[test]
fn environments_have_their_own_gates() {
    let rules = rules_of(&[Agree::Owner]);
    assert!(rules.of(Environment::Sandbox).is_empty());
    assert_eq!(rules.of(Environment::Production), rules.of(Environment::Staging));
}
