//! From a configuration to a plane: store → replica → control → gateway → web. Nothing listens here yet, and nothing
//! is decided before the database was compared with the checkpoint file.

use crate::{
    askers::Tokens,
    config::{Config, StoreAt},
    data::{Data, sealing_key},
    planter::ThroughPipeline,
};
use provost_broker::{Broker, BrokerParts, Signer};
use provost_cli::{Failure, client::TOKEN_FILE, failure::chain};
use provost_connect::{Config as UpstreamConfig, HostPolicy, Marks, Upstreams};
use provost_control::{
    Op, Operator, OsRandom, Plane, anchor, keys, metrics::Metrics, session, token_keys::TokenKeys, unfinished,
};
use provost_domain::{Clock, NodeId};
use provost_gateway::{Hosts, Identifier, Parts, Pipeline, authzen, held, lease, mcp, metadata, proxy, wrap};
use provost_replica::Replica;
use provost_store::{Store, SystemClock};
use provost_store_postgres::PostgresStore;
use provost_store_sqlite::SqliteStore;
use std::{net::SocketAddr, sync::Arc};
use url::Url;

/// A plane that is ready to be served.
pub(crate) struct Assembled {
    /// What administration works with.
    pub plane: Arc<Plane>,
    /// Everything it serves.
    pub router: axum::Router,
    /// What systems are shown.
    pub broker: Arc<Broker>,
}

/// Opens the plane and makes it ready, or says in four parts why not.
///
/// # Errors
/// Whatever stands in the way of starting.
pub(crate) async fn assemble(
    config: &Config,
    data: &Data,
    listen: SocketAddr,
    adopt: Option<u64>,
) -> Result<Assembled, Failure> {
    let plane = open(config, data, listen).await?;
    match adopt {
        Some(size) => self::adopt(&plane, size, "started with --adopt-ledger").await?,
        None => check_anchor(&plane).await?,
    }
    let marked = unfinished::mark_unknown(&plane).await.map_err(|error| store_failed(&error))?;
    if marked > 0 {
        tracing::warn!(
            calls = marked,
            "calls were under way when this node stopped; their outcome is unknown"
        );
    }
    let token = data.path().join(TOKEN_FILE);
    session::ensure_local_token(plane.store.as_ref(), &OsRandom, plane.node, &token).await.map_err(
        |error| {
            Failure::new("refusing to start: there is no administrator token")
                .because(chain(&error))
                .means("nobody could administer this plane")
                .cure(format!("remove {}; the next start makes a new one", token.display()))
        },
    )?;
    let broker = broker(config, &plane)?;
    let router = router(config, &plane, Arc::clone(&broker), listen)?;
    Ok(Assembled { plane, router, broker })
}

/// Opens store, keys and view; neither compares nor serves anything.
///
/// # Errors
/// Whatever cannot be opened.
pub(crate) async fn open(config: &Config, data: &Data, listen: SocketAddr) -> Result<Arc<Plane>, Failure> {
    let issuer = config.public_url.clone().unwrap_or_else(|| format!("http://{listen}"));
    let node = data.node()?;
    let sealing = sealing_key(config)?;
    let store = store(config, node).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keys_failed = |error: keys::KeysError| {
        Failure::new("refusing to start: a signing key of the plane cannot be had").because(chain(&error))
            .means("tokens and checkpoints could not be signed, or not be verified by anybody who knows this plane")
            .cure("use the sealing key this database was made with (nodes of one plane share one: copy the file, or set PROVOST_SEALING_KEY)")
    };
    let token_keys =
        TokenKeys::load(store.as_ref(), &sealing, &OsRandom, &issuer).await.map_err(keys_failed)?;
    let token_keys = token_keys
        .signalling_with(config.signal_algorithm, store.as_ref(), &sealing, &OsRandom)
        .await
        .map_err(keys_failed)?;
    let origin = format!("{}/ledger/{node}", host_of(&issuer));
    let ledger_key =
        keys::ledger_key(store.as_ref(), &sealing, &OsRandom, &origin).await.map_err(keys_failed)?;
    let replica =
        Replica::load(Arc::clone(&store), Arc::clone(&clock)).await.map_err(|error| store_failed(&error))?;
    Ok(Arc::new(Plane {
        store,
        replica,
        clock,
        random: Arc::new(OsRandom),
        limits: config.limits.clone(),
        node,
        issuer,
        token_lifetime_max: config.token_lifetime_max,
        token_keys: Arc::new(token_keys.signing_with(config.token_algorithm)),
        documents: Default::default(),
        trusted: provost_control::trusted::Trusted::default(),
        bound_tokens: config.bound_tokens.clone(),
        ledger_key,
        sealing_key: sealing,
        upstreams: upstreams(config)?,
        data: data.path().to_owned(),
        outbox: Default::default(),
        inventory: Default::default(),
        metrics: Metrics::default(),
        quality: Default::default(),
        lifted: Default::default(),
        connectors: Default::default(),
        checks: Default::default(),
        door: Default::default(),
    }))
}

