//! What a system is shown: one secret, put where the system's row says; or several, as variables of a child's
//! environment under names of their own.

use crate::seal::Secret;

/// What a system is shown. `Debug` prints no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub(crate) values: Values,
    /// Parts of the above that give as much away by themselves.
    masked: Vec<Secret>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    One(Secret),
    Variables(Vec<(String, Secret)>),
}

impl Shown {
    /// Variables of a child's environment.
    #[must_use]
    pub const fn variables(variables: Vec<(String, Secret)>) -> Self {
        Self { values: Values::Variables(variables), masked: Vec::new() }
    }

    /// As before, and this part of it is kept out of everything people and agents read, wherever it stands.
    #[must_use]
    pub fn and_masking(mut self, part: Secret) -> Self {
        self.masked.push(part);
        self
    }

    /// The secret, if it is one.
    #[must_use]
    pub const fn secret(&self) -> Option<&Secret> {
        match &self.values {
            Values::One(secret) => Some(secret),
            Values::Variables(_) => None,
        }
    }

    /// Every secret in it, the longest first where one is a part of another.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let (one, variables) = match &self.values {
            Values::One(secret) => (Some(secret), [].as_slice()),
            Values::Variables(variables) => (None, variables.as_slice()),
        };
        one.into_iter().chain(variables.iter().map(|(_name, secret)| secret)).chain(&self.masked)
    }
}

impl From<Secret> for Shown {
    fn from(secret: Secret) -> Self {
        Self { values: Values::One(secret), masked: Vec::new() }
    }
}
