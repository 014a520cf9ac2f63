//! Section 4: images. What only a look into an image can tell is taken from scans, where
//! there are any ([`crate::facts::ImageScan`]).

use seaworthy_core::Severity::{High, Low, Medium};

use super::Mode::{Manual, Scored};
use super::host::unknown;
use super::outcome::{Outcome, Tally, Target, each_container, quote};
use super::{HostRule, Section, rule};
use crate::facts::engine::ImageFacts;
use crate::facts::{Fact, Facts, ImageScan};

const S: Section = Section::Images;

pub(super) const RULES: &[HostRule] = &[
    rule(
        S,
        "4.1",
        "container-as-root",
        1,
        Scored,
        Medium,
        (
            "containers run as root",
            "name a user in the image (`USER 65532`) or at the start (`--user 65532:65532`)",
        ),
        root_user,
    ),
    rule(
        S,
        "4.2",
        "untrusted-base-image",
        1,
        Manual,
        Medium,
        (
            "images stand on bases nobody vouches for",
            "build on bases that you trust and verify",
        ),
        |facts| {
            by_scan(facts, "whether its base is trusted", |scan| {
                Some(
                    (!scan.trusted_base?)
                        .then(|| "its base is not among the accepted ones".to_owned()),
                )
            })
        },
    ),
    rule(
        S,
        "4.3",
        "needless-packages",
        1,
        Manual,
        Low,
        (
            "images hold packages they don't need",
            "build in stages and copy only what runs, or use a minimal base",
        ),
        |facts| {
            by_scan(facts, "which packages it does not need", |scan| {
                let needless = scan.needless_packages.as_ref()?;
                Some((!needless.is_empty()).then(|| listed(needless)))
            })
        },
    ),
    rule(
        S,
        "4.4",
        "unscanned-or-stale-image",
        1,
        Manual,
        High,
        (
            "images have flaws that newer versions mend",
            "rebuild them on current packages: `docker build --pull --no-cache`",
        ),
        |facts| {
            by_scan(facts, "its flaws", |scan| {
                match (scan.severe_fixable, scan.complete) {
                    (0, true) => Some(None),
                    (0, false) => None,
                    (count, _) => Some(Some(format!(
                        "{count} severe flaws that a newer version mends"
                    ))),
                }
            })
        },
    ),
    rule(
        S,
        "4.5",
        "no-content-trust",
        2,
        Scored,
        Low,
        (
            "images are pulled without their signatures being verified",
            "verify signatures where images enter: set `DOCKER_CONTENT_TRUST=1` for clients that use it, or let an admission check verify them",
        ),
        |facts| match facts.engine.info {
            Fact::Known(_) => Outcome::Undetermined(
                "it is a setting of each client's environment, not of the engine".into(),
            ),
            ref other => unknown(other),
        },
    ),
    rule(
        S,
        "4.6",
        "no-image-healthcheck",
        1,
        Scored,
        Low,
        (
            "images have no health check",
            "add a `HEALTHCHECK` to the Dockerfile",
        ),
        |facts| {
            each_image(facts, |image, tally| {
                if image.healthcheck.is_empty()
                    || image.healthcheck.first().is_some_and(|w| w == "NONE")
                {
                    tally.fail(target(image), "Config.Healthcheck", "none");
                }
            })
        },
    ),
    rule(
        S,
        "4.7",
        "lone-package-update",
        1,
        Manual,
        Low,
        (
            "a line of history refreshes package lists and installs nothing",
            "put `apt-get update` and `apt-get install` into one `RUN`, or a cached layer keeps old lists",
        ),
        |facts| {
            each_history(facts, |line| {
                let updates = [
                    "apt-get update",
                    "apt update",
                    "apk update",
                    "yum makecache",
                    "dnf makecache",
                ];
                let installs = ["install", "upgrade", "apk add"];
                (updates.iter().any(|word| line.contains(word))
                    && !installs.iter().any(|word| line.contains(word)))
                .then(|| "a lone update".to_owned())
            })
        },
    ),
    rule(
        S,
        "4.8",
        "setuid-files",
        2,
        Manual,
        Medium,
        (
            "images hold files that give their owner's privileges",
            "take the bits away when building: `RUN find / -xdev -perm /6000 -type f -exec chmod a-s {} +`",
        ),
        |facts| {
            by_scan(facts, "its setuid files", |scan| {
                let files = scan.setuid_files.as_ref()?;
                Some((!files.is_empty()).then(|| listed(files)))
            })
        },
    ),
    rule(
        S,
        "4.9",
        "add-instead-of-copy",
        1,
        Manual,
        Low,
        (
            "images are built with ADD",
            "use `COPY`; `ADD` fetches from the network and unpacks archives",
        ),
        add_lines,
    ),
    rule(
        S,
        "4.10",
        "secrets-in-images",
        1,
        Manual,
        High,
        (
            "images hold secrets",
            "revoke them, and rebuild with `RUN --mount=type=secret`",
        ),
        secrets,
    ),
    rule(
        S,
        "4.11",
        "unverified-packages",
        2,
        Manual,
        Medium,
        (
            "images hold packages that were installed without verification",
            "leave the package manager's checks on, and verify checksums of what is downloaded",
        ),
        |facts| match each_history(facts, unverified_install) {
            Outcome::Fail(evidence) => Outcome::Fail(evidence),
            // A quiet history says little: scripts install packages too.
            _ => by_scan(facts, "how its packages were verified", |scan| {
                let packages = scan.unverified_packages.as_ref()?;
                Some((!packages.is_empty()).then(|| listed(packages)))
            }),
        },
    ),
    rule(
        S,
        "4.12",
        "unsigned-artefacts",
        2,
        Manual,
        Medium,
        (
            "images are not signed by anyone you trust",
            "sign images when they are built and verify them before they run",
        ),
        |facts| {
            by_scan(facts, "who signed it", |scan| {
                Some((!scan.signed?).then(|| "no trusted signature".to_owned()))
            })
        },
    ),
];

