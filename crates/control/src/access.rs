//! Who may do what: one table, asked by every operation. What is not an explicit yes in it is a no.

use crate::{ControlError, plane::Op};
use provost_domain::Name;
use std::fmt;

/// Who operates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// Whoever can read the local token file.
    LocalAdministrator,
    /// The plane itself, keeping its own house.
    Plane,
    /// A workload with a token: asks decisions, administers nothing.
    Workload(Name),
    /// An agent that proved itself: starts and ends its own tasks.
    Agent(Name),
    /// A person who signed in: lets agents act for them.
    Person(Name),
}

/// What can be asked of the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Action {
    AccountConnect,
    AccountDisconnect,
    AgentCreate,
    AgentDiscover,
    AgentMove,
    AgentProof,
    AgentRead,
    AgentRestrict,
    AgentUpdate,
    Apply,
    Backup,
    CredentialDelete,
    CredentialRead,
    CredentialSet,
    DecisionRead,
    Evaluate,
    Fsck,
    IssuerRead,
    KeysRotate,
    LedgerAdopt,
    LedgerRead,
    PersonLink,
    PersonRead,
    Plan,
    PolicyCheck,
    PolicyRead,
    PolicyTest,
    SessionEnd,
    SessionStart,
    Status,
    SystemImport,
    SystemRead,
    SystemRemove,
    TaskEnd,
    TaskRead,
    TaskStart,
    TaskToken,
    TaskTry,
    WorkloadRead,
    WorkloadToken,
}

/// The yes of the table for one action of one operator. Only with it can anything be committed.
#[derive(Debug, Clone, Copy)]
pub struct Authorised<'op> {
    pub(crate) op: &'op Op,
    pub(crate) action: Action,
}

impl Op {
    /// Asks the table.
    ///
    /// # Errors
    /// [`ControlError::Refused`] for everything that is not an explicit yes.
    pub fn authorize(&self, action: Action) -> Result<Authorised<'_>, ControlError> {
        if allows(&self.subject, action) {
            return Ok(Authorised { op: self, action });
        }
        tracing::warn!(request = %self.request_id, subject = %self.subject, action = action.as_str(), "refused");
        Err(ControlError::refused(format!("{} may not do this: `{}`", self.subject, action.as_str()))
            .because("workloads only ask decisions; administration is for people")
            .cure("use the token of an administrator"))
    }
}

/// Whether the table says yes.
#[must_use]
pub fn allows(subject: &Operator, action: Action) -> bool {
    match subject {
        // The one who can read the token file could as well write the database beside it.
        Operator::LocalAdministrator => true,
        Operator::Plane => matches!(action, Action::TaskEnd | Action::TaskTry | Action::AgentDiscover | Action::PersonLink | Action::SessionEnd),
        Operator::Workload(_) => matches!(action, Action::Evaluate),
        // Of its own tasks; each operation sees to that.
        Operator::Agent(_) => matches!(action, Action::TaskStart | Action::TaskEnd | Action::TaskToken),
        // Of their own: each operation sees to that.
        Operator::Person(_) => {
            matches!(
                action,
                Action::SessionStart
                    | Action::SessionEnd
                    | Action::TaskStart
                    | Action::TaskEnd
                    | Action::AccountConnect
                    | Action::AccountDisconnect
            )
        }
    }
}

impl Operator {
    /// Whether there is anything at all for this operator in the administration interface.
    #[must_use]
    pub fn may_administer(&self) -> bool {
        !matches!(self, Self::Agent(_) | Self::Person(_))
            && Action::ALL.into_iter().any(|action| action != Action::Evaluate && allows(self, action))
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LocalAdministrator => f.write_str("local administrator"),
            Self::Plane => f.write_str("plane"),
            Self::Workload(name) => write!(f, "workload {name}"),
            Self::Agent(name) => write!(f, "agent {name}"),
            Self::Person(name) => write!(f, "person {name}"),
        }
    }
}

macro_rules! actions {
    ($($variant:ident = $word:literal),* $(,)?) => {
        impl Action {
            /// Every action.
            pub const ALL: [Self; actions!(@count $($variant)*)] = [$(Self::$variant),*];

            /// The word used in the table and in refusals.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
    (@count $($variant:ident)*) => { [$(actions!(@one $variant)),*].len() };
    (@one $variant:ident) => { () };
}
actions! {
    AccountConnect = "account connect",
    AccountDisconnect = "account end",
    AgentCreate = "agent create",
    AgentDiscover = "agent discover",
    AgentMove = "agent move",
    AgentProof = "agent proof",
    AgentRead = "agent read",
    AgentRestrict = "agent restrict",
    AgentUpdate = "agent update",
    Apply = "apply",
    Backup = "backup",
    CredentialDelete = "credential delete",
    CredentialRead = "credential read",
    CredentialSet = "credential set",
    DecisionRead = "decision read",
    Evaluate = "evaluate",
    Fsck = "fsck",
    IssuerRead = "issuer read",
    KeysRotate = "keys rotate",
    LedgerAdopt = "ledger adopt",
    LedgerRead = "ledger read",
    PersonLink = "person link",
    PersonRead = "person read",
    Plan = "plan",
    PolicyCheck = "policy check",
    PolicyRead = "policy read",
    PolicyTest = "policy test",
    SessionEnd = "session end",
    SessionStart = "session start",
    Status = "status",
    SystemImport = "system import",
    SystemRead = "system read",
    SystemRemove = "system remove",
    TaskEnd = "task end",
    TaskRead = "task read",
    TaskStart = "task start",
    TaskToken = "task token",
    TaskTry = "task try",
    WorkloadRead = "workload read",
    WorkloadToken = "workload token",
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn the_table_is_the_committed_one() {
        let workload = Operator::Workload("checkout".parse().unwrap());
        let agent = Operator::Agent("clerk".parse().unwrap());
        let mut table =
            format!("{:<18}{:<22}{:<10}{:<10}{:<10}person\n", "action", "local administrator", "plane", "workload", "agent");
        for action in Action::ALL {
            let word = |subject: &Operator| if allows(subject, action) { "yes" } else { "-" };
            let administrator = word(&Operator::LocalAdministrator);
            let (plane, workload, agent) = (word(&Operator::Plane), word(&workload), word(&agent));
            let person = word(&Operator::Person("maria".parse().unwrap()));
            let row = format!("{administrator:<22}{plane:<10}{workload:<10}{agent:<10}{person}");
            writeln!(table, "{:<18}{row}", action.as_str()).unwrap();
        }
        assert_eq!(table, include_str!("access.golden"), "{table}");
    }

    #[test]
    fn a_workload_has_nothing_to_administer() {
        assert!(!Operator::Workload("checkout".parse().unwrap()).may_administer());
        assert!(Operator::LocalAdministrator.may_administer());
    }
}
