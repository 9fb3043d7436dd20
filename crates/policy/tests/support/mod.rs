//! A small organisation to ask about, and short ways to ask.

#![expect(dead_code, reason = "each test file uses its own part")]

use provost_domain::{
    Agent, AgentStatus, ArgsFrom, Autonomy, Charter, Containment, Digest, Directory, DurationMs, Effect,
    Environment, Label, Level, Name, Object, Person, Restraint, System, Task, TaskState, TextMap, Timestamp,
    Tool, ToolName, Verdict,
    agent::Provenance,
    charter::{
        ArgRule, Budget, BudgetScope, BudgetSum, Delegation, Grant, Hours, Retirement, Scalar, Weekday,
    },
    containment::{ContainmentStatus, Who},
    ids::{AgentId, TaskId},
    policy_file::PolicyFile,
    system::Connection,
    task::TaskStatus,
    tool::{ArgShape, ArgType, Returns},
};
use provost_policy::{Evaluation, Pdp, Question};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// Monday, 2026-01-05, 12:00 UTC.
pub const NOON: i64 = 1_767_614_400_000;

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn tool_name(text: &str) -> ToolName {
    text.parse().unwrap()
}

pub fn label(text: &str) -> Label {
    text.parse().unwrap()
}

pub fn arg(shape: ArgShape, required: bool) -> ArgType {
    ArgType { shape, required }
}

pub fn system(of: &str, environment: Environment) -> System {
    System {
        name: name(of),
        description: "a system".to_owned(),
        environment,
        connection: Connection::McpLocal,
        credential: None,
        revocation_max: DurationMs(0),
        resource_labels: BTreeSet::new(),
        only_through_plane: false,
        scim: None,
    }
}

pub fn tool(of: &str, called: &str, effects: &[Effect], args: &[(&str, ArgType)]) -> Tool {
    Tool {
        system: name(of),
        name: tool_name(called),
        description: String::new(),
        pin: Digest::of(called.as_bytes()),
        effects: effects.iter().copied().collect(),
        args: args.iter().map(|(name, arg)| ((*name).to_owned(), arg.clone())).collect(),
        returns: Vec::new(),
        sends_out: false,
        steering: Default::default(),
        request: None,
    }
}

pub fn returns(of: &str) -> Returns {
    Returns { label: label(of), field: None }
}

/// An active, bounded agent of the sandbox that is granted nothing.
pub fn agent(called: &str) -> Agent {
    Agent {
        id: AgentId::from_bytes([7; 16]),
        name: name(called),
        status: AgentStatus::Active,
        level: Level::Normal,
        revision: 1,
        charter: Charter {
            purpose: "to be asked about".into(),
            owner: name("maria"),
            deputies: Arc::default(),
            users: Default::default(),
            environment: Environment::Sandbox,
            autonomy: Autonomy::Bounded,
            grants: Arc::default(),
            data: Arc::default(),
            budgets: Arc::default(),
            hours: None,
            delegation: Delegation::default(),
            manifest: TextMap::default(),
            retirement: Retirement::default(),
            task_duration_max: DurationMs::from_mins(60),
        },
        loosening: None,
        proofs: Vec::new(),
        life: None,
        provenance: Provenance {
            created_by: "maria".into(),
            created_at: Timestamp::from_millis(0),
            source: "files".into(),
            revised: None,
        },
    }
}

pub fn grant(of: &str, tools: &[&str], args: &[(&str, ArgRule)]) -> Grant {
    Grant {
        system: name(of),
        tools: tools.iter().map(|tool| tool_name(tool)).collect(),
        args: args.iter().map(|(path, rule)| (*path, rule.clone())).collect(),
    }
}

