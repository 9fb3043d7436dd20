//! Passkeys of people, and the sessions they are signed in with. A passkey is added in the person's own browser.

use crate::{
    Client, Exit, Failure, Out, Style,
    client::part,
    out::{clean, table},
    when,
};
use clap::Subcommand;
use provost_api::{
    Because, Page,
    passkey::{PasskeyRemove, PasskeyRename, PasskeyView, SessionQuery, SessionView},
};
use provost_domain::Name;

/// `provost person passkey`.
#[derive(Debug, Clone, Subcommand)]
pub enum PasskeyCommand {
    /// List the passkeys of a person
    List {
        /// The person
        person: Name,
    },
    /// Give a passkey another name
    Rename {
        /// The person
        person: Name,
        /// The passkey, as `list` prints it
        id: String,
        /// The name
        name: String,
        /// Why, for the record
        #[arg(long, default_value = "renamed from the command line")]
        reason: String,
    },
    /// Take a passkey from a person, and end the sessions it started
    Remove {
        /// The person
        person: Name,
        /// The passkey, as `list` prints it
        id: String,
        /// Also if the person cannot sign in any more then: for a device that was stolen
        #[arg(long)]
        even_if_last: bool,
        /// Why, for the record
        #[arg(long, default_value = "removed from the command line")]
        reason: String,
    },
}

/// `provost session`.
#[derive(Debug, Clone, Subcommand)]
pub enum SessionCommand {
    /// List who is signed in
    List {
        /// Only this person
        #[arg(long)]
        person: Option<Name>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// End a session: the browser is signed out at once
    End {
        /// The session, as `list` prints it
        id: String,
        /// Why, for the record
        #[arg(long, default_value = "ended from the command line")]
        reason: String,
    },
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: PasskeyCommand, client: &Client, out: Out) -> Result<(), Failure> {
    let at = |person: &Name, rest: &str| format!("people/{}/passkeys{rest}", part(person.as_str()));
    match command {
        PasskeyCommand::List { person } => {
            let rows: Vec<PasskeyView> = client.get(&at(&person, "")).await?;
            out.show(&rows, |rows, style| passkeys(rows, style));
        }
        PasskeyCommand::Rename { person, id, name, reason } => {
            let path = at(&person, &format!("/{}/rename", part(&id)));
            let row: PasskeyView = client.post(&path, &PasskeyRename { name, reason }).await?;
            out.show(&row, |row, _style| format!("{} is called {}", clip(&row.id), clean(&row.name)));
        }
        PasskeyCommand::Remove { person, id, even_if_last, reason } => {
            let path = at(&person, &format!("/{}/remove", part(&id)));
            let row: PasskeyView = client.post(&path, &PasskeyRemove { reason, even_if_last }).await?;
            out.show(&row, |row, style| {
                format!("{} is {}'s {}", clean(&row.name), row.person, style.red("no more"))
            });
        }
    }
    Ok(())
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run_session(command: SessionCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        SessionCommand::List { person, limit } => {
            let query = SessionQuery { person, ..SessionQuery::default() };
            let page: Page<SessionView> = client.list("sessions", &query, limit).await?;
            out.show(&page, |page, style| sessions(&page.items, style));
        }
        SessionCommand::End { id, reason } => {
            let path = format!("sessions/{}/end", part(&id));
            let row: SessionView = client.post(&path, &Because { reason }).await?;
            out.show(&row, |row, style| {
                format!("{} is {} in that browser", row.person, style.red("signed out"))
            });
        }
    }
    Ok(Exit::Ok)
}

fn passkeys(rows: &[PasskeyView], style: Style) -> String {
    if rows.is_empty() {
        return "no passkeys; `provost person invite NAME` makes a link to register one".to_owned();
    }
    let row = |row: &PasskeyView| {
        let state = match (row.doubted, row.synced) {
            (true, _) => style.red("may have been copied: not taken"),
            (false, true) => "synced".to_owned(),
            (false, false) => String::new(),
        };
        let used = row.used.map_or("never".to_owned(), when::short);
        vec![clean(&row.name), when::short(row.added), used, state, row.id.clone()]
    };
    table(&["name", "added", "last used", "", "passkey"], rows.iter().map(row), style)
}

fn sessions(rows: &[SessionView], style: Style) -> String {
    if rows.is_empty() {
        return "nobody is signed in".to_owned();
    }
    let row = |row: &SessionView| {
        vec![
            row.person.to_string(),
            clean(&row.by),
            when::short(row.started),
            when::short(row.seen),
            when::short(row.expires),
            row.id.clone(),
        ]
    };
    table(&["person", "by", "since", "last used", "until", "session"], rows.iter().map(row), style)
}

fn clip(id: &str) -> String {
    id.chars().take(16).collect()
}
