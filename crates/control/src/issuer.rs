//! Trusted issuers, to look at. They are declared in files.

use crate::{Action, ControlError, Op, diff, page::page};
use provost_api::{
    Page, PageQuery,
    issuer::{IssuerSummary, IssuerView, ProviderView, WorkloadsView},
};
use provost_domain::{
    Kind, Name, ObjectKey,
    issuer::{LinkBy, Provider, Workloads},
};

/// Trusted issuers, in order of their names.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: PageQuery) -> Result<Page<IssuerSummary>, ControlError> {
    op.authorize(Action::IssuerRead)?;
    let view = op.plane.replica.latest();
    let rows = view.directory.issuers.iter().map(|(name, row)| (name.to_string(), row)).collect();
    let most = op.plane.limits.page_size_max;
    page(rows, query.cursor.as_deref(), query.limit, most, |row| IssuerSummary::from(row.as_ref()))
}

/// One issuer: whose word is taken, for what, and who comes through it.
///
/// # Errors
/// When the operator may not, or no issuer has that name.
pub async fn show(op: &Op, name: &Name) -> Result<IssuerView, ControlError> {
    op.authorize(Action::IssuerRead)?;
    let plane = &op.plane;
    let key = ObjectKey::new(Kind::Issuer, name.as_str());
    let version = plane.store.version(&key).await?;
    let history = diff::history(plane.store.history(&key, HISTORY_MAX).await?);
    let view = plane.replica.latest();
    let row =
        view.directory.issuers.get(name).ok_or_else(|| ControlError::unknown("issuer", name.as_str()))?;
    let mut agents: Vec<Name> = view.directory.agents_from(name).map(|agent| agent.name.clone()).collect();
    agents.sort();
    agents.dedup();
    agents.truncate(AGENTS_MAX);
    Ok(IssuerView {
        summary: row.as_ref().into(),
        version,
        keys: row.keys.clone(),
        workloads: row.workloads.as_ref().map(workloads),
        people: row.people.as_ref().map(people),
        agents,
        history,
    })
}

fn workloads(taken: &Workloads) -> WorkloadsView {
    WorkloadsView {
        audiences: taken.audiences.clone(),
        ahead_max: taken.ahead_max.into(),
        single_use: taken.single_use,
        unmanaged_max: taken.unmanaged_max,
        rules: taken.rules.clone(),
    }
}

fn people(provider: &Provider) -> ProviderView {
    let link = match provider.link {
        LinkBy::Subject => "subject",
        LinkBy::Email => "email",
    };
    ProviderView {
        client_id: provider.client_id.clone(),
        secret: provider.secret.clone(),
        sign_in: provider.sign_in,
        assertions: provider.assertions,
        link: link.to_owned(),
        groups_claim: provider.groups_claim.clone(),
        roles: provider.roles.clone(),
    }
}

const HISTORY_MAX: usize = 100;
const AGENTS_MAX: usize = 1_000;
