//! Grants that give nothing: every call would be refused by a guardrail. Applied all the same, but said.

use crate::{Declared, Fault, Severity, check::find_tool, desk::Found, table::join};
use provost_domain::{Directory, Kind, ObjectKey, System, Tool, charter::Grant};

/// A warning for each grant of a tool that the guardrails `environment` or `data` refuse whenever it is called.
pub(crate) fn hollow_grants(declared: &Declared, current: &Directory, found: &Found) -> Vec<Fault> {
    let mut faults = Vec::new();
    for agent in declared.agents.values() {
        let key = ObjectKey::new(Kind::Agent, agent.name.as_str());
        for (index, grant) in agent.charter.grants.iter().enumerate() {
            let warn = |part: String, (message, cure): (String, String)| {
                let place = found.parts.get(&(key.clone(), format!("grants.{index}.{part}")))?;
                Some(declared.fault_at(place.clone(), Severity::Warning, message, cure))
            };
            let system = declared.systems.get(&grant.system);
            let system = system.or_else(|| current.systems.get(&grant.system).map(AsRef::as_ref));
            let Some(system) = system else { continue };
            let wrong = elsewhere(agent, system);
            if let Some(said) = wrong {
                faults.extend(warn("system".to_owned(), said));
                continue;
            }
            for (position, tool) in tools(declared, current, grant) {
                let said = unreadable(agent, &tool);
                faults.extend(said.and_then(|said| warn(format!("tools.{position}"), said)));
            }
        }
    }
    faults
}

type Said = (String, String);

fn elsewhere(agent: &crate::DeclaredAgent, system: &System) -> Option<Said> {
    let (here, there) = (agent.charter.environment, system.environment);
    (here != there).then(|| {
        let name = &system.name;
        let message =
            format!("agent {} is in {here} and system {name} in {there}: every call is refused", agent.name);
        (message, format!("name a system in {here}"))
    })
}

fn unreadable(agent: &crate::DeclaredAgent, tool: &Tool) -> Option<Said> {
    let labels = tool.labels().into_iter().filter(|label| !label.is_integrity());
    let missing: Vec<_> = labels.filter(|label| !agent.charter.data.contains(*label)).collect();
    (!missing.is_empty()).then(|| {
        let missing = join(missing);
        let message = format!(
            "{} returns {missing} data, which agent {} may not read: every call is refused",
            tool.path(),
            agent.name
        );
        (message, format!("add {missing} to `data`, or take the tool out"))
    })
}

fn tools<'a>(
    declared: &'a Declared,
    current: &'a Directory,
    grant: &'a Grant,
) -> impl Iterator<Item = (usize, std::borrow::Cow<'a, Tool>)> {
    let found = move |name| find_tool(declared, current, &grant.system, name);
    grant.tools.iter().enumerate().filter_map(move |(position, name)| Some((position, found(name)?)))
}
