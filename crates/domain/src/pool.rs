//! One copy of what many rows say.

use crate::{
    Agent, Charter, Label, Object, Task, ToolName,
    charter::{ArgRule, Budget, Grant, Hours},
    task::TaskScope,
};
use foldhash::fast::RandomState;
use std::{
    collections::{BTreeSet, HashSet},
    hash::Hash,
    sync::Arc,
};

/// Shares equal parts between the rows that go through it: a fleet made from one template then costs little more than
/// its names. Used while many rows are read, and dropped after that; what it shared out stays.
#[derive(Debug, Default)]
pub struct Pool {
    /// Names, purposes, arguments and every other text.
    texts: Known<str>,
    names: Known<[crate::Name]>,
    tools: Known<[ToolName]>,
    rules: Known<ArgRule>,
    args: Known<[(Arc<str>, Arc<ArgRule>)]>,
    grants: Known<[Grant]>,
    labels: Known<BTreeSet<Label>>,
    budgets: Known<[Budget]>,
    hours: Known<Hours>,
    manifests: Known<[(Arc<str>, Arc<str>)]>,
    scopes: Known<[TaskScope]>,
}

impl Pool {
    /// Puts what earlier rows said already in the place of this row's own copies. The row stays equal to what it was.
    /// Kinds of which there are few are left as they are.
    pub fn share(&mut self, object: &mut Object) {
        match object {
            Object::Agent(agent) => self.agent(agent),
            Object::Task(task) => self.task(task),
            _few => {}
        }
    }

    fn agent(&mut self, agent: &mut Agent) {
        // An agent's own name and id are nobody else's.
        self.charter(&mut agent.charter);
        self.texts.share(&mut agent.provenance.created_by);
        self.texts.share(&mut agent.provenance.source);
    }

    fn charter(&mut self, charter: &mut Charter) {
        self.texts.share(&mut charter.purpose);
        self.texts.share(&mut charter.owner.0);
        let Self { texts, names, tools, rules, args, grants, labels, budgets, hours, manifests, .. } = self;
        names.share_with(&mut charter.deputies, |names| {
            names.iter_mut().for_each(|name| texts.share(&mut name.0));
        });
        names.share_with(&mut charter.users, |names| {
            names.iter_mut().for_each(|name| texts.share(&mut name.0));
        });
        let mut share_tools = |list: &mut Arc<[ToolName]>, texts: &mut Known<str>| {
            tools.share_with(list, |list| list.iter_mut().for_each(|tool| texts.share(&mut tool.0)));
        };
        grants.share_with(&mut charter.grants, |grants| {
            for grant in grants {
                texts.share(&mut grant.system.0);
                share_tools(&mut grant.tools, texts);
                args.share_with(grant.args.whole_mut(), |args| {
                    for (arg, rule) in args {
                        texts.share(arg);
                        rules.share(rule);
                    }
                });
            }
        });
        labels.share(&mut charter.data);
        budgets.share_with(&mut charter.budgets, |budgets| {
            for budget in budgets {
                texts.share(&mut budget.name.0);
                texts.share(&mut budget.system.0);
                share_tools(&mut budget.tools, texts);
            }
        });
        if let Some(own) = &mut charter.hours {
            hours.share(own);
        }
        manifests.share_with(charter.manifest.whole_mut(), |parts| {
            for (part, made_of) in parts {
                texts.share(part);
                texts.share(made_of);
            }
        });
    }

    fn task(&mut self, task: &mut Task) {
        self.texts.share(&mut task.agent.0);
        self.texts.share(&mut task.requester.0);
        self.texts.share(&mut task.purpose);
        if let Some(scope) = &mut task.scope {
            self.scopes.share(scope);
        }
    }
}

/// Values met before, each once.
#[derive(Debug)]
struct Known<T: ?Sized>(
    /// Hashed quickly, and seeded anew in each process: a million rows are a dozen million look-ups.
    HashSet<Arc<T>, RandomState>,
);

impl<T: ?Sized + Eq + Hash> Known<T> {
    fn share(&mut self, value: &mut Arc<T>) {
        self.share_with(value, |_parts| ());
    }

