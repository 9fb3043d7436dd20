//! Searches: which subjects, resources or actions would be allowed (AuthZEN 1.0, Search APIs). Cedar answers no
//! reverse questions, so every stored entity of the type is tried; the caller bounds how many.

use super::{App, AuthzenAction, AuthzenEntity, AuthzenRequest};
use serde_json::{Map, Value};

/// Which part of the results to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Candidates to skip: 0, or [`Found::next`] of the page before.
    pub offset: usize,
    /// Results wanted at most.
    pub results_max: usize,
    /// Candidates tried at most; a page may come back short because of it.
    pub candidates_max: usize,
}

/// A page of results, in a fixed order.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    /// What would be allowed.
    pub results: Vec<T>,
    /// Where to go on; nothing when everything was tried.
    pub next: Option<usize>,
}

impl App {
    /// Subjects of one type who may do this. Unknown types and ids find nothing.
    #[must_use]
    pub fn search_subject(
        &self,
        kind: &str,
        action: &AuthzenAction,
        resource: &AuthzenEntity,
        context: &Map<String, Value>,
        page: Page,
    ) -> Found<AuthzenEntity> {
        self.entities(kind, page, |subject| AuthzenRequest {
            subject,
            action: action.clone(),
            resource: resource.clone(),
            context: context.clone(),
        })
    }

    /// Resources of one type to which the subject may do this.
    #[must_use]
    pub fn search_resource(
        &self,
        subject: &AuthzenEntity,
        action: &AuthzenAction,
        kind: &str,
        context: &Map<String, Value>,
        page: Page,
    ) -> Found<AuthzenEntity> {
        self.entities(kind, page, |resource| AuthzenRequest {
            subject: subject.clone(),
            action: action.clone(),
            resource,
            context: context.clone(),
        })
    }

    /// What the subject may do to the resource, actions without properties.
    #[must_use]
    pub fn search_action(
        &self,
        subject: &AuthzenEntity,
        resource: &AuthzenEntity,
        context: &Map<String, Value>,
        page: Page,
    ) -> Found<AuthzenAction> {
        let actions = self
            .types
            .actions
            .keys()
            .map(|name| AuthzenAction { name: name.clone(), properties: Map::new() });
        self.allowed(actions, page, |action| AuthzenRequest {
            subject: subject.clone(),
            action: action.clone(),
            resource: resource.clone(),
            context: context.clone(),
        })
    }

    fn entities(
        &self,
        kind: &str,
        page: Page,
        request: impl Fn(AuthzenEntity) -> AuthzenRequest,
    ) -> Found<AuthzenEntity> {
        let ids = self.by_type.get(kind).into_iter().flatten();
        let entities =
            ids.map(|id| AuthzenEntity { kind: kind.to_owned(), id: id.clone(), properties: Map::new() });
        self.allowed(entities, page, |entity| request(entity.clone()))
    }

    /// Tries candidates from the offset on. Looks one result further than asked, so that `next` is there only if
    /// there is a next result, or candidates that were not tried.
    fn allowed<T>(
        &self,
        candidates: impl Iterator<Item = T>,
        page: Page,
        request: impl Fn(&T) -> AuthzenRequest,
    ) -> Found<T> {
        let mut results = Vec::new();
        for (index, candidate) in candidates.enumerate().skip(page.offset) {
            if index.saturating_sub(page.offset) >= page.candidates_max {
                return Found { results, next: Some(index) };
            }
            if !self.decide(&request(&candidate)).verdict.is_allow() {
                continue;
            }
            if results.len() >= page.results_max {
                return Found { results, next: Some(index) };
            }
            results.push(candidate);
        }
        Found { results, next: None }
    }
}
