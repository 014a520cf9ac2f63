//! The text of a Go program's build info, and the packages it names.
//!
//! Followed: Go's `runtime/debug.BuildInfo` (mod.go). Lines of tab-separated fields:
//!
//! ```text
//! path    example.com/cmd/tool
//! mod     example.com  v1.2.3  h1:…        the main module; `(devel)` without a version
//! dep     golang.org/x/sys  v0.1.0  h1:…
//! =>      example.com/fork  v0.1.1  h1:…   replaces the module of the line before
//! build   -ldflags="-X main.version=v1.2.3"
//! ```

use seaworthy_core::{Package, PackageRole, PackageType, ProblemKind};

use crate::bytes::text;
use crate::catalogers::text::value;
use crate::problems::ProblemList;

/// 16 bytes that begin and end the text inside the program (cmd/go, `modload/build.go`).
pub(super) const START: &[u8; 16] =
    b"\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6";
/// See [`START`].
pub(super) const END: &[u8; 16] =
    b"\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2";

/// Most modules of one program; the largest known have about 1,500.
const MAX_MODULES: usize = 20_000;

/// What a Go program says of how it was built, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildInfo {
    /// Version of Go, such as `go1.22.1`; `None` where it can't be read.
    pub go_version: Option<String>,
    /// The module text between its two marks, with the marks; empty where the program
    /// was built without modules.
    pub modules: Vec<u8>,
}

impl BuildInfo {
    /// The main module, the standard library and the modules linked in, and what the text
    /// leaves open.
    pub fn packages(&self, problems: &mut ProblemList) -> Vec<Package> {
        let mut packages = Vec::new();
        match self
            .go_version
            .as_deref()
            .map(|go| (go, stdlib_version(go)))
        {
            Some((_, Some(version))) => {
                let mut stdlib = Package::new(PackageType::GOLANG, "stdlib", version);
                stdlib.role = PackageRole::StandardLibrary;
                packages.push(stdlib);
            }
            Some((go, None)) => problems.push(
                ProblemKind::Unsupported,
                format!("built with the unreleased Go `{go}`: its standard library is not judged"),
            ),
            None => problems.push(
                ProblemKind::Malformed,
                "the version of Go can't be read: its standard library is not judged",
            ),
        }
        let modules = Modules::parse(&self.modules, problems);
        packages.extend(modules.main());
        for (dep, replacement) in modules.deps {
            packages.extend(linked(dep, replacement, problems));
        }
        packages
    }
}

/// Name and version of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Module {
    name: String,
    version: String,
}

#[derive(Default)]
struct Modules {
    main: Option<Module>,
    deps: Vec<(Module, Option<Module>)>,
    ldflags: Option<String>,
}

impl Modules {
    fn parse(raw: &[u8], problems: &mut ProblemList) -> Modules {
        let mut modules = Modules::default();
        let text = text(strip_marks(raw));
        // Whether a `=>` line belongs to the last dependency or to the main module.
        let mut after_dep = false;
        for line in text.lines() {
            let (kind, rest) = line.split_once('\t').unwrap_or((line, ""));
            match kind {
                "mod" => {
                    modules.main = module(rest);
                    after_dep = false;
                }
                "dep" => {
                    if modules.deps.len() >= MAX_MODULES {
                        problems.push(
                            ProblemKind::LimitReached,
                            format!("the program has more than {MAX_MODULES} modules"),
                        );
                        break;
                    }
                    let Some(dep) = module(rest) else {
                        problems.push(
                            ProblemKind::Malformed,
                            format!("a module of the build info can't be read: `{line}`"),
                        );
                        continue;
                    };
                    modules.deps.push((dep, None));
                    after_dep = true;
                }
                "=>" if after_dep => {
                    if let Some((_, replacement)) = modules.deps.last_mut() {
                        *replacement = module(rest);
                    }
                }
                "build" => {
                    if let Some(flags) = rest.strip_prefix("-ldflags=") {
                        modules.ldflags = Some(unquote(flags));
                    }
                }
                _ => {}
            }
        }
        modules
    }

