//! Talking to one registry about one repository (OCI distribution-spec 1.1, "Pull").
//!
//! A session logs in when it is challenged, renews tokens, follows redirects without
//! taking credentials to another origin, waits when told to, and tries again what may
//! work the second time. What comes back is still unverified: see `pull` for digests.
//!
//! Left out: anything that writes, mirrors, and HTTP dates in `Retry-After`.

use std::io::{self, Read};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use seaworthy_core::Secret;
use serde::Deserialize;
use ureq::http::{HeaderMap, Request, Response, header};
use ureq::tls::{RootCerts, TlsConfig};

use super::RegistryOptions;
use super::address::{Address, Origin};
use super::auth::{self, Challenge, Token, best_challenge, token_request};
use super::credentials::{Credential, Found, find_credential};
use super::name::RegistryReference;
use super::proxy::proxy_for;
use crate::small_body::read_within;
use crate::{Cancel, ImageError};

/// How long a connection with its TLS handshake may take.
const CONNECT: Duration = Duration::from_secs(15);
/// Redirects of one request; real registries need one.
const MAX_REDIRECTS: usize = 5;
/// Bytes of an error document or token answer.
const MAX_SMALL: u64 = 256 << 10;

/// One question.
pub(crate) struct Ask<'a> {
    /// `GET` or `HEAD`.
    pub method: &'static str,
    /// Path below the repository, `manifests/latest`.
    pub path: &'a str,
    /// Value of `Accept`.
    pub accept: &'a str,
    /// First byte wanted; 0 for everything.
    pub from: u64,
}

/// An answer, its body still to come. The status is a success unless said otherwise.
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Box<dyn Read + Send>,
    /// Where it came from, after redirects.
    from: Origin,
}

impl Reply {
    /// The first header of that name, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What proves our right at present.
enum Grant {
    /// Nothing was asked for yet.
    None,
    /// The same header with every request.
    Fixed(Secret),
    /// A token with an end, and where it came from.
    Token {
        token: Token,
        realm: String,
        service: Option<String>,
    },
}

/// A registry and a repository of it.
pub(crate) struct Session {
    image: RegistryReference,
    options: RegistryOptions,
    home: Origin,
    agent: ureq::Agent,
    /// For an insecure registry itself, and no other host that it names.
    lenient_agent: Option<ureq::Agent>,
    identity: Found,
    grant: Mutex<Grant>,
    cancel: Cancel,
}

/// Why one try gave no answer.
struct Failure {
    error: ImageError,
    may_pass: bool,
}

impl Session {
    /// Prepares to talk about `image`. Only a registry that may speak plain HTTP is
    /// contacted, to find out whether it does.
    pub(crate) fn open(
        image: &RegistryReference,
        options: &RegistryOptions,
        cancel: &Cancel,
    ) -> Result<Session, ImageError> {
        let insecure = options.insecure.contains(&image.host);
        let agent = new_agent(options, true);
        let lenient_agent = insecure.then(|| new_agent(options, false));
        let identity = find_credential(image, &options.environment);
        let grant = match &identity.credential {
            Some(Credential::AccessToken(token)) => {
                Grant::Fixed(Secret::new(format!("Bearer {}", token.expose())))
            }
            _ => Grant::None,
        };
        let mut session = Session {
            image: image.clone(),
            options: options.clone(),
            home: Origin::new(true, image.api_host()),
            agent,
            lenient_agent,
            identity,
            grant: Mutex::new(grant),
            cancel: cancel.clone(),
        };
        let plain = Origin::new(false, image.api_host());
        if (insecure || plain.is_loopback()) && session.speaks_plain_http(&plain) {
            session.home = plain;
        }
        Ok(session)
    }

