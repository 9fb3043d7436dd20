//! Issuers that the plane trusts: platforms that vouch for workloads, identity providers of people.

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::{history, more},
    client::part,
    out::{clean, facts, table},
};
use clap::Subcommand;
use provost_api::{
    PageQuery,
    issuer::{IssuerSummary, IssuerView, ProviderView, WorkloadsView},
};
use provost_domain::{
    ClaimRule, ClaimTest, Name,
    charter::Scalar,
    issuer::{KeySource, SubjectRule},
};
use std::fmt::Write as _;

/// `provost issuer`.
#[derive(Debug, Clone, Subcommand)]
pub enum IssuerCommand {
    /// List issuers
    List,
    /// Show an issuer: whose word is taken, for what, and who comes through it
    Show {
        /// The name
        name: Name,
    },
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: IssuerCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        IssuerCommand::List => {
            let page = client.list::<IssuerSummary>("issuers", &PageQuery::default(), LIST_MAX).await?;
            out.show(&page, |page, style| {
                let row = |issuer: &IssuerSummary| {
                    vec![
                        issuer.name.to_string(),
                        clean(&issuer.issuer),
                        issuer.vouches_for.join(", "),
                        issuer.owner.to_string(),
                        clean(&issuer.description),
                    ]
                };
                let heads = ["name", "issuer", "vouches for", "owner", "description"];
                more(table(&heads, page.items.iter().map(row), style), page.next.is_some(), style)
            });
        }
        IssuerCommand::Show { name } => {
            let issuer: IssuerView = client.get(&format!("issuers/{}", part(name.as_str()))).await?;
            out.show(&issuer, render);
        }
    }
    Ok(Exit::Ok)
}

fn render(issuer: &IssuerView, style: Style) -> String {
    let summary = &issuer.summary;
    let mut text = facts(
        &[
            ("issuer", style.bold(summary.name.as_str())),
            ("called", clean(&summary.issuer)),
            ("description", clean(&summary.description)),
            ("owner", summary.owner.to_string()),
            ("keys", keys(&issuer.keys)),
        ],
        style,
    );
    if let Some(taken) = &issuer.workloads {
        let _written =
            write!(text, "\n{}\n{}", style.bold("Workloads"), workloads(taken, &issuer.agents, style));
    }
    if let Some(provider) = &issuer.people {
        let _written = write!(text, "\n{}\n{}", style.bold("People"), people(provider, style));
    }
    text.push('\n');
    text.push_str(&history(&issuer.history, style));
    text
}

fn workloads(taken: &WorkloadsView, agents: &[Name], style: Style) -> String {
    let audiences: Vec<String> = taken.audiences.iter().map(|audience| clean(audience)).collect();
    let rules: Vec<String> = taken.rules.iter().map(rule).collect();
    let agents: Vec<&str> = agents.iter().map(Name::as_str).collect();
    facts(
        &[
            ("tokens for", audiences.join("\n")),
            ("ahead", format!("{} at most", taken.ahead_max)),
            ("use", if taken.single_use { "each token once" } else { "until they expire" }.to_owned()),
            ("rules", if rules.is_empty() { "none".to_owned() } else { rules.join("\n") }),
            ("registered", if agents.is_empty() { "no agents".to_owned() } else { agents.join("\n") }),
            ("unmanaged", format!("{} on record at most", taken.unmanaged_max)),
        ],
        style,
    )
}

/// `deployer: /ref like refs/tags/v*, /environment prod or staging`.
fn rule(rule: &SubjectRule) -> String {
    let claims: Vec<String> = rule.claims.iter().map(claim).collect();
    format!("{}: {}", rule.agent, claims.join(", "))
}

fn claim(rule: &ClaimRule) -> String {
    let scalar = |value: &Scalar| match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Long(value) => value.to_string(),
        Scalar::Text(value) => clean(value),
    };
    let test = match rule.test() {
        ClaimTest::Equals(value) => scalar(value),
        ClaimTest::OneOf(values) => values.iter().map(scalar).collect::<Vec<_>>().join(" or "),
        ClaimTest::Like(like) => format!("like {}", clean(like)),
    };
    format!("{} {test}", clean(rule.pointer()))
}

fn people(provider: &ProviderView, style: Style) -> String {
    let secret = match &provider.secret {
        Some(secret) => format!("the sealed secret {secret}"),
        None => "a signature of the plane".to_owned(),
    };
    let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let group = |(group, roles): (&String, &std::collections::BTreeSet<provost_domain::Role>)| {
        let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        format!("{}: {}", clean(group), roles.join(", "))
    };
    let groups: Vec<String> = provider.roles.iter().map(group).collect();
    let claim = provider.groups_claim.as_deref().map_or_else(|| "not read".to_owned(), clean);
    facts(
        &[
            ("client", format!("{}, with {secret}", clean(&provider.client_id))),
            ("sign in", word(provider.sign_in)),
            ("assertions", word(provider.assertions)),
            ("known by", provider.link.clone()),
            ("groups", claim),
            ("roles", if groups.is_empty() { "none".to_owned() } else { groups.join("\n") }),
        ],
        style,
    )
}

fn keys(keys: &KeySource) -> String {
    match keys {
        KeySource::Discovery => "those its metadata names".to_owned(),
        KeySource::Url { url } => clean(url),
        KeySource::Inline { jwks } => {
            let count = jwks.get("keys").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
            format!("{count} in its row")
        }
    }
}

const LIST_MAX: usize = 1_000;
