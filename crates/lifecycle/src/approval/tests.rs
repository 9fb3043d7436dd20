use super::*;
use proptest::prelude::*;
use provost_domain::{
    Object, Person, Task,
    organisation::{Group, Organisation, Signed},
    person::Away,
    task::TaskStatus,
};
use serde_json::json;

mod before;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn person(of: &str) -> Person {
    let row = json!({"name": of, "display": of, "active": true, "roles": [], "manager": null});
    serde_json::from_value(row).unwrap()
}

fn task_id() -> TaskId {
    TaskId::new(NOW, [7; 10])
}

/// An agent of olga's with the deputy dora; mona is olga's manager; nils asked for the task. The group `finance` has three
/// members, of whom two must agree.
fn world() -> Directory {
    let mut directory = Directory::default();
    for of in ["olga", "dora", "mona", "nils", "fay", "finn", "fred", "ada", "sid"] {
        let mut row = person(of);
        row.manager = (of == "olga").then(|| name("mona"));
        row.roles = if of == "ada" { [Role::Administrator].into() } else { BTreeSet::new() };
        directory.put(Object::Person(row));
    }
    let members = ["fay", "finn", "fred"].map(name).into();
    directory.put(Object::Organisation(Organisation {
        display: "Acme".into(),
        production_revocation_max: None,
        groups: [(name("finance"), Group { members, needs: 2 })].into(),
        approvals: ApprovalRules {
            escalate_after: Some(DurationMs::from_mins(20)),
            // What is asked for signatures has tests of its own.
            signed: Signed::Never,
            ..ApprovalRules::default()
        },
        changes: Default::default(),
        drills: Default::default(),
        rules: Default::default(),
        autonomy: Default::default(),
        lifecycle: Default::default(),
    }));
    directory.put(serde_json::from_value(json!({"kind": "agent", "body": {
        "id": provost_domain::ids::AgentId::new(NOW, [1; 10]), "name": "clerk", "status": "active", "revision": 4,
        "charter": {
            "purpose": "pays", "owner": "olga", "deputies": ["dora"], "environment": "production",
            "autonomy": "supervised", "delegation": {"depth_max": 0, "children_max": 0}, "retirement": {},
            "task_duration_max": 3_600_000,
        },
        "provenance": {"created_by": "t", "created_at": 1, "source": "t"},
    }})).unwrap());
    directory.put(Object::Task(task()));
    directory
}

fn task() -> Task {
    Task {
        id: task_id(),
        agent: name("clerk"),
        purpose: "pay".into(),
        requester: name("nils"),
        scope: None,
        started: NOW,
        expires: NOW.plus(DurationMs::from_mins(600)),
        status: TaskStatus::Running,
        parent: None,
        revoked: BTreeSet::new(),
        for_person: false,
        refresh: None,
        trial: None,
        inputs: Default::default(),
        bill: None,
    }
}

fn action(amount: u32) -> Action {
    Action {
        agent: name("clerk"),
        task: task_id(),
        system: name("bank"),
        tool: "pay".parse().unwrap(),
        args: json!({"amount": amount}).as_object().unwrap().clone(),
    }
}

fn bound() -> Bound {
    Bound { revision: 4, pin: Digest::of(b"pin"), policies: Digest::of(b"policies") }
}

fn waiting(gates: &[&str], nth: u32, now: Timestamp) -> Approval {
    let asking = Ask {
        action: action(10),
        purpose: "pay".into(),
        askers: [name("nils")].into(),
        gates: gates.iter().map(|gate| (*gate).to_owned()).collect(),
        reasons: Vec::new(),
        bound: bound(),
        decision: DecisionId::new(now, [2; 10]),
        task_expires: NOW.plus(DurationMs::from_mins(600)),
        mark: Digest::of(b"random"),
    };
    ask(asking, nth, rules(&world()), now).unwrap()
}

fn ballot(by: &str, yes: bool) -> Ballot {
    Ballot {
        person: name(by),
        yes,
        reason: None,
        shown_by: "test".into(),
        break_glass: false,
        signature: None,
    }
}

