//! Sealed credentials. A secret is read from a pipe or a prompt, never from the arguments.

use crate::{
    Client, Exit, Failure, Out,
    client::part,
    out::{clean, table},
};
use clap::Subcommand;
use provost_api::{
    Because,
    credential::{CredentialView, CredentialWrite},
};
use provost_domain::Name;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

/// `provost credential`.
#[derive(Debug, Clone, Subcommand)]
pub enum CredentialCommand {
    /// Seal a secret under a name; it is read from standard input or a prompt, and never shown again
    Set {
        /// The name systems refer to it by
        name: Name,
        /// Why, for the record
        #[arg(long, default_value = "set from the command line")]
        reason: String,
    },
    /// List names and who uses them; never what is in them
    List,
    /// Forget a secret
    Delete {
        /// Its name
        name: Name,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: CredentialCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        CredentialCommand::Set { name, reason } => {
            let write = CredentialWrite { secret: read_secret(&name)?, reason };
            let set: serde_json::Value =
                client.put(&format!("credentials/{}", part(name.as_str())), &write).await?;
            out.show(&set, |_, style| format!("{} {name}", style.green("sealed:")));
        }
        CredentialCommand::List => {
            let found: Vec<CredentialView> = client.get("credentials").await?;
            out.show(&found, |found, style| {
                let rows = found.iter().map(|item| {
                    let used = item.used_by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    vec![
                        item.name.to_string(),
                        style.state(if item.set { "set" } else { "missing" }),
                        clean(&used),
                    ]
                });
                table(&["name", "secret", "used by"], rows, style)
            });
        }
        CredentialCommand::Delete { name, reason } => {
            let path = format!("credentials/{}", part(name.as_str()));
            let gone: serde_json::Value = client.delete(&path, &Because { reason }).await?;
            out.show(&gone, |_, style| format!("{} {name}", style.yellow("forgotten:")));
        }
    }
    Ok(Exit::Ok)
}

/// From a pipe: everything, without the line break at its end. From a terminal: one line.
fn read_secret(name: &Name) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let failed = |error| Failure::new("the secret cannot be read").because(error);
    let mut secret = String::new();
    if stdin.is_terminal() {
        eprint!("secret for {name} (it will show as you type; pipe it in to avoid that): ");
        let _shown = std::io::stderr().flush();
        stdin.lock().take(SECRET_BYTES_MAX).read_line(&mut secret).map_err(failed)?;
    } else {
        stdin.lock().take(SECRET_BYTES_MAX).read_to_string(&mut secret).map_err(failed)?;
    }
    let secret = secret.trim_end_matches(['\n', '\r']).to_owned();
    if secret.is_empty() {
        return Err(Failure::usage("there is no secret to seal")
            .cure(format!("pipe it in: `provost credential set {name} < secret.txt`")));
    }
    Ok(secret)
}

const SECRET_BYTES_MAX: u64 = 64 << 10;