fn target(image: &ImageFacts) -> Target {
    Target::Image {
        name: image.display_name(),
    }
}

fn listed(items: &[String]) -> String {
    let shown: Vec<&str> = items.iter().take(5).map(String::as_str).collect();
    match items.len() {
        0..=5 => shown.join(", "),
        n => format!("{} and {} more", shown.join(", "), n - 5),
    }
}

/// Asks the same of every image.
fn each_image(facts: &Facts, mut ask: impl FnMut(&ImageFacts, &mut Tally)) -> Outcome {
    let images = match &facts.engine.images {
        Fact::Known(images) => images,
        other => return unknown(other),
    };
    let mut tally = Tally::default();
    for image in images {
        tally.saw();
        match image.malformed.first() {
            Some(complaint) => tally.unsure(target(image), complaint.as_str()),
            None => ask(image, &mut tally),
        }
    }
    tally.finish("there are no images", |n| format!("{n} images"))
}

/// Asks the same of every line of every image's history.
fn each_history(facts: &Facts, ask: impl Fn(&str) -> Option<String>) -> Outcome {
    each_image(facts, |image, tally| match &image.history {
        Fact::Known(lines) => {
            for line in lines {
                if let Some(found) = ask(line) {
                    tally.fail(target(image), shorten(line), found);
                }
            }
        }
        other => tally.unsure(
            target(image),
            other.why_unknown().unwrap_or("it has no history"),
        ),
    })
}

