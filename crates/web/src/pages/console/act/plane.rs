//! Care of the plane: another key that signs tokens, a copy of the database, an envelope taken back.

use super::{Act, Field, Sent};
use crate::pages::console::look::{Looker, Shown, Stopped};
use axum::extract::Path;
use provost_api::plane::BackupRequest;
use provost_control::{Action, ControlError, approval, care, token_keys};

/// Asks before another key signs.
pub(in crate::pages::console) async fn ask_rotate(looker: Looker) -> Shown {
    Ok(rotate(&looker)?.ask(&looker))
}

/// Rotates.
pub(in crate::pages::console) async fn make_rotate(sent: Sent) -> Shown {
    let looker = &sent.looker;
    let act = rotate(looker)?;
    let outcome = token_keys::rotate(&looker.op, sent.text("reason")).await;
    act.over(looker, &sent, outcome, "rotated")
}

fn rotate(looker: &Looker) -> Result<Act, Stopped> {
    looker.may(Action::KeysRotate)?;
    Ok(Act {
        here: "/console/plane",
        back: ("/console/plane".to_owned(), "Plane".to_owned()),
        to: "/console/plane/rotate".to_owned(),
        title: "Sign task tokens with a new key?".to_owned(),
        means: vec![
            "A new key signs from now on, on every node within a second.".to_owned(),
            "No token breaks: the key before verifies until the longest token it signed has expired."
                .to_owned(),
            "Whoever keeps a copy of the published keys has to fetch them again.".to_owned(),
        ],
        hits: Vec::new(),
        fields: Vec::new(),
        button: "Rotate".to_owned(),
        danger: false,
        reason: true,
        command: "provost keys rotate --reason …".to_owned(),
    })
}

/// Asks how a copy is to be called.
pub(in crate::pages::console) async fn ask_backup(looker: Looker) -> Shown {
    Ok(backup(&looker)?.ask(&looker))
}

/// Writes it.
pub(in crate::pages::console) async fn make_backup(sent: Sent) -> Shown {
    let looker = &sent.looker;
    let act = backup(looker)?;
    let outcome = care::backup(&looker.op, &BackupRequest { name: sent.text("name").to_owned() }).await;
    act.over(looker, &sent, outcome, "backed-up")
}

fn backup(looker: &Looker) -> Result<Act, Stopped> {
    looker.may(Action::Backup)?;
    // A name of its own each minute: `2026-11-22T0554.db`.
    let now = provost_api::Moment::from(looker.plane().now()).to_string();
    let name = format!("{}.db", now.get(..16).unwrap_or(&now).replace(':', ""));
    Ok(Act {
        here: "/console/plane",
        back: ("/console/plane".to_owned(), "Plane".to_owned()),
        to: "/console/plane/backup".to_owned(),
        title: "Write a copy of the database".to_owned(),
        means: vec![
            "A consistent copy, made while everything runs, in the folder `backups` of the plane’s data."
                .to_owned(),
            "It holds sealed secrets: of use only together with the plane’s sealing key. Keep the two apart."
                .to_owned(),
        ],
        hits: Vec::new(),
        fields: vec![Field::line("name", "Name of the file", "letters, digits, dashes and dots", &name)],
        button: "Back up".to_owned(),
        danger: false,
        reason: false,
        command: format!("provost backup {name}"),
    })
}

/// Asks before an envelope is taken back.
pub(in crate::pages::console) async fn ask_revoke(looker: Looker, Path(id): Path<String>) -> Shown {
    Ok(revoke(&looker, &id)?.ask(&looker))
}

/// Takes it back.
pub(in crate::pages::console) async fn make_revoke(Path(id): Path<String>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let act = revoke(looker, &id)?;
    let outcome = approval::revoke_envelope(&looker.op, &id, sent.text("reason")).await;
    act.over(looker, &sent, outcome, "revoked")
}

fn revoke(looker: &Looker, id: &str) -> Result<Act, Stopped> {
    looker.may(Action::EnvelopeRevoke)?;
    let view = looker.plane().replica.latest();
    let Some(row) = view.directory.envelopes.values().find(|row| row.id == id) else {
        return Err(looker.no_such("open envelope", id));
    };
    if row.by != looker.visitor.person.name && !looker.answers_for(&row.agent) {
        let error = ControlError::refused(
            "this envelope is for who granted it, and for who answers for its agent, to revoke",
        );
        return Err(looker.failed(&error));
    }
    let what =
        format!("calls of {} to {}/{} that fit it wait for a person again", row.agent, row.system, row.tool);
    Ok(Act {
        here: "/console/envelopes",
        back: ("/console/envelopes".to_owned(), "Envelopes".to_owned()),
        to: format!("/console/envelopes/{id}/revoke"),
        title: format!("Take back what {} may do by itself?", row.agent),
        means: vec!["What is left of the envelope is gone; what was done with it stays done.".to_owned()],
        hits: vec![(what, Some(format!("/console/agents/{}", row.agent)))],
        fields: Vec::new(),
        button: "Revoke the envelope".to_owned(),
        danger: true,
        reason: true,
        command: format!("provost approval envelope revoke {id} --reason …"),
    })
}
