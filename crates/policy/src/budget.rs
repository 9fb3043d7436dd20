//! What a call takes from the budgets of a charter. The store keeps the windows; this only says how much.

use crate::{Draw, DrawError, Pdp, args};
use provost_domain::{
    Agent, Name, Task, Tool,
    charter::{Budget, BudgetScope},
};
use serde_json::{Map, Value};

impl Pdp {
    /// What a call would take from each window. A call that is not in any budget takes nothing.
    ///
    /// # Errors
    /// When an argument that a budget sums is missing, negative, or not a number: such a call is refused, since
    /// nobody could say what it uses up.
    pub fn budgets(
        agent: &Agent,
        tool: &Tool,
        args: &Map<String, Value>,
        task: &Task,
    ) -> Result<Vec<Draw>, DrawError> {
        let mut draws = Vec::new();
        let counting = |budget: &&Budget| budget.system == tool.system && budget.tools.contains(&tool.name);
        for budget in agent.charter.budgets.iter().filter(counting) {
            let whose = match budget.per {
                BudgetScope::Agent => format!("agent/{}/{}", agent.name, budget.name),
                BudgetScope::Task => format!("task/{}/{}", task.id, budget.name),
            };
            let draw = |kind: &str, amount: i64, max: i64| Draw {
                budget: budget.name.clone(),
                key: format!("{whose}/{kind}"),
                window: budget.window,
                amount,
                max,
            };
            draws.extend(budget.count_max.map(|max| draw("count", 1, i64::from(max))));
            if let Some(sum) = &budget.sum {
                draws.push(draw("sum", amount(&budget.name, &sum.arg, args)?, sum.max.units()));
            }
        }
        Ok(draws)
    }

    /// What a call brings to a sum of this argument, in ten-thousandths; `None` when it is missing, negative or no number.
    #[must_use]
    pub fn amount(args: &Map<String, Value>, arg: &str) -> Option<i64> {
        args::number_at(args, arg).ok().flatten().filter(|units| *units >= 0)
    }
}

fn amount(budget: &Name, arg: &str, args: &Map<String, Value>) -> Result<i64, DrawError> {
    let error = |problem: &str| DrawError {
        budget: budget.clone(),
        arg: arg.to_owned(),
        problem: problem.to_owned(),
    };
    match args::number_at(args, arg) {
        Ok(Some(units)) if units >= 0 => Ok(units),
        Ok(Some(_)) => Err(error("is negative")),
        Ok(None) => Err(error("is missing")),
        Err(problem) => Err(error(&problem)),
    }
}