fn shorten(line: &str) -> String {
    let mut short: String = line.chars().take(120).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

fn unverified_install(line: &str) -> Option<String> {
    [
        "--allow-unauthenticated",
        "--nogpgcheck",
        "--no-gpg-check",
        "--allow-untrusted",
        "--force-yes",
        "trusted=yes",
        "--trusted-host",
        "strict-ssl false",
        "--no-check-certificate",
        "curl -k",
        "--insecure",
    ]
    .iter()
    .find(|word| line.contains(*word))
    .map(|word| format!("`{word}` switches a check off"))
}

/// Asks the scans of every image. The question gives `None` where the scan does not tell.
fn by_scan(
    facts: &Facts,
    about: &str,
    ask: impl Fn(&ImageScan) -> Option<Option<String>>,
) -> Outcome {
    each_image(facts, |image, tally| match facts.scans.get(&image.id) {
        None => tally.unsure(
            target(image),
            format!("no scan of this image is at hand, which would tell {about}"),
        ),
        Some(scan) => match ask(scan) {
            None => tally.unsure(target(image), format!("its scan does not tell {about}")),
            Some(None) => {}
            Some(Some(found)) => {
                tally.fail(target(image), format!("scan of {}", scan.scanned_at), found)
            }
        },
    })
}

fn add_lines(facts: &Facts) -> Outcome {
    each_image(facts, |image, tally| match &image.history {
        // The first line brings the base's file system, and base images are made that way.
        Fact::Known(lines) => {
            for line in lines.iter().skip(1) {
                let line = line
                    .strip_prefix("/bin/sh -c #(nop) ")
                    .unwrap_or(line)
                    .trim_start();
                if line.starts_with("ADD ") && !line.contains("file:")
                    || line.starts_with("ADD file:") && !line.contains(" in / ")
                {
                    tally.fail(target(image), shorten(line), "ADD");
                }
            }
        }
        other => tally.unsure(
            target(image),
            other.why_unknown().unwrap_or("it has no history"),
        ),
    })
}

fn secrets(facts: &Facts) -> Outcome {
    each_image(facts, |image, tally| {
        for variable in image.env.iter().filter(|v| v.is_secret) {
            tally.fail(
                target(image),
                "Config.Env",
                format!("`{}` holds a secret in the clear", variable.name),
            );
        }
        match facts.scans.get(&image.id) {
            Some(scan) if !scan.secrets.is_empty() => tally.fail(
                target(image),
                format!("scan of {}", scan.scanned_at),
                listed(&scan.secrets),
            ),
            Some(scan) if scan.complete => {}
            Some(_) => tally.unsure(target(image), "its scan is not complete"),
            None => tally.unsure(
                target(image),
                "no scan of this image is at hand, which would tell its secrets",
            ),
        }
    })
}

fn root_user(facts: &Facts) -> Outcome {
    each_container(facts, |container, declared, tally| {
        let user = declared.user.split(':').next().unwrap_or_default();
        let by_name = matches!(user, "" | "root");
        let is_root = by_name
            || user.parse::<u64>() == Ok(0)
            || user.parse::<u64>().is_ok_and(|n| n > u64::from(u32::MAX));
        let view = container.kernel.known();
        let running_root = view
            .and_then(|v| v.status.known())
            .map(|status| status.uid.get(1) == Some(&0));
        let mapped = view.and_then(|v| v.root_is_root()) == Some(false);
        let fix = || {
            format!(
                "docker run --user 65532:65532 … {}",
                quote(&container.image)
            )
        };
        match (is_root, running_root) {
            // Root inside is an ordinary user outside.
            (true, _) if mapped => {}
            (true, _) => tally.fail_fix(
                Target::container(container),
                "Config.User",
                if declared.user.is_empty() {
                    "not set: root".to_owned()
                } else {
                    format!("`{}`: root", declared.user)
                },
                fix(),
            ),
            (false, Some(true)) => tally.fail_fix(
                Target::container(container),
                "/proc/PID/status",
                format!(
                    "declared `{}`, but its first process is root",
                    declared.user
                ),
                fix(),
            ),
            // A name says nothing while the image's passwd is not known.
            (false, None) if user.parse::<u32>().is_err() => tally.unsure(
                Target::container(container),
                format!("which number user `{user}` has is not known before it runs"),
            ),
            (false, _) => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::container::{ContainerFacts, Declared};

    fn with_user(user: &str) -> Outcome {
        let facts = Facts {
            containers: Fact::Known(vec![ContainerFacts {
                name: "c".into(),
                declared: Fact::Known(Declared {
                    user: user.into(),
                    ..Declared::default()
                }),
                kernel: Fact::Absent,
                ..ContainerFacts::default()
            }]),
            ..Facts::default()
        };
        root_user(&facts)
    }

    #[test]
    fn root_is_found_in_all_its_spellings() {
        for user in ["", "0", "root", "0:1000", "00", "root:wheel", "4294967296"] {
            assert!(matches!(with_user(user), Outcome::Fail(_)), "{user}");
        }
        assert!(matches!(with_user("1000:0"), Outcome::Pass(_)));
        assert!(matches!(with_user("app"), Outcome::Undetermined(_)));
    }

    #[test]
    fn without_a_scan_it_is_undetermined_and_a_scan_answers() {
        let mut facts = Facts::default();
        facts.engine.images = Fact::Known(vec![ImageFacts {
            id: "sha256:1".into(),
            history: Fact::Known(Vec::new()),
            ..ImageFacts::default()
        }]);
        let row = |id: &str| RULES.iter().find(|r| r.cis == id).unwrap().check;
        assert!(
            matches!(row("4.4")(&facts), Outcome::Undetermined(why) if why.contains("no scan"))
        );
        let mut scan = ImageScan {
            complete: true,
            ..ImageScan::default()
        };
        facts.scans.insert("sha256:1".into(), scan.clone());
        assert!(matches!(row("4.4")(&facts), Outcome::Pass(_)));
        assert!(matches!(row("4.8")(&facts), Outcome::Undetermined(_)));
        scan.severe_fixable = 3;
        facts.scans.insert("sha256:1".into(), scan);
        assert!(matches!(row("4.4")(&facts), Outcome::Fail(_)));
    }

    #[test]
    fn a_lone_update_and_add_are_seen_in_history() {
        let mut facts = Facts::default();
        let history = [
            "ADD file:abc in / ",
            "/bin/sh -c #(nop) ADD http://x/y /z",
            "/bin/sh -c apt-get update",
            "RUN apt-get update && apt-get install -y x",
        ];
        facts.engine.images = Fact::Known(vec![ImageFacts {
            history: Fact::Known(history.map(String::from).to_vec()),
            ..ImageFacts::default()
        }]);
        let row = |id: &str| (RULES.iter().find(|r| r.cis == id).unwrap().check)(&facts);
        assert!(matches!(row("4.7"), Outcome::Fail(e) if e.len() == 1));
        assert!(matches!(row("4.9"), Outcome::Fail(e) if e.len() == 1));
    }
}
