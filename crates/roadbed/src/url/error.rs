//! What can be wrong with an address.

/// Why a text is no address, or none that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// None of the schemes.
    #[error("{0:?} begins with none of ws://, wss://, rs://, rss://, unix: and ws+unix:")]
    Scheme(String),
    /// No host, or no path.
    #[error("{0:?} names no place to connect to")]
    Empty(String),
    /// What stands before the port is no host.
    #[error(
        "{0:?} is no host: write a name or an IPv4 address as it is, and an IPv6 address in brackets, with a zone behind %25 as in [fe80::1%25eth0]"
    )]
    Host(String),
    /// A zone of this machine, where the proxy's counts.
    #[error("{0} has a zone, which means nothing to a proxy")]
    Zone(String),
    /// What follows the host is no port.
    #[error("{0:?} is no port")]
    Port(String),
    /// A parameter that is not known, or not with this value.
    #[error("parameter {0:?} is not known")]
    Parameter(String),
    /// Credentials in the address. What is in an address ends up in logs; a header or a ticket does not.
    #[error("an address takes no user and no password; send a header instead")]
    UserInfo,
    /// A WebSocket address with a fragment, which means nothing there (RFC 6455, section 3).
    #[error("an address takes no fragment: write # as %23")]
    Fragment,
    /// Nothing to choose a serializer from.
    #[error("no serializer is allowed")]
    NoSerializer,
    /// `wss://` or `rss://`, but TLS is not built in. It is never spoken without.
    #[error("{0} needs TLS, which is not built in: turn on the feature `tls`")]
    NoTls(String),
    /// In a list of addresses, one that others can read along at comes behind one that is secure. Whoever can
    /// disturb the secure one would choose what is spoken.
    #[error("{0} is not secure, and comes behind an address that is")]
    Downgrade(String),
    /// A proxy's address that cannot be used. It may hold a password, so it is not shown.
    #[error("the proxy's address is not of the form http://user:password@host:port")]
    Proxy,
}