/// Accepts the database as it is, for the record.
///
/// # Errors
/// When `size` is not the size in the database, or the store fails.
pub(crate) async fn adopt(plane: &Arc<Plane>, size: u64, reason: &str) -> Result<(), Failure> {
    let op = Op {
        subject: Operator::LocalAdministrator,
        request_id: "adopt".to_owned(),
        plane: Arc::clone(plane),
    };
    anchor::adopt(&op, size, reason).await.map_err(|error| {
        let text = error.text();
        Failure {
            because: text.because.clone().map(Into::into),
            cure: text.cure.clone().map(Into::into),
            ..Failure::new(format!("the ledger was not adopted: {}", text.what)).means("nothing was changed")
        }
    })
}

async fn check_anchor(plane: &Plane) -> Result<(), Failure> {
    anchor::check(plane).await.map_err(|error| four_parts(&error.explain()))
}

/// The parts of an explanation that is already written in lines.
fn four_parts(text: &str) -> Failure {
    let mut lines = text.lines();
    let mut failure = Failure::new(lines.next().unwrap_or_default());
    for line in lines {
        let line = line.trim_start();
        if let Some(because) = line.strip_prefix("because: ") {
            failure = failure.because(because);
        } else if let Some(means) = line.strip_prefix("this means: ") {
            failure = failure.means(means);
        } else if let Some(cure) = line.strip_prefix("do: ") {
            failure = failure.cure(cure);
        }
    }
    failure
}

async fn store(config: &Config, node: NodeId) -> Result<Arc<dyn Store>, Failure> {
    match &config.store {
        StoreAt::Sqlite(path) => {
            let (path, limits) = (path.clone(), config.limits.clone());
            let opened = tokio::task::spawn_blocking(move || SqliteStore::open(&path, &limits)).await;
            let opened =
                opened.map_err(|error| Failure::new("the store could not be opened").because(error))?;
            Ok(Arc::new(opened.map_err(|error| store_failed(&error))?))
        }
        StoreAt::Postgres { url, password } => {
            let url = StoreAt::dangerous_url(url, password.as_ref());
            let opened = PostgresStore::connect(&url, &config.limits, node).await;
            Ok(Arc::new(opened.map_err(|error| store_failed(&error))?))
        }
    }
}

fn store_failed(error: &provost_store::StoreError) -> Failure {
    Failure::new("refusing to start: the database cannot be opened")
        .because(chain(error))
        .means("a plane without its record decides nothing")
        .cure("make sure the database is there, free and writable; `provost config show` says which one is meant")
}