fn say(row: &Approval, directory: &Directory, by: &str, yes: bool) -> Result<Approval, VoteError> {
    vote(row, directory, ballot(by, yes), NOW.plus(DurationMs(1)))
}

#[test]
fn a_yes_takes_a_signature_where_the_organisation_asks_for_one_and_a_no_never() {
    let stamp = provost_domain::Stamp { plane: "https://plane.example".into(), at: NOW, nonce: "0".into() };
    let signature = || {
        let text = String::new;
        Some(Box::new(Signature {
            stamp: stamp.clone(),
            passkey: text(),
            key: text(),
            authenticator_data: text(),
            client_data: text(),
            signature: text(),
        }))
    };
    for (signed, environment, wanted) in [
        (Signed::Production, "production", true),
        (Signed::Production, "staging", false),
        (Signed::Production, "sandbox", false),
        (Signed::Always, "sandbox", true),
        (Signed::Never, "production", false),
    ] {
        let mut directory = world();
        let mut organisation = directory.organisation.as_deref().unwrap().clone();
        organisation.approvals.signed = signed;
        directory.put(Object::Organisation(organisation));
        let mut agent = directory.agents.get(&name("clerk")).unwrap().as_ref().clone();
        agent.charter.environment = serde_json::from_value(json!(environment)).unwrap();
        directory.put(Object::Agent(agent));
        let row = waiting(&["owner"], 0, NOW);
        let case = format!("{signed:?} {environment}");
        assert_eq!(wants_signature(&row, &directory), wanted, "{case}");
        let word = say(&row, &directory, "olga", true);
        match wanted {
            true => assert!(matches!(word, Err(VoteError::SignatureMissing { .. })), "{case}"),
            false => assert!(word.is_ok(), "{case}"),
        }
        let with = Ballot { signature: signature(), ..ballot("olga", true) };
        let voted = vote(&row, &directory, with, NOW).unwrap();
        assert!(voted.is_granted(NOW) && voted.votes[0].signature.is_some(), "{case}");
        assert!(say(&row, &directory, "olga", false).is_ok(), "a no is a word: {case}");
        let broken = Ballot { break_glass: true, reason: Some("fire".into()), ..ballot("ada", true) };
        assert!(vote(&row, &directory, broken, NOW).unwrap().votes[0].break_glass, "{case}");
        let open = |signature| {
            let limits = Wanted {
                id: "e".into(),
                in_task: true,
                args: BTreeMap::new(),
                count_max: 1,
                sum: None,
                lasts: DurationMs::from_mins(5),
            };
            let ballot = Ballot { signature, reason: Some("often".into()), ..ballot("olga", true) };
            envelope(&row, &directory, limits, ballot, NOW)
        };
        assert_eq!(open(None).is_ok(), !wanted, "{case}");
        assert!(open(signature()).unwrap().signature.is_some(), "{case}");
    }
}

