//! Sealing a credential, and forgetting one. What is typed goes in and is never shown again, not even when it was refused.

use super::{Act, Field, FieldKind, Sent};
use crate::pages::console::look::{Looker, Shown, Stopped};
use axum::extract::Path;
use provost_api::credential::CredentialWrite;
use provost_control::{Action, ControlError, credential};
use provost_domain::Name;

/// Asks.
pub(in crate::pages::console) async fn ask(
    looker: Looker,
    Path((name, word)): Path<(String, String)>,
) -> Shown {
    Ok(act(&looker, &name, &word).await?.0.ask(&looker))
}

/// Does it.
pub(in crate::pages::console) async fn make(Path((name, word)): Path<(String, String)>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let (act, name) = act(looker, &name, &word).await?;
    let reason = sent.text("reason").to_owned();
    if word == "forget" {
        let outcome = credential::delete(&looker.op, &name, &reason).await;
        return act.over(looker, &sent, outcome, "forgotten");
    }
    let wanted = CredentialWrite { secret: sent.exactly("secret").to_owned(), reason };
    let outcome = credential::set(&looker.op, &name, wanted).await;
    act.over(looker, &sent, outcome, "sealed")
}

/// Asks for one that nobody named yet.
pub(in crate::pages::console) async fn ask_new(looker: Looker) -> Shown {
    looker.may(Action::CredentialSet)?;
    Ok(new().ask(&looker))
}

/// Seals it.
pub(in crate::pages::console) async fn make_new(sent: Sent) -> Shown {
    let looker = &sent.looker;
    looker.may(Action::CredentialSet)?;
    let (secret, reason) = (sent.exactly("secret").to_owned(), sent.text("reason").to_owned());
    let outcome = match sent.text("name").parse::<Name>() {
        Ok(name) => credential::set(&looker.op, &name, CredentialWrite { secret, reason }).await,
        Err(error) => {
            Err(ControlError::caller(error.to_string()).cure("use small letters, digits and dashes"))
        }
    };
    new().over(looker, &sent, outcome, "sealed")
}

fn new() -> Act {
    Act {
        here: "/console/credentials",
        back: ("/console/credentials".to_owned(), "Credentials".to_owned()),
        to: "/console/credentials/seal".to_owned(),
        title: "Seal a credential".to_owned(),
        means: vec![SEALED.to_owned()],
        hits: Vec::new(),
        fields: vec![Field::line("name", "Name", "as systems name it in their files", ""), secret()],
        button: "Seal it".to_owned(),
        danger: false,
        reason: true,
        command: "provost credential set NAME --reason …".to_owned(),
    }
}

async fn act(looker: &Looker, name: &str, word: &str) -> Result<(Act, Name), Stopped> {
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("credential", name)) };
    let forget = match word {
        "set" => false,
        "forget" => true,
        other => return Err(looker.no_such("way to change a credential", other)),
    };
    looker.may(if forget { Action::CredentialDelete } else { Action::CredentialSet })?;
    let all = credential::list(&looker.op).await.map_err(|error| looker.failed(&error))?;
    let used_by = all.into_iter().find(|row| row.name == name).map(|row| row.used_by).unwrap_or_default();
    let hits = used_by.iter().map(|system| {
        let text = match forget {
            true => format!("{system}: every call to it is refused until another one is set"),
            false => format!("{system}: calls from now on are shown the new one"),
        };
        (text, Some(format!("/console/systems/{system}")))
    });
    let act = Act {
        here: "/console/credentials",
        back: ("/console/credentials".to_owned(), "Credentials".to_owned()),
        to: format!("/console/credentials/{name}/{word}"),
        title: if forget { format!("Forget {name}?") } else { format!("Seal {name} anew") },
        means: vec![if forget {
            "The plane does not have it any more. What systems were shown before stays good there until it is revoked at them.".to_owned()
        } else {
            SEALED.to_owned()
        }],
        hits: hits.collect(),
        fields: if forget { Vec::new() } else { vec![secret()] },
        button: if forget { format!("Forget {name}") } else { "Seal it".to_owned() },
        danger: forget,
        reason: true,
        command: format!("provost credential {} {name} --reason …", if forget { "delete" } else { "set" }),
    };
    Ok((act, name))
}

fn secret() -> Field {
    Field {
        name: "secret",
        label: "Secret",
        hint: "on one line; it is shown nowhere again".to_owned(),
        value: String::new(),
        kind: FieldKind::Secret,
    }
}

const SEALED: &str = "It is sealed with the plane’s key, given to no agent, and never shown again: not here, not in a record, not in a log.";
