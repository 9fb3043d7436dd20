//! A wire to the database that can be cut: what is sent afterwards is swallowed, and nothing says so.

use anyhow::Context as _;
use std::net::SocketAddr;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// One wire.
pub(crate) struct Wire {
    addr: SocketAddr,
    target: String,
    cut: watch::Sender<bool>,
}

impl Wire {
    /// To the database of this URL.
    ///
    /// # Errors
    /// When it names no host and port, or nothing can listen here.
    pub(crate) async fn to(url: &str) -> anyhow::Result<Self> {
        let rest = url.split_once("://").map_or(url, |(_scheme, rest)| rest);
        let place = rest.split('/').next().unwrap_or(rest);
        let target = place.rsplit('@').next().filter(|target| target.contains(':'));
        let target = target.context("the database needs a host and a port to be cut off from")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (cut, heard) = watch::channel(false);
        let this = Self { addr: listener.local_addr()?, target: target.clone(), cut };
        tokio::spawn(async move {
            while let Ok((near, _from)) = listener.accept().await {
                if let Ok(far) = TcpStream::connect(&target).await {
                    tokio::spawn(carry(near, far, heard.clone()));
                }
            }
        });
        Ok(this)
    }

    /// The same database through the wire.
    pub(crate) fn url(&self, url: &str) -> String {
        url.replacen(&self.target, &self.addr.to_string(), 1)
    }

    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }
}

async fn carry(mut near: TcpStream, mut far: TcpStream, mut cut: watch::Receiver<bool>) {
    let is_cut = tokio::select! {
        biased;
        cut = cut.wait_for(|cut| *cut) => cut.is_ok(),
        _ended = copy_bidirectional(&mut near, &mut far) => false,
    };
    if is_cut {
        // Both ends stay open, and neither hears anything more.
        std::future::pending::<()>().await;
    }
}