    /// The main module, where something tells its version: the module itself or a
    /// version set at link time, as most release builds do.
    fn main(&self) -> Option<Package> {
        let main = self.main.as_ref()?;
        let version = if is_meaningless(&main.version) {
            let flags = self.ldflags.as_deref()?;
            linked_version(flags, &main.name)?
        } else {
            main.version.clone()
        };
        let mut package = Package::new(PackageType::GOLANG, main.name.clone(), version);
        package.role = PackageRole::Main;
        Some(package)
    }
}

fn module(fields: &str) -> Option<Module> {
    let mut fields = fields.split('\t');
    let name = value(fields.next()?)?;
    Some(Module {
        name: name.to_owned(),
        version: fields.next().and_then(value).unwrap_or_default().to_owned(),
    })
}

/// The package of a dependency: its replacement where there is one, unless that is a
/// local directory, which has no version. Then the replaced module's own version is the
/// best there is, but for `v0.0.0`, which stands for a part of the main module.
fn linked(dep: Module, replacement: Option<Module>, problems: &mut ProblemList) -> Option<Package> {
    let module = match replacement {
        Some(other) if !is_local(&other.name) && !is_unversioned(&other.version) => other,
        Some(_) if dep.version == "v0.0.0" => return None,
        Some(other) => {
            problems.push(
                ProblemKind::Notice,
                format!(
                    "module `{}` is replaced by `{}` without a version: the replaced version is judged",
                    dep.name, other.name
                ),
            );
            dep
        }
        None => dep,
    };
    if is_unversioned(&module.version) {
        problems.push(
            ProblemKind::Unsupported,
            format!("module `{}` has no version and is not judged", module.name),
        );
        return None;
    }
    Some(Package::new(
        PackageType::GOLANG,
        module.name,
        module.version,
    ))
}

fn is_local(name: &str) -> bool {
    name.starts_with(['.', '/']) || name.contains('\\')
}

fn is_unversioned(version: &str) -> bool {
    version.is_empty() || version == "(devel)"
}

/// Versions that Go makes up for a main module without a tag: they sort below every
/// release and would match every advisory.
fn is_meaningless(version: &str) -> bool {
    is_unversioned(version)
        || version
            .strip_prefix("v0.0.0")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '+']))
}

/// The standard library's version: `go1.22.1 X:boringcrypto` is 1.22.1, `go1.22rc1` is
/// 1.22.0-rc.1, as the Go advisories write it. `None` for `devel` builds.
fn stdlib_version(go: &str) -> Option<String> {
    let version = go.strip_prefix("go")?;
    let version = version.split([' ', '-', '+']).next()?;
    let numbers_end = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    let (numbers, rest) = version.split_at(numbers_end);
    if !numbers.starts_with(|c: char| c.is_ascii_digit()) || numbers.ends_with('.') {
        return None;
    }
    for stage in ["rc", "beta"] {
        if let Some(number) = rest.strip_prefix(stage) {
            let patch = if numbers.matches('.').count() < 2 {
                ".0"
            } else {
                ""
            };
            return Some(format!("{numbers}{patch}-{stage}.{number}"));
        }
    }
    Some(numbers.to_owned())
}

/// A version set with `-X package.version=v1.2.3`, where the package is `main` or one of
/// the main module's. `main` goes first.
fn linked_version(ldflags: &str, main_module: &str) -> Option<String> {
    let mut found = None;
    let mut words = ldflags.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let word = word.trim_matches(['"', '\'']);
        let definition = match word.strip_prefix("-X").or_else(|| word.strip_prefix("--X")) {
            Some("") => words.next().unwrap_or_default(),
            Some(rest) => rest.strip_prefix('=').unwrap_or_default(),
            None => continue,
        };
        let definition = definition.trim_matches(['"', '\'']);
        let Some((variable, value)) = definition.split_once('=') else {
            continue;
        };
        let Some((package, name)) = variable.rsplit_once('.') else {
            continue;
        };
        if !name.eq_ignore_ascii_case("version") {
            continue;
        }
        let Some(version) = release_version(value) else {
            continue;
        };
        if package == "main" {
            return Some(version);
        }
        let within = package
            .strip_prefix(main_module)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if within && found.is_none() {
            found = Some(version);
        }
    }
    found
}

