//! What people do, through the plane's operations, as the API and the console call them.

use crate::{
    events::{About, Deed},
    rows::{ISSUER, MINUTE, PEOPLE, args, device},
    world::World,
};
use provost_api::{
    Span,
    agent::{AgentStep, Restrict},
    approval::{ApprovalAnswer, ApprovalEdit, EnvelopeGrant},
    containment::{ContainmentAnswer, ContainmentOrder},
    passkey::{Signed, StatementAsk, StatementView},
};
use provost_control::{ControlError, Op, Operator, Plane, agent, approval, containment, task};
use provost_domain::{
    Digest, DurationMs, Role,
    charter::{ArgRule, BudgetSum},
};
use provost_lifecycle::agent::Move;
use provost_passkey::{Party, decode, encode, soft::Authenticator};
use std::sync::Arc;

/// Does it. What the plane refuses is refused; what it cannot do although nothing failed is a fault of the plane.
pub async fn act(world: &World, plane: &Arc<Plane>, who: usize, deed: &Deed) {
    let roles = [Role::Approver, Role::Operator, Role::Administrator].into();
    let op = Op {
        subject: Operator::Person(PEOPLE[who].parse().unwrap(), roles),
        request_id: "case".to_owned(),
        plane: Arc::clone(plane),
    };
    // They look at what there is before they do something; what others do meanwhile they do not see.
    plane.replica.catch_up().await.unwrap();
    match done(world, &op, who, deed).await {
        Ok(())
        | Err(
            ControlError::Caller(_)
            | ControlError::NotFound(_)
            | ControlError::Conflict(_)
            | ControlError::Refused(_),
        ) => {}
        Err(error) => assert!(
            world.desk_faults.unheard.load(std::sync::atomic::Ordering::SeqCst),
            "{deed:?} by {who}: {error:?}"
        ),
    }
}

async fn done(world: &World, op: &Op, who: usize, deed: &Deed) -> Result<(), ControlError> {
    let name = "invoice-clerk".parse().unwrap();
    match deed {
        Deed::Answer { amount, yes } => {
            let Some(id) = world.waiting(op, *amount) else { return Ok(()) };
            answer(world, op, (&id, who), *yes).await
        }
        Deed::Edit { from, to } => {
            let Some(id) = world.waiting(op, *from) else { return Ok(()) };
            let mut edit = ApprovalEdit { person: None, reason: said(), args: args(*to), signed: None };
            if world.signed {
                edit.signed = sign(
                    op,
                    who,
                    &id,
                    StatementAsk { answer: None, edit: Some(edit.clone()), envelope: None },
                )
                .await?;
            }
            approval::edit(op, &id, edit).await.map(drop)
        }
        Deed::Withdraw { amount } => {
            let Some(id) = world.waiting(op, *amount) else { return Ok(()) };
            approval::withdraw(op, &id, "not now").await.map(drop)
        }
        Deed::Allow { amount, most, count, sum } => {
            let Some(id) = world.waiting(op, *amount) else { return Ok(()) };
            allow(world, op, (&id, who), (*most, *count, *sum)).await
        }
        Deed::Revoke => {
            let directory = op.plane.replica.latest().directory.clone();
            let Some(newest) = directory.envelopes.values().next_back() else { return Ok(()) };
            approval::revoke_envelope(op, &newest.id, "enough").await.map(drop)
        }
        Deed::EndTask => task::end(op, world.task, "it is done").await.map(drop),
        Deed::Suspend { yes } => {
            let step = AgentStep { reason: "the case says so".into(), person: None, break_glass: false };
            let wanted = if *yes { Move::Suspend } else { Move::Resume };
            agent::step(op, &name, wanted, step).await.map(drop)
        }
        Deed::Restrict { level } => {
            let level = serde_json::from_value(serde_json::json!(level)).unwrap();
            let wanted = Restrict { level, reason: "the case says so".into(), person: None };
            agent::restrict(op, &name, &wanted).await.map(drop)
        }
        Deed::Order { about, level } => {
            let mut order = ContainmentOrder {
                level: Some((*level).to_owned()),
                reason: "the case says so".into(),
                ..ContainmentOrder::default()
            };
            match about {
                About::Agent => order.agent = Some(name),
                About::Owner => order.owner = Some(PEOPLE[0].parse().unwrap()),
                About::Names => order.like = Some("invoice-*".into()),
                About::Tool => {
                    order.system = Some("bank".parse().unwrap());
                    order.tool = Some("transfer".parse().unwrap());
                }
                About::Everything => order.everything = true,
                About::Other => order.like = Some("travel-*".into()),
            }
            containment::order(op, order).await.map(drop)
        }
        Deed::Lift => lift(world, op, who).await,
    }
}

