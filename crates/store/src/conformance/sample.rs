//! Rows and records for tests, each complete, each made in one line.

use crate::{
    Attribution, ChangeSet, Charge, Intent, Sequenced, Store, TaskExpectation, TileKey, WindowKey, Write,
};
use provost_domain::{
    AccessReview, Account, Agent, Baseline, BaselineOf, Charter, Completion, Connector, Containment,
    Decision, DecisionId, Delivery, Digest, Drill, DurationMs, Environment, Finding, Invite, Issuer, Label,
    Minted, Name, NodeId, Object, ObjectKey, Outcome, Passkey, Person, Proof, Proposal, Provisioned,
    Restraint, Roster, Seq, Session, Severity, Stream, System, Task, TaskId, Timestamp, Tool, Verdict,
    Workload,
    agent::{AgentStatus, Level, Provenance},
    approval::{Approval, ApprovalStatus, Bound, Envelope, EnvelopeStatus, approval_id},
    connector::{ConnectorToken, Gives},
    containment::{ContainmentStatus, Scope, Who},
    decision::Subject,
    delivery::DeliveryState,
    drill::DrillState,
    finding::{About, FindingState, Response},
    ids::AgentId,
    minted::MintedStatus,
    passkey::Removed,
    person::Login,
    proposal::{Asks, Base, ChangeGate, ProposalStatus, ProposedWrite},
    stream::{StreamMethod, StreamStatus},
    system::Connection,
    task::TaskStatus,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

/// A moment all samples are near.
pub const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Ten bytes never given before.
#[must_use]
pub fn random() -> [u8; 10] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 10];
    let (_, low) = bytes.split_at_mut(2);
    low.copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes
}

/// The node every sample decision is made on.
#[must_use]
pub fn node() -> NodeId {
    NodeId::from_bytes([7; 16])
}

/// A name.
#[must_use]
pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Labels.
#[must_use]
pub fn labels(words: &[&str]) -> BTreeSet<Label> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}

/// A task's id.
#[must_use]
pub fn task_id() -> TaskId {
    TaskId::new(NOON, random())
}

/// A person.
#[must_use]
pub fn person(person: &str) -> Object {
    let display = format!("{person} of the tests");
    Object::Person(Person {
        name: name(person),
        display,
        email: None,
        manager: None,
        active: true,
        roles: Default::default(),
        logins: Vec::new(),
        away: None,
        provisioned: None,
    })
}

/// A person who is this subject of a provider, or of none.
#[must_use]
pub fn person_of(person: &str, subject: Option<&str>) -> Object {
    let Object::Person(mut row) = self::person(person) else { return self::person(person) };
    row.logins = subject
        .map(|subject| Login { issuer: name("okta"), subject: subject.to_owned(), added: NOON })
        .into_iter()
        .collect();
    Object::Person(row)
}

/// An agent with this key, or with none.
#[must_use]
pub fn agent_with(agent: &str, thumbprint: Option<&str>) -> Object {
    let Object::Agent(mut row) = self::agent(agent) else { return self::agent(agent) };
    let key = |thumbprint: &str| Proof::Key {
        thumbprint: thumbprint.to_owned(),
        jwk: Default::default(),
        added: NOON,
    };
    row.proofs = thumbprint.map(key).into_iter().collect();
    Object::Agent(row)
}

/// A person whose row says something else.
#[must_use]
pub fn person_displayed(person: &str, display: &str) -> Object {
    Object::Person(Person {
        name: name(person),
        display: display.to_owned(),
        email: None,
        manager: None,
        active: true,
        roles: Default::default(),
        logins: Vec::new(),
        away: None,
        provisioned: None,
    })
}

/// A person whom a connector made, of this `userName`.
#[must_use]
pub fn person_provisioned(person: &str, user_name: &str) -> Object {
    let Object::Person(mut row) = self::person(person) else { return self::person(person) };
    row.provisioned = Some(Box::new(Provisioned {
        connector: name("entra"),
        user_name: user_name.to_owned(),
        external_id: None,
        active: true,
        stopped: false,
        made: true,
        rosters: ["group-1".to_owned()].into(),
        attributes: json!({"displayName": "x"}).as_object().cloned().unwrap_or_default(),
        created: NOON,
        changed: NOON,
        gone: None,
    }));
    Object::Person(row)
}

