//! What can be done about a person: who they are to identity providers, who stands in for them.

use super::{Act, Field, Sent};
use crate::pages::console::look::{Looker, Shown, Stopped};
use axum::extract::{Path, Query};
use provost_api::{
    Span,
    approval::AwaySet,
    identity::{LoginChange, LoginLink},
};
use provost_control::{Action, ControlError, approval, person, plan::Outcome};
use provost_domain::Name;
use serde::Deserialize;

/// What a link says that leads here: which login.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::pages::console) struct About {
    issuer: String,
    subject: String,
}

/// Asks.
pub(in crate::pages::console) async fn ask(
    looker: Looker,
    Path((name, word)): Path<(String, String)>,
    Query(about): Query<About>,
) -> Shown {
    Ok(act(&looker, &name, &word, &about)?.0.ask(&looker))
}

/// Does it.
pub(in crate::pages::console) async fn make(
    Path((name, word)): Path<(String, String)>,
    Query(about): Query<About>,
    sent: Sent,
) -> Shown {
    let looker = &sent.looker;
    let (act, name) = act(looker, &name, &word, &about)?;
    let (op, reason) = (&looker.op, sent.text("reason").to_owned());
    match word.as_str() {
        "link" | "unlink" => {
            let subject = sent.text("subject").to_owned();
            let outcome = match sent.text("issuer").parse::<Name>() {
                Ok(issuer) if word == "link" => {
                    let wanted = LoginLink { issuer, subject, reason, person: None, break_glass: false };
                    person::link(op, &name, &wanted).await
                }
                Ok(issuer) => {
                    let wanted = LoginChange { issuer, subject, reason };
                    person::unlink(op, &name, &wanted).await.map(Outcome::Done)
                }
                Err(_none) => Err(ControlError::caller("choose a provider")),
            };
            act.over_or_waits(looker, &sent, outcome, if word == "link" { "linked" } else { "unlinked" })
        }
        "away" => {
            let outcome = match away(&sent, reason) {
                Ok(wanted) => approval::away(op, &name, wanted).await,
                Err(error) => Err(error),
            };
            act.over_or_waits(looker, &sent, outcome, "away")
        }
        _ => {
            let outcome = approval::away(op, &name, AwaySet { reason, ..AwaySet::default() }).await;
            act.over_or_waits(looker, &sent, outcome, "back")
        }
    }
}

fn away(sent: &Sent, reason: String) -> Result<AwaySet, ControlError> {
    let to = sent.text("to").parse::<Name>();
    let to = to.map_err(|_| {
        ControlError::caller("say who stands in, by their name").cure("names are on the page of people")
    })?;
    let lasts = sent.text("lasts").parse::<Span>();
    let lasts = lasts.map_err(|_| ControlError::caller("say for how long, such as 5d or 8h"))?;
    Ok(AwaySet { to: Some(to), lasts: Some(lasts), reason, ..AwaySet::default() })
}

fn act(looker: &Looker, name: &str, word: &str, about: &About) -> Result<(Act, Name), Stopped> {
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("person", name)) };
    let view = looker.plane().replica.latest();
    let Some(row) = view.directory.people.get(&name) else {
        return Err(looker.no_such("person", name.as_str()));
    };
    let own = looker.visitor.person.name == name;
    let display = &row.display;
    let mut fields = Vec::new();
    let (title, button, means, danger, command): (String, &str, Vec<&str>, bool, String);
    match word {
        "link" => {
            looker.may(Action::PersonLink)?;
            let issuers = view.directory.issuers.values().filter(|issuer| issuer.people.is_some());
            let issuers = issuers
                .map(|issuer| (issuer.name.to_string(), format!("{}: {}", issuer.name, issuer.description)));
            fields.push(Field::choice("issuer", "Identity provider", &about.issuer, issuers));
            fields.push(Field::line(
                "subject",
                "Subject",
                "`sub`, exactly as the provider writes it",
                &about.subject,
            ));
            title = format!("Say who {display} is to an identity provider");
            button = "Tie it to them";
            means = vec![
                "Whoever the provider says is this subject signs in as them, with their roles.",
                "No two people ever share one.",
                "If they can sign in already, it waits for those who must agree.",
            ];
            danger = false;
            command = format!("provost person link {name} --issuer ISSUER --subject SUB --reason …");
        }
        "unlink" => {
            looker.may(Action::PersonLink)?;
            fields.push(Field::seen("issuer", about.issuer.clone()));
            fields.push(Field::seen("subject", about.subject.clone()));
            title = format!("Is {} at {} no longer {display}?", clip(&about.subject), clip(&about.issuer));
            button = "Untie it";
            means = vec![
                "Nobody signs in as them with it any more.",
                "Browsers where they are signed in stay so until their sessions end: end those, too, if it is not theirs.",
            ];
            danger = true;
            command = format!("provost person unlink {name} --issuer ISSUER --subject SUB --reason …");
        }
        "away" | "back" if own => {
            if word == "away" {
                fields.push(Field::line(
                    "to",
                    "Who answers for you",
                    "by their name here, such as jonas",
                    "",
                ));
                fields.push(Field::line("lasts", "For how long", "from now: 8h, 5d", "5d"));
            }
            title = if word == "away" { "You are away".to_owned() } else { "You are back".to_owned() };
            button = if word == "away" { "I am away" } else { "I am back" };
            means = vec![if word == "away" {
                "What waits for your answer waits for theirs, too, except what they asked for themselves."
            } else {
                "Your answers are yours alone again."
            }];
            danger = false;
            let until = if word == "away" { "--to NAME --for 5d " } else { "" };
            command = format!("provost person away {name} {until}--reason …");
        }
        "away" | "back" => {
            let what = format!("who answers for {display} is for them to say");
            return Err(looker.failed(
                &ControlError::refused(what).cure("ask them to, or their administrator to declare it"),
            ));
        }
        _ => return Err(looker.no_such("way to change a person", word)),
    }
    let back = match own {
        true => ("/you".to_owned(), "Your sign-in".to_owned()),
        false => (format!("/console/people/{name}"), display.clone()),
    };
    let act = Act {
        here: if own { "/you" } else { "/console/people" },
        back,
        to: format!("/console/people/{name}/{word}"),
        title,
        means: means.into_iter().map(str::to_owned).collect(),
        hits: Vec::new(),
        fields,
        button: button.to_owned(),
        danger,
        reason: true,
        command,
    };
    Ok((act, name))
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}
