//! How a registry asks who we are, and what we answer.
//!
//! `WWW-Authenticate` challenges (RFC 9110, section 11.6.1) of kinds Bearer and Basic, and
//! the token request of the distribution project ("Token Authentication Specification",
//! "OAuth2 Token Specification"). Only parsing and composing happens here; the session
//! does the talking.
//!
//! The scope is always ours, `repository:NAME:pull`: a challenge may ask for less than
//! needed or for more than is good.

use std::time::{Duration, Instant};

use base64::Engine as _;
use seaworthy_core::Secret;
use serde::Deserialize;

use super::credentials::Credential;

/// Bytes of all challenges together that are looked at.
const MAX_CHALLENGE: usize = 8 << 10;
/// What a token lives when its server does not say (token specification).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// A token is renewed this long before it ends, or at half of its life if that is less.
const MARGIN: Duration = Duration::from_secs(10);

/// A kind of login a registry offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User name and password with every request.
    Basic,
    /// A token from the server at `realm`.
    Bearer {
        /// URL of the token server.
        realm: String,
        /// The registry's name there.
        service: Option<String>,
    },
}

/// The best of the challenges in the values of `WWW-Authenticate`: Bearer before Basic.
pub(crate) fn best_challenge<'a>(values: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let mut best = None;
    for value in values.take(8).filter(|value| value.len() <= MAX_CHALLENGE) {
        for (scheme, parameters) in challenges(value) {
            let parameter = |name: &str| {
                parameters
                    .iter()
                    .find(|(n, _)| n.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.clone())
            };
            if scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = parameter("realm")
            {
                return Some(Challenge::Bearer {
                    realm,
                    service: parameter("service"),
                });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                best = Some(Challenge::Basic);
            }
        }
    }
    best
}

type Parameters = Vec<(String, String)>;

/// Splits `Bearer a="b", c=d, Basic realm="x"` into schemes with their parameters.
fn challenges(value: &str) -> Vec<(String, Parameters)> {
    let mut found: Vec<(String, Parameters)> = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return found;
        }
        let after = after.trim_start_matches([' ', '\t']);
        let Some(after) = after.strip_prefix('=') else {
            found.push((word.to_owned(), Vec::new()));
            rest = after;
            continue;
        };
        let (text, after) = parameter_value(after.trim_start_matches([' ', '\t']));
        match found.last_mut() {
            Some((_, parameters)) => parameters.push((word.to_owned(), text)),
            None => return found,
        }
        rest = after;
    }
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (index, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[index + 1..]),
            c => value.push(c),
        }
    }
    (value, "")
}

/// What to ask a token server.
pub(crate) struct TokenRequest {
    /// URL with its query.
    pub url: String,
    /// Value of `Authorization`.
    pub authorization: Option<Secret>,
    /// Form to post instead of asking with `GET`.
    pub form: Option<Secret>,
}

/// Composes the request for a token that may pull `repository`.
pub(crate) fn token_request(
    realm: &str,
    service: Option<&str>,
    repository: &str,
    credential: Option<&Credential>,
) -> TokenRequest {
    let scope = format!("repository:{repository}:pull");
    if let Some(Credential::IdentityToken(token)) = credential {
        let form = format!(
            "grant_type=refresh_token&service={}&client_id=seaworthy&scope={}&refresh_token={}",
            percent(service.unwrap_or_default()),
            percent(&scope),
            percent(token.expose()),
        );
        return TokenRequest {
            url: realm.to_owned(),
            authorization: None,
            form: Some(Secret::new(form)),
        };
    }
    let separator = if realm.contains('?') { '&' } else { '?' };
    let mut url = format!("{realm}{separator}scope={}", percent(&scope));
    if let Some(service) = service {
        url.push_str("&service=");
        url.push_str(&percent(service));
    }
    TokenRequest {
        url,
        authorization: credential.and_then(basic),
        form: None,
    }
}

/// The value of `Authorization` for a password.
pub(crate) fn basic(credential: &Credential) -> Option<Secret> {
    match credential {
        Credential::Password { user, password } => {
            let pair = format!("{user}:{}", password.expose());
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
            Some(Secret::new(format!("Basic {encoded}")))
        }
        _ => None,
    }
}

