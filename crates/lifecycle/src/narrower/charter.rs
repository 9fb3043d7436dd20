//! Whether one charter lets nothing happen that another does not.

use provost_domain::{
    Charter, Name, ToolName,
    charter::{ArgRule, Budget, Delegation, Hours, Retirement},
};
use std::collections::BTreeMap;

/// Whether everything that `after` allows, `before` allows. What it is for, who answers for it, where it runs and what it is
/// made of are the same; everything else is the same or tighter.
#[must_use]
pub fn charter(before: &Charter, after: &Charter) -> bool {
    // Every part that is not compared below has to be the same, also one that is added to charters some day.
    let same = Charter {
        users: after.users.clone(),
        autonomy: after.autonomy,
        grants: after.grants.clone(),
        data: after.data.clone(),
        budgets: after.budgets.clone(),
        hours: after.hours.clone(),
        delegation: after.delegation,
        retirement: after.retirement,
        task_duration_max: after.task_duration_max,
        ..before.clone()
    };
    let same = *after == same;
    same && after.users.iter().all(|user| before.users.contains(user))
        && after.autonomy <= before.autonomy
        && grants(before, after)
        && after.data.is_subset(&before.data)
        && before.budgets.iter().all(|was| after.budgets.iter().any(|is| budget(was, is)))
        && hours(before.hours.as_deref(), after.hours.as_deref())
        && delegation(before.delegation, after.delegation)
        && retirement(before.retirement, after.retirement)
        && after.task_duration_max <= before.task_duration_max
}

type Granted<'a> = BTreeMap<(&'a Name, &'a ToolName), Vec<&'a provost_domain::TextMap<ArgRule>>>;

fn grants(before: &Charter, after: &Charter) -> bool {
    let (before, after) = (granted(before), granted(after));
    after.iter().all(|(tool, is)| match (before.get(tool).map(Vec::as_slice), is.as_slice()) {
        // Each tool once, as every reader of files sees to; of others nobody says what they mean.
        (Some([was]), [is]) => was.iter().all(|(arg, was)| is.get(arg).is_some_and(|is| rule(was, is))),
        _ => false,
    })
}

fn granted(charter: &Charter) -> Granted<'_> {
    let mut granted = Granted::new();
    for grant in charter.grants.iter() {
        for tool in grant.tools.iter() {
            granted.entry((&grant.system, tool)).or_default().push(&grant.args);
        }
    }
    granted
}

fn delegation(was: Delegation, is: Delegation) -> bool {
    let Delegation { depth_max, children_max } = is;
    depth_max <= was.depth_max && children_max <= was.children_max
}

fn retirement(was: Retirement, is: Retirement) -> bool {
    let Retirement { expires, idle_days_max } = is;
    at_most(was.expires, expires) && at_most(was.idle_days_max, idle_days_max)
}

/// A limit that every argument which keeps `is` keeps, too. A limit where there was none only forbids, so it is not asked
/// about here.
fn rule(was: &ArgRule, is: &ArgRule) -> bool {
    if was == is {
        return true;
    }
    // All its parts are compared here: one more does not compile.
    let ArgRule { one_of: _, none_of: _, like: _, not_like: _, min: _, max: _, optional: _, absent: _ } = is;
    let may_miss = |rule: &ArgRule| rule.optional || rule.absent;
    if may_miss(is) && !may_miss(was) {
        return false;
    }
    if is.absent {
        return true;
    }
    !was.absent
        && (was.one_of.is_empty()
            || (!is.one_of.is_empty() && is.one_of.iter().all(|value| was.one_of.contains(value))))
        && was.none_of.iter().all(|value| is.none_of.contains(value))
        && same_or_new(was.like.as_ref(), is.like.as_ref())
        && same_or_new(was.not_like.as_ref(), is.not_like.as_ref())
        && was.min.is_none_or(|was| is.min.is_some_and(|is| is >= was))
        && at_most(was.max, is.max)
}

/// A budget that is used up whenever the one before was: it counts at least as much, and allows at most as much.
fn budget(was: &Budget, is: &Budget) -> bool {
    let same =
        Budget { tools: is.tools.clone(), count_max: is.count_max, sum: is.sum.clone(), ..was.clone() };
    let sum = match (&was.sum, &is.sum) {
        (None, _) => true,
        (Some(was), Some(is)) => was.arg == is.arg && is.max <= was.max,
        (Some(_), None) => false,
    };
    *is == same
        && was.tools.iter().all(|tool| is.tools.contains(tool))
        && at_most(was.count_max, is.count_max)
        && sum
}

fn hours(was: Option<&Hours>, is: Option<&Hours>) -> bool {
    match (was, is) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(was), Some(is)) => {
            let forward = was.from_minute < was.to_minute && is.from_minute < is.to_minute;
            let inside = is.days.is_subset(&was.days)
                && is.from_minute >= was.from_minute
                && is.to_minute <= was.to_minute
                && is.timezone == was.timezone;
            was == is || (forward && inside)
        }
    }
}

/// Whether the second bound allows no more than the first; no bound allows everything.
fn at_most<T: PartialOrd>(was: Option<T>, is: Option<T>) -> bool {
    was.is_none_or(|was| is.is_some_and(|is| is <= was))
}

fn same_or_new<T: PartialEq>(was: Option<&T>, is: Option<&T>) -> bool {
    was.is_none_or(|was| is == Some(was))
}
