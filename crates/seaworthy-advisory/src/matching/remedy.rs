//! What to do about a finding.

use seaworthy_core::{Distro, Package, PackageRole, Remediation};

/// Whether a text can be put into a command without quoting. Names and versions come from
/// the image and from feeds, and the command is there to be pasted into a shell.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"@/._+-:".contains(&b))
}

/// The fix for a package, where a fixed version is known.
pub(super) fn remediation(
    distro: Option<&Distro>,
    package: &Package,
    fixed: Option<&str>,
) -> Option<Remediation> {
    let fixed = fixed?;
    let name = package.name.as_str();
    let summary = if package.role == PackageRole::StandardLibrary {
        format!("rebuild the program with Go {fixed} or later")
    } else if package.kind.is_os() {
        format!("upgrade `{name}` to {fixed} or later, or rebuild on a newer base image")
    } else {
        format!("upgrade `{name}` to {fixed} or later")
    };
    let command = (is_plain(name) && is_plain(fixed))
        .then(|| match package.kind.as_str() {
            "deb" => Some(format!(
                "apt-get update && apt-get install --only-upgrade -y {name}"
            )),
            "apk" => Some(format!("apk upgrade --no-cache {name}")),
            "rpm" => Some(match distro.map(|distro| distro.id.as_str()) {
                Some("sles" | "sled" | "sles_sap" | "opensuse-leap" | "opensuse-tumbleweed") => {
                    format!("zypper update -y {name}")
                }
                _ => format!("dnf upgrade -y {name}"),
            }),
            "pypi" => Some(format!("pip install --upgrade '{name}>={fixed}'")),
            "npm" => Some(format!("npm install {name}@{fixed}")),
            "golang" if package.role == PackageRole::StandardLibrary => None,
            "golang" => Some(format!("go get {name}@v{}", fixed.trim_start_matches('v'))),
            _ => None,
        })
        .flatten();
    Some(Remediation { summary, command })
}

#[cfg(test)]
mod tests {
    use seaworthy_core::PackageType;

    use super::*;

    #[test]
    fn a_hostile_name_never_reaches_a_command() {
        for name in ["x; rm -rf /", "$(id)", "-o", "a b", "x'y"] {
            let package = Package::new(PackageType::NPM, name, "1");
            let remedy = remediation(None, &package, Some("2")).unwrap();
            assert_eq!(remedy.command, None, "{name}");
        }
        let package = Package::new(PackageType::NPM, "@babel/core", "1");
        let remedy = remediation(None, &package, Some("2.0.0")).unwrap();
        assert_eq!(
            remedy.command.as_deref(),
            Some("npm install @babel/core@2.0.0")
        );
    }
}
