//! Channels by which people are told, and what is owed on them.

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::{history, more},
    client::part,
    out::{clean, facts, table},
    when,
};
use clap::Subcommand;
use provost_api::{
    Because, PageQuery,
    channel::{ChannelTest, ChannelView},
    delivery::{DeliveryQuery, DeliverySummary, DeliveryView, StreamView},
};
use provost_domain::Name;
use std::time::Duration;

/// `provost channel`.
#[derive(Debug, Clone, Subcommand)]
pub enum ChannelCommand {
    /// List channels
    List,
    /// Show a channel: of what it hears, where it leads, whether its secrets are set
    Show {
        /// The name
        name: Name,
    },
    /// Send a message over a channel, and wait for what becomes of it
    Test {
        /// The name
        name: Name,
        /// Who gets the mail, where the channel writes mails
        #[arg(long = "to", value_name = "PERSON")]
        person: Option<Name>,
        /// Why, for the record
        #[arg(long, default_value = "tried from the command line")]
        reason: String,
        /// Do not wait
        #[arg(long)]
        no_wait: bool,
    },
}

/// `provost delivery`.
#[derive(Debug, Clone, Subcommand)]
pub enum DeliveryCommand {
    /// List what is owed to somebody outside, and what is over as far back as the node remembers
    List {
        /// Only in this state: due, delivered, given-up, withdrawn
        #[arg(long)]
        state: Option<String>,
        /// Only on lanes that begin so, such as channel/ops
        #[arg(long)]
        lane: Option<String>,
        /// Only about this row, such as an approval's id
        #[arg(long)]
        about: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// List streams of Shared Signals: who receives what about agents, and how
    Streams,
    /// Show one: what is sent, where to, how it went
    Show {
        /// The delivery
        id: String,
    },
    /// Try once more what was given up
    Retry {
        /// The delivery
        id: String,
        /// Why, for the record
        #[arg(long, default_value = "tried again from the command line")]
        reason: String,
    },
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: ChannelCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        ChannelCommand::List => {
            let page = client.list::<ChannelView>("channels", &PageQuery::default(), LISTED_MAX).await?;
            out.show(&page, |page, style| more(channels(&page.items, style), page.next.is_some(), style));
            Ok(Exit::Ok)
        }
        ChannelCommand::Show { name } => {
            let channel: ChannelView = client.get(&format!("channels/{}", part(name.as_str()))).await?;
            out.show(&channel, render);
            Ok(Exit::Ok)
        }
        ChannelCommand::Test { name, person, reason, no_wait } => {
            let path = format!("channels/{}/test", part(name.as_str()));
            let mut sent: DeliveryView = client.post(&path, &ChannelTest { person, reason }).await?;
            if !no_wait {
                sent = settled(client, sent).await?;
            }
            out.show(&sent, |sent, style| told(&sent.summary, style));
            Ok(if no_wait || sent.summary.state == "delivered" { Exit::Ok } else { Exit::Refused })
        }
    }
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run_delivery(command: DeliveryCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        DeliveryCommand::List { state, lane, about, limit } => {
            let query = DeliveryQuery { state, lane, about, ..DeliveryQuery::default() };
            let page = client.list::<DeliverySummary>("deliveries", &query, limit).await?;
            out.show(&page, |page, style| more(deliveries(&page.items, style), page.next.is_some(), style));
        }
        DeliveryCommand::Streams => {
            let found: Vec<StreamView> = client.get("streams").await?;
            out.show(&found, |found, style| streams(found, style));
        }
        DeliveryCommand::Show { id } => {
            let row: DeliveryView = client.get(&format!("deliveries/{}", part(&id))).await?;
            out.show(&row, render_delivery);
        }
        DeliveryCommand::Retry { id, reason } => {
            let path = format!("deliveries/{}/retry", part(&id));
            let row: DeliveryView = client.post(&path, &Because { reason }).await?;
            out.show(&row, |row, style| told(&row.summary, style));
        }
    }
    Ok(Exit::Ok)
}

