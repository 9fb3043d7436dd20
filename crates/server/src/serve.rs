//! Starting, serving, and stopping without losing anything.
//!
//! ```text
//! signal -> no new connections -> calls under way end, at most drain_max -> ledger caught up -> store closed
//! ```
//! Calls that are cut off at the end of the drain have no outcome; the next start marks them `unknown`.

use crate::{
    assemble::{self, Assembled},
    config::{Config, StoreAt},
    data::Data,
    drain, log,
};
use provost_cli::{Exit, Failure, client::TOKEN_FILE};
use provost_control::{
    Plane, autonomy, baseline, check, containment, drill, gone, housekeeping, inventory, outbox, passkey,
    rule, sequencer, token_keys, upkeep,
};
use provost_domain::DurationMs;
use std::{future::IntoFuture as _, io::Write as _, net::SocketAddr, path::Path, sync::Arc};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use zeroize::Zeroizing;

/// A plane that is being served.
pub(crate) struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The plane itself.
    pub plane: Arc<Plane>,
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    workers: Vec<JoinHandle<()>>,
    drain_max: DurationMs,
    /// Held until everything is closed.
    _data: Data,
}

/// Serves until a signal says stop.
///
/// # Errors
/// Why it does not start, or broke down.
pub(crate) async fn serve(config: Config, adopt: Option<u64>) -> Result<Exit, Failure> {
    log::to_stderr();
    let running = start(&config, adopt).await?;
    let address = running.plane.issuer.clone();
    tracing::info!(listen = %running.addr, address, node = %running.plane.node, data = %config.data.display(), "serving");
    let token = config.data.join(provost_cli::client::TOKEN_FILE);
    tracing::info!(token = %token.display(), "the command line finds the administrator's token by itself; try `provost status`");
    invite_first(&running).await?;
    if !running.addr.ip().is_loopback() {
        tracing::warn!(listen = %running.addr, "listening beyond this machine, in clear text: put TLS in front of it");
    }
    if matches!(config.store, StoreAt::Postgres { .. }) && config.public_url.is_none() {
        tracing::warn!(
            "no public_url is set: task tokens are good on this node only, not on others of the same plane"
        );
    }
    running.until_told().await
}

/// Opens everything and starts serving.
///
/// # Errors
/// Why it does not start, in four parts.
pub(crate) async fn start(config: &Config, adopt: Option<u64>) -> Result<Running, Failure> {
    let data = Data::take(&config.data)?;
    let listener = listen(config.listen).await?;
    let addr =
        listener.local_addr().map_err(|error| Failure::new("the listener has no address").because(error))?;
    let Assembled { plane, router, broker } = assemble::assemble(config, &data, addr, adopt).await?;
    let own_faces = door(data.path(), addr)?;
    // Set once: the plane was just made.
    let _first = plane.door.set(Arc::new(door(data.path(), addr)?));
    let (stop, stopped) = watch::channel(false);
    let workers = vec![
        tokio::spawn(Arc::clone(&plane.replica).follow(config.follow_every, stopped.clone())),
        tokio::spawn(inventory::lay_out(Arc::clone(&plane))),
        tokio::spawn(sequencer::run(Arc::clone(&plane), config.sequence_every, stopped.clone())),
        tokio::spawn(token_keys::follow(Arc::clone(&plane), stopped.clone())),
        tokio::spawn(housekeeping::run(Arc::clone(&plane), HOUSE_KEPT_EVERY, stopped.clone())),
        tokio::spawn(outbox::run(Arc::clone(&plane), stopped.clone())),
        tokio::spawn(check::run(Arc::clone(&plane), CHECKS_LOOKED_FOR_EVERY, stopped.clone())),
        tokio::spawn(gone::run(Arc::clone(&plane), own_faces, stopped.clone())),
        tokio::spawn(containment::clean::run(Arc::clone(&plane), stopped.clone())),
        tokio::spawn(containment::prove::run(Arc::clone(&plane), stopped.clone())),
        tokio::spawn(drill::follow(Arc::clone(&plane), stopped.clone())),
        tokio::spawn(rule::follow(Arc::clone(&plane), stopped.clone())),
        tokio::spawn(baseline::follow(Arc::clone(&plane), stopped.clone())),
        tokio::spawn(autonomy::follow(Arc::clone(&plane), stopped.clone())),
        tokio::spawn(upkeep::run(Arc::clone(&plane), AGENTS_LOOKED_AFTER_EVERY, stopped.clone())),
        tokio::spawn(provost_broker::follow(broker, stopped.clone())),
    ];
    let router = drain::ends_with(router, stopped.clone());
    let server = axum::serve(listener, router).with_graceful_shutdown(told(stopped));
    let server = tokio::spawn(server.into_future());
    Ok(Running { addr, plane, stop, server, workers, drain_max: config.drain_max, _data: data })
}

