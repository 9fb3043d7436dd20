//! `provost demo`: a whole plane in one process, a real bank beside it, two agents, and a story whose every line is a
//! real call through the real gateway. Each promise is observed, not printed: the exit code says whether all held.
//!
//! | file | what it does |
//! |---|---|
//! | `stage` | the plane, the bank, the folder; what the story stands on |
//! | `agent` | an agent's MCP client: somebody else's implementation, over a real socket |
//! | `acme` | the organisation, as its files are in `examples/acme` |
//! | `tell` | chapters, calls, verdicts, promises: how it reads |
//! | `story` | the chapters |

mod acme;
mod agent;
mod stage;
mod story;
mod tell;

use provost_cli::{Exit, Failure, Global, node::DemoArgs};
use stage::Stage;
use std::time::Duration;
use tell::Teller;

/// Tells the story.
///
/// # Errors
/// When the stage cannot be set. What fails in the story itself is told in it.
pub(crate) async fn run(args: &DemoArgs, global: &Global) -> Result<Exit, Failure> {
    let mut teller = Teller::new(global.json, Duration::from_millis(args.pace));
    let stage = Stage::set(args.port, global.data.as_deref()).await?;
    teller.opening(stage.url());
    let told = story::tell(&stage, &mut teller).await;
    if let Err(failure) = &told {
        teller.broke(failure);
    }
    let kept = teller.summary(told.is_ok());
    let exit = if kept { Exit::Ok } else { Exit::Refused };
    if args.once {
        stage.strike().await;
        return Ok(exit);
    }
    teller.next_steps(&stage);
    stage.stay(exit).await
}
