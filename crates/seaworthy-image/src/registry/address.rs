//! The few things a registry client has to know of URLs: origins, and where a redirect
//! leads (RFC 3986, without dot segments or relative paths, which registries do not send).

use std::fmt;

use super::name::{is_loopback, split_host};

/// A scheme and a host with its port: what credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whether TLS is spoken.
    pub https: bool,
    /// Host, with its port if it is not the scheme's own.
    pub host: String,
}

impl Origin {
    pub(crate) fn new(https: bool, host: &str) -> Origin {
        let (name, port) = split_host(host);
        let own = if https { "443" } else { "80" };
        let host = match port {
            // `example:443` and `example` are one origin.
            Some(port) if port == own => {
                if name.contains(':') {
                    format!("[{name}]")
                } else {
                    name.to_owned()
                }
            }
            _ => host.to_owned(),
        };
        Origin {
            https,
            host: host.to_ascii_lowercase(),
        }
    }

    /// Whether it is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)
    }
}

/// An absolute URL in its two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Where.
    pub origin: Origin,
    /// Path with query, beginning with `/`.
    pub target: String,
}

impl Address {
    /// Reads an absolute `http` or `https` URL. User information is refused: nothing may
    /// make us send a password that is not the user's own choice.
    pub(crate) fn parse(url: &str) -> Option<Address> {
        let (scheme, rest) = url.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, target) = rest.split_at(end);
        let host_fits = !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
        let target_fits = target.bytes().all(|b| b.is_ascii_graphic());
        if !host_fits || !target_fits {
            return None;
        }
        Some(Address {
            origin: Origin::new(https, host),
            target: if target.starts_with('/') {
                target.to_owned()
            } else {
                format!("/{target}")
            },
        })
    }

    /// Where `Location: location` leads from here.
    pub(crate) fn redirected(&self, location: &str) -> Option<Address> {
        if let Some(rest) = location.strip_prefix("//") {
            let scheme = if self.origin.https { "https" } else { "http" };
            return Address::parse(&format!("{scheme}://{rest}"));
        }
        if location.starts_with('/') {
            return Address::parse(&format!("{}{location}", self.origin));
        }
        Address::parse(location)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_browsers_would_go() {
        let here = Address::parse("https://ship.example/v2/a?x=1").unwrap();
        for (location, there) in [
            (
                "https://Store.example/b?sig=%2F",
                Some("https://store.example/b?sig=%2F"),
            ),
            ("/c", Some("https://ship.example/c")),
            ("//store.example/d", Some("https://store.example/d")),
            ("http://store.example", Some("http://store.example/")),
            ("https://store.example?q", Some("https://store.example/?q")),
            ("https://user:pw@store.example/", None),
            ("ftp://store.example/", None),
            ("https:///x", None),
            ("https://store.example/a b", None),
            ("relative", None),
        ] {
            assert_eq!(
                here.redirected(location).map(|a| a.to_string()).as_deref(),
                there,
                "{location}"
            );
        }
    }

    #[test]
    fn the_schemes_own_port_makes_no_other_origin() {
        assert_eq!(Origin::new(true, "a:443"), Origin::new(true, "a"));
        assert_ne!(Origin::new(true, "a:80"), Origin::new(true, "a"));
        assert_ne!(Origin::new(true, "a"), Origin::new(false, "a"));
        assert_eq!(Origin::new(false, "[::1]:80").host, "[::1]");
    }
}
