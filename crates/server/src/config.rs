//! The configuration, read whole and then meant: flags go before the environment (clap sees to that), the environment
//! before the file, the file before what is built in. Every fault is told at once, before anything is opened.

mod file;
mod show;

pub(crate) use show::{lines, show};

use file::Found;
use provost_api::problem::Fault;
use provost_cli::{Exit, Failure, Global, node::ConfigArgs};
use provost_domain::{DurationMs, Environment, limits::Limits};
use provost_token::Algorithm;
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use url::Url;
use zeroize::Zeroizing;

/// What a plane is run with.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The file it came from, if any.
    pub file: Option<PathBuf>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The address clients use, without a slash at its end; follows from `listen`, if absent.
    pub public_url: Option<String>,
    /// Further names it is served under.
    pub public_names: Vec<String>,
    /// The folder of its files.
    pub data: PathBuf,
    /// Its database.
    pub store: StoreAt,
    /// Bounds.
    pub limits: Limits,
    /// The longest a task token is good for.
    pub token_lifetime_max: DurationMs,
    /// Environments whose agents get tokens that are bound to a key only.
    pub bound_tokens: BTreeSet<Environment>,
    /// What access tokens are signed with.
    pub token_algorithm: Algorithm,
    /// What security events are signed with.
    pub signal_algorithm: Algorithm,
    /// How long calls under way may go on once it is told to stop.
    pub drain_max: DurationMs,
    /// How often journalled records become leaves of the ledger.
    pub sequence_every: DurationMs,
    /// How often the store is asked for changes; a fraction of `limits.staleness_max`.
    pub follow_every: DurationMs,
    /// The only hosts systems may have; all, if absent.
    pub system_hosts: Option<BTreeSet<String>>,
    /// The HTTP proxy to reach systems through.
    pub system_proxy: Option<String>,
    /// The hosts of systems that may be inside a network.
    pub system_private_hosts: BTreeSet<String>,
    /// Whether systems may be on this machine.
    pub system_loopback: bool,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub(crate) enum StoreAt {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server; the URL without its password.
    Postgres {
        /// Without a password.
        url: Url,
        /// The password.
        password: Option<Password>,
    },
}

/// A password that no `Debug` shows.
#[derive(Clone)]
pub(crate) struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Config {
    /// What is built in, for a plane that reads neither file nor environment.
    pub(crate) fn built_in(listen: SocketAddr, data: PathBuf) -> Self {
        let limits = Limits::default();
        Self {
            file: None,
            listen,
            public_url: None,
            public_names: Vec::new(),
            store: StoreAt::Sqlite(data.join("provost.db")),
            data,
            follow_every: follow_every(&limits),
            limits,
            token_lifetime_max: TOKEN_LIFETIME_DEFAULT,
            bound_tokens: BTreeSet::from([Environment::Production]),
            token_algorithm: Algorithm::EdDsa,
            signal_algorithm: Algorithm::Es256,
            drain_max: DRAIN_DEFAULT,
            sequence_every: SEQUENCE_EVERY_DEFAULT,
            system_hosts: None,
            system_proxy: None,
            system_private_hosts: BTreeSet::new(),
            system_loopback: true,
        }
    }
}

impl StoreAt {
    /// The URL with the password in it, for the driver alone.
    pub(crate) fn dangerous_url(url: &Url, password: Option<&Password>) -> Zeroizing<String> {
        let mut url = url.clone();
        if let Some(password) = password {
            // Fails for URLs without a host only, and those were refused.
            let _set = url.set_password(Some(password.0.as_str()));
        }
        Zeroizing::new(url.into())
    }
}

/// Reads everything that says how to run, and means it.
///
/// # Errors
/// Every fault at once, with exit code 64.
pub(crate) fn read(args: &ConfigArgs, global: &Global) -> Result<Config, Failure> {
    let file = file_of(args)?;
    let (found, mut faults) = match &file {
        Some((path, text)) => file::read(path, text),
        None => (Found::default(), Vec::new()),
    };
    let config = mean(file.map(|(path, _)| path), found, args, global, &mut faults);
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(refused(faults)),
    }
}

