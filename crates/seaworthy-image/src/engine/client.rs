//! A small client of the Docker Engine API.
//!
//! It asks the questions an image scanner has and no others, with `GET` only. The API
//! version is negotiated: an engine answers `/_ping` without a version and says the newest
//! it speaks; old ones (1.41) refuse newer numbers, new ones (Docker 29) refuse numbers
//! below 1.44, so a fixed number fails on one or the other.
//! Reference: Docker Engine API, "Versioned API and SDK".

use std::fmt;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::context::{EngineAddress, engine_address};
use super::http::HttpError;
use super::transport::{Answer, Endpoint};
use crate::small_body::read_within;
use crate::{Cancel, Environment, ImageError};

/// The newest API version whose answers this program was written against.
const NEWEST: ApiVersion = ApiVersion {
    major: 1,
    minor: 52,
};
/// Spoken by an engine that does not say (before 1.25 there was no `Api-Version` header).
const OLDEST: ApiVersion = ApiVersion {
    major: 1,
    minor: 24,
};
/// Silence before a question counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(60);
/// Silence before an export: the engine copies the whole image before the first byte.
const EXPORT_PATIENCE: Duration = Duration::from_secs(900);
/// Bytes of an answer in JSON. The inspection of an image with 500 layers is about 50 KiB.
const MAX_JSON: u64 = 16 << 20;
/// Bytes of an error message that are read.
const MAX_ERROR: u64 = 16 << 10;

/// A version of the Docker Engine API, `1.41`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

impl ApiVersion {
    /// Reads `1.41`; `None` for anything else.
    pub fn parse(text: &str) -> Option<ApiVersion> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(ApiVersion {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }

    /// Version 1.`minor`.
    pub const fn one_dot(minor: u16) -> ApiVersion {
        ApiVersion { major: 1, minor }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why the engine gave no answer to one question.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing listens at the address, or it may not be asked.
    #[error("cannot connect to the Docker engine at `{address}` ({origin})")]
    Connect {
        /// The engine's address.
        address: String,
        /// Who named it.
        origin: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection broke or fell silent, or the answer is no HTTP.
    #[error("the Docker engine at `{address}` did not answer `{question}`")]
    Broken {
        /// The engine's address.
        address: String,
        /// The path that was asked for.
        question: String,
        /// What happened.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine answered with an error.
    #[error("the Docker engine answers {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
}

impl EngineError {
    /// Whether the engine says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, EngineError::Refused { status: 404, .. })
    }

    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            EngineError::Connect { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "run as root or as a member of group `docker`, or set `DOCKER_HOST` to a socket that you may use".into()
                }
                _ => "start the engine, or set `DOCKER_HOST` or `DOCKER_CONTEXT` to the one that you mean".into(),
            },
            EngineError::Broken { source, .. } if source.to_string().contains("ertificate") => {
                "set `DOCKER_CERT_PATH` to the folder with the engine's `ca.pem` and your `cert.pem` and `key.pem`".into()
            }
            EngineError::Refused { message, .. } if message.contains("HTTPS") => {
                "the engine wants TLS: set `DOCKER_TLS_VERIFY=1` and `DOCKER_CERT_PATH`".into()
            }
            EngineError::Broken { .. } => {
                "look whether the engine still runs (`docker info`), and try again".into()
            }
            EngineError::Refused { .. } => "the engine's own log may say more".into(),
        }
    }
}

impl From<EngineError> for ImageError {
    fn from(error: EngineError) -> ImageError {
        let hint = error.hint();
        let message = error.to_string();
        let image_error = ImageError::new(message).hint(hint);
        match error {
            EngineError::Connect { source, .. } => image_error.caused_by(source),
            EngineError::Broken { source, .. } => image_error.caused_by(source),
            EngineError::Refused { .. } => image_error,
        }
    }
}

/// A Docker Engine that answers.
pub struct Engine {
    address: EngineAddress,
    version: Mutex<ApiVersion>,
    cancel: Cancel,
}

#[derive(Deserialize)]
struct VersionAnswer {
    #[serde(rename = "ApiVersion", default)]
    api_version: String,
    #[serde(rename = "MinAPIVersion", default)]
    min_api_version: String,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    message: String,
}

impl Engine {
    /// Connects to the engine the Docker client would use (see [`engine_address`]), or to
    /// `host`, and agrees on an API version.
    ///
    /// # Errors
    ///
    /// When no address can be found, or nothing answers there as an engine does.
    pub fn connect(
        host: Option<&str>,
        environment: &Environment,
        cancel: &Cancel,
    ) -> Result<Engine, ImageError> {
        let engine = Engine {
            address: engine_address(host, environment)?,
            version: Mutex::new(OLDEST),
            cancel: cancel.clone(),
        };
        engine.negotiate()?;
        Ok(engine)
    }

