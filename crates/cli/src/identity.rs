//! People and workloads.

use crate::{
    Client, Exit, Failure, Out, Style,
    client::part,
    out::{clean, facts, table},
    passkey::{self, PasskeyCommand},
    plan::AuthorArgs,
    proposal::Outcome,
    when,
};
use clap::{Args, Subcommand};
use provost_api::{
    Because, Page, PageQuery, Span,
    approval::AwaySet,
    identity::{LoginChange, LoginLink, PersonView, WorkloadToken, WorkloadView},
    passkey::{InviteMake, InviteView},
};
use provost_domain::Name;

/// `provost person`.
#[derive(Debug, Clone, Subcommand)]
pub enum PersonCommand {
    /// List people
    List,
    /// Show a person and the agents owned
    Show {
        /// The name
        name: Name,
    },
    /// Say that a subject of an identity provider is this person
    Link {
        /// Which.
        #[command(flatten)]
        login: LoginArgs,
        /// Whose change it is.
        #[command(flatten)]
        author: AuthorArgs,
    },
    /// Say that a subject of an identity provider is this person no more
    Unlink(LoginArgs),
    /// Say who stands in for a person who is away, and for how long; or that they are back
    Away(AwayArgs),
    /// Make a link with which a person registers a passkey, once; prints it, and keeps it nowhere
    Invite {
        /// The person, who is declared in the organisation's files
        name: Name,
        /// For how long the link is good, at most 7d
        #[arg(long = "for", value_name = "SPAN", default_value = "24h")]
        lasts: Span,
        /// Why, for the record
        #[arg(long, default_value = "invited from the command line")]
        reason: String,
        /// Whose change it is.
        #[command(flatten)]
        author: AuthorArgs,
    },
    /// Passkeys of a person
    #[command(subcommand, visible_alias = "passkeys")]
    Passkey(PasskeyCommand),
}

/// `provost person link` and `unlink`.
#[derive(Debug, Clone, Args)]
pub struct LoginArgs {
    /// The person
    pub name: Name,
    /// The identity provider
    #[arg(long)]
    pub issuer: Name,
    /// `sub`, exactly as the provider writes it
    #[arg(long)]
    pub subject: String,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
}

/// `provost person away`.
#[derive(Debug, Clone, Args)]
pub struct AwayArgs {
    /// The person
    pub name: Name,
    /// Who stands in; leave it out when the person is back
    #[arg(long, requires = "lasts")]
    pub to: Option<Name>,
    /// For how long from now, such as 5d
    #[arg(long = "for", value_name = "TIME", requires = "to")]
    pub lasts: Option<Span>,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
    /// Whose change it is.
    #[command(flatten)]
    pub author: AuthorArgs,
}

