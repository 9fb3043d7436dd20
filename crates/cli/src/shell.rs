//! For shells and programs: completion scripts, the OpenAPI document.

use crate::{Cli, Client, Exit, Failure, Out};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// `provost completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// Never.
pub fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "provost", &mut script);
    Out::new(false).text(&String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}

/// Prints the document.
///
/// # Errors
/// When the plane does not answer.
pub async fn openapi(client: &Client, out: Out) -> Result<Exit, Failure> {
    let document: serde_json::Value = client.get("openapi.json").await?;
    out.value(&document);
    Ok(Exit::Ok)
}