impl Running {
    /// Waits for SIGTERM or SIGINT, or for the server to break down, and stops in order.
    ///
    /// # Errors
    /// When the server broke down.
    pub(crate) async fn until_told(mut self) -> Result<Exit, Failure> {
        let signal = tokio::select! {
            signal = signal() => signal?,
            ended = &mut self.server => return Err(Failure::new("the listener broke down").because(format!("{ended:?}"))),
        };
        tracing::info!(signal, drain_max = %self.drain_max, "stopping: no new calls, those under way may end; a second signal ends them");
        self.stop().await;
        Ok(Exit::Ok)
    }

    /// Stops in order: connections, workers, ledger, store.
    pub(crate) async fn stop(mut self) {
        let _heard = self.stop.send(true);
        let drained = tokio::select! {
            drained = tokio::time::timeout(self.drain_max.to_std(), &mut self.server) => drained.is_ok(),
            _impatient = signal() => false,
        };
        if !drained {
            self.server.abort();
            tracing::warn!(
                "calls were still under way when the drain ended; the next start marks them unknown"
            );
        }
        for worker in self.workers {
            worker.abort();
            let _ended = worker.await;
        }
        if let Err(error) = sequencer::sequence_all(&self.plane).await {
            tracing::warn!(%error, "some records stay journalled, to be sequenced at the next start");
        }
        self.plane.store.close().await;
        tracing::info!("stopped");
    }
}

/// Prints the first administrator's link, as long as nobody could sign in. It goes to the terminal and to no log: whoever has it
/// becomes an administrator.
async fn invite_first(running: &Running) -> Result<(), Failure> {
    match passkey::invite::first(&running.plane).await {
        Ok(Some(link)) => {
            let said = writeln!(
                std::io::stdout(),
                "Become the first administrator, with a passkey; this link is good once, until {}:\n  {}",
                link.expires,
                link.url
            );
            said.map_err(|error| {
                Failure::new("the first administrator's link could not be printed").because(error)
            })
        }
        Ok(None) => {
            if let Err(error) = passkey::party(&running.plane) {
                let text = error.text();
                tracing::warn!(
                    because = text.because.as_deref(),
                    cure = text.cure.as_deref(),
                    "passkeys do not work at this address"
                );
            }
            Ok(())
        }
        Err(error) => Err(Failure::new("the first administrator's link could not be made")
            .because(provost_cli::failure::chain(&error))),
    }
}

async fn listen(addr: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(addr).await.map_err(|error| {
        let cure = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "stop what listens there, or listen elsewhere with --listen 127.0.0.1:PORT"
            }
            std::io::ErrorKind::PermissionDenied => "use a port above 1023, with --listen",
            _ => "use an address of this machine, with --listen",
        };
        Failure::new(format!("refusing to start: cannot listen on {addr}"))
            .because(error)
            .means("nothing was started")
            .cure(cure)
    })
}

/// Where the plane tries for itself whether its ended tasks are gone, with the token that stands in its own folder.
fn door(data: &Path, addr: SocketAddr) -> Result<gone::Door, Failure> {
    let path = data.join(TOKEN_FILE);
    let text = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| {
        Failure::new("refusing to start: the administrator token cannot be read back")
            .because(error)
            .means("the plane could not try whether its ended tasks are gone")
            .cure(format!("remove {}; the next start makes a new one", path.display()))
    })?;
    Ok(gone::Door::new(addr, Zeroizing::new(text.trim().to_owned())))
}

async fn told(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone: stop, too.
    let _told = stop.wait_for(|stop| *stop).await;
}

async fn signal() -> Result<&'static str, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error: std::io::Error| Failure::new("signals cannot be heard").because(error);
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    })
}

const CHECKS_LOOKED_FOR_EVERY: DurationMs = DurationMs::from_mins(1);
const AGENTS_LOOKED_AFTER_EVERY: std::time::Duration = std::time::Duration::from_secs(60);
const HOUSE_KEPT_EVERY: DurationMs = DurationMs::from_mins(1);
