//! The reference: the whole organisation in one plain Cedar policy set, evaluated at once. Tests hold the index
//! against it.

use crate::{
    Evaluation, Pdp, Question,
    bucket::{AgentBucket, Shared, ToolBucket},
    charter::{self, Part},
    est::Reads,
    evaluate::{Evaluate, Look, Outcome},
    rulebook::Rulebook,
};
use cedar_policy::{Authorizer, Policy, PolicyId, PolicySet, Request, RestrictedExpression};
use proptest::prelude::*;
use provost_domain::{
    Agent, AgentStatus, ArgsFrom, Autonomy, Charter, Containment, Digest, Directory, DurationMs, Effect,
    Environment, Level, Name, Object, Origin, Restraint, System, Task, TaskState, Timestamp, Tool, Verdict,
    agent::Provenance,
    charter::{ArgRule, Budget, BudgetScope, Delegation, Grant, Hours, Retirement, Weekday},
    containment::{ContainmentStatus, Who},
    ids::{AgentId, TaskId},
    origin::Past,
    policy_file::PolicyFile,
    system::Connection,
    task::TaskStatus,
    tool::{ArgShape, ArgType, Returns},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::Arc};

struct Plain {
    all: PolicySet,
    bucket: AgentBucket,
}

impl Plain {
    fn new(directory: &Directory, question: &Question<'_>) -> Self {
        let rulebook = Rulebook::new(directory);
        assert_eq!(rulebook.broken, Vec::<String>::new());
        let mut all = PolicySet::new();
        for rule in &rulebook.rules {
            all.add(rule.policy.clone()).unwrap();
        }
        for agent in directory.agents.values() {
            for policy in charter::compile(agent, Part::Whole(directory)).unwrap() {
                let id = PolicyId::new(policy.id);
                all.add(Policy::from_json(Some(id), policy.json).unwrap()).unwrap();
            }
        }
        let tool = ToolBucket::new(&rulebook, question.system, Arc::new(question.tool.clone())).unwrap();
        let (agent, tool) = (Arc::new(question.agent.clone()), Arc::new(tool));
        let left = directory.restriction(&agent, &question.system.name, &question.tool.name);
        let bucket = AgentBucket::new((&rulebook, &Shared::new(64)), tool, (agent, left), None).unwrap();
        Self { all, bucket }
    }
}

impl Evaluate for Plain {
    fn look(
        &self,
        question: &Question<'_>,
        args: &RestrictedExpression,
        approvals: &BTreeSet<String>,
    ) -> Result<Look, String> {
        let context = crate::context::context(self, question, args, approvals, Reads::ALL)?;
        let (principal, tool) = (self.bucket.principal.clone(), &self.bucket.tool);
        let request =
            Request::new(principal, tool.action.clone(), tool.resource.clone(), context, None).unwrap();
        let mut look = Look::default();
        look.add(&Authorizer::new().is_authorized(&request, &self.all, &self.bucket.entities));
        Ok(look)
    }

    fn reason(&self, id: &PolicyId) -> Option<&str> {
        self.all.annotation(id, "reason")
    }

    fn gate(&self, id: &PolicyId) -> Option<&str> {
        self.all.annotation(id, "gate")
    }

    fn zone(&self) -> &jiff::tz::TimeZone {
        &self.bucket.zone
    }

    fn tool_facts(&self, pinned: bool) -> RestrictedExpression {
        if pinned { self.bucket.tool.as_reviewed.clone() } else { self.bucket.tool.changed.clone() }
    }
}

/// The verdict's word, its policies, and the errors, as plain Cedar says them.
fn plainly(directory: &Directory, question: &Question<'_>) -> (String, BTreeSet<(String, String)>, usize) {
    let plain = Plain::new(directory, question);
    let args = crate::args::typed(&question.tool.args, question.args).unwrap();
    let pairs = |reasons: Vec<provost_domain::Reason>| -> BTreeSet<(String, String)> {
        reasons.into_iter().map(|reason| (reason.policy, reason.reason)).collect()
    };
    match plain.outcome(question, &args) {
        Outcome::Allowed { reasons } => ("allow".to_owned(), pairs(reasons), 0),
        Outcome::Held { reasons, .. } => ("hold".to_owned(), pairs(reasons), 0),
        Outcome::Forbidden { reasons } => ("deny".to_owned(), pairs(reasons), 0),
        Outcome::NoPermit => ("deny".to_owned(), BTreeSet::new(), 0),
        Outcome::Failed(reasons) => ("deny".to_owned(), pairs(reasons.clone()), reasons.len()),
    }
}