/// The delivery once it was tried, or after a while.
async fn settled(client: &Client, mut sent: DeliveryView) -> Result<DeliveryView, Failure> {
    for _look in 0..LOOKS_MAX {
        if sent.summary.state != "due" || sent.summary.attempts > 0 {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        sent = client.get(&format!("deliveries/{}", part(&sent.summary.id))).await?;
    }
    Ok(sent)
}

fn told(row: &DeliverySummary, style: Style) -> String {
    let said = row.said.as_deref().map(|said| format!(": {}", clean(said))).unwrap_or_default();
    format!("{} is {}{said}", row.id, style.state(&row.state))
}

fn channels(channels: &[ChannelView], style: Style) -> String {
    let row = |row: &ChannelView| {
        let unset = row.secrets.iter().filter(|secret| !secret.set).map(|secret| secret.name.to_string());
        let unset: Vec<String> = unset.collect();
        vec![
            row.name.to_string(),
            row.kind.clone(),
            clean(&row.place),
            audience(row),
            if unset.is_empty() {
                style.state("set")
            } else {
                style.red(&format!("missing: {}", unset.join(", ")))
            },
            row.due.to_string(),
        ]
    };
    table(&["channel", "kind", "leads to", "for", "secrets", "due"], channels.iter().map(row), style)
}

fn audience(row: &ChannelView) -> String {
    let people = row.people.iter().map(ToString::to_string);
    let groups = row.groups.iter().map(|group| format!("group {group}"));
    let some: Vec<String> = people.chain(groups).collect();
    let all = if some.is_empty() { "everybody concerned".to_owned() } else { some.join(", ") };
    if row.fallback { format!("{all}, if no other channel is") } else { all }
}

fn render(row: &ChannelView, style: Style) -> String {
    let secret = |secret: &provost_api::channel::ChannelSecret| {
        format!("{} {}", secret.name, style.state(if secret.set { "set" } else { "missing" }))
    };
    let secrets: Vec<String> = row.secrets.iter().map(secret).collect();
    facts(
        &[
            ("channel", style.bold(row.name.as_str())),
            ("description", clean(&row.description)),
            ("kind", row.kind.clone()),
            ("leads to", clean(&row.place)),
            ("for", audience(row)),
            ("hears of", row.events.join(", ")),
            ("arguments", if row.details { "are in its messages" } else { "are left out" }.to_owned()),
            ("secrets", if secrets.is_empty() { "none".to_owned() } else { secrets.join("\n") }),
            ("due", row.due.to_string()),
        ],
        style,
    )
}

fn deliveries(rows: &[DeliverySummary], style: Style) -> String {
    let row = |row: &DeliverySummary| {
        vec![
            row.id.clone(),
            clean(&row.lane),
            style.state(&row.state),
            when::short(row.created),
            row.attempts.to_string(),
            clean(&row.title),
            clean(row.said.as_deref().unwrap_or_default()),
        ]
    };
    table(&["delivery", "to", "state", "since", "tried", "what", "said"], rows.iter().map(row), style)
}

fn streams(rows: &[StreamView], style: Style) -> String {
    let row = |row: &StreamView| {
        let events: Vec<&str> =
            row.events.iter().map(|uri| uri.rsplit('/').next().unwrap_or_default()).collect();
        vec![
            row.id.clone(),
            row.receiver.to_string(),
            clean(&row.method),
            style.state(&row.status),
            row.due.to_string(),
            clean(&events.join(", ")),
        ]
    };
    table(&["stream", "receiver", "how", "status", "due", "events"], rows.iter().map(row), style)
}

fn render_delivery(view: &DeliveryView, style: Style) -> String {
    let row = &view.summary;
    let payload = serde_json::to_string_pretty(&view.payload).unwrap_or_default();
    let payload: Vec<String> = payload.lines().map(clean).collect();
    let mut text = facts(
        &[
            ("delivery", style.bold(&row.id)),
            ("to", clean(&row.lane)),
            ("what", format!("{}: {}", row.kind, clean(&row.title))),
            ("about", row.about.as_deref().map(clean).unwrap_or_default()),
            ("state", style.state(&row.state)),
            ("said", row.said.as_deref().map(clean).unwrap_or_default()),
            ("owed since", when::long(row.created)),
            ("tried", row.attempts.to_string()),
            ("next", row.next.map(when::long).unwrap_or_default()),
            ("not after", when::long(view.until)),
            ("sends", payload.join("\n")),
        ],
        style,
    );
    text.push_str(&history(&view.history, style));
    text
}

const LISTED_MAX: usize = 1_000;
const LOOK_EVERY: Duration = Duration::from_millis(300);
const LOOKS_MAX: usize = 100;
