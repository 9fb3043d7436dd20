//! The demo.
use provost_cli::{Exit, Failure, Global, node::DemoArgs};
pub(crate) async fn run(_args: &DemoArgs, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("not yet"))
}