/// `provost workload`.
#[derive(Debug, Clone, Subcommand)]
pub enum WorkloadCommand {
    /// List workloads
    List,
    /// Show a workload
    Show {
        /// The name
        name: Name,
    },
    /// Issue a new token for a workload and print it, once; the one before works no more
    Token {
        /// The name
        name: Name,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run_person(command: PersonCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        PersonCommand::List => {
            let page: Page<PersonView> = client.list("people", &PageQuery::default(), LIST_MAX).await?;
            out.show(&page, |page, style| {
                let row = |person: &PersonView| {
                    let mail = person.email.clone().unwrap_or_default();
                    let manager = person.manager.as_ref().map(ToString::to_string).unwrap_or_default();
                    vec![
                        person.name.to_string(),
                        clean(&person.display),
                        clean(&mail),
                        manager,
                        person.roles.join(", "),
                        active(person.active),
                    ]
                };
                table(&["name", "display", "mail", "manager", "roles", ""], page.items.iter().map(row), style)
            });
        }
        PersonCommand::Invite { name, lasts, reason, author: AuthorArgs { person, break_glass } } => {
            let wanted = InviteMake { lasts: Some(lasts), reason, person, break_glass };
            let link: InviteView =
                client.post(&format!("people/{}/invite", part(name.as_str())), &wanted).await?;
            out.show(&link, |link, style| {
                let when = match &link.proposal {
                    Some(proposal) => format!(
                        "{name} can sign in already, so this is good once {} is agreed to: provost proposal show {}\nGood once",
                        proposal.summary.id, proposal.summary.id
                    ),
                    None => "Good once".to_owned(),
                };
                format!(
                    "{}\n{when}, until {}. Whoever opens it first is {name}: hand it over as you would a key.",
                    style.bold(&link.url),
                    when::long(link.expires)
                )
            });
        }
        PersonCommand::Passkey(command) => passkey::run(command, client, out).await?,
        PersonCommand::Show { name } => {
            let person: PersonView = client.get(&path(&name, "")).await?;
            out.show(&person, show_person);
        }
        PersonCommand::Link { login, author: AuthorArgs { person, break_glass } } => {
            let (path, LoginChange { issuer, subject, reason }) = login_change(login);
            let wanted = LoginLink { issuer, subject, reason, person, break_glass };
            let outcome: Outcome<PersonView> = client.post(&path, &wanted).await?;
            return Ok(outcome.show(out, show_person));
        }
        PersonCommand::Unlink(args) => {
            let (path, change) = login_change(args);
            let person: PersonView = client.delete(&path, &change).await?;
            out.show(&person, show_person);
        }
        PersonCommand::Away(AwayArgs { name, to, lasts, reason, author }) => {
            let AuthorArgs { person, break_glass } = author;
            let wanted = AwaySet { to, lasts, reason, person, break_glass };
            let outcome: Outcome<AwaySet> = client.post(&path(&name, "/away"), &wanted).await?;
            return Ok(outcome.show(out, |away, _style| match (&away.to, away.lasts) {
                (Some(to), Some(lasts)) => format!("{to} answers for {name} for {lasts}"),
                _ => format!("{name} is back"),
            }));
        }
    }
    Ok(Exit::Ok)
}

fn path(name: &Name, rest: &str) -> String {
    format!("people/{}{rest}", part(name.as_str()))
}

fn login_change(args: LoginArgs) -> (String, LoginChange) {
    let LoginArgs { name, issuer, subject, reason } = args;
    (path(&name, "/logins"), LoginChange { issuer, subject, reason })
}

fn show_person(person: &PersonView, style: Style) -> String {
    let logins: Vec<_> =
        person.logins.iter().map(|login| format!("{} at {}", clean(&login.subject), login.issuer)).collect();
    let owns: Vec<_> = person.owns.iter().map(ToString::to_string).collect();
    let rows = [
        ("person", style.bold(person.name.as_str())),
        ("display", clean(&person.display)),
        ("mail", clean(person.email.as_deref().unwrap_or_default())),
        ("manager", person.manager.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("", active(person.active)),
        ("roles", if person.roles.is_empty() { "none".to_owned() } else { person.roles.join(", ") }),
        (
            "away",
            person.away.as_ref().map_or_else(String::new, |away| {
                format!("{} answers until {}", away.to, when::local(away.until))
            }),
        ),
        ("connector", person.connector.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("comes as", if logins.is_empty() { "nobody yet".to_owned() } else { logins.join("\n") }),
        ("owns", if owns.is_empty() { "no agents".to_owned() } else { owns.join("\n") }),
    ];
    facts(&rows, style)
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run_workload(command: WorkloadCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        WorkloadCommand::List => {
            let page: Page<WorkloadView> = client.list("workloads", &PageQuery::default(), LIST_MAX).await?;
            out.show(&page, |page, style| {
                let row = |workload: &WorkloadView| {
                    let token = if workload.has_token { "set" } else { "none" };
                    let state = active(workload.active);
                    vec![
                        workload.name.to_string(),
                        workload.owner.to_string(),
                        clean(&workload.purpose),
                        token.into(),
                        state,
                    ]
                };
                table(&["name", "owner", "purpose", "token", ""], page.items.iter().map(row), style)
            });
        }
        WorkloadCommand::Show { name } => {
            let workload: WorkloadView = client.get(&format!("workloads/{}", part(name.as_str()))).await?;
            out.show(&workload, |workload, style| {
                let applications: Vec<_> = workload.applications.iter().map(ToString::to_string).collect();
                let rows = [
                    ("workload", style.bold(workload.name.as_str())),
                    ("purpose", clean(&workload.purpose)),
                    ("owner", workload.owner.to_string()),
                    ("applications", applications.join("\n")),
                    ("token", if workload.has_token { "set" } else { "none" }.to_owned()),
                    ("", active(workload.active)),
                ];
                facts(&rows, style)
            });
        }
        WorkloadCommand::Token { name, reason } => {
            let path = format!("workloads/{}/token", part(name.as_str()));
            let token: WorkloadToken = client.post(&path, &Because { reason }).await?;
            out.show(&token, |token, _| token.token.clone());
        }
    }
    Ok(Exit::Ok)
}

fn active(active: bool) -> String {
    if active { "active" } else { "left" }.to_owned()
}

const LIST_MAX: usize = 1_000;
