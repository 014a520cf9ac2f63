//! Which proxy a request goes through: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
//! `NO_PROXY` in either case, read the way Go programs (and so Docker) read them.
//!
//! `NO_PROXY` is a list with commas of `*`, host names (which cover their subdomains),
//! `.suffixes`, addresses and CIDR ranges, each with an optional port. This machine is
//! never reached through a proxy.

use std::net::IpAddr;

use super::name::{is_loopback, split_host};
use crate::Environment;

/// The proxy's URL for a request to `host` (with its port, if any), or `None` to go there
/// directly.
pub(crate) fn proxy_for<'a>(
    https: bool,
    host: &str,
    environment: &'a Environment,
) -> Option<&'a str> {
    if is_loopback(host) || is_exempt(https, host, environment) {
        return None;
    }
    // Upper-case `HTTP_PROXY` can be set by a request in CGI programs; this is none.
    let names: &[&str] = if https {
        &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    };
    names.iter().find_map(|name| environment.get(name))
}

fn is_exempt(https: bool, host: &str, environment: &Environment) -> bool {
    let Some(list) = environment
        .get("NO_PROXY")
        .or_else(|| environment.get("no_proxy"))
    else {
        return false;
    };
    let (name, port) = split_host(host);
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let port = port.unwrap_or(if https { "443" } else { "80" });
    list.split(',').any(|rule| {
        let rule = rule.trim().to_ascii_lowercase();
        if rule == "*" {
            return true;
        }
        if let Some((network, bits)) = rule.split_once('/') {
            return in_network(&name, network, bits);
        }
        let (rule_name, rule_port) = split_host(&rule);
        if rule_port.is_some_and(|rule_port| rule_port != port) {
            return false;
        }
        let rule_name = rule_name.strip_prefix('*').unwrap_or(rule_name);
        match rule_name.strip_prefix('.') {
            Some("") | None if rule_name.is_empty() => false,
            Some(suffix) => is_subdomain(&name, suffix),
            None => name == rule_name || is_subdomain(&name, rule_name),
        }
    })
}

fn is_subdomain(name: &str, of: &str) -> bool {
    !of.is_empty()
        && name
            .strip_suffix(of)
            .is_some_and(|front| front.len() > 1 && front.ends_with('.'))
}

fn in_network(name: &str, network: &str, bits: &str) -> bool {
    let (Ok(address), Ok(network), Ok(bits)) = (
        name.parse::<IpAddr>(),
        network.parse::<IpAddr>(),
        bits.parse::<u32>(),
    ) else {
        return false;
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        (IpAddr::V6(a), IpAddr::V6(n)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_proxy_is_chosen_by_scheme() {
        let both = environment(&[("HTTPS_PROXY", "http://s"), ("http_proxy", "http://p")]);
        assert_eq!(proxy_for(true, "ship.example", &both), Some("http://s"));
        assert_eq!(proxy_for(false, "ship.example", &both), Some("http://p"));
        let all = environment(&[("ALL_PROXY", "http://a")]);
        assert_eq!(proxy_for(true, "ship.example", &all), Some("http://a"));
        assert_eq!(proxy_for(true, "127.0.0.1:5000", &all), None);
        assert_eq!(proxy_for(true, "ship.example", &environment(&[])), None);
    }

    #[test]
    fn exempt_hosts_are_reached_directly() {
        for (list, host, direct) in [
            ("*", "ship.example", true),
            ("ship.example", "ship.example:5000", true),
            ("ship.example", "a.ship.example", true),
            ("ship.example", "warship.example", false),
            (".ship.example", "ship.example", false),
            ("*.ship.example", "a.ship.example", true),
            ("ship.example:5000", "ship.example:5000", true),
            ("ship.example:5000", "ship.example", false),
            ("other, SHIP.example ", "ship.example", true),
            ("10.0.0.0/8", "10.1.2.3:5000", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("fd00::/8", "[fd00::1]:5000", true),
            ("10.0.0.0/99", "10.0.0.1", false),
            ("", "ship.example", false),
            (",", "ship.example", false),
        ] {
            let environment = environment(&[("ALL_PROXY", "http://p"), ("NO_PROXY", list)]);
            assert_eq!(
                proxy_for(true, host, &environment).is_none(),
                direct,
                "{list}: {host}"
            );
        }
    }
}