/// A connector.
#[must_use]
pub fn connector(connector: &str) -> Object {
    let gives = Gives { roles: Default::default(), group: Some(name("finance")) };
    Object::Connector(Connector {
        name: name(connector),
        description: "a connector of the tests".to_owned(),
        owner: name("maria"),
        active: true,
        logins: None,
        groups: [("Finance".to_owned(), gives)].into(),
        tokens: vec![ConnectorToken { digest: Digest::of(b"token"), issued: NOON, expires: NOON }],
    })
}

/// A group of a connector.
#[must_use]
pub fn roster(id: &str, display: &str) -> Object {
    Object::Roster(Roster {
        id: id.to_owned(),
        connector: name("entra"),
        display: display.to_owned(),
        external_id: None,
        created: NOON,
        changed: NOON,
        edition: 1,
    })
}

/// A trusted issuer.
#[must_use]
pub fn issuer(issuer: &str) -> Object {
    Object::Issuer(Issuer {
        name: name(issuer),
        description: "an issuer of the tests".to_owned(),
        issuer: format!("https://{issuer}.example"),
        keys: provost_domain::issuer::KeySource::Discovery,
        owner: name("maria"),
        workloads: None,
        people: None,
        signals: None,
    })
}

/// An account at a system.
#[must_use]
pub fn account(system: &str, person: &str) -> Object {
    Object::Account(Account {
        system: name(system),
        person: name(person),
        sealed: name("account-1"),
        scope: None,
        connected: NOON,
    })
}

/// A session of maria.
#[must_use]
pub fn session(id: u8, ended: bool) -> Object {
    Object::Session(Session {
        id: Digest::of(&[id]),
        person: name("maria"),
        roles: Default::default(),
        by: "issuer ci".to_owned(),
        passkey: None,
        started: NOON,
        seen: None,
        expires: NOON.plus(DurationMs::from_mins(60)),
        ended,
    })
}

/// Something made at the bank for a task.
#[must_use]
pub fn minted(id: &str, task: TaskId, gone: bool) -> Object {
    Object::Minted(Minted {
        id: id.to_owned(),
        system: name("bank"),
        agent: name("clerk"),
        task,
        node: node(),
        what: "postgres-role".to_owned(),
        made: NOON,
        expires: NOON.plus(DurationMs::from_mins(60)),
        status: match gone {
            true => MintedStatus::Gone { at: NOON },
            false => MintedStatus::Owed,
        },
    })
}

/// The approval of a payment in a task.
#[must_use]
pub fn approval(task: TaskId, used: bool) -> Object {
    let action = Digest::of(b"pay");
    let status = match used {
        true => ApprovalStatus::Used { at: NOON, decision: None },
        false => ApprovalStatus::Waiting,
    };
    Object::Approval(Box::new(Approval {
        id: approval_id(&action, u32::from(used)),
        agent: name("clerk"),
        task,
        purpose: "pays".to_owned(),
        askers: [name("maria")].into(),
        system: name("bank"),
        tool: "transfer".parse().unwrap(),
        action,
        args: [("amount".to_owned(), json!("12.50"))].into_iter().collect(),
        gates: ["owner".to_owned()].into(),
        reasons: Vec::new(),
        bound: bound(),
        decision: DecisionId::new(NOON, random()),
        asked: NOON,
        expires: NOON.plus(DurationMs::from_mins(60)),
        votes: Vec::new(),
        edited_from: None,
        mark: Some(Digest::of(b"mark")),
        check: None,
        status,
    }))
}

/// An order about everything the clerk does.
#[must_use]
pub fn containment(id: &str, lifted: bool) -> Object {
    let by = Who { person: Some(name("maria")), shown_by: "local administrator for maria".to_owned() };
    let status = match lifted {
        true => ContainmentStatus::Lifted {
            by: by.clone(),
            at: NOON,
            reason: "over".to_owned(),
            asked: None,
            signature: None,
        },
        false => ContainmentStatus::InForce,
    };
    Object::Containment(Box::new(Containment {
        id: id.to_owned(),
        scope: Scope { agent: Some(name("clerk")), ..Scope::default() },
        level: Restraint::ReadOnly,
        reason: "a key leaked".to_owned(),
        by,
        at: NOON,
        status,
        drill: false,
        ended: Default::default(),
        systems: Default::default(),
        settled: Default::default(),
        told: Default::default(),
    }))
}

