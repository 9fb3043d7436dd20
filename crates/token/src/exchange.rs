//! Delegation by token exchange (RFC 8693): somebody's authority, in another agent's hands, and never more of it. Pure
//! rules; who the actor is, and what today's charters allow, is handed in.

use crate::actor::{Actor, CHAIN_DEPTH_MAX};
use crate::{AccessClaims, Details, MayAct, OauthCode, OauthError, Scope, details};
use provost_domain::{Name, Timestamp, charter::Delegation};

/// Whose authority is handed on, as a verified token of theirs says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeSubject {
    /// The principal.
    pub sub: Name,
    /// Who acts for it so far, outermost first.
    pub act: Option<Actor>,
    /// Who may become the actor; anybody whom charters allow, if absent.
    pub may_act: Option<MayAct>,
    /// What the token is good for; any resource of this plane, if absent (a person who signed in).
    pub audience: Option<String>,
    /// The token's end, in seconds.
    pub exp: i64,
    /// Its scope: all that can be had from it; none, if absent.
    pub scope: Option<Scope>,
    /// Its details.
    pub details: Option<Details>,
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeRequest {
    /// The one resource or audience; the subject's, if absent.
    pub audience: Option<String>,
    /// Less scope.
    pub scope: Option<Scope>,
    /// Less authority.
    pub details: Option<Details>,
}

/// One agent of the chain so far, with what its charter says today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeLink<'a> {
    /// The agent.
    pub agent: &'a Name,
    /// Its delegation rule.
    pub delegation: Delegation,
    /// Children of it that are alive now.
    pub children_alive: u32,
}

/// Who takes over, and within what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRules<'a> {
    /// The agent that authenticated with this request. Never a name out of a token's `act`.
    pub actor: &'a Name,
    /// The agents of the subject's chain in its order, outermost first; the principal last, if it is an agent.
    pub chain: &'a [ExchangeLink<'a>],
    /// Whether the principal is an agent, so that it stands in `chain`.
    pub principal_is_agent: bool,
    /// The end of what the actor may have by itself (its charter, its task), in seconds.
    pub actor_exp: i64,
    /// The longest a token may live.
    pub lifetime_seconds_max: i64,
    /// Whether a subject token without `may_act` is refused.
    pub may_act_required: bool,
}

/// What may be issued, with `sub`, `act`, `aud`, `exp`, `scope` and `authorization_details` of the new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegated {
    /// The principal, unchanged.
    pub sub: Name,
    /// The new chain: the actor outermost.
    pub act: Actor,
    /// Where it is good; as the caller decides, if absent (only for a subject without audience and a request without).
    pub audience: Option<String>,
    /// The earliest of all ends, in seconds.
    pub exp: i64,
    /// The scope.
    pub scope: Option<Scope>,
    /// The authority, with the limits of every link.
    pub details: Option<Details>,
}

impl From<&AccessClaims> for ExchangeSubject {
    fn from(claims: &AccessClaims) -> Self {
        Self {
            sub: claims.sub.clone(),
            act: claims.act.clone(),
            may_act: claims.may_act.clone(),
            audience: Some(claims.aud.clone()),
            exp: claims.exp,
            scope: claims.scope.clone(),
            details: claims.authorization_details.clone(),
        }
    }
}

impl ExchangeSubject {
    /// A person who signed in, until `exp`, who hands on no scope; set `scope` to what may be asked for.
    #[must_use]
    pub const fn person(sub: Name, exp: i64) -> Self {
        Self { sub, act: None, may_act: None, audience: None, exp, scope: None, details: None }
    }

    /// The delegation of this authority to the actor of `rules`, at `now`.
    ///
    /// There is always a new actor in the result: impersonation, a token that names the principal alone although somebody
    /// else holds it, cannot be asked for.
    ///
    /// # Errors
    /// `invalid_request` when the subject has expired or the chain does not allow it (`may_act`, a loop, depth, fan-out;
    /// RFC 8693 section 2.2.2); `invalid_target`, `invalid_scope`, `invalid_authorization_details` when more is asked for than is
    /// held.
    pub fn delegate(
        &self,
        request: &ExchangeRequest,
        rules: &ExchangeRules<'_>,
        now: Timestamp,
    ) -> Result<Delegated, OauthError> {
        self.check_actor(rules)?;
        self.check_chain(rules)?;
        let exp = self.end(rules, now)?;
        let audience = self.audience(request)?;
        let scope = self.scope(request)?;
        let details = details::attenuate(self.details.as_ref(), request.details.as_ref())?;
        let act = Actor { sub: rules.actor.clone(), iss: None, act: self.act.clone().map(Box::new) };
        Ok(Delegated { sub: self.sub.clone(), act, audience, exp, scope, details })
    }