#[test]
fn who_may_say_yes_for_an_owner() {
    let away = |directory: &mut Directory, of: &str, to: &str| {
        let mut row = directory.people.get(of).unwrap().as_ref().clone();
        row.away = Some(Away { until: NOW.plus(DurationMs::from_mins(60)), to: name(to) });
        directory.put(Object::Person(row));
    };
    let cases: [(&str, &str, &str, bool, &str); 12] = [
        ("the owner", "", "olga", true, ""),
        ("a deputy", "", "dora", true, ""),
        (
            "a deputy, who counts only while the owner is away",
            "deputies",
            "dora",
            false,
            "only while the owner is away",
        ),
        ("a deputy while the owner is away", "deputies olga>sid", "dora", true, ""),
        ("who stands in for the owner", "olga>sid", "sid", true, ""),
        ("a stranger", "", "sid", false, "neither the owner (olga) of clerk nor a deputy"),
        ("the manager, at once", "", "mona", false, "neither the owner"),
        ("the requester", "", "nils", false, "asked for this task"),
        (
            "who stands in for the requester who is owner too",
            "own olga>sid",
            "sid",
            false,
            "neither the owner",
        ),
        ("the owner who signed in and asked", "own", "olga", false, "asked for this task"),
        ("nobody", "", "nobody", false, "nobody who is here"),
        ("who has left", "gone", "dora", false, "nobody who is here"),
    ];
    for (who, setting, by, may, because) in cases {
        let mut directory = world();
        let mut row = waiting(&["owner"], 0, NOW);
        for word in setting.split_whitespace() {
            match word {
                "deputies" => {
                    let mut organisation = directory.organisation.as_deref().unwrap().clone();
                    organisation.approvals.deputies_only_while_away = true;
                    directory.put(Object::Organisation(organisation));
                }
                "own" => {
                    let own = Task { requester: name("olga"), for_person: true, ..task() };
                    directory.put(Object::Task(own));
                    row.askers = askers(&directory, task_id());
                }
                "gone" => {
                    let dora = Person { active: false, ..person("dora") };
                    directory.put(Object::Person(dora));
                }
                word => {
                    let (of, to) = word.split_once('>').unwrap();
                    away(&mut directory, of, to);
                }
            }
        }
        let said = say(&row, &directory, by, true);
        match said {
            Ok(granted) => assert!(may && granted.is_granted(NOW.plus(DurationMs(2))), "{who}"),
            Err(error) => assert!(!may && error.to_string().contains(because), "{who}: {error}"),
        }
    }
}

#[test]
fn a_manager_may_answer_once_the_owner_was_silent_for_long_enough() {
    let (directory, row) = (world(), waiting(&["owner"], 0, NOW));
    let at = |minutes| vote(&row, &directory, ballot("mona", true), NOW.plus(DurationMs::from_mins(minutes)));
    assert!(at(19).is_err() && at(20).is_ok());
    assert_eq!(at(60), Err(VoteError::Late(row.id.clone())), "silence is a no");
}

#[test]
fn a_group_needs_as_many_different_people_as_it_says() {
    let (mut directory, row) = (world(), waiting(&["finance"], 0, NOW));
    let one = say(&row, &directory, "fay", true).unwrap();
    assert_eq!((one.status.clone(), missing(&one, &directory)["finance"]), (ApprovalStatus::Waiting, 1));
    assert!(say(&one, &directory, "fay", true).unwrap_err().to_string().contains("already"), "once each");
    let mut fay = directory.people.get("fay").unwrap().as_ref().clone();
    fay.away = Some(Away { until: NOW.plus(DurationMs::from_mins(60)), to: name("sid") });
    directory.put(Object::Person(fay));
    assert!(say(&one, &directory, "sid", true).is_err(), "fay has said yes already, and is one person");
    assert!(say(&one, &directory, "finn", true).unwrap().is_granted(NOW.plus(DurationMs(2))));
    let no = say(&one, &directory, "finn", false).unwrap();
    assert!(no.is_over() && say(&no, &directory, "fred", true).is_err(), "one no ends it");
    let undeclared = waiting(&["board"], 0, NOW);
    assert!(say(&undeclared, &directory, "olga", true).unwrap_err().to_string().contains("no group board"));
}

#[test]
fn every_gate_wants_its_own_yes() {
    let (directory, row) = (world(), waiting(&["owner", "finance"], 0, NOW));
    let some = ["olga", "fay"].iter().fold(row, |row, by| say(&row, &directory, by, true).unwrap());
    assert_eq!(some.status, ApprovalStatus::Waiting);
    assert!(say(&some, &directory, "fred", true).unwrap().is_granted(NOW.plus(DurationMs(2))));
}