    /// Asks, and answers challenges, waits and tries again as needed.
    ///
    /// # Errors
    ///
    /// When the answer is no success, with what to do about it.
    pub(crate) fn ask(&self, ask: &Ask<'_>) -> Result<Reply, ImageError> {
        let mut failures = 0;
        let mut challenged = false;
        loop {
            let failure = match self.follow(ask) {
                // A password that was refused is not sent again: accounts get locked.
                Ok(reply)
                    if reply.status == 401
                        && reply.from == self.home
                        && !challenged
                        && !self.has_fixed_proof() =>
                {
                    challenged = true;
                    self.answer_challenge(&reply)?;
                    continue;
                }
                Ok(reply) if (200..300).contains(&reply.status) => return Ok(reply),
                Ok(reply) => {
                    let wait = retry_after(&reply);
                    let may_pass = matches!(reply.status, 408 | 429 | 500 | 502 | 503 | 504)
                        && wait.is_none_or(|wait| wait <= self.options.longest_wait);
                    let error = self.refusal(ask, reply);
                    if may_pass && failures + 1 < self.options.tries {
                        failures += 1;
                        self.pause(wait.unwrap_or_else(|| self.back_off(failures)))?;
                        continue;
                    }
                    return Err(error);
                }
                Err(failure) => failure,
            };
            failures += 1;
            if !failure.may_pass || failures >= self.options.tries {
                return Err(failure.error);
            }
            self.pause(self.back_off(failures))?;
        }
    }

    /// How long to wait after so many failures in a row.
    pub(crate) fn back_off(&self, failures: u32) -> Duration {
        self.options.back_off * 2u32.saturating_pow(failures.saturating_sub(1).min(6))
    }

    /// Sleeps, unless the user wants to stop.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), ImageError> {
        let end = Instant::now() + time;
        loop {
            if self.cancel.is_cancelled() {
                return Err(ImageError::new("cancelled"));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
    }

    /// Tries to go on after a broken body so often.
    pub(crate) fn tries(&self) -> u32 {
        self.options.tries
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// The registry's name, for messages.
    pub(crate) fn host(&self) -> &str {
        &self.image.host
    }

    /// One try: asks at home with our proof, and follows redirects without it.
    fn follow(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let mut address = Address {
            origin: self.home.clone(),
            target: format!("/v2/{}/{}", self.image.repository, ask.path),
        };
        for _ in 0..=MAX_REDIRECTS {
            let mut request = Request::builder()
                .method(ask.method)
                .uri(address.to_string())
                .header(header::ACCEPT, ask.accept)
                // A transparently decoded body would have another digest.
                .header(header::ACCEPT_ENCODING, "identity");
            if ask.from > 0 {
                request = request.header(header::RANGE, format!("bytes={}-", ask.from));
            }
            // Only home sees our proof: a redirect is the registry's word, not the user's.
            let proof = if address.origin == self.home {
                self.proof().map_err(fatal)?
            } else {
                None
            };
            if let Some(proof) = proof {
                request = request.header(header::AUTHORIZATION, sensitive(&proof).map_err(fatal)?);
            }
            let request = request
                .body(())
                .map_err(|e| fatal(self.unusable("a URL").caused_by(e)))?;
            let reply = self.send(request, &address.origin)?;
            if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(reply);
            }
            let next = reply
                .header("location")
                .and_then(|location| address.redirected(location))
                .ok_or_else(|| fatal(self.unusable("a redirect")))?;
            self.check_step(&address.origin, &next.origin)
                .map_err(fatal)?;
            address = next;
        }
        Err(fatal(ImageError::new(format!(
            "registry `{}` redirects more than {MAX_REDIRECTS} times",
            self.image.host
        ))))
    }

    /// A redirect may not lead from TLS to plain HTTP, nor from elsewhere to this machine.
    fn check_step(&self, from: &Origin, to: &Origin) -> Result<(), ImageError> {
        let why = if from.https && !to.https {
            "from TLS to plain HTTP"
        } else if to.is_loopback() && !self.home.is_loopback() {
            "to this machine"
        } else {
            return Ok(());
        };
        Err(ImageError::new(format!(
            "registry `{}` redirects {why} (`{}`); not followed",
            self.image.host, to
        ))
        .hint("tell the registry's owner; or pull the image with an engine and scan it there"))
    }

    fn send<B: ureq::AsSendBody>(
        &self,
        request: Request<B>,
        to: &Origin,
    ) -> Result<Reply, Failure> {
        if self.cancel.is_cancelled() {
            return Err(fatal(ImageError::new("cancelled")));
        }
        let proxy = match proxy_for(to.https, &to.host, &self.options.environment) {
            Some(url) => Some(ureq::Proxy::new(url).map_err(|_| {
                // The URL may hold a password, so it is not shown.
                fatal(
                    ImageError::new("the proxy in the environment is no usable URL")
                        .hint("write `HTTPS_PROXY` and `HTTP_PROXY` as `http://HOST:PORT`"),
                )
            })?),
            None => None,
        };
        let agent = match &self.lenient_agent {
            Some(lenient) if to.host == self.home.host => lenient,
            _ => &self.agent,
        };
        let request = agent.configure_request(request).proxy(proxy).build();
        let response: Response<ureq::Body> = agent
            .run(request)
            .map_err(|error| self.connection_failure(to, error))?;
        let (parts, body) = response.into_parts();
        Ok(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            // Without a limit here: every reader of a body has its own.
            body: Box::new(body.into_with_config().limit(u64::MAX).reader()),
            from: to.clone(),
        })
    }

