//! Where requests may go, and the HTTP clients that enforce it.
//!
//! A URL in a configuration must not become a way into the operator's own network. The check is made after name
//! resolution, on the addresses that the connection then uses, so a name that points inside or changes its mind
//! between check and connect gains nothing. Redirects are not followed and proxy variables are not read.

use super::budgets::Budgets;
use super::problem::{Problems, SourceSetupError};
use super::reach::Unresolved;
use super::way::Way;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use url::{Host, Url};

/// Which addresses a source may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Public addresses only.
    Public,
    /// Any address: the operator wrote it down and asked for it.
    AllowPrivate,
}

impl Guard {
    /// Whether the host of this URL may be asked, as far as that is known before its name is resolved.
    pub fn admits(self, url: &Url) -> bool {
        match (self, url.host()) {
            (Self::AllowPrivate, _) | (_, Some(Host::Domain(_)) | None) => true,
            (Self::Public, Some(Host::Ipv4(ip))) => is_public_v4(ip),
            (Self::Public, Some(Host::Ipv6(ip))) => is_public_v6(ip),
        }
    }
}

/// Whether an address belongs to the public internet: not private, loopback, link-local, documentation, multicast,
/// a cloud's metadata service, or an IPv6 form that carries an IPv4 address.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !match (a, b, c) {
        // This network, private, loopback, multicast, reserved and broadcast (RFC 6890).
        (0 | 10 | 127 | 224.., _, _) => true,
        // Carrier NAT; holds Alibaba's metadata service.
        (100, 64..=127, _) => true,
        // Link-local; holds the metadata service of AWS, Azure, Google and others.
        (169, 254, _) => true,
        (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, among them Oracle's metadata service, and documentation.
        (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113) => true,
        // 6to4 relays and benchmarking.
        (192, 88, 99) | (198, 18 | 19, _) => true,
        _ => false,
    } && ip != AZURE_WIRE_SERVER
}

/// Reachable from inside every Azure machine under an address that looks public.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    // Only 2000::/3 is global unicast; this leaves out ::1, IPv4-mapped, NAT64, unique local and link-local.
    (0x2000..=0x3fff).contains(&a)
        // Teredo, ORCHID and other protocol assignments (2001::/23), documentation, 6to4.
        && !(a == 0x2001 && (b < 0x200 || b == 0xdb8))
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

/// Resolves names and drops the addresses that a guard does not admit.
struct Guarded(Guard);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|error| Unresolved(error.to_string()))?.collect();
            if found.is_empty() {
                return Err(Unresolved("no address".to_owned()).into());
            }
            let is_admitted = |address: &SocketAddr| guard == Guard::AllowPrivate || is_public(address.ip());
            let admitted: Vec<SocketAddr> = found.into_iter().filter(is_admitted).collect();
            if admitted.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// The name resolves to addresses that are not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name resolves to no public address; allow_private permits others")]
pub(super) struct Refused;

/// Connection and TLS handshake together: less than the time for a poll, so that a poll can say which of them it was.
const CONNECT: Duration = Duration::from_secs(4);

/// The HTTP clients of all sources, one for public addresses, one for what the operator permitted; and their budgets.
#[derive(Clone, Debug)]
pub struct Client {
    public: reqwest::Client,
    private: reqwest::Client,
    /// What is used of every host's limits, whoever asks.
    pub(super) budgets: Budgets,
}

impl Client {
    /// Builds both clients. One pair serves all sources, so that connections and rate limits are shared.
    ///
    /// # Errors
    /// If the TLS set-up of this machine cannot be used.
    pub fn new() -> Result<Self, SourceSetupError> {
        let mut problems = Problems::default();
        let hint = "check that this machine has root certificates, e.g. the package ca-certificates";
        let public = problems.keep("tls", "", builder(Guard::Public).build(), hint);
        let private = problems.keep("tls", "", builder(Guard::AllowPrivate).build(), hint);
        let both = public.zip(private).map(|(public, private)| Self {
            public,
            private,
            budgets: Budgets::default(),
        });
        problems.finish("http", both)
    }

    /// What asks hosts that are reached this way: one of the pair, or a client of its own.
    pub(super) fn of(&self, guard: Guard, way: &Way, problems: &mut Problems) -> Option<Http> {
        let is_proxied = way.proxy.is_some();
        if *way == Way::default() {
            let client = match guard {
                Guard::Public => &self.public,
                Guard::AllowPrivate => &self.private,
            };
            return Some(Http { client: client.clone(), is_proxied });
        }
        // A proxy resolves the names of hosts, and reaches from where it stands; ours to resolve is its own name, which
        // the operator wrote down.
        let mut builder = builder(if is_proxied { Guard::AllowPrivate } else { guard });
        if let Some(proxy) = &way.proxy {
            let proxy = proxy.of_requests().map_err(|_| "cannot be used");
            builder =
                builder.proxy(problems.keep("proxy", "", proxy, "write e.g. socks5://127.0.0.1:1080")?);
        }
        let hint = "check that this machine has root certificates, e.g. the package ca-certificates";
        if let Some(mut tls) = problems.keep("tls_spki_sha256", "", way.tls(), hint)? {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            builder = builder.tls_backend_preconfigured(tls);
        }
        let client = problems.keep("tls_spki_sha256", "", builder.build(), hint)?;
        Some(Http { client, is_proxied })
    }
}

/// What asks a venue's hosts.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) client: reqwest::Client,
    /// Whether what keeps a connection from being opened may be the proxy.
    pub(super) is_proxied: bool,
}

fn builder(guard: Guard) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .dns_resolver(Guarded(guard))
        .user_agent(concat!("publisher/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // A body is read as it comes: no inflation, so the limit on its size holds for what is kept.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(Duration::from_secs(90))
        .pool_max_idle_per_host(2)
        .http2_max_header_list_size(64 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f76_only_the_public_internet_is_public() {
        for text in
            ["1.1.1.1", "104.16.0.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.0.1.1"]
                .into_iter()
                .chain(["2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "223.255.255.254"])
        {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.9.9",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "192.88.99.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn other_spellings_of_an_address_are_the_address() {
        for text in [
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://017700000001/",
            "http://[::ffff:7f00:1]/",
            "http://[::1]:80/",
            "http://169.254.169.254/latest/meta-data",
            "http://0/",
            "http://１２７.０.０.１/",
        ] {
            let url = Url::parse(text).unwrap();
            assert!(!Guard::Public.admits(&url), "{text}");
            assert!(Guard::AllowPrivate.admits(&url), "{text}");
        }
        assert!(Guard::Public.admits(&Url::parse("https://api.kraken.com/").unwrap()));
        assert!(Guard::Public.admits(&Url::parse("https://1.1.1.1/").unwrap()));
    }

    #[tokio::test]
    async fn a_name_that_points_inside_is_refused_after_it_was_resolved() {
        let refused = Guarded(Guard::Public).resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(refused.is::<Refused>(), "{refused}");
    }
}