#[test]
fn breaking_the_glass_takes_an_administrator_who_did_not_ask_and_a_reason() {
    let (mut directory, row) = (world(), waiting(&["owner", "finance"], 0, NOW));
    let smash = |directory: &Directory, by: &str, reason: Option<&str>| {
        let ballot = Ballot { break_glass: true, reason: reason.map(str::to_owned), ..ballot(by, true) };
        vote(&row, directory, ballot, NOW.plus(DurationMs(1)))
    };
    assert_eq!(smash(&directory, "olga", Some("fire")), Err(VoteError::NotAdministrator(name("olga"))));
    assert_eq!(smash(&directory, "ada", Some("  ")), Err(VoteError::ReasonMissing));
    let granted = smash(&directory, "ada", Some("fire")).unwrap();
    assert!(granted.is_granted(NOW.plus(DurationMs(2))) && granted.votes[0].break_glass);
    directory.put(Object::Task(Task { requester: name("ada"), ..task() }));
    assert_eq!(smash(&directory, "ada", Some("fire")), Err(VoteError::OwnRequest(name("ada"))));
}

#[test]
fn nothing_is_approved_for_a_task_that_ended_or_a_charter_that_changed() {
    let row = waiting(&["owner"], 0, NOW);
    let mut directory = world();
    directory.put(Object::Task(Task { status: TaskStatus::Ended, ..task() }));
    assert_eq!(say(&row, &directory, "olga", true), Err(VoteError::TaskEnded(task_id())));
    let mut directory = world();
    let mut agent = directory.agents.get("clerk").unwrap().as_ref().clone();
    agent.revision = 5;
    directory.put(Object::Agent(agent));
    assert_eq!(say(&row, &directory, "olga", true), Err(VoteError::CharterChanged(name("clerk"))));
}

#[test]
fn a_grant_ends_with_its_task_and_is_for_this_action_under_these_rules_only() {
    let mut directory = world();
    let end = NOW.plus(DurationMs(90));
    directory.put(Object::Task(Task { expires: end, ..task() }));
    let granted = say(&waiting(&["owner"], 0, NOW), &directory, "olga", true).unwrap();
    let (own, later) = (granted.action, NOW.plus(DurationMs(89)));
    assert!(is_usable(&granted, &own, &bound(), later) && !is_usable(&granted, &own, &bound(), end));
    let other = Digest::of(b"other");
    assert!(!is_usable(&granted, &action(11).digest().unwrap(), &bound(), later));
    for changed in [
        Bound { revision: 5, ..bound() },
        Bound { pin: other, ..bound() },
        Bound { policies: other, ..bound() },
    ] {
        assert!(!is_usable(&granted, &own, &changed, later));
    }
}

/// What happens, in any order.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ask,
    Yes(usize),
    No(usize),
    Wait(u64),
    /// The agent calls; `true`: the plane goes down before the use is marked.
    Call(bool),
    Mark,
    Sweep,
    Withdraw,
    EndTask,
    Revise,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Ask),
        4 => (0..6_usize).prop_map(Step::Yes),
        1 => (0..6_usize).prop_map(Step::No),
        2 => (1..30_u64).prop_map(Step::Wait),
        6 => any::<bool>().prop_map(Step::Call),
        2 => Just(Step::Mark),
        2 => Just(Step::Sweep),
        1 => Just(Step::Withdraw),
        1 => Just(Step::EndTask),
        1 => Just(Step::Revise),
    ];
    prop::collection::vec(step, 1..60)
}

/// A plane in miniature: the rows, the charges, and what ran under which approval at which moment.
struct Model {
    directory: Directory,
    now: Timestamp,
    bound: Bound,
    rows: Vec<Approval>,
    charged: BTreeSet<String>,
    ran: Vec<String>,
}