    /// The value of `Authorization` at home, renewed if its end is near.
    fn proof(&self) -> Result<Option<Secret>, ImageError> {
        // Held while a token is fetched, so that parallel layers fetch one together.
        let mut grant = self.grant.lock().unwrap_or_else(|e| e.into_inner());
        let renewed = match &*grant {
            Grant::None => return Ok(None),
            Grant::Fixed(value) => return Ok(Some(value.clone())),
            Grant::Token { token, .. } if token.renew_at > Instant::now() => {
                return Ok(Some(token.authorization.clone()));
            }
            Grant::Token { realm, service, .. } => self.fetch_token(realm, service.as_deref())?,
        };
        let authorization = renewed.authorization.clone();
        if let Grant::Token { token, .. } = &mut *grant {
            *token = renewed;
        }
        Ok(Some(authorization))
    }

    fn has_fixed_proof(&self) -> bool {
        let grant = self.grant.lock().unwrap_or_else(|e| e.into_inner());
        matches!(*grant, Grant::Fixed(_))
    }

    fn answer_challenge(&self, reply: &Reply) -> Result<(), ImageError> {
        let values = reply
            .headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut grant = self.grant.lock().unwrap_or_else(|e| e.into_inner());
        match best_challenge(values) {
            Some(Challenge::Bearer { realm, service }) => {
                let token = self.fetch_token(&realm, service.as_deref())?;
                *grant = Grant::Token {
                    token,
                    realm,
                    service,
                };
                Ok(())
            }
            Some(Challenge::Basic) => {
                match self.identity.credential.as_ref().and_then(auth::basic) {
                    Some(proof) => {
                        *grant = Grant::Fixed(proof);
                        Ok(())
                    }
                    None => Err(ImageError::new(format!(
                        "registry `{}` wants a login",
                        self.image.host
                    ))
                    .hint(self.login_hint())),
                }
            }
            None => Err(ImageError::new(format!(
                "registry `{}` wants a login of an unknown kind",
                self.image.host
            ))
            .hint("pull the image with an engine and scan it there")),
        }
    }