fn upstreams(config: &Config) -> Result<Upstreams, Failure> {
    let hosts = HostPolicy {
        only: config.system_hosts.clone(),
        private: config.system_private_hosts.clone(),
        loopback: config.system_loopback,
        ..HostPolicy::default()
    };
    let upstream = UpstreamConfig {
        hosts,
        proxy: config.system_proxy.clone(),
        ..UpstreamConfig::new(config.limits.clone())
    };
    Upstreams::new(upstream).map_err(|error| {
        Failure::new("refusing to start: systems could not be reached")
            .exit(provost_cli::Exit::Configuration)
            .because(chain(&error))
    })
}

fn broker(config: &Config, plane: &Plane) -> Result<Arc<Broker>, Failure> {
    Ok(Broker::new(BrokerParts {
        store: Arc::clone(&plane.store),
        replica: Arc::clone(&plane.replica),
        clock: Arc::clone(&plane.clock),
        sealing: Arc::new(sealing_key(config)?),
        upstreams: plane.upstreams.clone(),
        node: plane.node,
        issuer: plane.issuer.clone(),
        signer: Arc::clone(&plane.token_keys) as Arc<dyn Signer>,
    }))
}

fn router(
    config: &Config,
    plane: &Arc<Plane>,
    broker: Arc<Broker>,
    listen: SocketAddr,
) -> Result<axum::Router, Failure> {
    let names = || config.public_names.iter().cloned().chain(Some(host_of(&plane.issuer)));
    let hosts = Arc::new(Hosts::new(names()));
    let resource = format!("{}/mcp", plane.issuer);
    let keys = Arc::clone(&plane.token_keys);
    let verifiers: provost_gateway::Verifiers = Arc::new(move || keys.verifier());
    let pipeline = Arc::new(Pipeline::from(Parts {
        store: Arc::clone(&plane.store),
        replica: Arc::clone(&plane.replica),
        clock: Arc::clone(&plane.clock),
        limits: config.limits.clone(),
        node: plane.node,
        identifier: Identifier::new(verifiers, resource.clone(), plane.now()),
        upstreams: plane.upstreams.clone(),
        broker,
        marks: Marks::of(&plane.sealing_key).map_err(|error| {
            Failure::new("refusing to start: the marks of checks cannot be made").because(chain(&error))
        })?,
    }));
    plane.checks.ask_through(Arc::new(ThroughPipeline(Arc::clone(&pipeline))));
    let counted = Arc::clone(&pipeline);
    plane.metrics.add_source(Arc::new(move || counted.metrics().render()));
    let authzen = authzen::Authzen::new(authzen::AuthzenParts {
        pipeline: Arc::clone(&pipeline),
        askers: Arc::new(Tokens::new(Arc::clone(plane))),
        hosts: Arc::clone(&hosts),
        public_url: plane.issuer.clone(),
    });
    let asked_after = held::router(Arc::clone(&pipeline), Arc::clone(&hosts));
    let wrapped = wrap::router(Arc::clone(&pipeline), Arc::clone(&hosts));
    let leased = lease::router(Arc::clone(&pipeline), Arc::clone(&hosts));
    let proxied =
        proxy::Proxy::new(proxy::ProxyParts { pipeline: Arc::clone(&pipeline), hosts: Arc::clone(&hosts) });
    let front = mcp::Front::new(mcp::FrontParts { pipeline, hosts: Arc::clone(&hosts) });
    let metadata = metadata::Metadata { resource, issuer: plane.issuer.clone(), hosts };
    let gateway = front
        .router()
        .merge(proxied.router())
        .merge(authzen.router())
        .merge(wrapped)
        .merge(asked_after)
        .merge(leased)
        .merge(metadata::router(metadata));
    let app = provost_web::App::new(Arc::clone(plane))
        .map_err(|error| Failure::new("the OpenAPI document cannot be written").because(error))?;
    Ok(provost_web::router(app, provost_web::Hosts::new(listen, names()), gateway))
}

/// The host of a URL, without port.
fn host_of(url: &str) -> String {
    Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| "localhost".to_owned())
}
