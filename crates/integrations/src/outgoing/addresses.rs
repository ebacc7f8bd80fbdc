//! Where messages may go: to https addresses on the public Internet. Whoever may register an endpoint would otherwise
//! have this process call the machines next to it.
//!
//! What this module does not do: send. Names are judged by the addresses they have at the moment of connecting, not
//! by those they had when they were registered, for they may change in between.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// Ranges of IPv4 that are not public, with the bits of their prefix (IANA's registry of special-purpose addresses).
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network, and unspecified
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carriers' NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local: clouds answer with credentials here
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // relays of 6to4
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, and broadcast
];

/// All of IPv6 that is handed out for use on the public Internet. Loopback, unique-local, link-local, multicast and
/// the old ways of writing an IPv4 address as an IPv6 one are outside of it.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What of it is not public all the same.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, with Teredo and benchmarking
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: leads to any IPv4 address
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Where NAT64 puts IPv4 addresses. Names have such addresses in networks with IPv6 only, so the address inside counts.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Why a message may not be sent to a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefusal {
    /// It cannot be read.
    #[error("this is no URL ({0}); give one like https://shop.example/webhooks")]
    Malformed(String),
    /// It has another scheme.
    #[error("messages are not sent by {0}; give a URL that begins with https://")]
    Scheme(String),
    /// It names no host.
    #[error("the URL names no host; give one like https://shop.example/webhooks")]
    Host,
    /// It holds a user or a password.
    #[error("the URL holds a user or a password; leave them out, for messages are signed")]
    UserInfo,
    /// Its port is 0.
    #[error("nothing listens on port 0; give the port of the receiver, or none")]
    Port,
    /// It is an address that is not public.
    #[error("{0} is not on the public Internet, and messages are sent nowhere else; give a public address")]
    Private(IpAddr),
}

/// A name that has no public address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} has no address on the public Internet, and messages are sent nowhere else; give a public address")]
pub(super) struct NonePublic(String);

/// Checks a URL before it is registered. A name may still turn out to have no public address when it is connected to.
///
/// # Errors
/// [`UrlRefusal`].
pub fn check_url(text: &str, allow_private: bool) -> Result<(), UrlRefusal> {
    parse(text, allow_private).map(|_| ())
}

/// Reads a URL that may be sent to, as far as can be told without looking up its name.
pub(super) fn parse(text: &str, allow_private: bool) -> Result<Url, UrlRefusal> {
    let url = Url::parse(text).map_err(|error| UrlRefusal::Malformed(error.to_string()))?;
    if !(url.scheme() == "https" || allow_private && url.scheme() == "http") {
        return Err(UrlRefusal::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlRefusal::UserInfo);
    }
    if url.port() == Some(0) {
        return Err(UrlRefusal::Port);
    }
    // The parser has made 127.0.0.1 of 2130706433, 0x7f.1, 127.1 and 017700000001.
    let literal = match url.host().ok_or(UrlRefusal::Host)? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
    };
    match literal {
        Some(address) if !allow_private && !is_public(address) => Err(UrlRefusal::Private(address)),
        _ => Ok(url),
    }
}

/// Whether an address is on the public Internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public_v4(v4),
            None if is_within_v6(v6, NAT64) => is_public_v4(Ipv4Addr::from_bits(v6.to_bits() as u32)),
            None => is_within_v6(v6, PUBLIC_V6) && !NOT_PUBLIC_V6.iter().any(|&range| is_within_v6(v6, range)),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_within = |&(start, bits): &(Ipv4Addr, u32)| (address.to_bits() ^ start.to_bits()) >> (32 - bits) == 0;
    !NOT_PUBLIC_V4.iter().any(is_within)
}

fn is_within_v6(address: Ipv6Addr, (start, bits): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ start.to_bits()) >> (128 - bits) == 0
}

/// Looks names up and leaves only their public addresses: exactly these are connected to, so that a name cannot have
/// one address when it is checked and another when it is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is of no account here: reqwest puts in the URL's.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public = found.filter(|address| is_public(address.ip())).collect::<Vec<SocketAddr>>();
            if public.is_empty() {
                return Err(NonePublic(name.as_str().to_owned()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}