    fn fetch_token(&self, realm: &str, service: Option<&str>) -> Result<Token, ImageError> {
        let Some(address) = Address::parse(realm) else {
            return Err(self.unusable("a token server"));
        };
        // Credentials sent in clear are credentials given away.
        if self.home.https && !address.origin.https && !address.origin.is_loopback() {
            return Err(ImageError::new(format!(
                "registry `{}` wants a login over plain HTTP at `{}`; refused",
                self.image.host, address.origin.host
            )));
        }
        let credential = self.identity.credential.as_ref();
        let wanted = token_request(
            &address.to_string(),
            service,
            &self.image.repository,
            credential,
        );
        let mut failures = 0;
        loop {
            let failure = match self.send_token_request(&wanted, &address.origin) {
                Ok(mut reply) => match reply.status {
                    200..300 => {
                        let bytes = read_within(&mut reply.body, MAX_SMALL)
                            .map_err(|error| self.unusable("a token answer").caused_by(error))?;
                        return auth::parse_token(&bytes, Instant::now())
                            .ok_or_else(|| self.unusable("a token answer"));
                    }
                    400 | 401 | 403 if credential.is_some() => {
                        return Err(ImageError::new(format!(
                            "registry `{}` does not accept the stored login{}",
                            self.image.host,
                            detail(reply)
                        ))
                        .hint(self.login_hint()));
                    }
                    400 | 401 | 403 => {
                        return Err(ImageError::new(format!(
                            "registry `{}` gives no access to `{}` without a login{}",
                            self.image.host,
                            self.image.repository,
                            detail(reply)
                        ))
                        .hint(self.login_hint()));
                    }
                    status => Failure {
                        may_pass: status == 429 || status >= 500,
                        error: ImageError::new(format!(
                            "token server `{}` of registry `{}` answers {status}{}",
                            address.origin.host,
                            self.image.host,
                            detail(reply)
                        ))
                        .hint("try again later"),
                    },
                },
                Err(failure) => failure,
            };
            failures += 1;
            if !failure.may_pass || failures >= self.options.tries {
                return Err(failure.error);
            }
            self.pause(self.back_off(failures))?;
        }
    }

    fn send_token_request(
        &self,
        wanted: &auth::TokenRequest,
        to: &Origin,
    ) -> Result<Reply, Failure> {
        let mut request = Request::builder().uri(&wanted.url);
        if let Some(authorization) = &wanted.authorization {
            request = request.header(
                header::AUTHORIZATION,
                sensitive(authorization).map_err(fatal)?,
            );
        }
        let unusable = |e: ureq::http::Error| fatal(self.unusable("a token server").caused_by(e));
        match &wanted.form {
            Some(form) => {
                let request = request
                    .method("POST")
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form.expose().to_owned())
                    .map_err(unusable)?;
                self.send(request, to)
            }
            None => self.send(request.method("GET").body(()).map_err(unusable)?, to),
        }
    }

    /// Whether the registry answers plain HTTP. One that speaks TLS answers a plain
    /// request with status 400 and a word about HTTPS (Go, nginx), or with no HTTP at all.
    fn speaks_plain_http(&self, plain: &Origin) -> bool {
        let Ok(request) = Request::builder().uri(format!("{plain}/v2/")).body(()) else {
            return false;
        };
        match self.send(request, plain) {
            Ok(mut reply) if reply.status == 400 => {
                let mut text = Vec::new();
                let _ = (&mut reply.body).take(4096).read_to_end(&mut text);
                !String::from_utf8_lossy(&text).contains("HTTPS")
            }
            Ok(_) => true,
            // Silent or absent: then plain HTTP is what the question will fail with.
            Err(failure) => failure.may_pass,
        }
    }

    fn refusal(&self, ask: &Ask<'_>, reply: Reply) -> ImageError {
        let host = &self.image.host;
        let status = reply.status;
        let wait = retry_after(&reply);
        let elsewhere = (reply.from != self.home).then(|| reply.from.host.clone());
        let detail = detail(reply);
        if let Some(elsewhere) = elsewhere {
            return ImageError::new(format!(
                "`{elsewhere}`, where registry `{host}` keeps its data, answers {status}{detail}"
            ))
            .hint("try again later");
        }
        let name = &self.image.repository;
        match status {
            401 => ImageError::new(format!("registry `{host}` gives no access to `{name}`{detail}"))
                .hint(self.login_hint()),
            403 => ImageError::new(format!("registry `{host}` forbids reading `{name}`{detail}"))
                .hint(self.login_hint()),
            404 => ImageError::new(format!(
                "registry `{host}` has no `{}` in `{name}`{detail}",
                ask.path.rsplit('/').next().unwrap_or_default()
            ))
            .hint(format!(
                "check the name and the tag; a private image looks absent until you run `docker login {host}`"
            )),
            429 => ImageError::new(format!("registry `{host}` limits the rate of requests{detail}"))
                .hint(match wait {
                    Some(wait) => format!("wait {} seconds, or log in", wait.as_secs()),
                    None => "wait a while, or log in".to_owned(),
                }),
            status => ImageError::new(format!("registry `{host}` answers {status}{detail}"))
                .hint("try again later"),
        }
    }

