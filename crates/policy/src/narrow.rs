//! Limits that a task sets itself: rules on arguments beside those of the charter, in the same words and with the same
//! meaning, since they are compiled by the same compiler.

use crate::{CharterFault, bucket::Rules, charter, est, rule, rulebook::Rule};
use moka::sync::Cache;
use provost_domain::{Directory, Name, Task, TaskId, Tool, ToolName, task::TaskScope, tool::ArgType};
use std::{collections::BTreeMap, sync::Arc};

/// What a task adds to the limits on calls of one tool.
#[derive(Debug)]
pub(crate) struct Narrowing {
    pub(crate) rules: Rules,
    pub(crate) cures: BTreeMap<String, String>,
    scope: Option<Arc<[TaskScope]>>,
    args: BTreeMap<String, ArgType>,
}

/// Those that were made, by task and tool.
pub(crate) type Narrowings = Cache<(TaskId, Name, ToolName), Arc<Narrowing>>;

impl Narrowing {
    /// Of this task, for calls of this tool; `None` when it adds nothing.
    pub(crate) fn of(task: &Task, tool: &Tool, made: &Narrowings) -> Result<Option<Arc<Self>>, String> {
        if task.scope.iter().flat_map(|parts| parts.iter()).all(|part| part.args.is_empty()) {
            return Ok(None);
        }
        let key = (task.id, tool.system.clone(), tool.name.clone());
        let holds = |known: &Arc<Self>| known.scope == task.scope && known.args == tool.args;
        if let Some(known) = made.get(&key).filter(holds) {
            return Ok(Some(known));
        }
        let fresh = Self::compile(task, tool)?.map(Arc::new);
        if let Some(fresh) = &fresh {
            made.insert(key, Arc::clone(fresh));
        }
        Ok(fresh)
    }

    fn compile(task: &Task, tool: &Tool) -> Result<Option<Self>, String> {
        let covers = |part: &&TaskScope| {
            part.system == tool.system && (part.tools.is_empty() || part.tools.contains(&tool.name))
        };
        let limits: Vec<_> = task
            .scope
            .iter()
            .flat_map(|parts| parts.iter())
            .filter(covers)
            .flat_map(|part| &part.args)
            .collect();
        if limits.is_empty() {
            return Ok(None);
        }
        let (mut rules, mut cures) = (Vec::new(), BTreeMap::new());
        for (index, (arg, limit)) in limits.into_iter().enumerate() {
            let compiled = rule::compile(arg, limit, tool).map_err(|faults| {
                let texts: Vec<String> = faults.iter().map(|fault| fault.message.clone()).collect();
                format!("the limit of task {} on `{arg}` cannot be used: {}", task.id, texts.join("; "))
            })?;
            let Some(compiled) = compiled else { continue };
            let id = format!("task/{}/{}.{}/{arg}/{index}", task.id, tool.system, tool.name);
            let actions = [tool.path()];
            let scope = est::Scope { agent: task.agent.as_str(), actions: &actions, system: None };
            let json = scope.forbid_unless(&id, &compiled.reason, compiled.satisfied);
            rules.push(Rule::of_charter(&id, est::bare(json))?);
            cures.insert(id, compiled.cure);
        }
        let (scope, args) = (task.scope.clone(), tool.args.clone());
        Ok(Some(Self { rules: Rules::new(rules), cures, scope, args }))
    }
}

/// Everything that is wrong with the limits a task is to have.
#[must_use]
pub fn check_scope(directory: &Directory, scope: &[TaskScope]) -> Vec<CharterFault> {
    let mut faults = Vec::new();
    for (index, part) in scope.iter().enumerate() {
        if part.args.is_empty() {
            continue;
        }
        let path = format!("scope[{index}]");
        if part.tools.is_empty() {
            faults.push(CharterFault {
                path: format!("{path}.tools"),
                message: "limits on arguments are for named tools".to_owned(),
                help: Some("name the tools whose arguments are limited".to_owned()),
            });
        }
        for name in part.tools.iter() {
            let Some(tool) = charter::find_tool(directory, &part.system, name) else { continue };
            for (arg, limit) in &part.args {
                let found = rule::compile(arg, limit, &tool).err().into_iter().flatten();
                faults.extend(found.map(|fault| fault.below(&format!("{path}.args.{arg}"))));
            }
        }
    }
    faults
}
