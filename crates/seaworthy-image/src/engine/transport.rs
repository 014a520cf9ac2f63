//! The way to a Docker Engine: a Unix socket, TCP, or TCP with TLS.
//!
//! One connection per request. Reads wake every few hundred milliseconds to look at the
//! cancel wish, and give up when nothing came for as long as the caller's patience. The
//! TLS way goes through `ureq`, whose reads know only the patience.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::http::{self, Head, HttpError};
use crate::{Cancel, fault};

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a waiting read looks at the cancel wish.
const TICK: Duration = Duration::from_millis(200);
/// Bytes of a certificate or key file.
const MAX_PEM: u64 = 1 << 20;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// Plain TCP.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// TCP with TLS.
    Tls(TlsEndpoint),
}

/// An engine behind TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsEndpoint {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Folder with `ca.pem`, `cert.pem` and `key.pem`, each of which may be missing.
    pub certificates: Option<PathBuf>,
    /// Whether the engine's certificate must be good.
    pub verify: bool,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
            Endpoint::Tcp { host, port } | Endpoint::Tls(TlsEndpoint { host, port, .. }) => {
                write!(f, "tcp://{}:{port}", bracketed(host))
            }
        }
    }
}

/// A response with its body still to come.
pub(crate) struct Answer {
    /// Status and header fields.
    pub head: Head,
    /// The body.
    pub body: Box<dyn Read + Send>,
}

impl Endpoint {
    /// Sends `GET target`. `patience` is the longest silence that is waited through.
    pub(crate) fn get(
        &self,
        target: &str,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<Answer, HttpError> {
        match self {
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(TICK))?;
                stream.set_write_timeout(Some(CONNECT))?;
                exchange(stream, "docker", target, patience, cancel)
            }
            Endpoint::Tcp { host, port } => {
                let stream = connect(host, *port)?;
                stream.set_read_timeout(Some(TICK))?;
                stream.set_write_timeout(Some(CONNECT))?;
                let name = format!("{}:{port}", bracketed(host));
                exchange(stream, &name, target, patience, cancel)
            }
            Endpoint::Tls(endpoint) => endpoint.get(target, patience),
        }
    }

    /// Whether the engine runs on this machine as far as the address tells.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Endpoint::Unix(_))
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()?.take(8) {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn exchange(
    mut stream: impl Read + Write + Send + 'static,
    host: &str,
    target: &str,
    patience: Duration,
    cancel: &Cancel,
) -> Result<Answer, HttpError> {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: seaworthy\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let patient = Patient {
        stream,
        patience,
        cancel: cancel.clone(),
    };
    let (head, body) = http::read_response(patient)?;
    Ok(Answer {
        head,
        body: Box::new(body),
    })
}

/// A stream with a short read timeout that is waited for a long time.
struct Patient<S> {
    stream: S,
    patience: Duration,
    cancel: Cancel,
}

impl<S: Read> Read for Patient<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = Instant::now();
        loop {
            if self.cancel.is_cancelled() {
                return Err(fault::cancelled());
            }
            match self.stream.read(buffer) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    if start.elapsed() >= self.patience {
                        let message = format!("no answer for {} seconds", self.patience.as_secs());
                        return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl TlsEndpoint {
    fn get(&self, target: &str, patience: Duration) -> Result<Answer, HttpError> {
        let agent = ureq::Agent::config_builder()
            .tls_config(self.tls_config()?)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("seaworthy")
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .build()
            .new_agent();
        let url = format!("https://{}:{}{target}", bracketed(&self.host), self.port);
        let response = agent.get(&url).call().map_err(|e| e.into_io())?;
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        let head = Head::new(response.status().as_u16(), headers);
        Ok(Answer {
            head,
            body: Box::new(response.into_body().into_reader()),
        })
    }

    fn tls_config(&self) -> io::Result<TlsConfig> {
        let mut config = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .disable_verification(!self.verify);
        if let Some(authorities) = self.pem("ca.pem")? {
            config = config.root_certs(RootCerts::new_with_certs(&certificates(&authorities)?));
        }
        if let (Some(chain), Some(key)) = (self.pem("cert.pem")?, self.pem("key.pem")?) {
            let key = PrivateKey::from_pem(&key).map_err(|e| e.into_io())?;
            let chain = certificates(&chain)?;
            config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        Ok(config.build())
    }

    fn pem(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(folder) = &self.certificates else {
            return Ok(None);
        };
        let file = match std::fs::File::open(folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_PEM).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

fn certificates(pem: &[u8]) -> io::Result<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(pem) {
        if let ureq::tls::PemItem::Certificate(certificate) = item.map_err(|e| e.into_io())? {
            found.push(certificate);
        }
    }
    Ok(found)
}
