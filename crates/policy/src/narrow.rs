//! Limits that a task sets itself: rules on arguments beside those of the charter, in the same words and with the same
//! meaning, since they are compiled by the same compiler.

use crate::{CharterFault, bucket::Shared, charter, est, rule, rulebook::Rule};
use provost_domain::{Directory, Task, Tool, task::TaskScope};
use std::{collections::BTreeMap, sync::Arc};

/// What a task adds to the limits on calls of one tool.
#[derive(Debug)]
pub(crate) struct Narrowing {
    pub(crate) rules: Arc<crate::bucket::Rules>,
    pub(crate) cures: BTreeMap<String, String>,
}

impl Narrowing {
    /// Of this task, for calls of this tool; `None` when it adds nothing.
    pub(crate) fn of(task: &Task, tool: &Tool, shared: &Shared) -> Result<Option<Self>, String> {
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
        Ok(Some(Self { rules: shared.set(rules), cures }))
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
