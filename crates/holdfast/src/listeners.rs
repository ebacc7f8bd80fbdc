//! The two addresses that the server listens on.

use anyhow::Context;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpListener;

/// Two listeners, bound.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// For customers and services.
    pub(crate) public: TcpListener,
    /// For operators.
    pub(crate) admin: TcpListener,
}

/// The addresses that were chosen in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// For customers and services.
    pub(crate) public: SocketAddr,
    /// For operators.
    pub(crate) admin: SocketAddr,
}

impl Listeners {
    /// Binds both.
    pub(crate) async fn bind(public: SocketAddr, admin: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { public: bind(public).await?, admin: bind(admin).await? })
    }

    /// Where they are: port 0 has become a real one.
    pub(crate) fn addresses(&self) -> anyhow::Result<Addresses> {
        Ok(Addresses { public: self.public.local_addr()?, admin: self.admin.local_addr()? })
    }
}

/// Binds one address.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))
}

/// Binds this address, or any free port of its host where another program listens there already.
pub(crate) async fn bind_or_any(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => bind(SocketAddr::new(address.ip(), 0)).await,
        bound => bound.with_context(|| format!("{address} cannot be listened on")),
    }
}

/// The URL under which this machine reaches an address that was bound.
pub(crate) fn url(address: SocketAddr) -> String {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(host, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn port_0_becomes_a_real_one_and_a_taken_one_another() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = Listeners::bind(any, any).await.expect("it works");
        let Addresses { public, admin } = first.addresses().expect("it works");
        assert!(public.port() != 0 && admin.port() != 0 && public != admin);
        let other = bind_or_any(public).await.expect("it works").local_addr().expect("it works");
        assert_ne!(other, public);
        let error = format!("{:#}", bind(public).await.expect_err("it is refused"));
        assert!(error.contains("cannot be listened on") && error.contains(&public.to_string()), "{error}");
    }

    #[test]
    fn an_address_that_means_all_is_reached_by_loopback() {
        assert_eq!(url("0.0.0.0:80".parse().expect("it works")), "http://127.0.0.1:80");
        assert_eq!(url("[::]:80".parse().expect("it works")), "http://[::1]:80");
        assert_eq!(url("192.0.2.1:80".parse().expect("it works")), "http://192.0.2.1:80");
    }
}