async fn answer(world: &World, op: &Op, (id, who): (&str, usize), yes: bool) -> Result<(), ControlError> {
    let mut answer = ApprovalAnswer { reason: said(), sure: true, ..ApprovalAnswer::default() };
    if !yes {
        return approval::refuse(op, id, answer).await.map(drop);
    }
    if world.signed {
        let ask = StatementAsk { answer: Some(answer.clone()), edit: None, envelope: None };
        answer.signed = sign(op, who, id, ask).await?;
    }
    approval::approve(op, id, answer).await.map(drop)
}

async fn allow(
    world: &World,
    op: &Op,
    (id, who): (&str, usize),
    (most, count, sum): (u32, u32, u32),
) -> Result<(), ControlError> {
    let at_most = ArgRule { max: Some(format!("{most}.0").parse().unwrap()), ..ArgRule::default() };
    let mut grant = EnvelopeGrant {
        person: None,
        reason: "looked at it".into(),
        args: [("amount".to_owned(), at_most)].into(),
        count,
        sum: Some(BudgetSum { arg: "amount".into(), max: format!("{sum}.0").parse().unwrap() }),
        lasts: Span(DurationMs(30 * MINUTE)),
        every_task: false,
        signed: None,
    };
    if world.signed {
        let ask = StatementAsk { answer: None, edit: None, envelope: Some(grant.clone()) };
        grant.signed = sign(op, who, id, ask).await?;
    }
    approval::grant_envelope(op, id, grant).await.map(drop)
}

async fn lift(world: &World, op: &Op, who: usize) -> Result<(), ControlError> {
    let directory = op.plane.replica.latest().directory.clone();
    let Some(newest) = directory.containments.values().max_by_key(|order| order.at) else { return Ok(()) };
    let mut answer = ContainmentAnswer { person: None, reason: "it is over".into(), signed: None };
    if world.signed
        && let Ok(statement) = containment::statement(op, &newest.id, answer.clone()).await
    {
        answer.signed = Some(signed(who, &statement));
    }
    containment::lift(op, &newest.id, answer).await.map(drop)
}

async fn sign(op: &Op, who: usize, id: &str, ask: StatementAsk) -> Result<Option<Signed>, ControlError> {
    let statement = approval::statement(op, id, ask).await?;
    Ok(Some(signed(who, &statement)))
}

/// What the person's passkey makes of it: one that is on several devices, and counts nothing.
fn signed(who: usize, asked: &StatementView) -> Signed {
    let (device, party): (Authenticator, Party) = (device(who), Party::of(ISSUER).unwrap());
    let challenge = encode(&decode("challenge", &asked.challenge).unwrap());
    let data = [Digest::of(party.id.as_bytes()).as_bytes().as_slice(), &[device.flags], &[0; 4]].concat();
    let origin = &party.origin;
    let client = format!(
        r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#
    );
    Signed {
        ticket: asked.ticket.clone(),
        passkey: encode(&device.id),
        signature: encode(&device.sign_bytes(&data, client.as_bytes())),
        client_data: encode(client.as_bytes()),
        authenticator_data: encode(&data),
        user: None,
    }
}

fn said() -> Option<String> {
    Some("looked at it".into())
}