    fn login_hint(&self) -> String {
        let mut hint = format!("run `docker login {}`", self.image.host);
        if self.identity.credential.is_some() {
            hint.push_str(" with an account that may pull the image");
        }
        for trouble in &self.identity.troubles {
            hint.push_str("; ");
            hint.push_str(trouble);
        }
        hint
    }

    fn unusable(&self, what: &str) -> ImageError {
        ImageError::new(format!(
            "registry `{}` sent {what} that can't be used",
            self.image.host
        ))
    }

    fn connection_failure(&self, to: &Origin, error: ureq::Error) -> Failure {
        let (may_pass, hint) = match &error {
            ureq::Error::HostNotFound => (false, "check the name and the network".to_owned()),
            ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::BodyStalled => {
                (true, "check the network, or try again later".to_owned())
            }
            ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => (
                false,
                "check `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`".to_owned(),
            ),
            ureq::Error::Io(inner) if inner.kind() != io::ErrorKind::InvalidData => {
                (true, "check the network, or try again later".to_owned())
            }
            ureq::Error::Io(_) | ureq::Error::Tls(_) | ureq::Error::Rustls(_) => (
                false,
                format!(
                    "add the authority of its certificate to those the system trusts, or list `{}` as insecure",
                    self.image.host
                ),
            ),
            _ => (
                false,
                "the answer is no proper HTTP; check the address".to_owned(),
            ),
        };
        Failure {
            may_pass,
            error: ImageError::new(format!("cannot talk to `{}`", to))
                .hint(hint)
                .caused_by(error),
        }
    }
}

fn new_agent(options: &RegistryOptions, verify: bool) -> ureq::Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .disable_verification(!verify)
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent("seaworthy")
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(options.stall))
        .timeout_per_read(Some(options.stall))
        .timeout_per_write(Some(options.stall))
        .build()
        .new_agent()
}

fn fatal(error: ImageError) -> Failure {
    Failure {
        error,
        may_pass: false,
    }
}

fn sensitive(value: &Secret) -> Result<header::HeaderValue, ImageError> {
    let mut header = header::HeaderValue::from_str(value.expose())
        .map_err(|_| ImageError::new("the stored login has characters that can't be sent"))?;
    header.set_sensitive(true);
    Ok(header)
}

fn retry_after(reply: &Reply) -> Option<Duration> {
    let seconds = reply.header("retry-after")?.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(seconds.into()))
}

#[derive(Deserialize)]
struct ErrorDocument {
    #[serde(default)]
    errors: Vec<ErrorLine>,
    // Token servers say it so.
    details: Option<String>,
}

#[derive(Deserialize)]
struct ErrorLine {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// ` (CODE: message)` from an error document, cut and escaped; empty without one.
fn detail(mut reply: Reply) -> String {
    let Ok(bytes) = read_within(&mut reply.body, MAX_SMALL) else {
        return String::new();
    };
    let Ok(document) = serde_json::from_slice::<ErrorDocument>(&bytes) else {
        return String::new();
    };
    let text = match document.errors.first() {
        Some(line) if line.message.is_empty() => line.code.clone(),
        Some(line) => format!("{}: {}", line.code, line.message),
        None => document.details.unwrap_or_default(),
    };
    if text.is_empty() {
        return text;
    }
    let text: String = text
        .chars()
        .take(300)
        .flat_map(char::escape_debug)
        .collect();
    format!(" ({text})")
}