/// The file that was named must be there; the one by default may be.
fn file_of(args: &ConfigArgs) -> Result<Option<(PathBuf, String)>, Failure> {
    let (path, named) = match &args.config {
        Some(path) => (path.clone(), true),
        None => (PathBuf::from(FILE_DEFAULT), false),
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => Ok(None),
        Err(error) => Err(Failure::new(format!("the configuration file {} cannot be read", path.display()))
            .exit(Exit::Configuration)
            .because(error)
            .cure("name another with --config, or make it readable")),
    }
}

fn mean(
    file: Option<PathBuf>,
    found: Found,
    args: &ConfigArgs,
    global: &Global,
    faults: &mut Vec<Fault>,
) -> Option<Config> {
    let data =
        global.data.clone().or(found.data).unwrap_or_else(|| PathBuf::from(provost_cli::args::DATA_DEFAULT));
    let listen = args.listen.clone().or(found.listen).unwrap_or_else(|| LISTEN_DEFAULT.to_owned());
    let listen = listen.parse::<SocketAddr>().map_err(|_no_address| {
        faults.push(fault(
            format!("`listen` is not an address with a port: `{listen}`"),
            "write it as 127.0.0.1:7070",
        ));
    });
    let public_url = args.public_url.clone().or(found.public_url).map(|text| public_url(&text, faults));
    let store = args.store.clone().or(found.store);
    let store = store_at(store.as_deref(), &data, found.store_password_file.as_deref(), faults);
    let limits = found.limits.unwrap_or_default();
    Some(Config {
        file,
        listen: listen.ok()?,
        public_url: public_url.flatten(),
        public_names: found.public_names,
        data,
        store: store?,
        follow_every: follow_every(&limits),
        limits,
        token_lifetime_max: found.token_lifetime_max.unwrap_or(TOKEN_LIFETIME_DEFAULT),
        bound_tokens: found.bound_tokens.unwrap_or_else(|| BTreeSet::from([Environment::Production])),
        token_algorithm: found.token_algorithm.unwrap_or(Algorithm::EdDsa),
        signal_algorithm: found.signal_algorithm.unwrap_or(Algorithm::Es256),
        drain_max: found.drain_max.unwrap_or(DRAIN_DEFAULT),
        sequence_every: found.sequence_every.unwrap_or(SEQUENCE_EVERY_DEFAULT),
        system_hosts: found.system_hosts,
        system_proxy: found.system_proxy,
        system_private_hosts: found.system_private_hosts,
        system_loopback: found.system_loopback.unwrap_or(true),
    })
}

/// Three looks within a lease at least: one that is late must not stop every decision.
fn follow_every(limits: &Limits) -> DurationMs {
    DurationMs((limits.staleness_max.0 / 4).clamp(1, FOLLOW_EVERY_MAX.0))
}

fn public_url(text: &str, faults: &mut Vec<Fault>) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if url.is_none() {
        faults.push(fault(
            format!("`public_url` is not an address clients can use: `{text}`"),
            "write it as https://provost.example.com",
        ));
    }
    url.map(|url| url.as_str().trim_end_matches('/').to_owned())
}

fn store_at(
    text: Option<&str>,
    data: &Path,
    password_file: Option<&Path>,
    faults: &mut Vec<Fault>,
) -> Option<StoreAt> {
    let Some(text) = text else { return Some(StoreAt::Sqlite(data.join("provost.db"))) };
    let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if !postgres {
        if text.contains("://") {
            faults.push(fault(
                "`store` is neither a file nor postgres://…".to_owned(),
                "name a SQLite file, or a database as postgres://user@host/name",
            ));
            return None;
        }
        return Some(StoreAt::Sqlite(PathBuf::from(text)));
    }
    let Ok(mut url) = Url::parse(text) else {
        // The text may hold a password, so it is not quoted.
        faults.push(fault(
            "`store` is not the address of a database".to_owned(),
            "write it as postgres://user@host:5432/name",
        ));
        return None;
    };
    let inline = url.password().map(|password| Password(Zeroizing::new(password.to_owned())));
    let _cleared = url.set_password(None);
    Some(StoreAt::Postgres { url, password: password(inline, password_file, faults) })
}

/// From the file that was named, else the environment, else the URL.
fn password(inline: Option<Password>, file: Option<&Path>, faults: &mut Vec<Fault>) -> Option<Password> {
    if let Some(file) = file {
        match std::fs::read_to_string(file) {
            Ok(text) => {
                return Some(Password(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned())));
            }
            Err(error) => faults.push(fault(
                format!("`store_password_file` {} cannot be read: {error}", file.display()),
                "name a file that holds the password and nothing else",
            )),
        }
    }
    match std::env::var(PASSWORD_ENV) {
        Ok(text) if !text.is_empty() => Some(Password(Zeroizing::new(text))),
        _ => inline,
    }
}