    /// `parts` shares the parts of a value that is new; those of a known one are shared already.
    fn share_with(&mut self, value: &mut Arc<T>, parts: impl FnOnce(&mut T)) {
        if let Some(known) = self.0.get(value) {
            value.clone_from(known);
            return;
        }
        if let Some(own) = Arc::get_mut(value) {
            parts(own);
        }
        if self.0.len() >= KNOWN_MAX {
            // Where nearly everything is new, remembering it all would cost more than it spares.
            self.0.clear();
        }
        self.0.insert(Arc::clone(value));
    }
}

impl<T: ?Sized> Default for Known<T> {
    fn default() -> Self {
        Self(HashSet::default())
    }
}

/// Values of one type that are remembered at once.
const KNOWN_MAX: usize = 16_384;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn agent(name: &str, amount_max: &str) -> Object {
        let body = json!({
            "id": "agent_00000000000000000000000000", "name": name, "status": "active", "revision": 1,
            "charter": {
                "purpose": "pays", "owner": "maria", "deputies": ["ben"], "environment": "sandbox",
                "autonomy": "bounded", "data": ["payroll"], "manifest": {"model": "m"}, "task_duration_max": 9,
                "grants": [{"system": "bank", "tools": ["pay"], "args": {
                    "amount": {"max": amount_max}, "to": {"one_of": ["x", "y"]},
                }}],
                "budgets": [{"name": "day", "system": "bank", "tools": ["pay"], "window": 5, "per": "task", "count_max": 3}],
                "hours": {"days": ["mon"], "from_minute": 1, "to_minute": 2, "timezone": "UTC"},
            },
            "provenance": {"created_by": "maria", "created_at": 0, "source": "files"},
        });
        Object::Agent(serde_json::from_value(body).unwrap())
    }

    fn shared(pool: &mut Pool, mut object: Object) -> Agent {
        let before = object.clone();
        // A copy would share the very parts that are to be put in place.
        let text = serde_json::to_string(&object).unwrap();
        object = serde_json::from_str(&text).unwrap();
        pool.share(&mut object);
        assert_eq!(object, before);
        assert_eq!(serde_json::to_string(&object).unwrap(), text);
        let Object::Agent(agent) = object else { panic!("an agent") };
        agent
    }

    #[test]
    fn agents_of_one_template_share_all_they_say() {
        let mut pool = Pool::default();
        let (a, b) = (shared(&mut pool, agent("a", "500.0")), shared(&mut pool, agent("b", "500.0")));
        assert!(Arc::ptr_eq(&a.charter.grants, &b.charter.grants));
        assert!(Arc::ptr_eq(&a.charter.budgets, &b.charter.budgets));
        assert!(Arc::ptr_eq(&a.charter.data, &b.charter.data));
        assert!(Arc::ptr_eq(&a.charter.deputies, &b.charter.deputies));
        assert!(Arc::ptr_eq(a.charter.hours.as_ref().unwrap(), b.charter.hours.as_ref().unwrap()));
        assert!(Arc::ptr_eq(a.charter.manifest.whole(), b.charter.manifest.whole()));
        assert!(Arc::ptr_eq(&a.charter.purpose, &b.charter.purpose));
        assert!(Arc::ptr_eq(&a.charter.owner.0, &b.charter.owner.0));
        assert!(Arc::ptr_eq(&a.provenance.created_by, &b.provenance.created_by));
    }

    #[test]
    fn agents_that_differ_in_one_rule_share_the_others_and_every_text() {
        let mut pool = Pool::default();
        let (a, b) = (shared(&mut pool, agent("a", "500.0")), shared(&mut pool, agent("b", "7.0")));
        let (a, b) = (&a.charter.grants[0], &b.charter.grants[0]);
        assert!(Arc::ptr_eq(&a.tools, &b.tools) && Arc::ptr_eq(&a.system.0, &b.system.0));
        let rule = |grant: &Grant, at: usize| Arc::clone(&grant.args.whole()[at].1);
        assert!(!Arc::ptr_eq(&rule(a, 0), &rule(b, 0)));
        assert!(Arc::ptr_eq(&rule(a, 1), &rule(b, 1)));
        assert!(Arc::ptr_eq(&a.args.whole()[0].0, &b.args.whole()[0].0));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_nothing_is_lost_by_it() {
        let mut pool = Pool::default();
        for index in 0..=KNOWN_MAX {
            let mut text: Arc<str> = index.to_string().into();
            pool.texts.share(&mut text);
            assert_eq!(*text, *index.to_string());
            assert!(pool.texts.0.len() <= KNOWN_MAX);
        }
    }
}
