//! What is minted is on record before it is made: a row, and, sealed beside it, all that is needed to take it back.

use crate::{Broker, BrokerError, Whom, held::Mine};
use provost_connect::Secret;
use provost_domain::{
    Kind, Minted, Name, Object, ObjectKey, System, Timestamp, credential::AuthorizationServer,
    minted::MintedStatus,
};
use provost_replica::Replica;
use provost_store::{Attribution, ChangeSet, Store, Write};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What is needed to take something back, whatever the system's row says by then. Rests sealed under the id of its row.
#[derive(Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(crate) enum Kept {
    /// A role of PostgreSQL.
    Role {
        /// The name the administrator's URL is sealed under.
        admin: Name,
        /// The role's password, to see that it lets nobody in.
        password: Zeroizing<String>,
        /// Who inherits what it made: a role it was a member of. Never the administrator, who would then own functions that
        /// an agent wrote, and run them as itself.
        heir: String,
    },
    /// A token.
    Token {
        /// Who gave it.
        server: AuthorizationServer,
        /// The name the client secret is sealed under, if there is one.
        name: Name,
        /// It.
        token: Zeroizing<String>,
    },
}

impl Kept {
    pub(crate) fn token(server: &AuthorizationServer, name: &Name, token: &Secret) -> Self {
        let text = std::str::from_utf8(token.dangerous_expose()).unwrap_or_default();
        Self::Token { server: server.clone(), name: name.clone(), token: Zeroizing::new(text.to_owned()) }
    }
}

impl Broker {
    /// A row of something to be made.
    pub(crate) fn row(&self, system: &System, whom: &Whom, what: &str, expires: Timestamp) -> Minted {
        Minted {
            id: format!("{PREFIX}{}", hex::encode(rand::random::<[u8; 16]>())),
            system: system.name.clone(),
            agent: whom.agent.clone(),
            task: whom.task.id,
            node: self.parts.node,
            what: what.to_owned(),
            made: self.now(),
            expires,
            status: MintedStatus::Owed,
        }
    }

    /// Puts a row on record. What it is about may be made from now on, and is owed.
    ///
    /// # Errors
    /// When it is not on record, or the task has ended.
    pub(crate) async fn order(&self, row: Minted) -> Result<Mine, BrokerError> {
        // In use from before it is on record: nobody takes it for something that a dead process left behind.
        let mine = self.hands.mine(&row.id);
        let (agent, task) = (row.agent.clone(), row.task);
        let why = format!("{} for task {task}, before it is made", row.what);
        self.put(row, 0, why).await?;
        let over = crate::whom::is_over(&self.parts.replica.latest().directory, &agent, task, self.now());
        if over { Err(BrokerError::Over) } else { Ok(mine) }
    }

    /// Seals what is needed to take something back.
    pub(crate) async fn keep(&self, id: &str, kept: &Kept) -> Result<(), BrokerError> {
        let text = serde_json::to_vec(kept).map(Zeroizing::new).map_err(|_unwritable| {
            BrokerError::Unusable { system: system_of(kept), why: "what it gave cannot be kept".to_owned() }
        })?;
        let sealed = self.parts.sealing.seal(&sealed_as(id), &text)?;
        Ok(self.parts.store.put_sealed(&place(id)?, &sealed).await?)
    }

    /// What was kept; `None` if nothing was.
    pub(crate) async fn kept(&self, id: &str) -> Result<Option<Kept>, BrokerError> {
        let sealed = self.parts.store.sealed(&place(id)?).await?.filter(|sealed| !sealed.is_empty());
        let Some(sealed) = sealed else { return Ok(None) };
        let opened = self.parts.sealing.open(&sealed_as(id), &sealed)?;
        Ok(serde_json::from_slice(opened.dangerous_expose()).ok())
    }

    /// Forgets what was kept.
    pub(crate) async fn forget(&self, id: &str) -> Result<(), BrokerError> {
        Ok(self.parts.store.put_sealed(&place(id)?, &[]).await?)
    }

    /// The row as it stands, and its version; `None` when nothing is owed any more.
    pub(crate) async fn owed(&self, id: &str) -> Result<Option<(Minted, u64)>, BrokerError> {
        // The version first: a row that moves in between is newer than its version, and conflicts.
        let version = self.parts.store.version(&key(id)).await?;
        self.parts.replica.catch_up().await?;
        let row = self.parts.replica.latest().directory.minted.get(id).map(|row| row.as_ref().clone());
        Ok(row.map(|row| (row, version)))
    }

    /// Writes a row.
    pub(crate) async fn put(&self, row: Minted, expected: u64, why: String) -> Result<(), BrokerError> {
        put(self.parts.store.as_ref(), &self.parts.replica, row, expected, why, self.now()).await
    }
}

/// Writes a row, and waits until this node knows.
pub(crate) async fn put(
    store: &dyn Store,
    replica: &Replica,
    row: Minted,
    expected: u64,
    why: String,
    now: Timestamp,
) -> Result<(), BrokerError> {
    let by = Attribution { actor: "plane".to_owned(), why };
    let writes = vec![Write::Put { object: Object::Minted(row), expected }];
    store.commit(ChangeSet { by, at: now, writes }).await?;
    replica.catch_up().await?;
    Ok(())
}

fn system_of(kept: &Kept) -> Name {
    match kept {
        Kept::Role { admin: name, .. } | Kept::Token { name, .. } => name.clone(),
    }
}

pub(crate) fn key(id: &str) -> ObjectKey {
    ObjectKey::new(Kind::Minted, id)
}

/// Not a name: what is kept here opens as no credential that a file could mention.
fn sealed_as(id: &str) -> String {
    format!("minted:{id}")
}

fn place(id: &str) -> Result<Name, BrokerError> {
    id.parse().map_err(|_other| {
        BrokerError::Store(provost_store::StoreError::Corrupt {
            what: "minted row".to_owned(),
            why: "its id is no name".to_owned(),
        })
    })
}

const PREFIX: &str = "provost_";
