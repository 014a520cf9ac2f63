//! JSON web tokens (RFC 7519): what the header and the claims say, without any key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use seaworthy_core::WebTokenFacts;
use serde_json::Value;

/// Bytes of a token: claims of real ones stay below 8 KB.
const TOKEN_BYTES: usize = 16 << 10;

/// Reads a token. `None` for what is none: three parts, the first two JSON objects, the first
/// with an algorithm; the signature is empty only where that is `none`.
pub fn web_token(value: &[u8]) -> Option<WebTokenFacts> {
    if value.len() > TOKEN_BYTES {
        return None;
    }
    let mut parts = value.split(|byte| *byte == b'.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let object = |part: &[u8]| -> Option<Value> {
        let text = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Value>(&text)
            .ok()
            .filter(Value::is_object)
    };
    let header = object(header)?;
    let claims = object(claims)?;
    let algorithm: String = header.get("alg")?.as_str()?.chars().take(16).collect();
    if signature.is_empty() && !algorithm.eq_ignore_ascii_case("none") {
        return None;
    }
    let seconds = |value: &Value| -> Option<i64> {
        value.as_i64().or_else(|| {
            let text = format!("{:.0}", value.as_f64()?);
            text.parse().ok()
        })
    };
    Some(WebTokenFacts {
        algorithm,
        issuer: claims
            .get("iss")
            .and_then(Value::as_str)
            .filter(|issuer| is_harmless(issuer))
            .map(str::to_owned),
        expires: claims.get("exp").and_then(seconds),
    })
}

/// A name or URL without a user, a password or a query.
fn is_harmless(issuer: &str) -> bool {
    !issuer.is_empty()
        && issuer.len() <= 80
        && issuer
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b":/._-".contains(&b))
}

/// The day of a time, `YYYY-MM-DD` (UTC), after the algorithm of Howard Hinnant's
/// `civil_from_days`; `None` for years that no calendar shows with four digits.
pub fn day(seconds: i64) -> Option<String> {
    let days = seconds.div_euclid(86_400).checked_add(719_468)?;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (0..=9999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str, signature: &str) -> Vec<u8> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{signature}", part(header), part(claims)).into_bytes()
    }

    #[test]
    fn algorithm_issuer_and_end_are_read() {
        let text = token(
            r#"{"alg":"RS256"}"#,
            r#"{"iss":"https://id.example.org/","exp":1700000000.5}"#,
            "c2ln",
        );
        let facts = web_token(&text).unwrap();
        assert_eq!(facts.algorithm, "RS256");
        assert_eq!(facts.issuer.as_deref(), Some("https://id.example.org/"));
        assert_eq!(facts.expires, Some(1_700_000_000));
    }

    #[test]
    fn an_issuer_that_could_be_a_secret_is_not_shown() {
        let text = token(
            r#"{"alg":"none"}"#,
            r#"{"iss":"https://u:p@example.org"}"#,
            "",
        );
        let facts = web_token(&text).unwrap();
        assert_eq!((facts.issuer, facts.expires), (None, None));
    }

    #[test]
    fn what_only_looks_like_a_token_is_none() {
        for text in [
            token(r#"{"typ":"x"}"#, "{}", "c2ln"),
            token(r#"{"alg":"HS256"}"#, "{}", ""),
            token(r#"{"alg":"HS256"}"#, "[1]", "c2ln"),
            b"a.b".to_vec(),
            b"a.b.c.d".to_vec(),
        ] {
            assert_eq!(web_token(&text), None);
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_700_000_000, "2023-11-14"),
            (-1, "1969-12-31"),
        ] {
            assert_eq!(day(seconds).as_deref(), Some(expected));
        }
        assert_eq!(day(i64::MAX), None);
    }
}
