//! A connector's tokens: a new one, or none.

use super::{Act, Field, Sent};
use crate::pages::console::{
    connectors::{HERE, issued},
    look::{Looker, Shown, Stopped},
};
use axum::extract::Path;
use provost_api::{Span, connector::ConnectorIssue};
use provost_control::{Action, ControlError, connector};
use provost_domain::Name;

/// Asks.
pub(in crate::pages::console) async fn ask(
    looker: Looker,
    Path((name, word)): Path<(String, String)>,
) -> Shown {
    Ok(act(&looker, &name, &word)?.0.ask(&looker))
}

/// Does it.
pub(in crate::pages::console) async fn make(Path((name, word)): Path<(String, String)>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let (act, name) = act(looker, &name, &word)?;
    let reason = sent.text("reason").to_owned();
    if word == "revoke" {
        let outcome = connector::revoke_tokens(&looker.op, &name, &reason).await;
        return act.over(looker, &sent, outcome, "taken-back");
    }
    let span = |field: &str| match sent.text(field) {
        "" => Ok(None),
        text => text.parse::<Span>().map(Some).map_err(|_| {
            ControlError::caller(format!("`{field}` is no time")).cure("write it like 180d or 12h")
        }),
    };
    let outcome = match (span("lasts"), span("overlap")) {
        (Ok(lasts), Ok(overlap)) => {
            let wanted = ConnectorIssue { lasts, overlap, reason };
            connector::issue_token(&looker.op, &name, &wanted).await
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match outcome {
        Ok(token) => issued(looker, token),
        Err(error) => act.over(looker, &sent, Err::<(), _>(error), "taken-back"),
    }
}

fn act(looker: &Looker, name: &str, word: &str) -> Result<(Act, Name), Stopped> {
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("connector", name)) };
    looker.may(Action::ConnectorToken)?;
    if !looker.plane().replica.latest().directory.connectors.contains_key(&name) {
        return Err(looker.no_such("connector", name.as_str()));
    }
    let (title, means, fields, button, danger) = match word {
        "token" => (
            format!("A new token for {name}"),
            "It is shown once. The one before is refused at once, or after the overlap.",
            vec![
                Field::line("lasts", "For how long", "at most 366d", "180d"),
                Field {
                    kind: super::FieldKind::Line { optional: true },
                    ..Field::line("overlap", "Overlap", "how long the one before stays good, at most 7d", "")
                },
            ],
            "Issue it",
            false,
        ),
        "revoke" => (
            format!("Take every token of {name} back?"),
            "Nobody comes or leaves by its word until it has another one. Its people stay as they are.",
            Vec::new(),
            "Take them back",
            true,
        ),
        other => return Err(looker.no_such("way to change a connector", other)),
    };
    let act = Act {
        here: HERE,
        back: (format!("{HERE}/{name}"), name.to_string()),
        to: format!("{HERE}/{name}/{word}"),
        title,
        means: vec![means.to_owned()],
        hits: Vec::new(),
        fields,
        button: button.to_owned(),
        danger,
        reason: true,
        command: format!("provost connector {word} {name} --reason …"),
    };
    Ok((act, name))
}
