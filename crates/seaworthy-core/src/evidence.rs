use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    DetectionEvidence, Digest, Distro, ExecutableEvidence, ImagePath, ImageStart, Package, Problem,
    StarterEvidence, SuspicionEvidence,
};

/// What one file of one layer says.
///
/// A new kind of evidence is a new variant: the compiler then names every place that has
/// to think about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EvidenceItem {
    /// The distribution, as one of its identifying files tells it.
    Distro(Distro),
    /// An installed package.
    Package(Package),
    /// Which files a package installed.
    OwnedFiles(OwnedFiles),
    /// A package database is here, even if it holds no package. The text is its format
    /// (`dpkg`, `apk`, `rpm-sqlite` …).
    PackageDatabase(String),
    /// A key, token or password.
    Secret(SecretEvidence),
    /// A public key or certificate, to tell whose private key another file holds.
    PublicKey(PublicKeyEvidence),
    /// A signature or YARA rule matches.
    Detection(DetectionEvidence),
    /// One of our own malware rules saw something.
    Suspicion(SuspicionEvidence),
    /// A file that can be run or loaded.
    Executable(ExecutableEvidence),
    /// A file that starts others.
    Starter(StarterEvidence),
}

/// A secret that a rule found. Its value is not here and cannot be made from what is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretEvidence {
    /// The way into archives and encodings, from the file inwards, joined by `!/`; `None`
    /// for the file itself. Offset and line then count in the innermost content.
    pub inside: Option<Box<str>>,
    /// Byte of the text at which the value starts.
    pub offset: u64,
    /// Line of the value, counted from 1; `None` in binaries.
    pub line: Option<u64>,
    /// Id of the rule that found it.
    pub rule: String,
    /// What people may see of it: at most its first four characters, and its length.
    pub redacted: String,
    /// Keyed hash of the value: the same secret has the same one wherever it stands, and
    /// without the key, which stays with the installation, no guess can be tried against it.
    pub fingerprint: String,
    /// What parsing the value told.
    pub nature: Option<Box<SecretNature>>,
    /// Whether a comment on its line says that it is meant to be there.
    pub allowed_inline: bool,
    /// Entries of the allow list, by their place, whose conditions on the value hold. Where it
    /// stands is judged later.
    pub allowed_by: Vec<u32>,
}

/// What parsing a secret told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SecretNature {
    /// It is a private key.
    PrivateKey(PrivateKeyFacts),
    /// It is a JSON web token.
    WebToken(WebTokenFacts),
}

/// A private key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PrivateKeyFacts {
    /// What it is for: `RSA`, `EC P-256`, `Ed25519`, `PGP RSA`; the wrapping (`PKCS #8`) where
    /// encryption hides it.
    pub algorithm: String,
    /// Its size, where that can be seen.
    pub bits: Option<u32>,
    /// Whether a passphrase protects it.
    pub encrypted: bool,
    /// Hexadecimal SHA-256 of its public half as SubjectPublicKeyInfo, where that is known.
    pub public: Option<String>,
}

/// A JSON web token (RFC 7519).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WebTokenFacts {
    /// How it is signed; `none` for not at all.
    pub algorithm: String,
    /// Who issued it, where that is a plain name or URL.
    pub issuer: Option<String>,
    /// When it ends, in seconds since 1970; `None` for never.
    pub expires: Option<i64>,
}

/// What holds a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PublicKeyKind {
    /// An X.509 certificate.
    Certificate,
    /// A bare public key.
    PublicKey,
    /// A line of a `.pub` file or of `authorized_keys`.
    SshKey,
}

/// A public key in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublicKeyEvidence {
    /// What holds it.
    pub kind: PublicKeyKind,
    /// Hexadecimal SHA-256 of its SubjectPublicKeyInfo (RFC 5280, section 4.1).
    pub spki_sha256: String,
    /// The subject of the certificate (`CN=example.org`), or the comment of an SSH key.
    pub name: Option<String>,
}

/// A secret in what an image says about itself: environment, labels, history, commands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConfigSecret {
    /// Where, for people: ``environment variable `DB_PASSWORD` ``.
    pub place: String,
    /// The layer the place belongs to: that of a history line that made one.
    pub layer: Option<u32>,
    /// The secret.
    pub secret: SecretEvidence,
}

/// The files one OS package installed, from the package manager's own record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnedFiles {
    /// Name of the package, as in [`Package::name`].
    pub package: String,
    /// Its regular files and links, in the order of the record. Directories are shared
    /// between packages and left out where the record tells them apart.
    pub files: Vec<OwnedFile>,
}

/// One file that a package installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnedFile {
    /// Where it was installed.
    pub path: ImagePath,
    /// The content digest the package recorded, `algorithm:hex`, with the algorithms
    /// package managers use (`md5`, `sha1`, `sha256`). `None` where there is no record.
    pub digest: Option<Box<str>>,
}

/// All that one file gave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileEvidence {
    /// The file.
    pub path: ImagePath,
    /// What it says. A file that says nothing is left out.
    pub items: Vec<EvidenceItem>,
}

