//! The two addresses that the server listens on.

use std::io::{Error, ErrorKind};
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
    /// Binds both, the addresses of the settings `listen` and `admin_listen`.
    pub(crate) async fn bind(public: SocketAddr, admin: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { public: bind(LISTEN, public).await?, admin: bind(ADMIN_LISTEN, admin).await? })
    }

    /// Where they are: port 0 has become a real one.
    pub(crate) fn addresses(&self) -> anyhow::Result<Addresses> {
        Ok(Addresses { public: self.public.local_addr()?, admin: self.admin.local_addr()? })
    }
}

/// A setting that an address comes from: its key, and its flag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    key: &'static str,
    flag: &'static str,
}

/// Where customers and services are served.
pub(crate) const LISTEN: Named = Named { key: "listen", flag: "--listen" };

/// Where operators are served.
pub(crate) const ADMIN_LISTEN: Named = Named { key: "admin_listen", flag: "--admin-listen" };

/// Binds one address.
pub(crate) async fn bind(named: Named, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| refused(named, address, error))
}

/// Binds this address, or any free port of its host where another program listens there already.
pub(crate) async fn bind_or_any(named: Named, address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => bind(named, SocketAddr::new(address.ip(), 0)).await,
        bound => bound.map_err(|error| refused(named, address, error)),
    }
}

/// Which setting cannot be, and what to do about it.
fn refused(Named { key, flag }: Named, address: SocketAddr, error: Error) -> anyhow::Error {
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => format!(
            "Something listens there already, perhaps this program once more. Stop that, or choose another port with \
             {flag} (0 takes any free one)"
        ),
        ErrorKind::AddrNotAvailable => {
            format!("No interface of this machine has this address. Choose one with {flag}; 0.0.0.0 means all of them")
        }
        ErrorKind::PermissionDenied => {
            format!("This user may not listen there; ports below 1024 are privileged. Choose another with {flag}")
        }
        _ => format!("Choose another address with {flag}"),
    };
    anyhow::Error::new(error).context(format!("the setting `{key}`: {address} cannot be listened on. {remedy}"))
}

/// An address that was bound, as people are told of it. The URL comes last, for programs that look for it.
pub(crate) fn introduced(address: SocketAddr) -> String {
    let url = url(address);
    if address.ip().is_unspecified() {
        format!("on every interface of this machine ({address}), here as {url}")
    } else {
        url
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
        let other = bind_or_any(LISTEN, public).await.expect("it works").local_addr().expect("it works");
        assert_ne!(other, public);
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_bound_is_told_with_its_setting_and_what_to_do() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let taken = Listeners::bind(any, any).await.expect("it works");
        let at = taken.addresses().expect("it works").admin;
        let error = format!("{:#}", bind(ADMIN_LISTEN, at).await.expect_err("it is taken"));
        for words in ["`admin_listen`", &at.to_string(), "cannot be listened on", "already", "--admin-listen"] {
            assert!(error.contains(words), "{words:?} is missing in: {error}");
        }
        // An address for documents, which no machine has.
        let nowhere = SocketAddr::from(([192, 0, 2, 1], 0));
        let error = format!("{:#}", bind(LISTEN, nowhere).await.expect_err("it is nobody's"));
        assert!(error.contains("`listen`") && error.contains("No interface"), "{error}");
    }

    #[test]
    fn an_address_that_means_all_is_introduced_as_such_and_with_a_url_at_the_end() {
        let told = introduced("0.0.0.0:80".parse().expect("it works"));
        assert!(told.contains("every interface") && told.ends_with("http://127.0.0.1:80"), "{told}");
        let told = introduced("[::]:80".parse().expect("it works"));
        assert!(told.contains("every interface") && told.ends_with("http://[::1]:80"), "{told}");
        assert_eq!(introduced("127.0.0.1:80".parse().expect("it works")), "http://127.0.0.1:80");
    }

    #[test]
    fn an_address_that_means_all_is_reached_by_loopback() {
        assert_eq!(url("0.0.0.0:80".parse().expect("it works")), "http://127.0.0.1:80");
        assert_eq!(url("[::]:80".parse().expect("it works")), "http://[::1]:80");
        assert_eq!(url("192.0.2.1:80".parse().expect("it works")), "http://192.0.2.1:80");
    }
}