pub fn task(of: &Agent) -> Task {
    Task {
        id: TaskId::from_bytes([1; 16]),
        agent: of.name.clone(),
        purpose: "a run".into(),
        requester: name("maria"),
        scope: None,
        started: Timestamp::from_millis(NOON - 1_000),
        expires: Timestamp::from_millis(NOON + 3_600_000),
        status: TaskStatus::Running,
        parent: None,
        revoked: Default::default(),
        for_person: false,
        refresh: None,
        trial: None,
        inputs: Default::default(),
        bill: None,
    }
}

pub fn policy_file(called: &str, text: &str) -> Object {
    Object::Policy(PolicyFile { name: name(called), text: text.to_owned() })
}

pub fn put_people(directory: &mut Directory) {
    let person = Person {
        name: name("maria"),
        display: "Maria".to_owned(),
        email: None,
        manager: None,
        active: true,
        roles: Default::default(),
        logins: Vec::new(),
        away: None,
        provisioned: None,
    };
    directory.put(Object::Person(person));
}

/// An order at level `off` about this scope.
pub fn order(index: usize, scope: Value) -> Object {
    Object::Containment(Box::new(Containment {
        id: format!("containment_{index}"),
        scope: serde_json::from_value(scope).unwrap(),
        level: Restraint::Off,
        reason: "r".to_owned(),
        by: Who { person: None, shown_by: "plane".to_owned() },
        at: Timestamp::from_millis(0),
        status: ContainmentStatus::InForce,
        drill: false,
        ended: Default::default(),
        systems: Default::default(),
        settled: Default::default(),
        told: Default::default(),
    }))
}

/// A bank in the sandbox with a tool of five arguments.
pub fn put_bank(directory: &mut Directory) {
    put_people(directory);
    directory.put(Object::System(system("bank", Environment::Sandbox)));
    let pay = [
        ("account", arg(ArgShape::String, true)),
        ("payee", arg(ArgShape::String, true)),
        ("amount", arg(ArgShape::Decimal, true)),
        ("memo", arg(ArgShape::String, false)),
        ("urgent", arg(ArgShape::Bool, false)),
    ];
    directory.put(Object::Tool(tool("bank", "pay", &[Effect::Financial], &pay)));
    directory.put(Object::Tool(tool("bank", "balance", &[Effect::Read], &[])));
    directory.put(Object::Tool(tool("bank", "statement", &[Effect::Read], &[])));
}

/// An agent whose charter compiles to ten policies, three of which no other agent has.
pub fn unlike_agent(index: usize) -> Agent {
    let mut agent = fleet_agent(index);
    let own = index as i64;
    rule_on(&mut agent, "amount").max = Some(provost_domain::Decimal::from_units(5_000_000 + own));
    agent.charter.retirement.expires = Some(Timestamp::from_millis(NOON + 86_400_000 + own));
    let accounts = ["main".to_owned(), format!("account-{index}")];
    rule_on(&mut agent, "account").one_of = accounts.into_iter().map(Scalar::Text).collect();
    agent
}

fn rule_on<'a>(agent: &'a mut Agent, arg: &str) -> &'a mut ArgRule {
    let grants = Arc::make_mut(&mut agent.charter.grants).iter_mut();
    let mut rules = grants.flat_map(|grant| grant.args.iter_mut());
    rules.find_map(|(name, rule)| (name == arg).then_some(rule)).unwrap()
}

