//! Roles of PostgreSQL, made for one task and dropped after it. An administrator's connection makes and drops them; the
//! agent's process gets a connection URL with the role's own name and password.
//!
//! Making and taking back one role never overlap, whichever nodes do it: both hold the same advisory lock, and a role is
//! made only while its row says, read under that lock, that it is owed.

use crate::{Broker, BrokerError, Whom, broker::renew_at, held::Held, minted::Kept};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use postgres_protocol::password::scram_sha_256;
use provost_connect::{Secret, Shown};
use provost_domain::{DurationMs, Minted, Name, System, Timestamp, system::CredentialUse};
use std::{collections::BTreeSet, time::Duration};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};
use url::Url;
use zeroize::Zeroizing;

/// A role for this task, and the URL to log in with it.
pub(crate) async fn mint(
    broker: &Broker,
    system: &System,
    used: &CredentialUse,
    whom: &Whom,
    member_of: &BTreeSet<String>,
    lifetime: DurationMs,
) -> Result<Held, BrokerError> {
    let admin = Admin::read(&system.name, &broker.needed(&system.name, &used.name).await?)?;
    let password = Zeroizing::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let row = broker.row(system, whom, POSTGRES_ROLE, ends(broker.now(), lifetime, whom));
    let heir = member_of.first().cloned().ok_or_else(|| {
        BrokerError::unusable(
            &system.name,
            "`member_of` names no role: nobody would inherit what the role makes",
        )
    })?;
    let kept = Kept::Role { admin: used.name.clone(), password: password.clone(), heir };
    broker.keep(&row.id, &kept).await?;
    let mine = broker.order(row.clone()).await?;
    within(&system.name, admin.create(broker, &row, &password, member_of)).await?;
    let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
    let url = admin.url_of(&row.id, &password)?;
    let url = Zeroizing::new(format!("{}{}", used.prefix, url.as_str()));
    let shown = Shown::variables(vec![(used.target.clone(), secret(&url))]).and_masking(secret(&password));
    Ok(Held { minted: Some(mine), ..broker.held(used, shown, row.expires) })
}

/// Lets a role live on with its task. Its record says so first.
pub(crate) async fn extend(
    broker: &Broker,
    system: &System,
    used: &CredentialUse,
    whom: &Whom,
    lifetime: DurationMs,
    held: &mut Held,
) -> Result<(), BrokerError> {
    let Some(mine) = &held.minted else { return Ok(()) };
    let now = broker.now();
    let expires = ends(now, lifetime, whom);
    if expires <= held.expires {
        held.renew_at = held.expires;
        return Ok(());
    }
    let Some((row, version)) = broker.owed(&mine.id).await? else { return Err(BrokerError::Over) };
    let row = Minted { expires, ..row };
    broker.put(row.clone(), version, format!("{POSTGRES_ROLE} lives on with its task {}", row.task)).await?;
    let admin = Admin::read(&system.name, &broker.needed(&system.name, &used.name).await?)?;
    within(&system.name, admin.prolong(&row)).await?;
    (held.expires, held.renew_at) = (expires, renew_at(now, expires));
    Ok(())
}

/// Drops a role and sees that it is gone: nobody is in, nobody gets in, it is not listed. `settle` writes that down while
/// nobody can make the role anew.
///
/// # Errors
/// When it could not be dropped, or nobody could look.
pub(crate) async fn take_back(
    broker: &Broker,
    row: &Minted,
    (admin, password, heir): (&Name, &str, &str),
    settle: impl FnOnce() -> BoxFuture<'static, Result<(), BrokerError>>,
) -> Result<(), BrokerError> {
    let admin = Admin::read(&row.system, &broker.needed(&row.system, admin).await?)?;
    within(&row.system, admin.drop(row, (password, heir), settle)).await
}

fn ends(now: Timestamp, lifetime: DurationMs, whom: &Whom) -> Timestamp {
    now.plus(lifetime).min(whom.task.expires)
}