/// `v` and at least two numbers, as a Go module's version is written.
fn release_version(value: &str) -> Option<String> {
    let value = value.trim_matches(['"', '\'']);
    let bare = value.strip_prefix('v').unwrap_or(value);
    let mut numbers = bare.split(['.', '-', '+']);
    let is_number = |text: Option<&str>| {
        text.is_some_and(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()))
    };
    (is_number(numbers.next()) && is_number(numbers.next()) && !is_meaningless(&format!("v{bare}")))
        .then(|| format!("v{bare}"))
}

/// Build settings with blanks are quoted as Go strings; escapes other than `\"` and `\\`
/// do not matter here.
fn unquote(text: &str) -> String {
    match text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => text.to_owned(),
    }
}

fn strip_marks(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_prefix(START).unwrap_or(raw);
    raw.strip_suffix(END).unwrap_or(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(modules: &str, expected: &[&str]) -> ProblemList {
        let mut problems = ProblemList::default();
        let info = BuildInfo {
            go_version: Some("go1.22.1".into()),
            modules: modules.into(),
        };
        let found: Vec<String> = info
            .packages(&mut problems)
            .iter()
            .map(|package| format!("{} {} {:?}", package.name, package.version, package.role))
            .collect();
        assert_eq!(found[0], "stdlib 1.22.1 StandardLibrary");
        assert_eq!(found[1..], *expected);
        problems
    }

    #[test]
    fn main_and_dependencies_are_named() {
        let problems = check(
            "path\ta/cmd\nmod\ta\tv1.2.3\th1:x\ndep\tb/v2\tv2.0.0\th1:y\n",
            &["a v1.2.3 Main", "b/v2 v2.0.0 Dependency"],
        );
        assert!(problems.is_empty());
    }

    #[test]
    fn a_replaced_module_is_its_replacement() {
        check(
            "dep\tb\tv1.0.0\n=>\tfork/b\tv1.0.1\th1:y\ndep\tc\tv1.0.0\n",
            &["fork/b v1.0.1 Dependency", "c v1.0.0 Dependency"],
        );
    }

    #[test]
    fn a_module_replaced_by_a_directory_keeps_its_version_and_says_so() {
        let problems = check(
            "dep\tb\tv1.0.0\n=>\t../b\t(devel)\t\n",
            &["b v1.0.0 Dependency"],
        );
        assert_eq!(problems.into_items()[0].0, ProblemKind::Notice);
        // Kubernetes and its staging directories: parts of the main module.
        let problems = check("dep\tk8s.io/api\tv0.0.0\n=>\t./staging/api\t(devel)\n", &[]);
        assert!(problems.is_empty());
    }

    #[test]
    fn a_main_module_without_a_version_is_left_out() {
        check("mod\ta\t(devel)\n", &[]);
        check("mod\ta\tv0.0.0-20240102030405-abcdefabcdef+dirty\n", &[]);
        check("mod\ta\tv0.1.0\n", &["a v0.1.0 Main"]);
    }

    #[test]
    fn a_main_version_set_at_link_time_counts() {
        for (flags, version) in [
            ("\"-w -X main.version=v1.0.0\"", Some("v1.0.0")),
            ("\"-X=main.Version=1.2\"", Some("v1.2")),
            (
                "\"-s -X 'a/internal.Version=v3.1.0-rc.1'\"",
                Some("v3.1.0-rc.1"),
            ),
            ("\"-X other/lib.version=v9.0.0\"", None),
            ("\"-X main.version=dev\"", None),
            ("\"-X main.version=v0.0.0-unset\"", None),
        ] {
            let expected: Vec<String> =
                version.map(|v| format!("a {v} Main")).into_iter().collect();
            let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            check(
                &format!("mod\ta\t(devel)\nbuild\t-ldflags={flags}\n"),
                &expected,
            );
        }
    }

    #[test]
    fn the_standard_library_loses_the_vendors_suffix() {
        for (go, expected) in [
            ("go1.22.1", Some("1.22.1")),
            ("go1.18", Some("1.18")),
            ("go1.19.13 X:boringcrypto", Some("1.19.13")),
            ("go1.20.5-bigcorp", Some("1.20.5")),
            ("go1.21rc2", Some("1.21.0-rc.2")),
            ("go1.14beta1", Some("1.14.0-beta.1")),
            ("devel +abcdef Mon", None),
            ("devel go1.19-abcdef", None),
            ("go", None),
        ] {
            assert_eq!(stdlib_version(go).as_deref(), expected, "{go}");
        }
    }
}
