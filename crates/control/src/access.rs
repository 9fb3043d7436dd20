//! Who may do what: one table, asked by every operation. What is not an explicit yes in it is a no.

use crate::{ControlError, plane::Op};
use provost_domain::{Name, Role};
use std::{collections::BTreeSet, fmt};

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
    /// A connector: says who comes and leaves, and nothing else.
    Connector(Name),
    /// A person who signed in, with what they may do besides what everybody may: let agents act for them.
    Person(Name, BTreeSet<Role>),
}

/// What can be asked of the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Action {
    AccountConnect,
    AccountDisconnect,
    AgentAccept,
    AgentAttest,
    AgentCreate,
    AgentDemote,
    AgentDiscover,
    AgentKeep,
    AgentMove,
    AgentPromote,
    AgentProof,
    AgentRead,
    AgentRestrict,
    AgentUpdate,
    Apply,
    ApprovalAnswer,
    ApprovalRead,
    ApprovalSettle,
    Backup,
    BaselineAgree,
    BaselineLearn,
    ChannelRead,
    ChannelTest,
    BreakGlass,
    ConnectorLink,
    ConnectorRead,
    ConnectorToken,
    ContainmentEnd,
    ContainmentLift,
    ContainmentOrder,
    ContainmentRead,
    ContainmentSettle,
    CredentialDelete,
    CredentialRead,
    CredentialSet,
    DecisionRead,
    DeliveryKeep,
    DeliveryRead,
    DeliveryRetry,
    DrillRead,
    DrillRun,
    EnvelopeRevoke,
    Evaluate,
    FindingAnswer,
    FindingRead,
    FindingSettle,
    Fsck,
    IssuerRead,
    KeysRotate,
    LedgerAdopt,
    LedgerRead,
    PasskeyAdd,
    PasskeyEnd,
    PasskeyRead,
    PersonAway,
    PersonInvite,
    PersonLink,
    PersonRead,
    Plan,
    PolicyCheck,
    PolicyRead,
    PolicyTest,
    ProposalAnswer,
    ProposalRead,
    ProposalSettle,
    ReviewAnswer,
    ReviewOpen,
    ReviewRead,
    ReviewSettle,
    ScimProvision,
    SessionEnd,
    SessionRead,
    SessionStart,
    SignalHear,
    SignalReceive,
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
    /// Whether it is a yes only because this person answers for the agent: to stop it, never to let it go further.
    pub(crate) only_stops: bool,
}

impl Op {
    /// Asks the table.
    ///
    /// # Errors
    /// [`ControlError::Refused`] for everything that is not an explicit yes.
    pub fn authorize(&self, action: Action) -> Result<Authorised<'_>, ControlError> {
        if allows(&self.subject, action) {
            return Ok(Authorised { op: self, action, only_stops: false });
        }
        tracing::warn!(request = %self.request_id, subject = %self.subject, action = action.as_str(), "refused");
        Err(ControlError::refused(format!("{} may not do this: `{}`", self.subject, action.as_str()))
            .because("workloads only ask decisions; administration is for people")
            .cure("use the token of an administrator"))
    }

    /// Asks the table about something with one agent: who answers for it looks at it and stops it without any role.
    ///
    /// # Errors
    /// As [`Op::authorize`].
    pub fn authorize_on(&self, action: Action, agent: &Name) -> Result<Authorised<'_>, ControlError> {
        if !allows(&self.subject, action) && allows_on(self, action, agent) {
            return Ok(Authorised { op: self, action, only_stops: true });
        }
        self.authorize(action)
    }
}

impl Authorised<'_> {
    /// Refuses what would let an agent go further, when the yes is only for stopping it.
    pub(crate) fn check_stops(&self, stops: bool) -> Result<(), ControlError> {
        if stops || !self.only_stops {
            return Ok(());
        }
        Err(ControlError::refused(format!(
            "{} answers for this agent, which is enough to stop it",
            self.op.subject
        ))
        .because("whoever stopped it may have known why: letting it act again is for an operator")
        .cure("ask somebody with the role operator or administrator"))
    }
}