    /// Where the engine listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.address.endpoint
    }

    /// The API version in use.
    pub fn api_version(&self) -> ApiVersion {
        // A version is never half written, whatever its writer panicked of.
        *self.version.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Asks `path` (without version, `/info`) and reads the answer as JSON.
    ///
    /// # Errors
    ///
    /// See [`EngineError`]. An answer of another shape than `T` counts as broken.
    pub fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, EngineError> {
        let mut answer = self.get(path, PATIENCE)?;
        let bytes = read_within(&mut *answer.body, MAX_JSON).map_err(|e| self.broken(path, e))?;
        serde_json::from_slice(&bytes).map_err(|e| self.broken(path, e))
    }

    /// Asks `path` for a stream of bytes of any length, which may start late.
    ///
    /// # Errors
    ///
    /// See [`EngineError`].
    pub fn stream(&self, path: &str) -> Result<Box<dyn Read + Send>, EngineError> {
        Ok(self.get(path, EXPORT_PATIENCE)?.body)
    }

    fn negotiate(&self) -> Result<(), EngineError> {
        let ping = self.ask("/_ping", PATIENCE)?;
        let said = ping.head.header("api-version").and_then(ApiVersion::parse);
        let (newest, oldest) = match said {
            Some(newest) if ping.head.status == 200 => (newest, None),
            // A proxy in front of the engine may eat the header.
            _ => {
                let path = "/version";
                let mut answer = self.checked(self.ask(path, PATIENCE)?)?;
                let bytes =
                    read_within(&mut *answer.body, MAX_JSON).map_err(|e| self.broken(path, e))?;
                let version: VersionAnswer =
                    serde_json::from_slice(&bytes).map_err(|e| self.broken(path, e))?;
                (
                    ApiVersion::parse(&version.api_version).unwrap_or(OLDEST),
                    ApiVersion::parse(&version.min_api_version),
                )
            }
        };
        // An engine that wants more than we know is asked in its own way: the few answers
        // that are read have not changed since 1.24.
        self.agree(newest.min(NEWEST).max(oldest.unwrap_or(OLDEST)));
        Ok(())
    }

    fn agree(&self, version: ApiVersion) {
        *self.version.lock().unwrap_or_else(|e| e.into_inner()) = version;
    }

    fn get(&self, path: &str, patience: Duration) -> Result<Answer, EngineError> {
        let version = self.api_version();
        let first = self.checked(self.ask(&format!("/v{version}{path}"), patience)?);
        match first {
            Err(EngineError::Refused {
                status: 400,
                message,
            }) => match named_version(&message).filter(|named| *named != version) {
                Some(named) => {
                    self.agree(named);
                    self.checked(self.ask(&format!("/v{named}{path}"), patience)?)
                }
                None => Err(EngineError::Refused {
                    status: 400,
                    message,
                }),
            },
            other => other,
        }
    }

    fn ask(&self, target: &str, patience: Duration) -> Result<Answer, EngineError> {
        self.address
            .endpoint
            .get(target, patience, &self.cancel)
            .map_err(|error| match error {
                HttpError::Io(source) if could_not_connect(&source) => EngineError::Connect {
                    address: self.address.endpoint.to_string(),
                    origin: self.address.origin.clone(),
                    source,
                },
                HttpError::Io(source) => self.broken(target, source),
                other => self.broken(target, other),
            })
    }

    fn checked(&self, answer: Answer) -> Result<Answer, EngineError> {
        let status = answer.head.status;
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let mut bytes = Vec::new();
        // Half an error message is better than none.
        let _ = answer.body.take(MAX_ERROR).read_to_end(&mut bytes);
        let text = match serde_json::from_slice::<ErrorAnswer>(&bytes) {
            Ok(error) => error.message,
            Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        };
        let message = text
            .trim()
            .chars()
            .take(400)
            .flat_map(char::escape_debug)
            .collect();
        Err(EngineError::Refused { status, message })
    }

    fn broken(
        &self,
        question: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> EngineError {
        EngineError::Broken {
            address: self.address.endpoint.to_string(),
            question: question.chars().take(200).collect(),
            source: source.into(),
        }
    }
}

fn could_not_connect(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable
    )
}