fn refused(faults: Vec<Fault>) -> Failure {
    let n = faults.len();
    Failure::new(format!(
        "the configuration cannot be meant: {n} {}",
        if n == 1 { "fault" } else { "faults" }
    ))
    .exit(Exit::Configuration)
    .faults(faults)
    .means("nothing was started")
    .cure("mend them all, then look with `provost config show`")
}

/// A fault that stands in no file.
fn fault(what: String, cure: &str) -> Fault {
    Fault {
        severity: provost_api::problem::Severity::Error,
        file: None,
        line: None,
        column: None,
        width: None,
        excerpt: None,
        what,
        cure: Some(cure.to_owned()),
    }
}

/// The environment variable with the database's password.
pub(crate) const PASSWORD_ENV: &str = "PROVOST_STORE_PASSWORD";
const FILE_DEFAULT: &str = "provost.toml";
const LISTEN_DEFAULT: &str = "127.0.0.1:7070";
const TOKEN_LIFETIME_DEFAULT: DurationMs = DurationMs::from_mins(15);
const DRAIN_DEFAULT: DurationMs = DurationMs::from_secs(10);
const SEQUENCE_EVERY_DEFAULT: DurationMs = DurationMs(200);
const FOLLOW_EVERY_MAX: DurationMs = DurationMs(250);

#[cfg(test)]
mod tests {
    use super::*;

    fn args(dir: &Path, text: &str) -> (ConfigArgs, Global) {
        let path = dir.join("provost.toml");
        std::fs::write(&path, text).unwrap();
        let global = Global { url: None, data: None, json: false };
        (ConfigArgs { config: Some(path), ..ConfigArgs::default() }, global)
    }

    #[test]
    fn every_fault_is_told_at_once_and_ends_with_64() {
        let dir = tempfile::tempdir().unwrap();
        let text = "lisen = '127.0.0.1:1'\nlisten = 'here'\npublic_url = 'ftp://x'\ntoken_lifetime_max = 3\ntoken_algorithm = 'HS256'\nsignal_algorithm = 'none'\n\
            [limits]\nbody_bytes_max = 'big'\nbody_byte_max = 3\nstaleness_max = 'soon'\n[journal]\nx = 1\n";
        let (args, global) = args(dir.path(), text);
        let failure = read(&args, &global).unwrap_err();
        assert_eq!(failure.exit, Exit::Configuration);
        let faults: Vec<_> = failure.faults.iter().map(|fault| fault.what.as_str()).collect();
        for part in [
            "lisen",
            "`listen` is not",
            "public_url",
            "token_lifetime_max",
            "token_algorithm",
            "signal_algorithm",
            "`body_bytes_max`",
            "body_byte_max",
            "staleness_max",
            "`x`",
        ] {
            assert!(faults.iter().any(|fault| fault.contains(part)), "{part} in {faults:#?}");
        }
        assert_eq!(faults.len(), 10, "{faults:#?}");
        assert!(
            failure.faults.iter().any(|f| f.cure.as_deref().is_some_and(|cure| cure.contains("`listen`")))
        );
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_what_is_built_in() {
        let dir = tempfile::tempdir().unwrap();
        let (mut args, global) = args(dir.path(), "listen = '127.0.0.1:1'\n[limits]\nstaleness_max = '1s'\n");
        let config = read(&args, &global).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!((config.limits.staleness_max.0, config.follow_every.0), (1_000, 250));
        args.listen = Some("127.0.0.1:2".to_owned());
        assert_eq!(read(&args, &global).unwrap().listen.port(), 2);
    }

    #[test]
    fn a_password_in_the_store_address_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let (args, global) = args(dir.path(), "store = 'postgres://u:hunter2@db/p'\n");
        let config = read(&args, &global).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&show(&config)).unwrap().contains("hunter2"));
        let StoreAt::Postgres { url, password } = &config.store else { panic!("not postgres") };
        assert_eq!(StoreAt::dangerous_url(url, password.as_ref()).as_str(), "postgres://u:hunter2@db/p");
    }
}