/// Whether an operator may do something with one agent: by the table, or because they answer for it.
#[must_use]
pub fn allows_on(op: &Op, action: Action, agent: &Name) -> bool {
    if allows(&op.subject, action) {
        return true;
    }
    let Operator::Person(person, _roles) = &op.subject else { return false };
    let view = op.plane.replica.latest();
    let agent = view.directory.agents.get(agent);
    of_owner(action)
        && agent.is_some_and(|agent| {
            agent.charter.owner == *person
                || agent.charter.deputies.contains(person)
                || agent.answers() == person
        })
}

/// Whether the table says yes.
#[must_use]
pub fn allows(subject: &Operator, action: Action) -> bool {
    match subject {
        // The one who can read the token file could as well write the database beside it.
        Operator::LocalAdministrator => true,
        Operator::Plane => matches!(
            action,
            Action::TaskEnd
                | Action::TaskTry
                | Action::AgentDemote
                | Action::AgentDiscover
                | Action::BaselineLearn
                | Action::AgentKeep
                | Action::ApprovalSettle
                | Action::FindingSettle
                | Action::DeliveryKeep
                | Action::PasskeyAdd
                | Action::PersonInvite
                | Action::ContainmentEnd
                | Action::ContainmentOrder
                | Action::DrillRun
                | Action::SignalHear
                | Action::PersonLink
                | Action::ProposalSettle
                | Action::ReviewOpen
                | Action::ReviewSettle
                | Action::SessionEnd
        ),
        Operator::Workload(_) => matches!(action, Action::Evaluate | Action::SignalReceive),
        // Of its own tasks; each operation sees to that.
        Operator::Agent(_) => matches!(action, Action::TaskStart | Action::TaskEnd | Action::TaskToken),
        // Of what is its own; each operation sees to that.
        Operator::Connector(_) => matches!(action, Action::ScimProvision),
        // Of their own: each operation sees to that.
        Operator::Person(_, roles) => own(action) || roles.iter().any(|role| of_role(*role, action)),
    }
}

/// What every person who signed in may do, with what is theirs.
const fn own(action: Action) -> bool {
    matches!(
        action,
        Action::SessionStart
            | Action::SessionEnd
            | Action::SessionRead
            | Action::PasskeyAdd
            | Action::PasskeyEnd
            | Action::PasskeyRead
            | Action::TaskStart
            | Action::TaskEnd
            | Action::AgentAccept
            | Action::AccountConnect
            | Action::AccountDisconnect
            | Action::ApprovalAnswer
            | Action::ApprovalRead
            | Action::ContainmentLift
            | Action::ContainmentOrder
            | Action::ContainmentRead
            | Action::ContainmentSettle
            | Action::EnvelopeRevoke
            | Action::FindingAnswer
            | Action::FindingRead
            | Action::PersonAway
            | Action::ProposalAnswer
            | Action::ProposalRead
            | Action::ReviewAnswer
            | Action::ReviewRead
    )
}

/// What somebody may do with the agents they answer for, whatever their roles.
const fn of_owner(action: Action) -> bool {
    matches!(
        action,
        Action::AgentAttest
            | Action::AgentDemote
            | Action::AgentMove
            | Action::AgentPromote
            | Action::AgentRead
            | Action::AgentRestrict
            | Action::BaselineAgree
            | Action::DecisionRead
            | Action::TaskRead
    )
}

/// What a role adds.
const fn of_role(role: Role, action: Action) -> bool {
    match role {
        Role::Administrator => true,
        Role::Operator => {
            looks(action)
                || matches!(
                    action,
                    Action::AgentDemote
                        | Action::AgentMove
                        | Action::AgentPromote
                        | Action::AgentRestrict
                        | Action::Backup
                        | Action::BaselineAgree
                        | Action::ChannelTest
                        | Action::DeliveryRetry
                        | Action::DrillRun
                        | Action::Fsck
                        | Action::ReviewOpen
                        | Action::TaskToken
                )
        }
        Role::Viewer | Role::Approver => looks(action),
    }
}

/// Whether it changes nothing and shows no secret.
const fn looks(action: Action) -> bool {
    matches!(
        action,
        Action::AgentRead
            | Action::ChannelRead
            | Action::ConnectorRead
            | Action::CredentialRead
            | Action::DecisionRead
            | Action::DeliveryRead
            | Action::ContainmentRead
            | Action::DrillRead
            | Action::IssuerRead
            | Action::LedgerRead
            | Action::PersonRead
            | Action::Plan
            | Action::PolicyCheck
            | Action::PolicyRead
            | Action::PolicyTest
            | Action::Status
            | Action::SystemRead
            | Action::TaskRead
            | Action::WorkloadRead
    )
}