/// A change of the clerk's purpose that waits for its owner, or was refused.
#[must_use]
pub fn proposal(id: &str, over: bool) -> Object {
    let base = 1;
    Object::Proposal(Box::new(Proposal {
        id: id.to_owned(),
        author: "person jonas".to_owned(),
        person: Some(name("jonas")),
        by_token: false,
        reason: "more is wanted".to_owned(),
        writes: vec![ProposedWrite::Put { object: Box::new(agent("clerk")), base }],
        reads: vec![Base { key: ObjectKey::organisation(), version: 0 }],
        steps: Vec::new(),
        plan: "sha256:00".to_owned(),
        gates: [(
            "owner of clerk".to_owned(),
            ChangeGate { asks: Asks::Owner { agent: name("clerk") }, rows: Vec::new() },
        )]
        .into(),
        made: NOON,
        expires: NOON.plus(DurationMs::from_mins(60)),
        votes: Vec::new(),
        broken: None,
        status: if over { ProposalStatus::Refused { at: NOON } } else { ProposalStatus::Waiting },
    }))
}

/// What is usual for the clerk after so many runs.
#[must_use]
pub fn baseline(runs: u32) -> Object {
    let mut row = Baseline::begun(BaselineOf::Agent { agent: name("clerk") }, NOON);
    row.usual.reference.runs = runs;
    row.usual.reference.hours.insert(9, runs);
    row.usual.reference.pairs.insert(("^".to_owned(), "bank/pay".to_owned()), runs);
    row.usual.reference.labels.insert("payroll".parse().unwrap(), runs);
    row.usual.reference.marks.insert(provost_domain::usual::Mark(u64::MAX), runs);
    Object::Baseline(Box::new(row))
}

/// A review of the clerk.
#[must_use]
pub fn review(id: &str, filed: bool) -> Object {
    Object::Review(Box::new(AccessReview {
        id: id.to_owned(),
        agent: name("clerk"),
        because: "the quarter".to_owned(),
        opened: NOON,
        since: NOON,
        due: NOON.plus(DurationMs::from_mins(60)),
        revision: 1,
        decisions: 0,
        whole: true,
        lines: Vec::new(),
        effect: Default::default(),
        status: provost_domain::access_review::ReviewStatus::Open,
        filed,
    }))
}

/// A drill of the clerk.
#[must_use]
pub fn drill(id: &str) -> Object {
    Object::Drill(Box::new(Drill {
        id: id.to_owned(),
        agent: name("clerk"),
        plan: None,
        by: Who { person: None, shown_by: "plane".to_owned() },
        at: NOON,
        target: DurationMs::from_secs(1),
        state: DrillState::Running,
    }))
}

/// An envelope for payments of the clerk.
#[must_use]
pub fn envelope(id: &str, revoked: bool) -> Object {
    Object::Envelope(Box::new(Envelope {
        id: id.to_owned(),
        agent: name("clerk"),
        task: None,
        system: name("bank"),
        tool: "transfer".parse().unwrap(),
        args: Default::default(),
        count_max: 3,
        sum: None,
        gates: ["owner".to_owned()].into(),
        bound: bound(),
        by: name("maria"),
        on_behalf_of: None,
        shown_by: "local administrator for maria".to_owned(),
        signature: None,
        why: "the same every day".to_owned(),
        approval: "approval_1".to_owned(),
        mark: None,
        granted: NOON,
        until: NOON.plus(DurationMs::from_mins(60)),
        status: match revoked {
            true => EnvelopeStatus::Revoked { at: NOON, by: "maria".to_owned(), why: "enough".to_owned() },
            false => EnvelopeStatus::Open,
        },
    }))
}

/// A finding about the clerk.
#[must_use]
pub fn finding(id: &str, filed: bool) -> Object {
    Object::Finding(Box::new(Finding {
        id: id.to_owned(),
        kind: "drift".to_owned(),
        key: "clerk/bank".to_owned(),
        severity: Severity::Medium,
        about: About::agent(&name("clerk")),
        what: "the clerk reads what it never read".to_owned(),
        evidence: vec!["decision_1".to_owned()],
        response: Response::Notify,
        by_another: false,
        owner: Some(name("maria")),
        first: NOON,
        last: NOON,
        opened: NOON,
        count: 1,
        state: match filed {
            true => FindingState::Closed { at: NOON, by: "person maria".to_owned(), why: "done".to_owned() },
            false => FindingState::Open,
        },
        filed,
    }))
}

/// A stream of signals.
#[must_use]
pub fn stream(id: &str) -> Object {
    Object::Stream(Stream {
        id: id.to_owned(),
        receiver: name("payroll"),
        audience: "https://receiver.example".to_owned(),
        description: None,
        requested: BTreeSet::new(),
        method: StreamMethod::Poll,
        without: Vec::new(),
        status: StreamStatus::Enabled,
        reason: None,
        created: NOON,
        verified: None,
    })
}

