//! Stopping: a task that ended and an agent that was suspended are gone, not dormant.

use super::{Agent, Said, Speaks, Worker, call, describe, has, start, told};
use crate::demo::{stage::Stage, tell::Teller};
use provost_api::{Because, agent::AgentView, task::TaskSummary};
use provost_cli::Failure;
use serde_json::json;

/// Ends the clerk's task, and suspends the bookkeeper.
///
/// # Errors
/// When the plane does not answer.
pub(crate) async fn gone_not_dormant(
    stage: &Stage,
    teller: &mut Teller,
    clerk: Worker,
    keeper: Worker,
) -> Result<(), Failure> {
    teller.chapter("Gone, not dormant");
    teller.words("Jonas is done. When a task ends, its token is worth nothing, that moment and everywhere.");
    teller.asks(&format!("provost task end {}", clerk.task)).await;
    let because = Because { reason: "the invoices are dealt with".to_owned() };
    let ended: TaskSummary = stage.plane.post(&format!("tasks/{}/end", clerk.task), &because).await?;
    teller.answers(&ended.status);
    let answer = call(teller, &clerk, "list_accounts", json!({})).await;
    teller.answered(&answer, |_| String::new());
    let again = Agent::connect(&clerk.server, &clerk.token, Speaks::Modern).await;
    let gone = matches!(answer.said, Said::TurnedAway(_)) && again.is_err();
    teller.promise(
        "The token of an ended task opens nothing",
        gone,
        format!(
            "the next call was {}; a new connection was {}",
            describe(&answer),
            if again.is_err() { "refused" } else { "accepted" }
        ),
    );

    teller.words("And bookkeeper worries Maria. She suspends it in the middle of its work:");
    teller
        .asks("provost agent suspend bookkeeper --reason \"it wants to send statements to strangers\"")
        .await;
    let because = Because { reason: "it wants to send statements to strangers".to_owned() };
    let suspended: AgentView = stage.plane.post("agents/bookkeeper/suspend", &because).await?;
    teller.answers(suspended.summary.status.as_str());
    let answer = call(teller, &keeper, "list_accounts", json!({})).await;
    teller.answered(&answer, |_| String::new());
    let refused = told(&answer).verdict == "deny" && has(&told(&answer), "guardrail/status")
        || matches!(answer.said, Said::TurnedAway(_));
    teller.promise("A suspended agent is refused with its very next call", refused, describe(&answer));
    let restarted = start(stage, "bookkeeper", "jonas", "one more try").await;
    teller.asks("provost task start bookkeeper --purpose \"one more try\"").await;
    teller.answers(&match &restarted {
        Ok(_started) => "started".to_owned(),
        Err(failure) => format!("refused: {}", failure.error),
    });
    teller.promise(
        "A suspended agent gets no new task",
        restarted.is_err(),
        match &restarted {
            Ok(_started) => "it got one".to_owned(),
            Err(failure) => failure.error.clone(),
        },
    );
    clerk.mcp.leave().await;
    keeper.mcp.leave().await;
    Ok(())
}