impl Model {
    fn step(&mut self, step: Step) {
        const PEOPLE: [&str; 6] = ["olga", "dora", "nils", "sid", "mona", "ada"];
        let (now, bound) = (self.now, self.bound);
        let live = self.directory.tasks.get(&task_id()).is_some_and(|task| task.is_live(now));
        match step {
            Step::Ask if live && self.rows.last().is_none_or(Approval::is_over) => {
                let nth = u32::try_from(self.rows.len()).unwrap();
                self.rows.push(Approval { bound, ..waiting(&["owner"], nth, now) });
            }
            Step::Yes(by) | Step::No(by) => {
                let yes = matches!(step, Step::Yes(_));
                let Some(row) = self.rows.last_mut() else { return };
                if let Ok(voted) = vote(row, &self.directory, ballot(PEOPLE[by], yes), now) {
                    assert!(!yes || ["olga", "dora", "mona"].contains(&PEOPLE[by]), "{voted:?}");
                    *row = voted;
                }
            }
            Step::Wait(minutes) => self.now = now.plus(DurationMs::from_mins(minutes)),
            Step::Call(crash) if live => {
                let Some(row) = self.rows.last_mut() else { return };
                let usable = is_usable(row, &action(10).digest().unwrap(), &bound, now);
                if usable && self.charged.insert(row.charge_key()) {
                    assert!(row.votes.iter().any(|vote| vote.yes) && row.votes.iter().all(|vote| vote.yes));
                    self.ran.push(row.id.clone());
                    if !crash {
                        *row = used(row, None, now).unwrap();
                    }
                }
            }
            Step::Mark | Step::Sweep => {
                for row in &mut self.rows {
                    let spent = self.charged.contains(&row.charge_key());
                    let over = if spent { used(row, None, now) } else { expire(row, now) };
                    *row = over.unwrap_or_else(|| row.clone());
                }
            }
            Step::Withdraw => {
                let over = self.rows.last().and_then(|row| withdraw(row, "enough", now));
                if let (Some(row), Some(over)) = (self.rows.last_mut(), over) {
                    *row = over;
                }
            }
            Step::EndTask => self.directory.put(Object::Task(Task { status: TaskStatus::Ended, ..task() })),
            Step::Revise => {
                let mut agent = self.directory.agents.get("clerk").unwrap().as_ref().clone();
                agent.revision += 1;
                self.bound.revision = agent.revision;
                self.directory.put(Object::Agent(agent));
            }
            Step::Ask | Step::Call(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn no_order_of_events_runs_an_action_twice_or_without_its_grant(steps in steps()) {
        let mut model = Model {
            directory: world(),
            now: NOW,
            bound: bound(),
            rows: Vec::new(),
            charged: BTreeSet::new(),
            ran: Vec::new(),
        };
        for step in steps {
            let before = model.ran.len();
            let over: Vec<bool> = model.rows.iter().map(Approval::is_over).collect();
            model.step(step);
            prop_assert!(model.ran.len() == before || matches!(step, Step::Call(_)));
            for (row, over) in model.rows.iter().zip(over) {
                prop_assert!(row.is_over() || !over, "{} came back", row.id);
            }
        }
        let distinct: BTreeSet<&String> = model.ran.iter().collect();
        prop_assert_eq!(distinct.len(), model.ran.len());
    }
}

#[test]
fn a_yes_counts_for_as_long_as_who_gave_it_is_here_and_could_give_it() {
    let organisation = |directory: &mut Directory, members: &[&str]| {
        let mut row = directory.organisation.as_deref().unwrap().clone();
        let members = members.iter().map(|of| name(of)).collect();
        row.groups.insert(name("finance"), Group { members, needs: 2 });
        directory.put(Object::Organisation(row));
    };
    let charter = |directory: &mut Directory, owner: &str, deputies: &[&str]| {
        let mut row = directory.agents.get("clerk").unwrap().as_ref().clone();
        row.charter.owner = name(owner);
        row.charter.deputies = deputies.iter().map(|of| name(of)).collect();
        directory.put(Object::Agent(row));
    };
    let leaves = |directory: &mut Directory, of: &str| {
        directory.put(Object::Person(Person { active: false, ..person(of) }));
    };
    type Change<'c> = Box<dyn Fn(&mut Directory) + 'c>;
    let cases: Vec<(&str, &str, &[&str], Change<'_>, &str)> = vec![
        ("nothing happened", "owner", &["dora"], Box::new(|_| {}), ""),
        ("she left", "owner", &["dora"], Box::new(|d| leaves(d, "dora")), "dora, who said yes, is not here"),
        (
            "no deputy any more",
            "owner",
            &["dora"],
            Box::new(|d| charter(d, "olga", &[])),
            "may not answer for owner",
        ),
        (
            "another owner",
            "owner",
            &["olga"],
            Box::new(|d| charter(d, "sid", &["dora"])),
            "olga, who said yes",
        ),
        (
            "deputies count only while she is away, and she is back",
            "owner",
            &["dora"],
            Box::new(|d| {
                let mut row = d.organisation.as_deref().unwrap().clone();
                row.approvals.deputies_only_while_away = true;
                d.put(Object::Organisation(row));
            }),
            "",
        ),
        (
            "one of two left the group",
            "finance",
            &["fay", "finn"],
            Box::new(|d| organisation(d, &["finn", "fred"])),
            "fay, who said yes, may not answer for finance",
        ),
        (
            "somebody else left the group",
            "finance",
            &["fay", "finn"],
            Box::new(|d| organisation(d, &["fay", "finn"])),
            "",
        ),
        (
            "the group is gone",
            "finance",
            &["fay", "finn"],
            Box::new(|d| {
                let mut row = d.organisation.as_deref().unwrap().clone();
                row.groups.clear();
                d.put(Object::Organisation(row));
            }),
            "may not answer for finance",
        ),
    ];
    for (what, gate, voters, change, expected) in cases {
        let mut directory = world();
        let mut row = waiting(&[gate], 0, NOW);
        for voter in voters {
            row = say(&row, &directory, voter, true).unwrap();
        }
        assert!(row.is_granted(NOW.plus(DurationMs(2))), "{what}");
        change(&mut directory);
        let said = fallen(&row, &directory).unwrap_or_default();
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{what}: {said}");
        assert_eq!(
            missing(&row, &directory).is_empty(),
            expected.is_empty(),
            "{what}: and it does not count"
        );
    }
}

#[test]
fn a_stand_in_answers_for_as_long_as_who_they_stood_in_for_could() {
    let mut directory = world();
    let mut olga = directory.people.get("olga").unwrap().as_ref().clone();
    olga.away = Some(Away { until: NOW.plus(DurationMs::from_mins(60)), to: name("sid") });
    directory.put(Object::Person(olga.clone()));
    let row = say(&waiting(&["owner"], 0, NOW), &directory, "sid", true).unwrap();
    let wanted = Wanted {
        id: "envelope_1".into(),
        in_task: true,
        args: BTreeMap::new(),
        count_max: 2,
        sum: None,
        lasts: DurationMs::from_mins(5),
    };
    let reasoned = Ballot { reason: Some("every day".into()), ..ballot("sid", true) };
    let allowed = envelope(&waiting(&["owner"], 0, NOW), &directory, wanted, reasoned, NOW).unwrap();
    assert_eq!(allowed.on_behalf_of, Some(name("olga")));
    assert_eq!((fallen(&row, &directory), envelope_fallen(&allowed, &directory)), (None, None));
    olga.away = None;
    directory.put(Object::Person(olga));
    assert_eq!(
        (fallen(&row, &directory), envelope_fallen(&allowed, &directory)),
        (None, None),
        "she is back"
    );
    directory.put(Object::Person(Person { active: false, ..person("sid") }));
    let said = (fallen(&row, &directory).unwrap(), envelope_fallen(&allowed, &directory).unwrap());
    assert!(said.0.contains("sid, who said yes") && said.1.contains("sid, who said yes"), "{said:?}");
}

#[test]
fn an_administrator_who_broke_the_glass_must_be_one_still() {
    let mut directory = world();
    let glass = Ballot { reason: Some("fire".into()), break_glass: true, ..ballot("ada", true) };
    let row = vote(&waiting(&["finance"], 0, NOW), &directory, glass, NOW).unwrap();
    assert_eq!(fallen(&row, &directory), None);
    directory.put(Object::Person(person("ada")));
    assert!(fallen(&row, &directory).unwrap().contains("is none any more"));
}