/// Something owed to somebody outside, or acknowledged; and whether something will follow it.
#[must_use]
pub fn delivery(id: &str, due: bool, followed: bool) -> Object {
    let state = match due {
        true => DeliveryState::Due { next: NOON },
        false => DeliveryState::Delivered { at: NOON, receipt: "200".to_owned() },
    };
    Object::Delivery(Box::new(Delivery {
        id: id.to_owned(),
        lane: "channel/ops".to_owned(),
        order: 1,
        kind: "asked".to_owned(),
        about: None,
        payload: Default::default(),
        only_while_waiting: false,
        followed,
        created: NOON,
        until: NOON.plus(DurationMs::from_mins(60)),
        attempts: 0,
        last: None,
        state,
    }))
}

fn bound() -> Bound {
    Bound { revision: 1, pin: Digest::of(b"pin"), policies: Digest::of(b"policies") }
}

/// A passkey of a person.
#[must_use]
pub fn passkey(person: &str, id: &str, removed: bool) -> Object {
    Object::Passkey(Box::new(Passkey {
        id: id.to_owned(),
        person: name(person),
        name: "laptop".to_owned(),
        key: "pQ".to_owned(),
        party: "localhost".to_owned(),
        counter: 0,
        synced: false,
        added: NOON,
        used: None,
        doubt: None,
        removed: removed.then(|| Removed { at: NOON, by: person.to_owned() }),
    }))
}

/// A one-use link.
#[must_use]
pub fn invite(secret: &str, used: bool) -> Object {
    Object::Invite(Invite {
        id: Digest::of(secret.as_bytes()),
        person: Some(name("maria")),
        by: "local administrator".to_owned(),
        made: NOON,
        expires: NOON.plus(DurationMs::from_mins(60)),
        used: used.then_some(NOON),
    })
}

/// A workload.
#[must_use]
pub fn workload(workload: &str) -> Object {
    Object::Workload(Workload {
        name: name(workload),
        purpose: "asks".to_owned(),
        owner: name("maria"),
        applications: Vec::new(),
        active: true,
        signals: None,
        callbacks: Some(provost_domain::Callbacks {
            endpoints: ["https://pep.example/callbacks".to_owned()].into(),
            secret: name("pep-callbacks"),
        }),
    })
}

/// A system.
#[must_use]
pub fn system(system: &str) -> Object {
    Object::System(System {
        name: name(system),
        description: "a bank".to_owned(),
        environment: Environment::Sandbox,
        connection: Connection::McpLocal,
        credential: None,
        revocation_max: DurationMs::from_mins(5),
        resource_labels: BTreeSet::new(),
        only_through_plane: false,
        scim: None,
    })
}

/// A tool.
#[must_use]
pub fn tool(system: &str, tool: &str) -> Object {
    Object::Tool(Tool {
        system: name(system),
        name: tool.parse().unwrap(),
        description: "does it".to_owned(),
        pin: Digest::of(b"pin"),
        effects: BTreeSet::new(),
        args: Default::default(),
        returns: Vec::new(),
        sends_out: false,
        steering: Default::default(),
        request: None,
    })
}

/// An agent.
#[must_use]
pub fn agent(agent: &str) -> Object {
    let charter: Charter = serde_json::from_value(json!({
        "purpose": "pays invoices",
        "owner": "maria",
        "environment": "sandbox",
        "autonomy": "supervised",
        "task_duration_max": 3_600_000,
    }))
    .unwrap();
    Object::Agent(Agent {
        id: AgentId::new(NOON, random()),
        name: name(agent),
        status: AgentStatus::Active,
        level: Level::Normal,
        revision: 1,
        charter,
        loosening: None,
        proofs: Vec::new(),
        life: None,
        provenance: Provenance {
            created_by: "maria".into(),
            created_at: NOON,
            source: "files".into(),
            revised: None,
        },
    })
}

/// A task.
#[must_use]
pub fn task(id: TaskId, status: TaskStatus) -> Object {
    Object::Task(Task {
        id,
        agent: name("clerk"),
        purpose: "the invoices of May".into(),
        requester: name("maria"),
        scope: None,
        started: NOON,
        expires: NOON.plus(DurationMs::from_mins(60)),
        status,
        parent: None,
        revoked: Default::default(),
        for_person: false,
        refresh: None,
        bill: None,
        trial: None,
        inputs: Default::default(),
    })
}

