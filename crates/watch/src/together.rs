//! What a task did that is dangerous with what comes next: credentials made and then a call out, much read and then a
//! deletion, permissions changed and then used. The facts are kept here; the rules are policies (`policies/guardrails.cedar`).

use provost_domain::{Effect, Tool, origin::Past};
use std::collections::BTreeSet;

/// What a call of this tool leaves behind.
pub(crate) fn past(tool: &Tool) -> BTreeSet<Past> {
    let mut past = BTreeSet::new();
    if tool.effects.contains(&Effect::Permission) {
        past.insert(Past::ChangedPermission);
    }
    let credential = tool.returns.iter().any(|returns| CREDENTIAL_LABELS.contains(&returns.label.as_str()));
    if credential && !tool.only_reads() {
        past.insert(Past::MadeCredential);
    }
    past
}

/// Records read in one task from which on a deletion is out of proportion to a single look.
pub(crate) const READ_MANY: u64 = 500;
/// Labels that say that a result is a credential.
const CREDENTIAL_LABELS: [&str; 3] = ["credential", "secret", "secrets"];