async fn within<T>(
    system: &Name,
    work: impl Future<Output = Result<T, BrokerError>>,
) -> Result<T, BrokerError> {
    let late = |_late| {
        BrokerError::refused(system, WHO, format!("did not answer within {WORK_MAX:?}; check that it runs"))
    };
    tokio::time::timeout(WORK_MAX, work).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

/// An administrator of a database.
struct Admin {
    system: Name,
    url: Url,
    config: Config,
}

/// A connection, closed when dropped.
struct Session {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Admin {
    fn read(system: &Name, secret: &Secret) -> Result<Self, BrokerError> {
        let unusable = || {
            BrokerError::unusable(
                system,
                "what is sealed is not the connection URL of one server; set it as postgres://user:password@host:5432/database",
            )
        };
        let text = std::str::from_utf8(secret.dangerous_expose()).map_err(|_no_text| unusable())?;
        let url = Url::parse(text.trim()).map_err(|_no_url| unusable())?;
        let mut config: Config = text.trim().parse().map_err(|_no_config| unusable())?;
        let fits = matches!(url.scheme(), "postgres" | "postgresql")
            && config.get_hosts().len() == 1
            && url.host_str().is_some_and(|host| !host.is_empty());
        if !fits {
            return Err(unusable());
        }
        config.application_name("provost").connect_timeout(CONNECT_MAX).options(SESSION);
        Ok(Self { system: system.clone(), url, config })
    }

    async fn open(&self, config: &Config) -> Result<Session, tokio_postgres::Error> {
        let (client, connection) = config.connect(NoTls).await?;
        // What it ends with, the client hears, too.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Session { client, driver })
    }

    async fn create(
        &self,
        broker: &Broker,
        row: &Minted,
        password: &str,
        member_of: &BTreeSet<String>,
    ) -> Result<(), BrokerError> {
        let failed = self.failed("make a role");
        let mut session = self.open(&self.config).await.map_err(&failed)?;
        let work = session.client.transaction().await.map_err(&failed)?;
        work.execute("SELECT pg_advisory_xact_lock($1)", &[&lock_of(&row.id)]).await.map_err(&failed)?;
        let late = broker.now().since(row.made).to_std() > WORK_MAX;
        if late || broker.owed(&row.id).await?.is_none() {
            return Err(BrokerError::Over);
        }
        let members: Vec<&str> = member_of.iter().map(String::as_str).collect();
        let super_users = "SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND rolsuper";
        if let Some(found) = work.query_opt(super_users, &[&members]).await.map_err(&failed)? {
            let name: String = found.try_get(0).map_err(&failed)?;
            let why =
                format!("`{name}` is a superuser, and no agent becomes one: name other roles in `member_of`");
            return Err(BrokerError::unusable(&self.system, why));
        }
        // The server is told a verifier (RFC 5803), so that the password is in no log of its statements.
        let verifier = scram_sha_256(password.as_bytes());
        let within: Vec<String> = members.iter().map(|name| identifier(name)).collect();
        let statement = Zeroizing::new(format!(
            "CREATE ROLE {} LOGIN CONNECTION LIMIT {SESSIONS_MAX} PASSWORD {} VALID UNTIL {} IN ROLE {} ROLE CURRENT_USER",
            identifier(&row.id),
            literal(&verifier),
            literal(&moment(row.expires)),
            within.join(", ")
        ));
        work.batch_execute(&statement).await.map_err(&failed)?;
        work.commit().await.map_err(&failed)
    }

    async fn prolong(&self, row: &Minted) -> Result<(), BrokerError> {
        let failed = self.failed("let a role live on");
        let session = self.open(&self.config).await.map_err(&failed)?;
        let statement =
            format!("ALTER ROLE {} VALID UNTIL {}", identifier(&row.id), literal(&moment(row.expires)));
        session.client.batch_execute(&statement).await.map_err(&failed)
    }

    async fn drop(
        &self,
        row: &Minted,
        (password, heir): (&str, &str),
        settle: impl FnOnce() -> BoxFuture<'static, Result<(), BrokerError>>,
    ) -> Result<(), BrokerError> {
        let failed = self.failed("drop a role");
        let session = self.open(&self.config).await.map_err(&failed)?;
        let client = &session.client;
        client.execute("SELECT pg_advisory_lock($1)", &[&lock_of(&row.id)]).await.map_err(&failed)?;
        let listed = "SELECT oid FROM pg_roles WHERE rolname = $1";
        if let Some(found) = client.query_opt(listed, &[&row.id]).await.map_err(&failed)? {
            let oid: u32 = found.try_get(0).map_err(&failed)?;
            self.empty(client, row, oid, heir).await?;
            client.batch_execute(&format!("DROP ROLE {}", identifier(&row.id))).await.map_err(&failed)?;
        }
        let gone = client.query_opt(listed, &[&row.id]).await.map_err(&failed)?.is_none();
        if !gone {
            return Err(self.still_there(row, "it is listed in pg_roles"));
        }
        self.try_to_enter(row, password).await?;
        // The lock is held until this is written down.
        settle().await
    }

    /// Shuts the door, sends everybody out, and takes the role's belongings.
    async fn empty(&self, client: &Client, row: &Minted, oid: u32, heir: &str) -> Result<(), BrokerError> {
        let failed = self.failed("empty a role");
        let role = identifier(&row.id);
        client.batch_execute(&format!("ALTER ROLE {role} NOLOGIN")).await.map_err(&failed)?;
        let sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = $1";
        let mut looks = 0;
        while !client.query(sessions, &[&oid]).await.map_err(&failed)?.is_empty() {
            looks += 1;
            if looks > LOOKS_MAX {
                return Err(self.still_there(row, "its sessions do not end"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let heir_name = identifier(heir);
        let mut belongings = format!("REASSIGN OWNED BY {role} TO {heir_name}; DROP OWNED BY {role}");
        let is_member = "SELECT pg_has_role(current_user, $1, 'MEMBER')";
        if !client.query_one(is_member, &[&heir]).await.and_then(|row| row.try_get(0)).map_err(&failed)? {
            // Only who belongs to the heir may give it something; the administrator does for this moment.
            belongings = format!(
                "BEGIN; GRANT {heir_name} TO CURRENT_USER; {belongings}; REVOKE {heir_name} FROM CURRENT_USER; COMMIT"
            );
        }
        client.batch_execute(&belongings).await.map_err(&failed)?;
        let elsewhere = "SELECT DISTINCT d.datname FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid \
                         WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = $1 AND d.datallowconn \
                         AND d.datname <> current_database()";
        for found in client.query(elsewhere, &[&oid]).await.map_err(&failed)? {
            let mut there = self.config.clone();
            there.dbname(found.try_get::<_, &str>(0).map_err(&failed)?);
            let there = self.open(&there).await.map_err(&failed)?;
            there.client.batch_execute(&belongings).await.map_err(&failed)?;
        }
        Ok(())
    }

    /// Tries the role at the door.
    async fn try_to_enter(&self, row: &Minted, password: &str) -> Result<(), BrokerError> {
        let mut config = self.config.clone();
        config.user(&row.id).password(password);
        match self.open(&config).await {
            Ok(_inside) => Err(self.still_there(row, "it can still log in")),
            // Class 28: who it says it is was looked at, and refused.
            Err(error) if error.code().is_some_and(|code| code.code().starts_with("28")) => Ok(()),
            Err(error) => Err(self.failed("be asked whether a role is gone")(error)),
        }
    }

    /// The administrator's URL with another user in it, and nothing that belongs to the administrator.
    fn url_of(&self, role: &str, password: &str) -> Result<Zeroizing<String>, BrokerError> {
        let mut url = self.url.clone();
        let set = url.set_username(role).and_then(|()| url.set_password(Some(password)));
        set.map_err(|()| BrokerError::unusable(&self.system, "its URL cannot hold a user"))?;
        let kept: Vec<(String, String)> = self
            .url
            .query_pairs()
            .filter(|(name, _value)| CARRIED.contains(&name.as_ref()))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
        Ok(Zeroizing::new(url.into()))
    }

    fn failed(&self, doing: &'static str) -> impl Fn(tokio_postgres::Error) -> BrokerError {
        let system = self.system.clone();
        move |error| {
            let said = match error.as_db_error() {
                Some(said) => format!("{} ({})", said.message(), said.code().code()),
                None => with_cause(&error),
            };
            BrokerError::refused(&system, WHO, format!("could not {doing}: {said}"))
        }
    }

    fn still_there(&self, row: &Minted, why: &str) -> BrokerError {
        BrokerError::StillThere { system: self.system.clone(), id: row.id.clone(), why: why.to_owned() }
    }
}

/// A driver's error with its cause.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A quoted identifier (PostgreSQL, "Lexical Structure").
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted text without escapes. The session has `standard_conforming_strings` on, as every server does.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .map(|at| at.to_string())
        .unwrap_or_else(|_beyond| "epoch".to_owned())
}

/// A number for the lock of one role: the end of its id, which is random.
fn lock_of(id: &str) -> i64 {
    let tail = id.get(id.len().saturating_sub(16)..).unwrap_or_default();
    u64::from_str_radix(tail, 16).unwrap_or_default().cast_signed()
}

pub(crate) const POSTGRES_ROLE: &str = "postgres-role";
const WHO: &str = "its database";
/// Making or dropping one role, altogether.
const WORK_MAX: Duration = Duration::from_secs(20);
const CONNECT_MAX: Duration = Duration::from_secs(5);
const SESSION: &str = "-c statement_timeout=10s -c lock_timeout=10s -c idle_in_transaction_session_timeout=20s \
                       -c standard_conforming_strings=on";
/// Sessions of one role at once.
const SESSIONS_MAX: u32 = 16;
/// Parameters of the administrator's URL that are the agent's, too: how to reach the server, not as whom.
const CARRIED: [&str; 6] = [
    "sslmode",
    "sslrootcert",
    "sslnegotiation",
    "connect_timeout",
    "application_name",
    "target_session_attrs",
];
const LOOKS_MAX: u32 = 50;
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(url: &str) -> Result<Admin, BrokerError> {
        Admin::read(&"ledger".parse().unwrap(), &Secret::new(url.into()))
    }

    #[test]
    fn the_agents_url_has_nothing_of_the_administrators() {
        let admin = admin(
            "postgres://root:hunter2-hunter2@db.example:5433/shop?sslmode=require&password=hunter3&user=root",
        )
        .unwrap();
        let url = admin.url_of("provost_1", "p-w").unwrap();
        assert_eq!(url.as_str(), "postgres://provost_1:p-w@db.example:5433/shop?sslmode=require");
    }

    #[test]
    fn what_is_no_url_of_one_server_is_refused_without_being_shown() {
        for sealed in [
            "hunter2",
            "https://root:hunter2@db.example/",
            "postgres://root:hunter2@a,b/shop",
            "postgres:///hunter2",
        ] {
            let error = admin(sealed).err().unwrap().to_string();
            assert!(error.contains("connection URL") && !error.contains("hunter2"), "{sealed}: {error}");
        }
    }

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!(identifier("a\"; DROP ROLE b; --"), "\"a\"\"; DROP ROLE b; --\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_ne!(
            lock_of("provost_0123456789abcdef0123456789abcdef"),
            lock_of("provost_0123456789abcdef0123456789abcdee")
        );
        assert_eq!(lock_of("provost_ffffffffffffffffffffffffffffffff"), -1);
    }
}
