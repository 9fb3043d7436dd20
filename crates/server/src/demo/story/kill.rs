//! The kill switch: one order over everything, what it ended, and what is proven of it.

use super::{Said, call, describe, parse, sign::Device, start};
use crate::demo::{
    agent::{Agent, Speaks},
    stage::Stage,
    tell::Teller,
};
use provost_api::{
    containment::{ContainmentAnswer, ContainmentOrder, ContainmentSummary, ContainmentView},
    drill::{DrillRun, DrillView},
    passkey::StatementView,
};
use provost_cli::Failure;
use provost_control::{Op, Operator, signal};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Stops an owner's agents with one order, waits for the proof, and lifts it with two persons.
///
/// # Errors
/// When the plane does not answer.
pub(crate) async fn one_order(stage: &Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("One order, and the proof of it");
    teller.words(
        "The clerk is at work again when somebody calls: a key has leaked. Maria does not look for what it may have \
        opened. She stops every agent of hers, also those that are still to come.",
    );
    let started = start(stage, "invoice-clerk", "jonas", "the next invoices").await?;
    let server = format!("{}/mcp/bank", stage.url());
    let clerk = super::Worker {
        name: "invoice-clerk",
        task: started.task.id,
        mcp: Agent::connect(&server, &started.token, Speaks::Modern).await.map_err(Failure::new)?,
        token: started.token,
        server,
    };
    let siem = Siem::listens(stage).await?;
    let before = call(teller, &clerk, "list_accounts", json!({})).await;
    teller.answered(&before, |_| String::new());
    teller.asks("provost kill --owner maria --reason \"a key has leaked\" --as maria").await;
    let wanted = ContainmentOrder {
        owner: Some(parse("maria")?),
        reason: "a key has leaked".to_owned(),
        person: Some(parse("maria")?),
        ..ContainmentOrder::default()
    };
    let order: ContainmentView = stage.plane.post("containments", &wanted).await?;
    let ContainmentSummary { id, scope, level, by, reason, .. } = &order.summary;
    teller.answers(id);
    teller.answers(&format!("{scope} at level {level}, ordered by {by}: {reason}"));
    let after = call(teller, &clerk, "list_accounts", json!({})).await;
    teller.answered(&after, |_| String::new());
    teller.promise(
        "No call that starts after the order is let through",
        !matches!(after.said, Said::Done(_)),
        describe(&after),
    );
    clerk.mcp.leave().await;

    teller.words("Whoever keeps sessions elsewhere is told, in signed events (Shared Signals), until they acknowledge it.");
    teller.asks("the security team's system fetches its events and acknowledges them").await;
    let told = siem.hears().await?;
    teller.answers(&told.join(", "));
    let both = ["session-revoked", "account-disabled"];
    teller.promise(
        "An order leads outward",
        both.iter().all(|kind| told.iter().any(|told| told == kind)),
        told.join(", "),
    );
    teller.words("The order says only what the plane has tried, system by system:");
    teller.asks(&format!("provost kill show {} --watch", order.summary.id)).await;
    let shown = proven(stage, &order.summary.id).await?;
    for system in &shown.systems {
        teller.under(&format!("{}: {} ({})", system.system, system.proof.to_uppercase(), system.because));
    }
    for told in &shown.told {
        teller.under(&format!("{}: {} of {} acknowledged", told.to, told.done, told.owed));
    }
    let tried = !shown.systems.is_empty() && shown.systems.iter().all(|system| system.stage == "probed");
    teller.promise(
        "What the order ended is proven, not believed",
        tried && shown.ended.done.is_some() && shown.hits.tasks == 0,
        format!(
            "{} tasks ended, {} left, {} systems probed",
            shown.ended.tasks,
            shown.hits.tasks,
            shown.systems.len()
        ),
    );

    teller.words("To start again takes a second person.");
    let lift = |person: &str| ContainmentAnswer {
        person: person.parse().ok(),
        reason: "the key was changed".to_owned(),
        signed: None,
    };
    let path = format!("containments/{}/lift", order.summary.id);
    let asked: ContainmentView = stage.plane.post(&path, &lift("maria")).await?;
    let alone = stage.plane.post::<ContainmentView>(&path, &lift("maria")).await;
    let word = stage.plane.post::<ContainmentView>(&path, &lift("jonas")).await;
    teller.answers(match &word {
        Ok(_lifted) => "lifted, by two names that one token gave",
        Err(_refused) => "maria asks for it; jonas is not believed by name: he signs with his passkey",
    });
    let mut jonas = Device::of(stage, "jonas").await?;
    let asked_of: StatementView =
        stage.plane.post(&format!("containments/{}/statement", order.summary.id), &lift("jonas")).await?;
    let signed = ContainmentAnswer { signed: Some(jonas.sign(asked_of)?), ..lift("jonas") };
    let lifted: ContainmentView = stage.plane.post(&path, &signed).await?;
    teller.answers(&lifted.summary.status);
    teller.promise(
        "One person can always stop; starting again takes two",
        asked.summary.status == "lift-asked"
            && alone.is_err()
            && word.is_err()
            && lifted.summary.status == "lifted",
        format!("maria alone: {}; with jonas's signature: {}", asked.summary.status, lifted.summary.status),
    );

    teller.words(
        "And because a switch that was never tried is a hope, it is tried: on a canary, before it is needed.",
    );
    teller.asks("provost drill run invoice-clerk").await;
    let run = DrillRun { agent: parse("invoice-clerk")?, target: None };
    let drill: DrillView = stage.plane.post("drills", &run).await?;
    let told = drill.measured.as_ref().map_or_else(
        || drill.why.join("; "),
        |measured| {
            format!(
                "first refusal after {}, what was in flight ended after {}, of {} calls {} were let through too late",
                measured.first_refused, measured.last_ended, measured.calls, measured.late
            )
        },
    );
    teller.answers(&told);
    teller.promise("The kill switch was tried, and held", drill.result == "passed", told);
    Ok(())
}