/// The version an engine wants, from "client version 1.52 is too new. Maximum supported
/// API version is 1.41" or "client version 1.24 is too old. Minimum supported API version
/// is 1.44, please upgrade your client to a newer version".
fn named_version(message: &str) -> Option<ApiVersion> {
    let (_, after) = message.split_once("supported API version is ")?;
    let end = after
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(after.len());
    ApiVersion::parse(after[..end].trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use seaworthy_testkit::http::{FakeServer, Reply, Request};

    use super::*;

    /// An engine on a Unix socket, speaking API versions `min` to `max`.
    fn engine_speaking(
        min: u16,
        max: u16,
        ping_says: bool,
    ) -> (tempfile::TempDir, FakeServer, Result<Engine, ImageError>) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let server = FakeServer::start_unix(&socket, move |request: &Request| {
            match request.path() {
                "/_ping" if ping_says => {
                    return Reply::ok("OK").header("Api-Version", format!("1.{max}"));
                }
                "/_ping" => return Reply::ok("OK"),
                "/version" => {
                    return Reply::ok(format!(
                        r#"{{"ApiVersion":"1.{max}","MinAPIVersion":"1.{min}"}}"#
                    ))
                    .chunked();
                }
                _ => {}
            }
            let asked: u16 = request
                .path()
                .strip_prefix("/v1.")
                .and_then(|rest| rest.split('/').next())
                .and_then(|minor| minor.parse().ok())
                .unwrap();
            if asked > max {
                Reply::status(400).body(format!(
                    r#"{{"message":"client version 1.{asked} is too new. Maximum supported API version is 1.{max}"}}"#
                ))
            } else if asked < min {
                Reply::status(400).body(format!(
                    r#"{{"message":"client version 1.{asked} is too old. Minimum supported API version is 1.{min}, please upgrade your client to a newer version"}}"#
                ))
            } else {
                Reply::ok(format!(r#"{{"asked":{asked}}}"#)).chunked()
            }
        });
        let host = format!("unix://{}", socket.display());
        let engine = Engine::connect(Some(&host), &Environment::default(), &Cancel::default());
        (dir, server, engine)
    }

    #[derive(Deserialize)]
    struct Asked {
        asked: u16,
    }

    #[test]
    fn the_newest_version_both_sides_speak_is_used() {
        for (min, max, ping_says, agreed) in [
            (12, 41, true, 41),
            (44, 52, true, 52),
            (44, 60, true, 52),
            (12, 41, false, 41),
            (55, 60, false, 55),
        ] {
            let (_dir, _server, engine) = engine_speaking(min, max, ping_says);
            let asked: Asked = engine.unwrap().json("/info").unwrap();
            assert_eq!(asked.asked, agreed, "{min}..{max}");
        }
    }

    #[test]
    fn an_engine_that_names_its_minimum_is_asked_again_with_it() {
        // Its ping says 1.60 only, so the first try is 1.52, below its minimum.
        let (_dir, server, engine) = engine_speaking(56, 60, true);
        let engine = engine.unwrap();
        let asked: Asked = engine.json("/info").unwrap();
        assert_eq!(asked.asked, 56);
        assert_eq!(engine.api_version(), ApiVersion::one_dot(56));
        let paths: Vec<String> = server.requests().into_iter().map(|r| r.target).collect();
        assert_eq!(paths, ["/_ping", "/v1.52/info", "/v1.56/info"]);
    }

    #[test]
    fn version_complaints_of_real_engines_are_understood() {
        for (message, version) in [
            (
                "client version 1.24 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version",
                Some(44),
            ),
            (
                "client version 1.52 is too new. Maximum supported API version is 1.41",
                Some(41),
            ),
            ("Minimum supported API version is 1.44.", Some(44)),
            ("bad parameter", None),
        ] {
            assert_eq!(
                named_version(message),
                version.map(ApiVersion::one_dot),
                "{message}"
            );
        }
    }

    #[test]
    fn an_engine_that_goes_away_is_a_clear_error() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let host = format!("unix://{}", socket.display());
        let connect = || Engine::connect(Some(&host), &Environment::default(), &Cancel::default());

        let error = connect().err().unwrap();
        assert!(
            error
                .message
                .starts_with("cannot connect to the Docker engine at `unix:///"),
            "{error}"
        );
        assert!(error.hint.unwrap().contains("start the engine"));

        let _server = FakeServer::start_unix(&socket, |request: &Request| match request.path() {
            "/_ping" => Reply::ok("OK").header("Api-Version", "1.41"),
            "/v1.41/info" => Reply::ok(r#"{"asked":1}"#).cut_after(5),
            "/v1.41/huge" => Reply::ok(vec![b' '; 17 << 20]),
            _ => Reply::raw("what?\r\n"),
        });
        let engine = connect().unwrap();
        for (path, why) in [
            ("/info", "in the middle"),
            ("/huge", "longer than"),
            ("/junk", "status line"),
        ] {
            let error = engine.json::<Asked>(path).err().unwrap();
            let EngineError::Broken { source, .. } = &error else {
                panic!("{error}");
            };
            assert!(source.to_string().contains(why), "{source}");
        }
    }

    #[test]
    fn an_engine_that_wants_tls_says_which_variables_to_set() {
        let server = FakeServer::start(|_: &Request| {
            Reply::status(400).body("Client sent an HTTP request to an HTTPS server.\n")
        });
        let host = format!("tcp://{}", server.address());
        let error = Engine::connect(Some(&host), &Environment::default(), &Cancel::default())
            .err()
            .unwrap();
        assert!(error.hint.unwrap().contains("DOCKER_TLS_VERIFY=1"));
    }

    #[test]
    fn a_cancelled_wait_for_a_silent_engine_ends_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let _server = FakeServer::start_unix(&socket, |_: &Request| {
            Reply::ok("OK").stall_before(Duration::from_secs(30))
        });
        let cancel = Cancel::default();
        cancel.cancel();
        let start = std::time::Instant::now();
        let host = format!("unix://{}", socket.display());
        assert!(Engine::connect(Some(&host), &Environment::default(), &cancel).is_err());
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