/// Every row, with the position they are of.
pub async fn loaded(store: &dyn Store) -> (Seq, Vec<Object>) {
    let mut objects = Vec::new();
    let seq = store.load(&mut |object| objects.push(object)).await.unwrap();
    (seq, objects)
}

/// A change set by `maria`.
#[must_use]
pub fn set(writes: Vec<Write>) -> ChangeSet {
    let by = Attribution { actor: "person maria".to_owned(), why: "a test".to_owned() };
    ChangeSet { by, at: NOON, writes }
}

/// A write.
#[must_use]
pub fn put(object: Object, expected: u64) -> Write {
    Write::Put { object, expected }
}

/// A verdict that allows.
#[must_use]
pub fn allow() -> Verdict {
    Verdict::Allow { reasons: Vec::new() }
}

/// A verdict that denies.
#[must_use]
pub fn deny() -> Verdict {
    Verdict::deny("guardrail/test", "because", None)
}

/// A verdict that holds.
#[must_use]
pub fn hold() -> Verdict {
    Verdict::Hold { approvers: vec!["owner".to_owned()], reasons: Vec::new() }
}

/// A decision about the agent `clerk` on the system `bank` at [`NOON`], without a task.
#[must_use]
pub fn decision(verdict: Verdict) -> Decision {
    Decision {
        v: 1,
        id: DecisionId::new(NOON, random()),
        at: NOON,
        node: node(),
        view: Seq(1),
        policies: Digest::of(b"policies"),
        face: "mcp".to_owned(),
        subject: Subject {
            kind: "agent".to_owned(),
            id: "clerk".to_owned(),
            owner: Some(name("maria")),
            revision: Some(1),
            task: None,
            requester: None,
        },
        system: name("bank"),
        tool: "transfer".to_owned(),
        action: Digest::of(b"action"),
        approval: None,
        input: json!({"args": {"amount": "12.50", "payee": "ACME \u{1f4b6}"}, "n": 1e21}),
        verdict,
        errors: Vec::new(),
    }
}

/// An intent without conditions.
#[must_use]
pub fn plain(decision: Decision) -> Intent {
    Intent { decision: decision.into(), expects: None, charges: Vec::new() }
}

/// An allowed intent that takes these charges.
#[must_use]
pub fn charged(charges: Vec<Charge>) -> Intent {
    Intent { decision: decision(allow()).into(), expects: None, charges }
}

/// An allowed intent on a state of a task.
#[must_use]
pub fn on_task(task: TaskId, version: u64) -> Intent {
    let mut decision = decision(allow());
    decision.subject.task = Some(task);
    Intent {
        decision: decision.into(),
        expects: Some(TaskExpectation { task, version }),
        charges: Vec::new(),
    }
}

/// A charge on a window of a minute.
#[must_use]
pub fn charge(key: &str, max: i64, amount: i64) -> Charge {
    Charge { window: window(key, max), amount }
}

/// A window of a minute.
#[must_use]
pub fn window(key: &str, max: i64) -> WindowKey {
    WindowKey { key: key.to_owned(), window: DurationMs::from_secs(60), max }
}

/// A success with these labels.
#[must_use]
pub fn completion(decision: DecisionId, words: &[&str]) -> Completion {
    Completion {
        v: 1,
        decision,
        at: NOON,
        outcome: Outcome::Success,
        took_ms: 12,
        labels: labels(words),
        result: Some(Digest::of(b"result")),
    }
}

/// Makes everything that waits, at most `max` rows, into leaves under tiles of zeros; says whether it could.
pub async fn append(store: &dyn Store, max: usize) -> bool {
    let size = store.ledger_head().await.unwrap().size;
    let rows: Vec<i64> = store.unsequenced(max).await.unwrap().iter().map(|row| row.row).collect();
    store.sequence(step(size, rows)).await.unwrap()
}

/// A step that appends these rows.
#[must_use]
pub fn step(expected_size: u64, rows: Vec<i64>) -> Sequenced {
    let size = expected_size + rows.len() as u64;
    let tiles = (expected_size / 256..size.div_ceil(256))
        .map(|index| {
            let full = usize::try_from((size - index * 256).min(256)).unwrap();
            (TileKey { level: 0, index }, vec![0; 32 * full])
        })
        .collect();
    Sequenced { expected_size, rows, tiles, checkpoint: format!("checkpoint of {size}"), at: NOON }
}
