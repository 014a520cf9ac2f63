//! What a file's name says about the secrets in it.

use crate::assignment::Quotes;

/// Ends of names of files made of `name = value` lines, where values stand without quotes.
const CONFIGURATION: &[&str] = &[
    ".env",
    ".ini",
    ".conf",
    ".cfg",
    ".cnf",
    ".config",
    ".properties",
    ".yml",
    ".yaml",
    ".toml",
    ".tfvars",
    ".envrc",
    ".npmrc",
    ".pypirc",
    ".netrc",
    ".pgpass",
    ".s3cfg",
    ".boto",
    ".yarnrc",
    "_history",
    "dockerfile",
    "containerfile",
    ".dockerfile",
    "authinfo",
    "_netrc",
    ".bashrc",
    ".bash_profile",
    ".profile",
    ".zshrc",
    ".zshenv",
    "/etc/environment",
    "/.aws/credentials",
    "/.git-credentials",
    ".service",
    "secrets",
    "credentials",
];

/// Directories of packages of programming languages.
const LIBRARIES: &[&str] = &[
    "site-packages",
    "dist-packages",
    "node_modules",
    "gems",
    "vendor",
    "third_party",
    "go",
    "nodejs",
    "jvm",
    "perl5",
    "perl",
    "php",
    "ruby",
    "rustlib",
    "doc",
    "man",
    "share",
];

/// Directories and files in them that show and try things out.
const SHOWCASES: &[&str] = &[
    "test",
    "tests",
    "testing",
    "testdata",
    "test_data",
    "test-data",
    "fixture",
    "fixtures",
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "spec",
    "mock",
    "mocks",
    "doc",
    "docs",
];

/// Whether the generic rule takes values without quotes in the file at `path`.
pub fn quotes_of(path: &str) -> Quotes {
    let folded = format!("/{}", path.to_ascii_lowercase());
    let name = folded.rsplit('/').next().unwrap_or_default();
    let is_configuration = CONFIGURATION.iter().any(|end| folded.ends_with(end))
        // `.env.production`
        || name.starts_with(".env.");
    if is_configuration {
        Quotes::Optional
    } else {
        Quotes::Required
    }
}

/// Whether a file only shows or tries out what a library does: `site-packages/jwt/tests/…`. A
/// key there was published with the library. An application's own tests are not meant: those
/// hold real keys often enough.
pub fn is_published_sample(path: &str) -> bool {
    let mut in_library = false;
    for part in path.split('/') {
        let folded = part.to_ascii_lowercase();
        if in_library
            && (SHOWCASES.contains(&folded.as_str())
                || folded.starts_with("test_")
                || folded.contains("_test.")
                || folded.contains(".test."))
        {
            return true;
        }
        in_library |= LIBRARIES.contains(&folded.as_str());
    }
    false
}

/// Names of files that hold nothing but secrets, or secrets among other things nobody should
/// copy into an image.
const SECRET_FILES: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".env",
    ".git-credentials",
    ".dockercfg",
    ".vault-token",
    ".s3cfg",
    ".boto",
    "terraform.tfstate",
    "kubeconfig",
    "service-account.json",
];

/// Ends of paths of such files.
const SECRET_PATHS: &[&str] = &[
    ".docker/config.json",
    ".aws/credentials",
    ".kube/config",
    ".azure/accessTokens.json",
    "application_default_credentials.json",
    ".p12",
    ".pfx",
    ".jks",
    ".kdbx",
    ".ppk",
    ".tfstate",
];

/// Whether a file holds secrets by its name.
pub fn is_secret_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    SECRET_FILES.contains(&name)
        || name.starts_with(".env.") && !name.ends_with("example") && !name.ends_with("sample")
        || SECRET_PATHS.iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_files_are_known_by_their_names() {
        for path in [
            "app/.env",
            "app/.env.production",
            "root/.bash_history",
            "srv/application.yml",
            "etc/environment",
            "build/Dockerfile",
        ] {
            assert_eq!(quotes_of(path), Quotes::Optional, "{path}");
        }
        for path in ["app/main.py", "usr/bin/env", "app/environment.js"] {
            assert_eq!(quotes_of(path), Quotes::Required, "{path}");
        }
    }

    #[test]
    fn tests_of_libraries_are_samples_and_those_of_applications_are_not() {
        for path in [
            "usr/lib/python3/site-packages/jwt/tests/keys.py",
            "app/node_modules/jsonwebtoken/test/priv.pem",
            "usr/share/doc/openssl/examples/key.pem",
            "usr/local/go/src/crypto/tls/tls_test.go",
        ] {
            assert!(is_published_sample(path), "{path}");
        }
        for path in ["app/tests/keys.pem", "app/node_modules/config/keys.json"] {
            assert!(!is_published_sample(path), "{path}");
        }
    }
}