impl Operator {
    /// Whether this operator may do more than what is theirs: administrators and whoever holds the token file.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        match self {
            Self::LocalAdministrator | Self::Plane => true,
            Self::Person(_, roles) => roles.contains(&Role::Administrator),
            Self::Workload(_) | Self::Agent(_) | Self::Connector(_) => false,
        }
    }

    /// Whether there is anything at all for this operator in the administration interface.
    #[must_use]
    pub fn may_administer(&self) -> bool {
        match self {
            Self::Agent(_) | Self::Connector(_) => false,
            Self::Person(..) => true,
            Self::LocalAdministrator | Self::Plane | Self::Workload(_) => {
                let asks = |action: Action| matches!(action, Action::Evaluate | Action::SignalReceive);
                Action::ALL.into_iter().any(|action| !asks(action) && allows(self, action))
            }
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LocalAdministrator => f.write_str("local administrator"),
            Self::Plane => f.write_str("plane"),
            Self::Workload(name) => write!(f, "workload {name}"),
            Self::Agent(name) => write!(f, "agent {name}"),
            Self::Connector(name) => write!(f, "connector {name}"),
            Self::Person(name, _roles) => write!(f, "person {name}"),
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
    AgentAccept = "agent accept",
    AgentAttest = "agent attest",
    AgentCreate = "agent create",
    AgentDemote = "agent demote",
    AgentDiscover = "agent discover",
    AgentKeep = "agent keep",
    AgentMove = "agent move",
    AgentPromote = "agent promote",
    AgentProof = "agent proof",
    AgentRead = "agent read",
    AgentRestrict = "agent restrict",
    AgentUpdate = "agent update",
    Apply = "apply",
    ApprovalAnswer = "approval answer",
    ApprovalRead = "approval read",
    ApprovalSettle = "approval settle",
    Backup = "backup",
    BaselineAgree = "baseline agree",
    BaselineLearn = "baseline learn",
    ChannelRead = "channel read",
    ChannelTest = "channel test",
    BreakGlass = "break glass",
    ConnectorLink = "connector link",
    ConnectorRead = "connector read",
    ConnectorToken = "connector token",
    ContainmentEnd = "containment end",
    ContainmentLift = "containment lift",
    ContainmentOrder = "containment order",
    ContainmentRead = "containment read",
    ContainmentSettle = "containment settle",
    CredentialDelete = "credential delete",
    CredentialRead = "credential read",
    CredentialSet = "credential set",
    DecisionRead = "decision read",
    DeliveryKeep = "delivery keep",
    DeliveryRead = "delivery read",
    DeliveryRetry = "delivery retry",
    DrillRead = "drill read",
    DrillRun = "drill run",
    EnvelopeRevoke = "envelope revoke",
    Evaluate = "evaluate",
    FindingAnswer = "finding answer",
    FindingRead = "finding read",
    FindingSettle = "finding settle",
    Fsck = "fsck",
    IssuerRead = "issuer read",
    KeysRotate = "keys rotate",
    LedgerAdopt = "ledger adopt",
    LedgerRead = "ledger read",
    PasskeyAdd = "passkey add",
    PasskeyEnd = "passkey end",
    PasskeyRead = "passkey read",
    PersonAway = "person away",
    PersonInvite = "person invite",
    PersonLink = "person link",
    PersonRead = "person read",
    Plan = "plan",
    PolicyCheck = "policy check",
    PolicyRead = "policy read",
    PolicyTest = "policy test",
    ProposalAnswer = "proposal answer",
    ProposalRead = "proposal read",
    ProposalSettle = "proposal settle",
    ReviewAnswer = "review answer",
    ReviewOpen = "review open",
    ReviewRead = "review read",
    ReviewSettle = "review settle",
    ScimProvision = "scim provision",
    SessionEnd = "session end",
    SessionRead = "session read",
    SessionStart = "session start",
    SignalHear = "signal hear",
    SignalReceive = "signal receive",
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
mod tests;
