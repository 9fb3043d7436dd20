//! Settings that hold for the whole organisation.

use crate::{
    DurationMs, Environment, Name, autonomy::AutonomyRules, drill::DrillPlan, rule::Rule, upkeep::UpkeepRules,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Settings of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// How it is written to people.
    pub display: String,
    /// The longest revocation time a production charter may reach (REQUIREMENTS.md C4); no bound, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production_revocation_max: Option<DurationMs>,
    /// Groups of people that a gate may name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<Name, Group>,
    /// How approvals go.
    #[serde(default, skip_serializing_if = "is_default")]
    pub approvals: ApprovalRules,
    /// Who must agree to a change of the organisation.
    #[serde(default, skip_serializing_if = "ChangeRules::is_default")]
    pub changes: ChangeRules,
    /// When which agent is drilled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drills: BTreeMap<Name, DrillPlan>,
    /// What orders containment by itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<Name, Rule>,
    /// How agents earn trust.
    #[serde(default, skip_serializing_if = "AutonomyRules::is_default")]
    pub autonomy: AutonomyRules,
    /// What becomes of agents by itself.
    #[serde(default, skip_serializing_if = "UpkeepRules::is_default")]
    pub lifecycle: UpkeepRules,
}

/// People of whom some must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Who.
    pub members: BTreeSet<Name>,
    /// How many of them.
    pub needs: u32,
}

/// How approvals go in this organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApprovalRules {
    /// How long one waits for an answer; silence is a no.
    pub wait: DurationMs,
    /// How long a yes is good.
    pub good_for: DurationMs,
    /// After how long without an answer the owner's manager may answer too; never, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalate_after: Option<DurationMs>,
    /// How long a held call of a client that listens stays open before the client is asked to come back; not at all, if zero.
    pub hold_open: DurationMs,
    /// Whether an owner's deputies may answer only while the owner is away.
    pub deputies_only_while_away: bool,
    /// One answer in so many draws a check ([`crate::check`]); none does, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<u32>,
    /// Which answers take a fresh signature of the person's passkey.
    #[serde(skip_serializing_if = "is_usual")]
    pub signed: Signed,
}

/// Which answers take a signature. Only a yes does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signed {
    /// To what acts in production.
    #[default]
    Production,
    /// All.
    Always,
    /// None.
    Never,
}

impl Default for ApprovalRules {
    fn default() -> Self {
        Self {
            wait: DurationMs::from_mins(60),
            good_for: DurationMs::from_mins(15),
            escalate_after: None,
            // Below the minute after which many clients give up on a request.
            hold_open: DurationMs::from_secs(50),
            deputies_only_while_away: false,
            checks: None,
            signed: Signed::Production,
        }
    }
}

/// Who must agree, besides its author, to a change of the organisation that is not plainly a narrowing (`[organisation]
/// changes`). An empty set is `direct`: nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeRules {
    /// To charters and systems of the sandbox.
    pub sandbox: BTreeSet<Agree>,
    /// To those of staging.
    pub staging: BTreeSet<Agree>,
    /// To those of production; never empty.
    pub production: BTreeSet<Agree>,
    /// To what holds everywhere: people's roles, groups, issuers, policies, these rules.
    pub rules: BTreeSet<Agree>,
    /// How long a proposal waits for answers.
    pub wait: DurationMs,
    /// How long a change that was made without those who must agree may stand without a review.
    pub review: DurationMs,
}

/// Who must agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Agree {
    /// The owner of the agent, or who answers in the owner's place.
    Owner,
    /// Somebody with the role administrator.
    Administrators,
    /// So many of a group as it needs.
    Group(Name),
}

impl Default for ChangeRules {
    fn default() -> Self {
        Self {
            sandbox: BTreeSet::new(),
            staging: [Agree::Owner].into(),
            production: [Agree::Owner].into(),
            rules: [Agree::Administrators].into(),
            wait: DurationMs::from_mins(7 * 24 * 60),
            review: DurationMs::from_mins(3 * 24 * 60),
        }
    }
}

impl ChangeRules {
    /// Who must agree to a change in this environment.
    #[must_use]
    pub const fn of(&self, environment: Environment) -> &BTreeSet<Agree> {
        match environment {
            Environment::Sandbox => &self.sandbox,
            Environment::Staging => &self.staging,
            Environment::Production => &self.production,
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Agree> for String {
    fn from(agree: Agree) -> Self {
        agree.to_string()
    }
}

impl TryFrom<String> for Agree {
    type Error = crate::NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for Agree {
    type Err = crate::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            OWNER => Ok(Self::Owner),
            crate::proposal::ADMINISTRATORS => Ok(Self::Administrators),
            group => group.parse().map(Self::Group),
        }
    }
}

impl std::fmt::Display for Agree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Owner => OWNER,
            Self::Administrators => crate::proposal::ADMINISTRATORS,
            Self::Group(group) => group.as_str(),
        })
    }
}

const OWNER: &str = "owner";

fn is_default(rules: &ApprovalRules) -> bool {
    *rules == ApprovalRules::default()
}

fn is_usual(signed: &Signed) -> bool {
    *signed == Signed::default()
}

impl Signed {
    /// Every choice, the usual one first.
    pub const ALL: [Self; 3] = [Self::Production, Self::Always, Self::Never];

    /// Whether a yes about something in this environment takes a signature.
    #[must_use]
    pub fn wants(self, environment: Environment) -> bool {
        match self {
            Self::Production => environment == Environment::Production,
            Self::Always => true,
            Self::Never => false,
        }
    }

    /// The word used in files and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl Organisation {
    /// The bound on revocation time that this environment allows.
    #[must_use]
    pub fn revocation_max(&self, environment: Environment) -> Option<DurationMs> {
        self.production_revocation_max.filter(|_| environment == Environment::Production)
    }
}