fn indexed(evaluation: &Evaluation) -> (String, BTreeSet<(String, String)>, usize) {
    // Plain Cedar knows neither what is missing from a charter nor which order is behind a level.
    let not_cedars = |policy: &str| {
        policy.starts_with("containment/")
            || (policy.starts_with("charter/") && policy.matches('/').count() == 2)
    };
    let reasons = evaluation.verdict.reasons().iter().filter(|reason| !not_cedars(&reason.policy));
    let pairs = reasons.map(|reason| (reason.policy.clone(), reason.reason.clone())).collect();
    (evaluation.verdict.as_str().to_owned(), pairs, evaluation.errors.len())
}

#[derive(Debug, Clone)]
struct World {
    directory: Directory,
    agent: usize,
    system: usize,
    tool: usize,
    args: Map<String, Value>,
    labels: BTreeSet<usize>,
    approvals: Vec<String>,
    exhausted: bool,
    pinned: bool,
    args_from: ArgsFrom,
    hour: i64,
}

fn name(kind: &str, index: usize) -> Name {
    format!("{kind}{index}").parse().unwrap()
}

const LABELS: [&str; 3] = ["untrusted", "confidential", "payroll"];

fn environment() -> impl Strategy<Value = Environment> {
    prop_oneof![4 => Just(Environment::Sandbox), 2 => Just(Environment::Staging), 1 => Just(Environment::Production)]
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let one = (
        prop::collection::btree_set(prop::sample::select(Effect::ALL.to_vec()), 0..3),
        any::<bool>(),
        0..3_usize,
    );
    prop::collection::vec(one, 6).prop_map(|facts| {
        let tool = |(index, (effects, sends_out, label)): (usize, (BTreeSet<Effect>, bool, usize))| Tool {
            system: name("s", index / 3),
            name: format!("t{}", index % 3).parse().unwrap(),
            description: String::new(),
            pin: Digest::of(b""),
            effects,
            args: [
                ("x".to_owned(), ArgType { shape: ArgShape::Long, required: true }),
                ("y".to_owned(), ArgType { shape: ArgShape::String, required: false }),
            ]
            .into(),
            returns: (label > 0)
                .then(|| Returns { label: LABELS[label].parse().unwrap(), field: None })
                .into_iter()
                .collect(),
            sends_out,
            steering: if index % 2 == 0 { steering() } else { Default::default() },
            request: None,
        };
        facts.into_iter().enumerate().map(tool).collect()
    })
}

type Drawn = (
    Environment,
    Autonomy,
    AgentStatus,
    Level,
    std::collections::BTreeMap<usize, usize>,
    (bool, bool, bool, bool),
);

fn agents() -> impl Strategy<Value = Vec<Agent>> {
    let one = (
        environment(),
        prop::sample::select(Autonomy::ALL.to_vec()),
        prop_oneof![5 => Just(AgentStatus::Active), 1 => Just(AgentStatus::Suspended)],
        prop_oneof![6 => Just(Level::Normal), 1 => Just(Level::ApprovalsOnly), 1 => Just(Level::ReadOnly)],
        prop::collection::btree_map(0..6_usize, 0..4_usize, 0..6),
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
    );
    prop::collection::vec(one, 2).prop_map(|facts| {
        let agent = |(
            index,
            (environment, autonomy, status, level, granted, (hours, expires, budget, data)),
        ): (usize, Drawn)| Agent {
            id: AgentId::from_bytes([0; 16]),
            name: name("a", index),
            status,
            level,
            revision: 3,
            charter: Charter {
                purpose: "".into(),
                owner: name("p", 0),
                deputies: Default::default(),
                users: Default::default(),
                environment,
                autonomy,
                grants: grants(&granted),
                data: data
                    .then(|| ["confidential".parse().unwrap(), "payroll".parse().unwrap()])
                    .into_iter()
                    .flatten()
                    .collect::<BTreeSet<_>>()
                    .into(),
                budgets: (budget && granted.contains_key(&0))
                    .then(|| Budget {
                        name: name("b", 0),
                        system: name("s", 0),
                        tools: ["t0".parse().unwrap()].into(),
                        window: DurationMs::from_mins(5),
                        per: BudgetScope::Agent,
                        count_max: Some(2),
                        sum: None,
                    })
                    .into_iter()
                    .collect(),
                hours: hours.then(|| {
                    Arc::new(Hours {
                        days: [Weekday::Thu].into(),
                        from_minute: 120,
                        to_minute: 1_200,
                        timezone: "Asia/Kolkata".to_owned(),
                    })
                }),
                delegation: Delegation::default(),
                manifest: Default::default(),
                retirement: Retirement {
                    expires: expires.then(|| Timestamp::from_millis(18 * 3_600_000)),
                    idle_days_max: None,
                },
                task_duration_max: DurationMs::from_mins(5),
            },
            loosening: None,
            proofs: Vec::new(),
            life: None,
            provenance: Provenance {
                created_by: "".into(),
                created_at: Timestamp::from_millis(0),
                source: "".into(),
                revised: None,
            },
        };
        facts.into_iter().enumerate().map(agent).collect()
    })
}

