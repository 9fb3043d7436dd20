//! Agents.

use crate::{
    app::{Answer, Proposed},
    asked::Asked,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::Json;
use provost_api::{
    Page,
    agent::{AgentCreate, AgentQuery, AgentStep, AgentSummary, AgentUpdate, AgentView, Demote, Restrict},
    autonomy::{Promote, StandingView},
    proof::{ProofAdd, ProofRemove, ProofView},
    proposal::ProposalView,
    upkeep::{Accept, Attest},
};
use provost_control::{agent, autonomy, proof, upkeep};
use provost_domain::Name;

/// Agents, in order of their names.
#[utoipa::path(
    get,
    path = "/agents",
    tag = "agents",
    security(("token" = [])),
    params(AgentQuery),
    responses((status = 200, body = Page<AgentSummary>), Problems)
)]
pub(crate) async fn agent_list(
    Asked(op): Asked,
    Asking(query): Asking<AgentQuery>,
) -> Answer<Page<AgentSummary>> {
    Ok(Json(agent::list(&op, query).await?))
}

/// Brings an agent in, active, exactly as a file would; or proposes it to those who must agree.
#[utoipa::path(
    post,
    path = "/agents",
    tag = "agents",
    security(("token" = [])),
    request_body = AgentCreate,
    responses(
        (status = 200, body = AgentView),
        (status = 202, description = "Nothing has changed: this waits for those who must agree", body = ProposalView),
        Problems
    )
)]
pub(crate) async fn agent_create(Asked(op): Asked, Said(wanted): Said<AgentCreate>) -> Proposed<AgentView> {
    Ok(agent::create(&op, wanted).await?.into())
}

/// One agent: its charter in words, its life, its tasks, how long it outlives an order to stop it.
#[utoipa::path(
    get,
    path = "/agents/{name}",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    responses((status = 200, body = AgentView), Problems)
)]
pub(crate) async fn agent_show(Asked(op): Asked, At(name): At<Name>) -> Answer<AgentView> {
    Ok(Json(agent::show(&op, &name).await?))
}

/// Gives an agent a new charter, exactly as a file would; or proposes it to those who must agree.
#[utoipa::path(
    put,
    path = "/agents/{name}",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = AgentUpdate,
    responses(
        (status = 200, body = AgentView),
        (status = 202, description = "Nothing has changed: this waits for those who must agree", body = ProposalView),
        Problems
    )
)]
pub(crate) async fn agent_update(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<AgentUpdate>,
) -> Proposed<AgentView> {
    Ok(agent::update(&op, &name, wanted).await?.into())
}

/// Sets what containment leaves an agent.
#[utoipa::path(
    post,
    path = "/agents/{name}/level",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = Restrict,
    responses((status = 200, body = AgentView), Problems)
)]
pub(crate) async fn agent_restrict(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<Restrict>,
) -> Answer<AgentView> {
    Ok(Json(agent::restrict(&op, &name, &wanted).await?))
}

/// Trusts an agent less, as a new revision of its charter.
#[utoipa::path(
    post,
    path = "/agents/{name}/autonomy",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = Demote,
    responses((status = 200, body = AgentView), Problems)
)]
pub(crate) async fn agent_demote(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<Demote>,
) -> Answer<AgentView> {
    Ok(Json(agent::demote(&op, &name, &wanted).await?))
}

/// How far an agent is trusted, and each gate before the next grade, with what was found.
#[utoipa::path(
    get,
    path = "/agents/{name}/standing",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    responses((status = 200, body = StandingView), Problems)
)]
pub(crate) async fn agent_standing(Asked(op): Asked, At(name): At<Name>) -> Answer<StandingView> {
    Ok(Json(autonomy::standing(&op, &name).await?))
}

/// Trusts an agent a grade further, where it has earned that; or proposes it to those who must agree.
#[utoipa::path(
    post,
    path = "/agents/{name}/promotion",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = Promote,
    responses(
        (status = 200, body = AgentView),
        (status = 202, description = "Nothing has changed: this waits for those who must agree", body = ProposalView),
        Problems
    )
)]
pub(crate) async fn agent_promote(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<Promote>,
) -> Proposed<AgentView> {
    Ok(autonomy::promote(&op, &name, wanted).await?.into())
}

/// Confirms that an agent is still wanted as it is.
#[utoipa::path(
    post,
    path = "/agents/{name}/attestation",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = Attest,
    responses((status = 200, body = AgentView), Problems)
)]
pub(crate) async fn agent_attest(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<Attest>,
) -> Answer<AgentView> {
    Ok(Json(upkeep::attest(&op, &name, wanted).await?))
}

/// Answers for an agent whose owner has left, as whoever is asked to.
#[utoipa::path(
    post,
    path = "/agents/{name}/ownership",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = Accept,
    responses((status = 200, body = AgentView), Problems)
)]
pub(crate) async fn agent_accept(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<Accept>,
) -> Answer<AgentView> {
    Ok(Json(upkeep::accept(&op, &name, wanted).await?))
}

/// Moves an agent through its life: `adopt`, `activate`, `reapprove`, `suspend`, `resume`, `decommission`. `activate` and
/// `reapprove` wait for those who must agree.
#[utoipa::path(
    post,
    path = "/agents/{name}/{move}",
    tag = "agents",
    security(("token" = [])),
    params(
        ("name" = String, Path, description = "The agent"),
        ("move" = String, Path, description = "The move"),
    ),
    request_body = AgentStep,
    responses(
        (status = 200, body = AgentView),
        (status = 202, description = "Nothing has changed: this waits for those who must agree", body = ProposalView),
        Problems
    )
)]
pub(crate) async fn agent_move(
    Asked(op): Asked,
    At((name, wanted)): At<(Name, String)>,
    Said(said): Said<AgentStep>,
) -> Proposed<AgentView> {
    Ok(agent::step(&op, &name, agent::move_named(&wanted)?, said).await?.into())
}

/// Registers a way in which an agent proves itself other than by a key: a subject of a trusted issuer, or the client that
/// people run it in.
#[utoipa::path(
    post,
    path = "/agents/{name}/proofs",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = ProofAdd,
    responses(
        (status = 200, body = ProofView),
        (status = 202, description = "Nothing has changed: this waits for those who must agree", body = ProposalView),
        Problems
    )
)]
pub(crate) async fn agent_proof_add(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<ProofAdd>,
) -> Proposed<ProofView> {
    Ok(proof::add(&op, &name, &wanted).await?.into())
}

/// Takes a way to prove itself from an agent, keys too.
#[utoipa::path(
    delete,
    path = "/agents/{name}/proofs",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent"), ProofRemove),
    responses((status = 200, body = ProofView), Problems)
)]
pub(crate) async fn agent_proof_remove(
    Asked(op): Asked,
    At(name): At<Name>,
    Asking(wanted): Asking<ProofRemove>,
) -> Answer<ProofView> {
    Ok(Json(proof::remove(&op, &name, &wanted.id, &wanted.reason).await?))
}
