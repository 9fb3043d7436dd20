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

    teller.asks("provost person invite maria; maria opens the link and registers a passkey").await;
    let mut device = Device::of(stage, "maria").await?;
    teller.answers("registered: the plane keeps the public half, and the link is used up");

    teller.asks("maria reads what would run, and signs").await;
    let ask = StatementAsk { answer: Some(yes.clone()), ..StatementAsk::default() };
    let asked: StatementView = stage.plane.post(&format!("{path}/statement"), &ask).await?;
    teller.page(&provost_cli::out::wrapped(&asked.text, 70, ""));
    let signed = device.sign(asked)?;
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

/// A key in this process in place of a person's device.
pub(super) struct Device {
    key: Authenticator,
    party: Party,
}

impl Device {
    /// A person's, registered with a link: what the page of the link does in a browser.
    pub(super) async fn of(stage: &Stage, person: &str) -> Result<Self, Failure> {
        let key =
            Authenticator::from_seed(&rand::random()).ok_or_else(|| Failure::new("no key could be made"))?;
        let party = Party::of(stage.url())
            .map_err(|error| Failure::new("passkeys do not work here").because(error))?;
        let reason = format!("{person} signs in the demo");
        let link: InviteView = stage
            .plane
            .post(
                &format!("people/{person}/invite"),
                &InviteMake { lasts: None, reason, person: None, break_glass: false },
            )
            .await?;
        let failed = |error: ControlError| Failure::new("the passkey was not registered").because(error);
        let secret = link.url.split_once('#').map(|(_page, secret)| secret.to_owned()).unwrap_or_default();
        let begin = InviteBegin { secret: secret.clone(), person: None, display: None };
        let asked = invite::begin(stage.control(), &begin).await.map_err(failed)?;
        let made = key.register(&challenge(&asked.challenge)?, &party);
        let passkey = PasskeyAdd {
            ticket: asked.ticket,
            name: "a key in the demo".to_owned(),
            id: encode(&made.id),
            client_data: encode(&made.client_data),
            attestation: encode(&made.attestation),
        };
        let finish = InviteFinish { secret, passkey };
        invite::finish(stage.control(), "demo", &finish).await.map_err(failed)?;
        Ok(Self { key, party })
    }

    /// What it makes of what its person is asked to sign.
    pub(super) fn sign(&mut self, asked: StatementView) -> Result<Signed, Failure> {
        let made = self.key.sign(&challenge(&asked.challenge)?, &self.party);
        Ok(Signed {
            ticket: asked.ticket,
            passkey: encode(&self.key.id),
            client_data: encode(&made.client_data),
            authenticator_data: encode(&made.authenticator_data),
            signature: encode(&made.signature),
            user: None,
        })
    }
}

fn challenge(text: &str) -> Result<Vec<u8>, Failure> {
    decode("challenge", text).map_err(|fault| Failure::new("no challenge").because(fault))
}
