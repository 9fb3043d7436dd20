//! Names into addresses, judged before anything is sent. The connection is made to the very answer that was judged: a
//! name that answers differently the second time is not asked a second time.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use crate::address::{Kind, kind};
use crate::upstreams::HostPolicy;

/// A resolver that gives only addresses the policy allows.
#[derive(Clone)]
pub(crate) struct Judged {
    hosts: HostPolicy,
    /// The plane's own HTTP proxy, which may stand where systems may not.
    proxy: Option<String>,
    lookup: Lookup,
}

type Found = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;
type Lookup = Arc<dyn Fn(String) -> Found + Send + Sync>;

impl Judged {
    pub(crate) fn new(hosts: &HostPolicy, proxy: Option<String>) -> Self {
        Self::with(hosts, proxy, Arc::new(|name| Box::pin(system_lookup(name))))
    }

    fn with(hosts: &HostPolicy, proxy: Option<String>, lookup: Lookup) -> Self {
        Self { hosts: hosts.clone(), proxy, lookup }
    }

    async fn addresses(self, name: String) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let found = (self.lookup)(name.clone()).await?;
        if self.proxy.as_deref() != Some(name.as_str()) {
            // One answer inside a network among public ones is no accident: the name is refused whole.
            found.iter().try_for_each(|address| self.hosts.judge(&name, *address))?;
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let (judged, name) = (self.clone(), name.as_str().to_ascii_lowercase());
        Box::pin(async move {
            let addresses = judged.addresses(name).await?;
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

async fn system_lookup(name: String) -> std::io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

impl HostPolicy {
    /// Whether a host may be reached at this address.
    ///
    /// # Errors
    /// [`Refused`] with the host, the address, and the setting that would allow it.
    pub(crate) fn judge(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        if self.private.contains(bare(host).as_str()) {
            return Ok(());
        }
        let what = match kind(address) {
            Kind::Public => return Ok(()),
            Kind::Loopback if self.loopback && is_this_machine(host) => return Ok(()),
            Kind::Loopback => "this machine",
            Kind::Special(what) => what,
        };
        Err(Refused { host: host.to_owned(), address, what })
    }
}

/// A name that leads inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{host}` is at {address} ({what}), where systems may not be; if that is meant, name the host in `[systems] private_hosts`"
)]
pub(crate) struct Refused {
    host: String,
    address: IpAddr,
    what: &'static str,
}

/// A host without brackets, without the dot of the root, in small letters.
pub(crate) fn bare(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a host is this machine by its own words, not by what a name server says of it.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let host = bare(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| kind(address) == Kind::Loopback)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn says(answers: &'static [&'static str]) -> Lookup {
        Arc::new(move |_name| {
            Box::pin(async move { Ok(answers.iter().map(|address| address.parse().unwrap()).collect()) })
        })
    }

    async fn asked(
        hosts: &HostPolicy,
        name: &str,
        answers: &'static [&'static str],
    ) -> Result<usize, String> {
        let found = Judged::with(hosts, None, says(answers)).addresses(name.to_owned()).await;
        found.map(|found| found.len()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_whole_unless_it_is_on_the_list() {
        let open = HostPolicy::default();
        assert_eq!(asked(&open, "shop.example", &["8.8.8.8", "2606:4700::1111"]).await, Ok(2));
        let inside: [&'static [&'static str]; 7] = [
            &["10.0.0.5"],
            &["8.8.8.8", "10.0.0.5"],
            &["169.254.169.254"],
            &["fd00:ec2::254"],
            &["::ffff:192.168.0.1"],
            &["127.0.0.1"],
            &["::1"],
        ];
        for answers in inside {
            let error = asked(&open, "shop.example", answers).await.unwrap_err();
            assert!(error.contains("private_hosts"), "{error}");
        }
        let listed =
            HostPolicy { private: BTreeSet::from(["shop.example".to_owned()]), ..HostPolicy::default() };
        assert_eq!(asked(&listed, "shop.example", &["10.0.0.5"]).await, Ok(1));
        assert_eq!(asked(&listed, "SHOP.example.", &["10.0.0.5"]).await, Ok(1));
        assert!(asked(&listed, "other.example", &["10.0.0.5"]).await.is_err());
    }

    #[tokio::test]
    async fn this_machine_is_reached_by_its_own_names_only_and_not_where_that_is_off() {
        let open = HostPolicy::default();
        assert_eq!(asked(&open, "localhost", &["127.0.0.1", "::1"]).await, Ok(2));
        assert!(
            asked(&open, "localhost", &["10.0.0.5"]).await.is_err(),
            "a hosts file is not believed either"
        );
        let shut = HostPolicy { loopback: false, ..HostPolicy::default() };
        assert!(asked(&shut, "localhost", &["127.0.0.1"]).await.is_err());
        for host in ["127.0.0.1", "[::1]", "::1", "LOCALHOST", "localhost."] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "sub.localhost"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[tokio::test]
    async fn the_client_connects_to_the_judged_answer_and_to_no_other() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let judged = Judged::with(&HostPolicy::default(), None, says(&["127.0.0.1"]));
        let client = reqwest::Client::builder().no_proxy().dns_resolver(Arc::new(judged)).build().unwrap();
        let error = client.get(format!("http://rebound.example:{port}/")).send().await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        let came = tokio::time::timeout(std::time::Duration::from_millis(100), listener.accept()).await;
        assert!(came.is_err(), "nothing was connected");
    }
}