    fn check_actor(&self, rules: &ExchangeRules<'_>) -> Result<(), OauthError> {
        match &self.may_act {
            Some(may) if may.sub != *rules.actor => {
                return Err(invalid(
                    "the subject token names another agent in may_act: only that one may act with it",
                ));
            }
            None if rules.may_act_required => {
                return Err(invalid(
                    "the subject token has no may_act: get one that names the agent that is to act",
                ));
            }
            Some(_) | None => {}
        }
        let is_in_chain = self.actors().any(|actor| actor.sub == *rules.actor);
        if is_in_chain || self.sub == *rules.actor {
            return Err(invalid(
                "the agent is in the token's chain already: authority is handed on, never around",
            ));
        }
        Ok(())
    }

    fn check_chain(&self, rules: &ExchangeRules<'_>) -> Result<(), OauthError> {
        let mut agents: Vec<&Name> = self.actors().map(|actor| &actor.sub).collect();
        if rules.principal_is_agent {
            agents.push(&self.sub);
        }
        if !agents.iter().copied().eq(rules.chain.iter().map(|link| link.agent)) {
            return Err(invalid("an agent of the token's chain is not here any more"));
        }
        if self.actors().count() >= CHAIN_DEPTH_MAX {
            return Err(invalid("the chain of delegations is as long as tokens can be"));
        }
        // The nearest agent is one level above the new one, the next two, and so on; each charter counts from itself.
        for (above, link) in rules.chain.iter().enumerate() {
            if usize::from(link.delegation.depth_max) <= above {
                return Err(invalid(format!(
                    "the charter of {} allows {} levels of delegation below it, and this would be level {}",
                    link.agent,
                    link.delegation.depth_max,
                    above + 1
                )));
            }
        }
        let Some(parent) = rules.chain.first() else { return Ok(()) };
        let most = rules.chain.iter().map(|link| u32::from(link.delegation.children_max)).min().unwrap_or(0);
        if parent.children_alive >= most {
            return Err(invalid(format!(
                "{} has {} running children, and at most {most} are allowed; wait for one to end",
                parent.agent, parent.children_alive
            )));
        }
        Ok(())
    }

    fn end(&self, rules: &ExchangeRules<'_>, now: Timestamp) -> Result<i64, OauthError> {
        let now = now.as_seconds();
        let longest = now.saturating_add(rules.lifetime_seconds_max);
        let exp = self.exp.min(rules.actor_exp).min(longest);
        if exp > now {
            return Ok(exp);
        }
        Err(invalid("the subject token or the actor's own authority has expired"))
    }

    /// A narrower audience is a path below the subject's: a plane's resource, and one system of it.
    fn audience(&self, request: &ExchangeRequest) -> Result<Option<String>, OauthError> {
        let (Some(held), Some(wanted)) = (&self.audience, &request.audience) else {
            return Ok(request.audience.clone().or_else(|| self.audience.clone()));
        };
        let below = wanted.strip_prefix(held.as_str()).and_then(|rest| rest.strip_prefix('/'));
        if wanted == held || below.is_some_and(is_name) {
            return Ok(Some(wanted.clone()));
        }
        let text = "the resource or audience is not within what the subject token is for";
        Err(OauthError::new(OauthCode::InvalidTarget, text))
    }

    fn scope(&self, request: &ExchangeRequest) -> Result<Option<Scope>, OauthError> {
        match (&self.scope, &request.scope) {
            (held, None) => Ok(held.clone()),
            (Some(held), Some(wanted)) if wanted.is_within(held) => Ok(Some(wanted.clone())),
            (_, Some(_)) => {
                let text = "the scope asked for is more than the subject token's";
                Err(OauthError::new(OauthCode::InvalidScope, text))
            }
        }
    }

    fn actors(&self) -> impl Iterator<Item = &Actor> {
        self.act.iter().flat_map(Actor::links)
    }
}

/// Exactly a name: reading one trims, and ` bank` is another audience.
fn is_name(text: &str) -> bool {
    text.parse::<Name>().is_ok_and(|name| name.as_str() == text)
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> OauthError {
    OauthError::new(OauthCode::InvalidRequest, text)
}

#[cfg(test)]
mod tests;