/// A receiver of signals that is told what the plane owes it.
struct Siem {
    op: Op,
    stream: String,
}

impl Siem {
    async fn listens(stage: &Stage) -> Result<Self, Failure> {
        let op = Op {
            subject: Operator::Workload(parse("siem")?),
            request_id: "demo".to_owned(),
            plane: Arc::clone(stage.control()),
        };
        let made = signal::create(&op, &json!({})).await.map_err(failed)?;
        let stream = made.get("stream_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { op, stream })
    }

    /// Everything about agents that stopped, by the last word of its type; acknowledged.
    async fn hears(&self) -> Result<Vec<String>, Failure> {
        let (mut ack, mut told): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for _look in 0..FETCHES_MAX {
            let fetched =
                signal::poll(&self.op, &self.stream, &json!({ "ack": ack })).await.map_err(failed)?;
            let sets = fetched.get("sets").and_then(Value::as_object).cloned().unwrap_or_default();
            ack = sets.keys().cloned().collect();
            let view = self.op.plane.replica.latest();
            let rows = ack.iter().filter_map(|id| view.directory.deliveries.get(id));
            told.extend(rows.map(|row| row.kind.clone()));
            if told.iter().any(|kind| kind == "account-disabled") {
                break;
            }
        }
        let last = json!({ "ack": ack, "maxEvents": 0, "returnImmediately": true });
        signal::poll(&self.op, &self.stream, &last).await.map_err(failed)?;
        told.sort_unstable();
        told.dedup();
        Ok(told)
    }
}

fn failed(error: signal::SignalError) -> Failure {
    Failure::new("the receiver of signals is not served").because(error.why)
}

async fn proven(stage: &Stage, id: &str) -> Result<ContainmentView, Failure> {
    let path = format!("containments/{id}");
    for _look in 0..LOOKS_MAX {
        let shown: ContainmentView = stage.plane.get(&path).await?;
        if shown.summary.proof.as_deref() != Some("unknown") {
            return Ok(shown);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    stage.plane.get(&path).await
}

const FETCHES_MAX: usize = 10;
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_MAX: u32 = 200;
