use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Distro;

/// The kind of a package, as package URLs name it (`deb`, `apk`, `rpm`, `pypi`, `npm`,
/// `golang` …; purl-spec, PURL-TYPES.rst).
///
/// A text and not an enum, so that a new ecosystem is a cataloger and an advisory row and
/// no edit here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PackageType(Cow<'static, str>);

impl PackageType {
    /// dpkg packages.
    pub const DEB: PackageType = PackageType::new("deb");
    /// apk packages.
    pub const APK: PackageType = PackageType::new("apk");
    /// rpm packages.
    pub const RPM: PackageType = PackageType::new("rpm");
    /// Python distributions.
    pub const PYPI: PackageType = PackageType::new("pypi");
    /// Node packages.
    pub const NPM: PackageType = PackageType::new("npm");
    /// Go modules.
    pub const GOLANG: PackageType = PackageType::new("golang");

    /// A package type known when the program is built.
    pub const fn new(name: &'static str) -> PackageType {
        PackageType(Cow::Borrowed(name))
    }

    /// The purl type.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a distribution's own package manager installs this kind, so that the
    /// distribution's advisories judge it.
    pub fn is_os(&self) -> bool {
        matches!(self.as_str(), "deb" | "apk" | "rpm")
    }
}

impl fmt::Display for PackageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The source package that a binary package was built from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourcePackage {
    /// Source (Debian), origin (Alpine) or source rpm name.
    pub name: String,
    /// Its version where the record tells it. A source rpm's version has no epoch.
    pub version: Option<String>,
}

/// What part a package plays in the thing it was found in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum PackageRole {
    /// Installed or linked in: the ordinary case.
    #[default]
    Dependency,
    /// The program itself (a Go binary's main module): its version is often meaningless.
    Main,
    /// The language's standard library, compiled in.
    StandardLibrary,
}

/// A package found in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Its purl type.
    pub kind: PackageType,
    /// The name as the ecosystem writes it; npm scopes and Go module paths are part of it.
    pub name: String,
    /// The whole version as the ecosystem writes it, with epoch and release where it has
    /// them (`1:2.3-4` for dpkg, `[epoch:]version-release` for rpm). Never empty; never
    /// parsed before a version scheme looks at it.
    pub version: String,
    /// Architecture in the ecosystem's words; `None` where packages have none.
    pub arch: Option<String>,
    /// What it was built from, when that is not itself.
    pub source: Option<SourcePackage>,
    /// rpm's modularity label, `name:stream:version:context`.
    pub module: Option<String>,
    /// rpm's vendor, dpkg's and apk's maintainer: who packaged it.
    pub vendor: Option<String>,
    /// The part it plays.
    pub role: PackageRole,
}

impl Package {
    /// A package with only the fields that every ecosystem has.
    pub fn new(kind: PackageType, name: impl Into<String>, version: impl Into<String>) -> Package {
        Package {
            kind,
            name: name.into(),
            version: version.into(),
            arch: None,
            source: None,
            module: None,
            vendor: None,
            role: PackageRole::Dependency,
        }
    }

    /// The source name, or the package's own where it is its own source.
    pub fn source_name(&self) -> &str {
        self.source
            .as_ref()
            .map_or(&self.name, |source| &source.name)
    }

    /// The source version, or the package's own where the record tells no other.
    pub fn source_version(&self) -> &str {
        self.source
            .as_ref()
            .and_then(|source| source.version.as_deref())
            .unwrap_or(&self.version)
    }

    /// The package URL (purl-spec). OS packages get the distribution as namespace and
    /// qualifier.
    pub fn purl(&self, distro: Option<&Distro>) -> String {
        let mut purl = format!("pkg:{}/", self.kind);
        let mut name = self.name.as_str();
        let lowered;
        if self.kind.is_os() {
            if let Some(distro) = distro {
                escape(&distro.id, &mut purl);
                purl.push('/');
            }
        } else if self.kind == PackageType::PYPI {
            // purl-spec: PyPI names are lower case with `_` as `-`.
            lowered = name.to_lowercase().replace('_', "-");
            name = &lowered;
        }
        for (i, segment) in name.split('/').enumerate() {
            if i > 0 {
                purl.push('/');
            }
            escape(segment, &mut purl);
        }
        // rpm's epoch is a qualifier, dpkg's is part of the version (PURL-TYPES.rst).
        let (epoch, version) = match self.version.split_once(':') {
            Some((epoch, version)) if self.kind == PackageType::RPM => (Some(epoch), version),
            _ => (None, self.version.as_str()),
        };
        purl.push('@');
        escape(version, &mut purl);
        let distro_tag =
            distro
                .filter(|_| self.kind.is_os())
                .map(|distro| match &distro.version_id {
                    Some(version) => format!("{}-{version}", distro.id),
                    None => distro.id.clone(),
                });
        let qualifiers = [
            ("arch", self.arch.as_deref()),
            ("distro", distro_tag.as_deref()),
            ("epoch", epoch.filter(|epoch| *epoch != "0")),
        ];
        let mut separator = '?';
        for (key, value) in qualifiers {
            if let Some(value) = value {
                purl.push(separator);
                purl.push_str(key);
                purl.push('=');
                escape(value, &mut purl);
                separator = '&';
            }
        }
        purl
    }
}

/// Percent-encodes everything but the characters purl-spec leaves plain.
fn escape(text: &str, out: &mut String) {
    use fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(package: Package, distro: Option<&Distro>, expected: &str) {
        assert_eq!(package.purl(distro), expected);
    }

    #[test]
    fn purls_follow_their_type() {
        let debian = Distro::new("debian", Some("12"));
        let mut curl = Package::new(PackageType::DEB, "curl", "1:7.50.3-1+b1");
        curl.arch = Some("amd64".into());
        check(
            curl,
            Some(&debian),
            "pkg:deb/debian/curl@1:7.50.3-1%2Bb1?arch=amd64&distro=debian-12",
        );
        let rhel = Distro::new("rhel", Some("9"));
        check(
            Package::new(PackageType::RPM, "openssl-libs", "1:3.0.7-1.el9"),
            Some(&rhel),
            "pkg:rpm/rhel/openssl-libs@3.0.7-1.el9?distro=rhel-9&epoch=1",
        );
        check(
            Package::new(PackageType::NPM, "@babel/core", "7.0.0"),
            Some(&debian),
            "pkg:npm/%40babel/core@7.0.0",
        );
        check(
            Package::new(PackageType::PYPI, "Flask_Cors", "3.0"),
            None,
            "pkg:pypi/flask-cors@3.0",
        );
    }
}
