//! A charter becomes policies: one permit for each granted tool, and forbids for every limit.
//!
//! | id | what it says |
//! |---|---|
//! | `charter/<agent>/<rev>/<system>.<tool>` | permit: the tool is granted |
//! | `charter/<agent>/<rev>/<system>.<tool>/<arg>` | forbid, unless the rule on the argument is met |
//! | `charter/<agent>/<rev>/budget/<name>` | forbid, when this call would overdraw the budget |
//! | `charter/<agent>/<rev>/hours` | forbid, outside the hours |
//! | `charter/<agent>/<rev>/expires` | forbid, from the expiry on |

use crate::{CharterFault, est, est::Scope, rule};
use provost_domain::{
    Agent, Directory, Name, Tool, ToolName,
    charter::{Budget, BudgetScope, Hours},
    tool::BuiltIn,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// One policy of a charter.
#[derive(Debug, Clone)]
pub(crate) struct CharterPolicy {
    pub(crate) id: String,
    /// Cedar's JSON form.
    pub(crate) json: Value,
    /// What would satisfy it, in words.
    pub(crate) cure: Option<String>,
}

/// Which part of a charter to compile.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    /// Everything, with every fault.
    Whole(&'a Directory),
    /// What can matter to calls of this tool.
    Tool(&'a Tool),
}

/// Compiles a charter, or says everything that is wrong with it at once.
pub(crate) fn compile(agent: &Agent, part: Part<'_>) -> Result<Vec<CharterPolicy>, Vec<CharterFault>> {
    let mut compiler = Compiler { agent, part, policies: Vec::new(), faults: Vec::new() };
    compiler.grants();
    compiler.budgets();
    compiler.hours();
    compiler.expiry();
    compiler.unique();
    if compiler.faults.is_empty() { Ok(compiler.policies) } else { Err(compiler.faults) }
}

/// The prefix of every policy id of an agent's charter in force.
pub(crate) fn prefix(agent: &Agent) -> String {
    format!("charter/{}/{}", agent.name, agent.revision)
}

/// A tool of the directory, or one of the operations every MCP server has.
pub fn find_tool(directory: &Directory, system: &Name, tool: &ToolName) -> Option<Tool> {
    if let Some(found) = directory.tools.get(&(system.clone(), tool.clone())) {
        return Some(found.as_ref().clone());
    }
    let system = directory.systems.get(system)?;
    BuiltIn::ALL
        .into_iter()
        .find(|built_in| built_in.as_str() == tool.as_str())
        .and_then(|built_in| built_in.tool(system).ok())
}

struct Compiler<'a> {
    agent: &'a Agent,
    part: Part<'a>,
    policies: Vec<CharterPolicy>,
    faults: Vec<CharterFault>,
}

impl Compiler<'_> {
    fn grants(&mut self) {
        let mut seen = BTreeSet::new();
        for (index, grant) in self.agent.charter.grants.iter().enumerate() {
            let path = format!("grants[{index}]");
            self.system(&path, &grant.system);
            if grant.tools.is_empty() {
                self.fault(
                    &format!("{path}.tools"),
                    "names no tool",
                    "name the tools it grants, or remove the grant",
                );
            }
            for name in grant.tools.iter() {
                if !seen.insert((&grant.system, name)) {
                    self.fault(
                        &format!("{path}.tools"),
                        format!("`{}/{name}` is granted twice", grant.system),
                        "grant each tool once, with all its limits in one place",
                    );
                    continue;
                }
                let Some(tool) = self.tool(&format!("{path}.tools"), &grant.system, name) else { continue };
                self.grant(&path, grant, &tool);
            }
        }
    }

    fn grant(&mut self, path: &str, grant: &provost_domain::charter::Grant, tool: &Tool) {
        let (prefix, actions) = (prefix(self.agent), [tool.path()]);
        let id = format!("{prefix}/{}.{}", tool.system, tool.name);
        let scope =
            Scope { agent: self.agent.name.as_str(), actions: &actions, system: Some(tool.system.as_str()) };
        let reason = format!("the charter grants {}", tool.path());
        self.policies.push(CharterPolicy { json: scope.permit(&id, &reason), id: id.clone(), cure: None });
        for (arg, rule) in grant.args.iter() {
            match rule::compile(arg, rule, tool) {
                Ok(None) => {}
                Ok(Some(rule)) => {
                    let id = format!("{id}/{arg}");
                    let json = scope.forbid_unless(&id, &rule.reason, rule.satisfied);
                    self.policies.push(CharterPolicy { id, json, cure: Some(rule.cure) });
                }
                Err(faults) => {
                    let at = format!("{path}.args.{arg}");
                    self.faults.extend(faults.into_iter().map(|fault| fault.below(&at)));
                }
            }
        }
    }

    fn budgets(&mut self) {
        let mut names = BTreeSet::new();
        for (index, budget) in self.agent.charter.budgets.iter().enumerate() {
            let path = format!("budgets[{index}]");
            let is_new = names.insert(&budget.name);
            if !is_new {
                self.fault(
                    &format!("{path}.name"),
                    format!("`{}` is used twice", budget.name),
                    "give it another name",
                );
            }
            self.budget_faults(&path, budget);
            if let Part::Tool(tool) = self.part
                && !(budget.system == tool.system && budget.tools.contains(&tool.name))
            {
                continue;
            }
            let id = format!("{}/budget/{}", prefix(self.agent), budget.name);
            let actions: Vec<String> =
                budget.tools.iter().map(|tool| format!("{}/{tool}", budget.system)).collect();
            if actions.is_empty() || !is_new {
                continue;
            }
            let scope = Scope {
                agent: self.agent.name.as_str(),
                actions: &actions,
                system: Some(budget.system.as_str()),
            };
            let exhausted = est::op("contains", est::context("exhausted"), est::lit(budget.name.as_str()));
            let json = scope.forbid_when(&id, &budget_reason(budget), exhausted);
            let cure = format!("wait until the {} window has room", budget.window);
            self.policies.push(CharterPolicy { id, json, cure: Some(cure) });
        }
    }

    fn budget_faults(&mut self, path: &str, budget: &Budget) {
        self.system(path, &budget.system);
        if budget.tools.is_empty() {
            self.fault(&format!("{path}.tools"), "names no tool", "name the tools it counts");
        }
        if budget.window.0 == 0 {
            self.fault(&format!("{path}.window"), "is empty", "give it a length, such as 24h");
        }
        if budget.count_max.is_none() && budget.sum.is_none() {
            self.fault(path, "limits nothing", "give it `count_max`, `sum`, or both");
        }
        if budget.sum.as_ref().is_some_and(|sum| sum.max.units() < 0) {
            self.fault(
                &format!("{path}.sum.max"),
                "is negative",
                "amounts are never negative; use 0 or more",
            );
        }
        for name in budget.tools.iter() {
            let Some(tool) = self.tool(&format!("{path}.tools"), &budget.system, name) else { continue };
            let Some(sum) = &budget.sum else { continue };
            if let Err(fault) = rule::number(&sum.arg, &tool) {
                self.faults.push(fault.below(&format!("{path}.sum.arg")));
            }
        }
    }

    fn hours(&mut self) {
        let Some(hours) = &self.agent.charter.hours else { return };
        if hours.days.is_empty() {
            self.fault("hours.days", "names no day", "name the days, or leave `hours` out for always");
        }
        if hours.from_minute >= hours.to_minute || hours.to_minute > MINUTES_PER_DAY {
            self.fault(
                "hours",
                format!("{} to {} is no span of a day", clock(hours.from_minute), clock(hours.to_minute)),
                "begin before the end, between 00:00 and 24:00; hours over midnight cannot be expressed",
            );
        }
        if crate::civil::zone(&hours.timezone).is_none() {
            self.fault(
                "hours.timezone",
                format!("{:?} is not a time zone", hours.timezone),
                "use an IANA name, such as Europe/Berlin or UTC",
            );
        }
        let id = format!("{}/hours", prefix(self.agent));
        let scope = Scope { agent: self.agent.name.as_str(), actions: &[], system: None };
        let days = est::set(hours.days.iter().map(|day| est::lit(day.as_str())));
        let inside = est::all([
            est::op("contains", days, est::context("weekday")),
            est::op(">=", est::context("minute"), est::lit(hours.from_minute)),
            est::op("<", est::context("minute"), est::lit(hours.to_minute)),
        ]);
        let reason = format!("outside its hours: {}", hours_text(hours));
        let json = scope.forbid_unless(&id, &reason, inside);
        let cure = format!("call within its hours: {}", hours_text(hours));
        self.policies.push(CharterPolicy { id, json, cure: Some(cure) });
    }

    fn expiry(&mut self) {
        let Some(expires) = self.agent.charter.retirement.expires else { return };
        let id = format!("{}/expires", prefix(self.agent));
        let scope = Scope { agent: self.agent.name.as_str(), actions: &[], system: None };
        let over = est::op(">=", est::context("now"), est::lit(expires.as_millis()));
        let json = scope.forbid_when(&id, "the charter has expired", over);
        let cure = format!(
            "ask {} (owner) to give the charter of {} a later expiry",
            self.agent.charter.owner, self.agent.name
        );
        self.policies.push(CharterPolicy { id, json, cure: Some(cure) });
    }

    /// Two rules may print the same id when a tool's name holds a slash; then nobody could tell them apart.
    fn unique(&mut self) {
        let mut seen = BTreeSet::new();
        let twice: Vec<String> = self
            .policies
            .iter()
            .filter(|policy| !seen.insert(policy.id.as_str()))
            .map(|policy| policy.id.clone())
            .collect();
        for id in twice {
            self.fault(
                "grants",
                format!("two rules would both be called `{id}`"),
                "grant one of the two tools only",
            );
        }
    }

    fn system(&mut self, path: &str, name: &Name) {
        if let Part::Whole(directory) = self.part
            && !directory.systems.contains_key(name)
        {
            let known = directory.systems.keys().map(Name::as_str);
            let help = did_you_mean(name.as_str(), known, "declare the system first");
            self.fault(&format!("{path}.system"), format!("no system is named `{name}`"), help);
        }
    }

    /// The tool, if it is in the part being compiled; a tool nobody knows is a fault.
    fn tool(&mut self, path: &str, system: &Name, name: &ToolName) -> Option<Tool> {
        match self.part {
            Part::Tool(tool) => (tool.system == *system && tool.name == *name).then(|| tool.clone()),
            Part::Whole(directory) => {
                let found = find_tool(directory, system, name);
                if found.is_none() && directory.systems.contains_key(system) {
                    let known: Vec<&str> =
                        directory.tools_of(system).map(|tool| tool.name.as_str()).collect();
                    let help =
                        did_you_mean(name.as_str(), known.into_iter(), "import the system's tools again");
                    self.fault(path, format!("system `{system}` has no tool `{name}`"), help);
                }
                found
            }
        }
    }

    fn fault(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.faults.push(CharterFault {
            path: path.to_owned(),
            message: message.into(),
            help: Some(help.into()),
        });
    }
}

fn budget_reason(budget: &Budget) -> String {
    let count = budget.count_max.map(|max| format!("{max} {}", if max == 1 { "call" } else { "calls" }));
    let sum = budget.sum.as_ref().map(|sum| format!("{} of `{}`", sum.max, sum.arg));
    let limits: Vec<String> = count.into_iter().chain(sum).collect();
    let each = if budget.per == BudgetScope::Task { " for each task" } else { "" };
    format!("at most {} in {}{each}", limits.join(" and "), budget.window)
}

fn hours_text(hours: &Hours) -> String {
    let days: Vec<&str> = hours.days.iter().map(|day| day.as_str()).collect();
    format!(
        "{} from {} to {} {}",
        days.join(", "),
        clock(hours.from_minute),
        clock(hours.to_minute),
        hours.timezone
    )
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// The nearest known word as a question, or the other advice.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    known
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map_or_else(|| otherwise.to_owned(), |(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// Edits between two words; words are names, so they are short.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        let mut next = vec![before];
        for (b, above) in right.chars().zip(row.iter().skip(1)) {
            before = (before + 1).min(above + 1).min(diagonal + usize::from(a != b));
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

const MINUTES_PER_DAY: u16 = 1_440;
