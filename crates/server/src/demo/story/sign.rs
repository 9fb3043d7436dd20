//! The owner says yes: a real signature over exactly the held action, by a key in this process in place of a person's device.

use super::{Worker, call, describe, told};
use crate::demo::{agent::Said, stage::Stage, tell::Teller};
use provost_api::{
    approval::{ApprovalAnswer, ApprovalView},
    passkey::{
        InviteBegin, InviteFinish, InviteMake, InviteView, PasskeyAdd, Signed, StatementAsk, StatementView,
    },
};
use provost_cli::Failure;
use provost_control::{ControlError, passkey::invite};
use provost_passkey::{Party, decode, encode, soft::Authenticator};
use serde_json::{Value, json};

/// Maria registers a passkey, signs, and the call runs once.
///
/// # Errors
/// When the plane does not answer, or refuses what should be possible.
pub(crate) async fn a_person_signs(
    stage: &Stage,
    teller: &mut Teller,
    clerk: &Worker,
) -> Result<(), Failure> {
    teller.chapter("Its owner says yes, and signs exactly that");
    teller.words(
        "In production a yes is a signature, not a word. Maria would open the approval in her browser, and her device would ask \
         for her finger; here a key in this program stands in for her device. What it makes is a real passkey signature \
         (WebAuthn) over the digest of one statement; about who sat there it proves nothing.",
    );
    let payment = json!({"from_account": "operations", "payee": "Kantoor Zuid BV", "amount": 120.00, "reference": "order 55120"});
    let held = call(teller, clerk, "transfer", payment.clone()).await;
    let approval =
        told(&held).approval.ok_or_else(|| Failure::new("the call is not held").because(describe(&held)))?;
    teller.answers(&format!("{}, under {approval}", describe(&held)));

    teller.asks(&format!("provost approvals approve {approval} --as maria")).await;
    let path = format!("approvals/{approval}");
    let yes = ApprovalAnswer { person: Some(super::parse("maria")?), ..ApprovalAnswer::default() };
    let word = stage.plane.post::<ApprovalView>(&format!("{path}/approve"), &yes).await;
    teller.answers(match &word {
        Ok(_granted) => "granted, by the administrator's word alone",
        Err(_refused) => "refused: a yes to this takes maria's passkey",
    });
    teller.promise(
        "Nobody's word is a yes in production",
        word.is_err(),
        if word.is_err() { "the administrator's token alone was refused" } else { "a word was enough" },
    );

    let mut device =
        Authenticator::from_seed(&rand::random()).ok_or_else(|| Failure::new("no key could be made"))?;
    let party =
        Party::of(stage.url()).map_err(|error| Failure::new("passkeys do not work here").because(error))?;
    teller.asks("provost person invite maria; maria opens the link and registers a passkey").await;
    register(stage, &device, &party).await?;
    teller.answers("registered: the plane keeps the public half, and the link is used up");

    teller.asks("maria reads what would run, and signs").await;
    let ask = StatementAsk { answer: Some(yes.clone()), ..StatementAsk::default() };
    let asked: StatementView = stage.plane.post(&format!("{path}/statement"), &ask).await?;
    teller.page(&provost_cli::out::wrapped(&asked.text, 70, ""));
    let challenge =
        decode("challenge", &asked.challenge).map_err(|fault| Failure::new("no challenge").because(fault))?;
    let made = device.sign(&challenge, &party);
    let signed = Signed {
        ticket: asked.ticket,
        passkey: encode(&device.id),
        client_data: encode(&made.client_data),
        authenticator_data: encode(&made.authenticator_data),
        signature: encode(&made.signature),
        user: None,
    };
    let yes = ApprovalAnswer { signed: Some(signed), ..yes };
    let granted: ApprovalView = stage.plane.post(&format!("{path}/approve"), &yes).await?;
    teller.answers(&format!("{}: this action, once", granted.summary.status));

    let (ran, again) = (
        call(teller, clerk, "transfer", payment.clone()).await,
        call(teller, clerk, "transfer", payment).await,
    );
    teller.answered(&ran, Value::to_string);
    teller.answered(&again, |_| String::new());
    let once = matches!(ran.said, Said::Done(_)) && told(&again).verdict == "hold";
    let reached = stage.books().calls("transfer");
    teller.promise(
        "What was signed runs once",
        once && reached == 1,
        format!("then {}; the bank counted {reached} transfer", describe(&again)),
    );
    Ok(())
}

/// A link, opened: what the page of the link does in a browser.
async fn register(stage: &Stage, device: &Authenticator, party: &Party) -> Result<(), Failure> {
    let reason = "the demo's owner".to_owned();
    let link: InviteView =
        stage.plane.post("people/maria/invite", &InviteMake { lasts: None, reason }).await?;
    let failed = |error: ControlError| Failure::new("the passkey was not registered").because(error);
    let secret = link.url.split_once('#').map(|(_page, secret)| secret.to_owned()).unwrap_or_default();
    let begin = InviteBegin { secret: secret.clone(), person: None, display: None };
    let asked = invite::begin(stage.control(), &begin).await.map_err(failed)?;
    let challenge =
        decode("challenge", &asked.challenge).map_err(|fault| Failure::new("no challenge").because(fault))?;
    let made = device.register(&challenge, party);
    let passkey = PasskeyAdd {
        ticket: asked.ticket,
        name: "a key in the demo".to_owned(),
        id: encode(&made.id),
        client_data: encode(&made.client_data),
        attestation: encode(&made.attestation),
    };
    invite::finish(stage.control(), "demo", &InviteFinish { secret, passkey }).await.map(drop).map_err(failed)
}