fn grants(granted: &std::collections::BTreeMap<usize, usize>) -> Arc<[Grant]> {
    let rule = |kind: &usize| match kind {
        0 => Vec::new(),
        1 => vec![("x", ArgRule { max: Some("5".parse().unwrap()), ..ArgRule::default() })],
        2 => vec![("y", ArgRule { like: Some("a*".into()), ..ArgRule::default() })],
        _ => vec![("y", ArgRule { absent: true, ..ArgRule::default() })],
    };
    granted
        .iter()
        .map(|(tool, kind)| Grant {
            system: name("s", tool / 3),
            tools: [format!("t{}", tool % 3).parse().unwrap()].into(),
            args: rule(kind).into_iter().map(|(arg, rule)| (arg.to_owned(), rule)).collect(),
        })
        .collect()
}

/// Policies with every kind of scope. Some err when an optional argument is missing, which the check would refuse:
/// the index must report that like plain Cedar.
fn policies() -> impl Strategy<Value = String> {
    let principal = prop::sample::select(vec![
        "principal",
        "principal is Agent",
        "principal == Agent::\"a0\"",
        "principal in Agent::\"a1\"",
        "principal is Agent in Agent::\"a0\"",
        "principal == Person::\"a0\"",
        "principal is System",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action == Action::\"s0/t0\"",
        "action in [Action::\"s0/t1\", Action::\"s1/t0\"]",
        "action in Action::\"financial\"",
        "action == Action::\"read\"",
        "action in [Action::\"delete\", Action::\"s1/t2\"]",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource == System::\"s0\"",
        "resource in System::\"s1\"",
        "resource is System",
        "resource is System in System::\"s0\"",
        "resource == Agent::\"s0\"",
    ]);
    let condition = prop::sample::select(vec![
        "when { context.args.x > 3 }",
        "when { context.args.y == \"b\" }",
        "when { context.args has y && context.args.y like \"a*\" }",
        "when { context.task.untrusted }",
        "when { principal.autonomy == \"probation\" } unless { context.approvals.contains(\"G\") }",
        "when { context.args.x > 7 } unless { context.approvals.contains(\"G\") }",
        "unless { context.approvals.contains(\"G\") }",
        "when { context.approvals.contains(\"owner\") && context.args.x == 9 }",
        "when { resource.environment == \"staging\" }",
    ]);
    prop::collection::vec((principal, action, resource, condition, 0..4_usize), 0..7).prop_map(|all| {
        let one = |(index, (principal, action, resource, condition, gate)): (usize, (&str, &str, &str, &str, usize))| {
            let gate = ["", "owner", "finance", "legal"][gate];
            let condition = condition.replace('G', if gate.is_empty() { "owner" } else { gate });
            let gate = if gate.is_empty() { String::new() } else { format!("@gate(\"{gate}\") ") };
            format!("@id(\"org/{index}\") @reason(\"r{index}\") {gate}forbid({principal}, {action}, {resource}) {condition};")
        };
        all.into_iter().enumerate().map(one).collect::<Vec<_>>().join("\n")
    })
}

fn steering() -> provost_domain::tool::Steering {
    provost_domain::tool::Steering { steers: ["y".to_owned()].into(), carries: BTreeSet::new() }
}

fn args_from() -> impl Strategy<Value = ArgsFrom> {
    let some = |weight: f64| prop::bool::weighted(weight);
    (prop::sample::select(Origin::ALL.to_vec()), some(0.6), some(0.2), some(0.2), some(0.3)).prop_map(
        |(origin, steered, carries, past, drifts)| ArgsFrom {
            from: steered.then(|| ("y".to_owned(), origin)).into_iter().collect(),
            steered: steered.then_some(origin).into_iter().collect(),
            carries: carries.then(|| LABELS[1].parse().unwrap()).into_iter().collect(),
            past: past.then_some(Past::ReadMany).into_iter().collect(),
            drift: if drifts { 450 } else { 0 },
            ..ArgsFrom::default()
        },
    )
}

