//! Connectors: clients that say who comes, who leaves and who is in which group (SCIM 2.0).

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::{history, more},
    client::part,
    out::{clean, facts, table},
    when,
};
use clap::{Args, Subcommand};
use provost_api::{
    PageQuery, Span,
    connector::{
        ConnectorIssue, ConnectorIssued, ConnectorLink, ConnectorReason, ConnectorSummary, ConnectorView,
        GivesView, RosterView, TroubleView,
    },
    identity::PersonView,
};
use provost_domain::Name;
use std::fmt::Write as _;

/// `provost connector`.
#[derive(Debug, Clone, Subcommand)]
pub enum ConnectorCommand {
    /// List connectors
    List,
    /// Show a connector: whom it governs, what its groups give, what it was last refused
    Show {
        /// The name
        name: Name,
    },
    /// Issue a new token for a connector and print it, once; the one before works no more, or until the overlap is over
    Token(TokenArgs),
    /// Take every token of a connector back
    Revoke {
        /// The name
        name: Name,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
    /// Say that a person who is here already is the connector's from now on
    Link(LinkArgs),
    /// Say that a person is the connector's no more; they stay as they are
    Unlink {
        /// The connector
        name: Name,
        /// The person
        person: Name,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

/// `provost connector token`.
#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// The name
    pub name: Name,
    /// For how long it is good, at most 366d
    #[arg(long = "for", value_name = "SPAN", default_value = "180d")]
    pub lasts: Span,
    /// For how long the one before is still good, at most 7d
    #[arg(long, value_name = "SPAN")]
    pub overlap: Option<Span>,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
}

/// `provost connector link`.
#[derive(Debug, Clone, Args)]
pub struct LinkArgs {
    /// The connector
    pub name: Name,
    /// The person
    pub person: Name,
    /// `userName`, as the identity provider writes it
    #[arg(long)]
    pub user_name: String,
    /// `externalId`, if the identity provider has one
    #[arg(long)]
    pub external_id: Option<String>,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: ConnectorCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        ConnectorCommand::List => {
            let page = client.list::<ConnectorSummary>("connectors", &PageQuery::default(), LIST_MAX).await?;
            out.show(&page, |page, style| {
                let heads = ["name", "owner", "people", "groups", "token", "last change", ""];
                more(table(&heads, page.items.iter().map(row), style), page.next.is_some(), style)
            });
        }
        ConnectorCommand::Show { name } => {
            let connector: ConnectorView = client.get(&path(&name, "")).await?;
            out.show(&connector, render);
        }
        ConnectorCommand::Token(TokenArgs { name, lasts, overlap, reason }) => {
            let wanted = ConnectorIssue { lasts: Some(lasts), overlap, reason };
            let issued: ConnectorIssued = client.post(&path(&name, "/token"), &wanted).await?;
            out.show(&issued, |issued, style| {
                format!(
                    "{}\nFor {}, until {}. It is shown here and kept nowhere.",
                    style.bold(&issued.token),
                    issued.url,
                    when::long(issued.expires)
                )
            });
        }
        ConnectorCommand::Revoke { name, reason } => {
            let connector: ConnectorView =
                client.delete(&path(&name, "/token"), &ConnectorReason { reason }).await?;
            out.show(&connector, |_connector, _style| format!("no token of {name} is good any more"));
        }
        ConnectorCommand::Link(LinkArgs { name, person, user_name, external_id, reason }) => {
            let wanted = ConnectorLink { person, user_name, external_id, reason };
            let person: PersonView = client.post(&path(&name, "/people"), &wanted).await?;
            out.show(&person, |person, _style| format!("{} is of connector {name}", person.name));
        }
        ConnectorCommand::Unlink { name, person, reason } => {
            let place = path(&name, &format!("/people/{}", part(person.as_str())));
            let person: PersonView = client.delete(&place, &ConnectorReason { reason }).await?;
            out.show(&person, |person, _style| format!("{} is of connector {name} no more", person.name));
        }
    }
    Ok(Exit::Ok)
}

fn path(name: &Name, rest: &str) -> String {
    format!("connectors/{}{rest}", part(name.as_str()))
}

fn row(connector: &ConnectorSummary) -> Vec<String> {
    vec![
        connector.name.to_string(),
        connector.owner.to_string(),
        connector.people.to_string(),
        connector.groups.to_string(),
        if connector.has_token { "set" } else { "none" }.to_owned(),
        connector.changed.map_or_else(|| "never".to_owned(), when::local),
        state(connector).to_owned(),
    ]
}

fn state(connector: &ConnectorSummary) -> &'static str {
    if connector.active { "active" } else { "not heard" }
}

fn render(connector: &ConnectorView, style: Style) -> String {
    let summary = &connector.summary;
    let tokens: Vec<String> = connector
        .tokens
        .iter()
        .map(|token| format!("since {}, until {}", when::local(token.issued), when::local(token.expires)))
        .collect();
    let logins = connector.logins.as_ref();
    let gives: Vec<String> = connector.gives.iter().map(gives).collect();
    let mut text = facts(
        &[
            ("connector", style.bold(summary.name.as_str())),
            ("description", clean(&summary.description)),
            ("owner", summary.owner.to_string()),
            ("", state(summary).to_owned()),
            ("address", connector.url.clone()),
            ("token", if tokens.is_empty() { "none".to_owned() } else { tokens.join("\n") }),
            (
                "sign in",
                logins.map_or_else(String::new, |from| format!("at {}, by {}", from.issuer, from.subject)),
            ),
            ("groups give", if gives.is_empty() { "nothing".to_owned() } else { gives.join("\n") }),
            ("people", summary.people.to_string()),
            ("last change", summary.changed.map_or_else(|| "never".to_owned(), when::local)),
            (
                "last heard",
                summary.seen.map_or_else(|| "not by this node since it started".to_owned(), when::local),
            ),
        ],
        style,
    );
    if !connector.rosters.is_empty() {
        let row = |row: &RosterView| {
            let gives = if row.gives { "gives something" } else { "" };
            vec![row.id.clone(), clean(&row.display), row.members.to_string(), gives.to_owned()]
        };
        let groups = table(&["group", "name", "members", ""], connector.rosters.iter().map(row), style);
        let _written = write!(text, "\n{}\n{groups}", style.bold("Groups"));
    }
    if !connector.troubles.is_empty() {
        let row = |row: &TroubleView| {
            vec![when::local(row.at), row.status.to_string(), clean(&row.what), clean(&row.why)]
        };
        let troubles = table(&["when", "status", "asked", "why"], connector.troubles.iter().map(row), style);
        let _written = write!(text, "\n{}\n{troubles}", style.bold("Refused by this node"));
    }
    text.push('\n');
    text.push_str(&history(&connector.history, style));
    text
}

fn gives(gives: &GivesView) -> String {
    let roles: Vec<&str> = gives.roles.iter().map(|role| role.as_str()).collect();
    let group = gives.group.as_ref().map(|group| format!("group {group}"));
    let what: Vec<String> = roles.iter().map(ToString::to_string).chain(group).collect();
    format!("{}: {}", clean(&gives.display), what.join(", "))
}

const LIST_MAX: usize = 1_000;
