use std::collections::BTreeMap;

/// One line of an image's history (OCI image-spec config.md, `history`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryEntry {
    /// The command that made the layer.
    pub created_by: Option<String>,
    /// When, RFC 3339.
    pub created: Option<String>,
    /// A comment, `buildkit.dockerfile.v0` for instance.
    pub comment: Option<String>,
    /// Whether it changed no file and so has no layer.
    pub empty_layer: bool,
}

/// What an image says about how to run it (OCI image-spec config.md), read leniently:
/// an odd or missing field is left empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageConfig {
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// User it runs as; empty means root.
    pub user: Option<String>,
    /// Environment, `NAME=value`.
    pub env: Vec<String>,
    /// Entry point.
    pub entrypoint: Vec<String>,
    /// Default arguments.
    pub cmd: Vec<String>,
    /// Working directory.
    pub working_dir: Option<String>,
    /// Ports it says it listens on, `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Paths declared as volumes.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Health check command.
    pub healthcheck: Vec<String>,
    /// Build triggers.
    pub on_build: Vec<String>,
    /// How it came to be, oldest first, lines without a layer included.
    pub history: Vec<HistoryEntry>,
    /// Annotations of its manifest and of the entries of indexes that lead to it.
    pub annotations: BTreeMap<String, String>,
    /// Statements about how it was built (in-toto, SLSA provenance), where they come with it.
    pub attestations: Vec<Attestation>,
}

/// A statement about an image (in-toto attestation framework, `Statement`), unread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attestation {
    /// What it says it tells: `https://slsa.dev/provenance/v0.2`.
    pub predicate_type: String,
    /// Its JSON.
    pub text: String,
}

impl ImageConfig {
    /// The history line of each layer, base first: the entries that have a layer, padded
    /// or cut to `layer_count` because neither list can be trusted to fit the other.
    pub fn layer_history(&self, layer_count: usize) -> Vec<Option<&HistoryEntry>> {
        let mut lines: Vec<Option<&HistoryEntry>> = self
            .history
            .iter()
            .filter(|entry| !entry.empty_layer)
            .map(Some)
            .collect();
        lines.resize(layer_count, None);
        lines
    }
}