fn orders() -> impl Strategy<Value = Vec<Object>> {
    let level = prop_oneof![
        Just(Restraint::Off),
        Just(Restraint::ReadOnly),
        Just(Restraint::ApprovalsOnly),
        Just(Restraint::Observe),
        prop::collection::btree_set(prop::sample::select(Effect::ALL.to_vec()), 1..3)
            .prop_map(|effects| Restraint::Without { effects }),
    ];
    let scope = prop::sample::select(vec![
        json!({}),
        json!({"agent": "a0"}),
        json!({"owner": "p0"}),
        json!({"like": "a*"}),
        json!({"environment": "staging"}),
        json!({"system": "s0"}),
        json!({"system": "s1", "tool": "t0"}),
    ]);
    prop::collection::vec((scope, level), 0..3).prop_map(|all| {
        let order = |(index, (scope, level)): (usize, (Value, Restraint))| {
            Object::Containment(Box::new(Containment {
                id: format!("containment_{index}"),
                scope: serde_json::from_value(scope).unwrap(),
                level,
                reason: String::new(),
                by: Who { person: None, shown_by: "plane".to_owned() },
                at: Timestamp::from_millis(0),
                status: ContainmentStatus::InForce,
                drill: false,
                ended: Default::default(),
                systems: Default::default(),
                settled: Default::default(),
                told: Default::default(),
            }))
        };
        all.into_iter().enumerate().map(order).collect()
    })
}

fn world() -> impl Strategy<Value = World> {
    let call = (
        0..2_usize,
        0..2_usize,
        0..3_usize,
        0..12_i64,
        prop::option::of(prop::sample::select(vec!["a", "b"])),
    );
    let state = (
        prop::collection::btree_set(0..3_usize, 0..3),
        prop::sample::subsequence(vec!["owner", "finance"], 0..=2),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.9),
        args_from(),
        0..24_i64,
    );
    let around = (environment(), environment(), orders());
    (tools(), agents(), policies(), around, call, state).prop_map(
        |(
            tools,
            agents,
            policies,
            environments,
            (agent, system, tool, x, y),
            (labels, approvals, exhausted, pinned, args_from, hour),
        )| {
            let mut directory = Directory::default();
            for (index, environment) in [environments.0, environments.1].into_iter().enumerate() {
                directory.put(Object::System(System {
                    name: name("s", index),
                    description: String::new(),
                    environment,
                    connection: Connection::McpLocal,
                    credential: None,
                    revocation_max: DurationMs(0),
                    resource_labels: BTreeSet::new(),
                    only_through_plane: false,
                    scim: None,
                }));
            }
            tools.into_iter().for_each(|tool| directory.put(Object::Tool(tool)));
            agents.into_iter().for_each(|agent| directory.put(Object::Agent(agent)));
            environments.2.into_iter().for_each(|order| directory.put(order));
            directory.put(Object::Policy(PolicyFile { name: name("org", 0), text: policies }));
            let mut args = Map::from_iter([("x".to_owned(), json!(x))]);
            args.extend(y.map(|y| ("y".to_owned(), json!(y))));
            let approvals = approvals.into_iter().map(str::to_owned).collect();
            World {
                directory,
                agent,
                system,
                tool,
                args,
                labels,
                approvals,
                exhausted,
                pinned,
                args_from,
                hour,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// INVARIANT of the index: whatever it leaves out could neither match nor err.
    #[test]
    fn the_index_says_what_plain_cedar_says_over_everything(world in world()) {
        let directory = &world.directory;
        let agent = &directory.agents[&name("a", world.agent)];
        let system = &directory.systems[&name("s", world.system)];
        let tool = &directory.tools[&(name("s", world.system), format!("t{}", world.tool).parse().unwrap())];
        let task = Task {
            id: TaskId::from_bytes([0; 16]),
            agent: agent.name.clone(),
            purpose: "".into(),
            requester: name("p", 0),
            scope: None,
            started: Timestamp::from_millis(0),
            expires: Timestamp::from_millis(23 * 3_600_000),
            status: TaskStatus::Running,
            parent: None,
            revoked: Default::default(),
            for_person: false,
            refresh: None,
            trial: None,
            inputs: Default::default(),
            bill: None,
        };
        let labels = world.labels.iter().map(|index| LABELS[*index].parse().unwrap()).collect();
        let state = TaskState { version: 0, labels };
        let exhausted = if world.exhausted { vec![name("b", 0)] } else { Vec::new() };
        let question = Question {
            agent, task: &task, state: &state, system, tool, pinned: world.pinned, args: &world.args,
            approvals: &world.approvals, exhausted: &exhausted, args_from: &world.args_from, chain: &[],
            now: Timestamp::from_millis(world.hour * 3_600_000),
        };
        let pdp = Pdp::new(directory.clone());
        let evaluation = pdp.decide(&question);
        prop_assert_eq!(indexed(&evaluation), plainly(directory, &question));
        prop_assert_eq!(&pdp.decide(&question), &evaluation, "warm and cold agree");
        // A listing never hides what would be allowed or held.
        let shown = pdp.could_allow(agent, &task, &state, system, tool, world.pinned, question.now);
        let denied = matches!(evaluation.verdict, Verdict::Deny { .. });
        prop_assert!(shown || denied || !world.approvals.is_empty());
    }
}