/// An agent whose charter compiles to ten policies, the same for every index but for its name.
pub fn fleet_agent(index: usize) -> Agent {
    let mut agent = agent(&format!("agent-{index}"));
    let at_most = |max: &str| ArgRule { max: Some(max.parse().unwrap()), ..ArgRule::default() };
    let one_of = |values: &[&str]| ArgRule {
        one_of: values.iter().map(|value| Scalar::Text((*value).to_owned())).collect(),
        ..ArgRule::default()
    };
    let like = |pattern: &str| ArgRule { like: Some(pattern.into()), optional: true, ..ArgRule::default() };
    agent.charter.grants = vec![
        grant(
            "bank",
            &["pay"],
            &[
                ("account", one_of(&["main", "petty-cash"])),
                ("payee", one_of(&["acme", "globex", "initech"])),
                ("amount", at_most("500.0")),
                ("memo", like("invoice *")),
            ],
        ),
        grant("bank", &["balance", "statement"], &[]),
    ]
    .into();
    agent.charter.budgets = Arc::new([Budget {
        name: name("payments"),
        system: name("bank"),
        tools: Arc::new([tool_name("pay")]),
        window: DurationMs(86_400_000),
        per: BudgetScope::Agent,
        count_max: Some(3),
        sum: Some(BudgetSum { arg: "amount".to_owned(), max: "1000".parse().unwrap() }),
    }]);
    agent.charter.hours = Some(Arc::new(Hours {
        days: BTreeSet::from([Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri]),
        from_minute: 8 * 60,
        to_minute: 18 * 60,
        timezone: "Europe/Berlin".to_owned(),
    }));
    agent.charter.retirement.expires = Some(Timestamp::from_millis(NOON + 86_400_000));
    agent
}

/// A call in the making: change what the test is about, then decide.
pub struct Call {
    pub directory: Directory,
    pub agent: Agent,
    pub task: Task,
    pub state: TaskState,
    pub system: System,
    pub tool: Tool,
    pub pinned: bool,
    pub args: Value,
    pub approvals: Vec<String>,
    pub exhausted: Vec<Name>,
    pub args_from: ArgsFrom,
    pub now: Timestamp,
}

impl Call {
    /// An agent in this environment calls a granted tool that has these effects and no arguments.
    pub fn new(environment: Environment, autonomy: Autonomy, effects: &[Effect]) -> Self {
        let system = system("sys", environment);
        let tool = tool("sys", "act", effects, &[]);
        let mut agent = agent("robot");
        (agent.charter.environment, agent.charter.autonomy) = (environment, autonomy);
        agent.charter.grants = Arc::new([grant("sys", &["act"], &[])]);
        Self::of(agent, system, tool)
    }

    pub fn of(agent: Agent, system: System, tool: Tool) -> Self {
        Self {
            directory: Directory::default(),
            task: task(&agent),
            state: TaskState::default(),
            agent,
            system,
            tool,
            pinned: true,
            args: Value::Object(serde_json::Map::new()),
            approvals: Vec::new(),
            exhausted: Vec::new(),
            args_from: ArgsFrom::default(),
            now: Timestamp::from_millis(NOON),
        }
    }

    /// The organisation with the call's own rows in it.
    pub fn organisation(&self) -> Directory {
        let mut directory = self.directory.clone();
        put_people(&mut directory);
        directory.put(Object::System(self.system.clone()));
        directory.put(Object::Tool(self.tool.clone()));
        directory.put(Object::Agent(self.agent.clone()));
        directory.put(Object::Task(self.task.clone()));
        directory
    }

    pub fn decide(&self) -> Evaluation {
        self.decide_by(&Pdp::new(self.organisation()))
    }

    pub fn decide_by(&self, pdp: &Pdp) -> Evaluation {
        pdp.decide(&self.question())
    }

    pub fn question(&self) -> Question<'_> {
        Question {
            agent: &self.agent,
            task: &self.task,
            state: &self.state,
            system: &self.system,
            tool: &self.tool,
            pinned: self.pinned,
            args: self.args.as_object().unwrap(),
            approvals: &self.approvals,
            exhausted: &self.exhausted,
            args_from: &self.args_from,
            chain: &[],
            now: self.now,
        }
    }

    /// The verdict's word and the ids of the policies behind it.
    pub fn said(&self) -> (&'static str, Vec<String>) {
        said(&self.decide().verdict)
    }
}

pub fn said(verdict: &Verdict) -> (&'static str, Vec<String>) {
    (verdict.as_str(), verdict.reasons().iter().map(|reason| reason.policy.clone()).collect())
}