/// A set of paths of one layer, kept as sorted 64-bit hashes: 8 bytes a path, so that a
/// layer with millions of entries stays small.
///
/// Two paths could share a hash (chance about n²/2⁶⁵); that would at worst take one file's
/// evidence for overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PathSet {
    sorted: Vec<u64>,
}

impl PathSet {
    /// The hash under which a path is kept.
    pub fn hash(path: &str) -> u64 {
        xxh3_64(path.as_bytes())
    }

    /// Builds the set from path hashes in any order, doubles allowed.
    pub fn from_hashes(mut hashes: Vec<u64>) -> PathSet {
        hashes.sort_unstable();
        hashes.dedup();
        PathSet { sorted: hashes }
    }

    /// Whether the path is in the set.
    pub fn contains(&self, path: &str) -> bool {
        self.sorted.binary_search(&PathSet::hash(path)).is_ok()
    }

    /// How many paths it holds.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

/// Counts of what a walk over a layer saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LayerStats {
    /// Archive or directory entries of all kinds.
    pub entries: u64,
    /// Regular files.
    pub files: u64,
    /// Bytes of content of the regular files.
    pub bytes: u64,
}

/// What one pass over one layer found. Depends on nothing but the layer's bytes and the
/// analyzers' revisions, and is cached under both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LayerEvidence {
    /// Digest of the uncompressed layer, where the layer has one.
    pub diff_id: Option<Digest>,
    /// Files that say something, sorted by path.
    pub files: Vec<FileEvidence>,
    /// Paths this layer deletes from those below, sorted.
    pub whiteouts: Vec<ImagePath>,
    /// Directories whose lower content this layer hides, sorted.
    pub opaque_dirs: Vec<ImagePath>,
    /// Every entry that is not a directory: it replaces what lower layers have at and
    /// below that path.
    pub non_dirs: PathSet,
    /// Every directory entry: it replaces a lower file of that name.
    pub dirs: PathSet,
    /// What went wrong, without the layer's number: the cache is shared between images.
    pub problems: Vec<Problem>,
    /// Counts.
    pub stats: LayerStats,
    /// Whether the whole layer was seen. Incomplete evidence is never cached.
    pub complete: bool,
}

/// One layer of an image, as the report and the findings name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// Place in the image, 0 at the base.
    pub index: u32,
    /// Digest of the uncompressed layer.
    pub diff_id: Option<Digest>,
    /// The history line that made it (`created_by`), where the image has one.
    pub created_by: Option<String>,
    /// Counts.
    pub stats: LayerStats,
    /// Whether the whole layer was seen.
    pub complete: bool,
}

/// An item with its way through the layers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TracedItem {
    /// The file that says it.
    pub path: ImagePath,
    /// What it says.
    pub item: EvidenceItem,
    /// The layer that brought the item: the first of the unbroken run in which `path`
    /// says it, even where later layers rewrite the file around it.
    pub layer: u32,
    /// The layer that took it away again; `None` for what the final image holds.
    pub removed_by: Option<u32>,
    /// Name of the OS package that owns `path`.
    pub owner: Option<String>,
}

impl TracedItem {
    /// The package, where the item is one.
    pub fn package(&self) -> Option<&Package> {
        match &self.item {
            EvidenceItem::Package(package) => Some(package),
            _ => None,
        }
    }
}

/// What a whole image holds: the layers' evidence coalesced into the final view, with
/// what was removed on the way kept beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageEvidence {
    /// The layers, base first.
    pub layers: Vec<LayerInfo>,
    /// The distribution of the final view.
    pub distro: Option<Distro>,
    /// Items of the final view and removed ones, sorted by path; without
    /// [`EvidenceItem::OwnedFiles`], which is in `owned_files`.
    pub items: Vec<TracedItem>,
    /// Files of the final view's OS packages, sorted by path: file and package name.
    pub owned_files: Vec<(OwnedFile, String)>,
    /// Secrets in the image's configuration.
    pub config_secrets: Vec<ConfigSecret>,
    /// What the image's configuration starts.
    pub start: ImageStart,
    /// Everything that went wrong, with layer numbers.
    pub problems: Vec<Problem>,
}

impl ImageEvidence {
    /// The packages of the final view.
    pub fn packages(&self) -> impl Iterator<Item = (&TracedItem, &Package)> {
        self.items
            .iter()
            .filter(|traced| traced.removed_by.is_none())
            .filter_map(|traced| Some((traced, traced.package()?)))
    }

    /// The formats of the package databases in the final view.
    pub fn package_databases(&self) -> impl Iterator<Item = (&TracedItem, &str)> {
        self.items
            .iter()
            .filter(|traced| traced.removed_by.is_none())
            .filter_map(|traced| match &traced.item {
                EvidenceItem::PackageDatabase(format) => Some((traced, format.as_str())),
                _ => None,
            })
    }

    /// Whether every layer was seen whole and nothing that matters went wrong.
    pub fn is_complete(&self) -> bool {
        self.layers.iter().all(|layer| layer.complete)
            && !self.problems.iter().any(Problem::makes_incomplete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_set_knows_its_members_and_no_others() {
        let set = PathSet::from_hashes(["b", "a", "b"].map(PathSet::hash).to_vec());
        assert_eq!(set.len(), 2);
        assert!(set.contains("a") && set.contains("b") && !set.contains("c"));
    }
}