/// A token with its end.
pub(crate) struct Token {
    /// Value of `Authorization`.
    pub authorization: Secret,
    /// When to get a new one.
    pub renew_at: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Reads a token server's answer; `None` when it holds no usable token.
pub(crate) fn parse_token(answer: &[u8], now: Instant) -> Option<Token> {
    let answer: TokenAnswer = serde_json::from_slice(answer).ok()?;
    let token = [answer.token, answer.access_token]
        .into_iter()
        .flatten()
        .find(|token| !token.is_empty())?;
    // A token is sent as part of a header line, so it must be fit for one.
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    // A day at most: the clock arithmetic must not overflow on a boastful answer.
    let life = answer
        .expires_in
        .map_or(DEFAULT_LIFE, |s| Duration::from_secs(s.min(86_400)));
    Some(Token {
        authorization: Secret::new(format!("Bearer {token}")),
        renew_at: now + life - MARGIN.min(life / 2),
    })
}

/// Percent-encodes everything but unreserved characters (RFC 3986).
fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_real_registries_are_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/debian:pull""#;
        assert_eq!(
            best_challenge([hub].into_iter()),
            Some(Challenge::Bearer {
                realm: "https://auth.docker.io/token".into(),
                service: Some("registry.docker.io".into()),
            })
        );
        assert_eq!(
            best_challenge(["Basic realm=\"Registry Realm\""].into_iter()),
            Some(Challenge::Basic)
        );
        let both = r#"Basic realm="a, \"b\"", bearer Realm = https://t/x , service="s""#;
        assert_eq!(
            best_challenge([both].into_iter()),
            Some(Challenge::Bearer {
                realm: "https://t/x".into(),
                service: Some("s".into()),
            })
        );
        for odd in [
            "",
            "Negotiate",
            "Bearer service=x",
            "realm=\"x\"",
            "Bearer realm=\"unclosed",
            "\"\"",
            "é",
        ] {
            let found = best_challenge([odd].into_iter());
            assert!(found.is_none() || odd.contains("unclosed"), "{odd}");
        }
    }

    #[test]
    fn token_requests_ask_for_pulling_only() {
        let credential = Credential::Password {
            user: "sailor".into(),
            password: Secret::new("harbour"),
        };
        let request = token_request("https://t/x", Some("reg istry"), "a/b", Some(&credential));
        assert_eq!(
            request.url,
            "https://t/x?scope=repository%3Aa%2Fb%3Apull&service=reg%20istry"
        );
        assert_eq!(
            request.authorization.unwrap().expose(),
            "Basic c2FpbG9yOmhhcmJvdXI="
        );

        let identity = Credential::IdentityToken(Secret::new("i&d"));
        let request = token_request("https://t/x", None, "a", Some(&identity));
        assert_eq!(request.url, "https://t/x");
        assert!(request.authorization.is_none());
        let form = request.form.unwrap();
        assert!(form.expose().contains("grant_type=refresh_token"));
        assert!(form.expose().ends_with("refresh_token=i%26d"));
    }

    #[test]
    fn tokens_are_renewed_before_they_end() {
        let now = Instant::now();
        let seconds =
            |json: &str| (parse_token(json.as_bytes(), now).unwrap().renew_at - now).as_secs();
        assert_eq!(seconds(r#"{"token":"a","expires_in":300}"#), 290);
        assert_eq!(seconds(r#"{"access_token":"a"}"#), 50);
        assert_eq!(
            seconds(r#"{"token":"","access_token":"a","expires_in":4}"#),
            2
        );
        assert_eq!(
            seconds(r#"{"token":"a","expires_in":18446744073709551615}"#),
            86_390
        );
        for bad in ["", "{}", r#"{"token":"a\r\nX: y"}"#] {
            assert!(parse_token(bad.as_bytes(), now).is_none(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_challenge_ends(value in "[a-zA-Z=\", \\\\\t\u{e9}]{0,60}") {
            let found = challenges(&value);
            proptest::prop_assert!(found.len() <= value.len());
        }
    }
}
