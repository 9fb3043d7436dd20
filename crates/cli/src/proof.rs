//! Ways in which an agent proves itself other than by a key of its own: a subject of a trusted issuer, or the software
//! that people run it in.

use crate::{Client, Exit, Failure, Out, client::part, out::clean, plan::AuthorArgs, proposal::Outcome};
use clap::{Args, Subcommand};
use provost_api::proof::{ProofAdd, ProofRemove, ProofView};
use provost_domain::Name;

/// `provost agent proof`.
#[derive(Debug, Clone, Subcommand)]
pub enum AgentProofCommand {
    /// Register a subject of a trusted issuer, or the client that people run the agent in
    Add(ProofAddArgs),
    /// Take one from an agent
    Remove {
        /// The agent
        name: Name,
        /// Which, as `agent show` tells it
        id: String,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

/// `provost agent proof add`.
#[derive(Debug, Clone, Args)]
pub struct ProofAddArgs {
    /// The agent
    pub name: Name,
    /// The trusted issuer
    #[arg(long, requires = "subject", conflicts_with = "client_id", required_unless_present = "client_id")]
    pub issuer: Option<Name>,
    /// `sub` of its tokens, exactly
    #[arg(long, requires = "issuer", conflicts_with = "client_id")]
    pub subject: Option<String>,
    /// The address of the client's metadata, which is its client id
    #[arg(long, value_name = "URL")]
    pub client_id: Option<String>,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
    /// Whose change it is.
    #[command(flatten)]
    pub author: AuthorArgs,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: AgentProofCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    let path = |name: &Name| format!("agents/{}/proofs", part(name.as_str()));
    match command {
        AgentProofCommand::Add(ProofAddArgs { name, issuer, subject, client_id, reason, author }) => {
            let AuthorArgs { person, break_glass } = author;
            let wanted = ProofAdd { issuer, subject, client_id, reason, person, break_glass };
            let outcome: Outcome<ProofView> = client.post(&path(&name), &wanted).await?;
            return Ok(outcome.show(out, |added, style| {
                let id = style.cyan(&clean(&added.id));
                match added.kind.as_str() {
                    "client" => format!("{} may be run by people in {id}", style.bold(name.as_str())),
                    _ => format!("{} proves itself as {id}", style.bold(name.as_str())),
                }
            }));
        }
        AgentProofCommand::Remove { name, id, reason } => {
            let gone: ProofView = client.delete(&path(&name), &ProofRemove { id, reason }).await?;
            out.show(&gone, |gone, style| {
                format!("{} is no longer accepted for {}", clean(&gone.id), style.bold(name.as_str()))
            });
        }
    }
    Ok(Exit::Ok)
}
