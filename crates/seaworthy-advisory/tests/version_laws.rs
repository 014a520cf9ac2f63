//! Laws that every version scheme obeys, and second opinions from other implementations.

use std::cmp::Ordering;
use std::process::Command;

use proptest::prelude::*;
use seaworthy_advisory::VersionScheme;

/// Texts that mostly are versions of the scheme, from small alphabets so that equal
/// prefixes and near misses are common.
fn versions(scheme: VersionScheme) -> BoxedStrategy<String> {
    let pattern = match scheme {
        VersionScheme::Dpkg => r"([0-2]:)?[0-3][0-2a-b.+~-]{0,8}",
        VersionScheme::Rpm => r"([0-2]:)?[0-2a-b][0-2a-bB.~^_+]{0,8}(-[0-2a.~^]{1,4})?",
        VersionScheme::Apk => {
            r"[0-2]{1,2}(\.[0-2]{1,3}){0,3}[ab]?(_(alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-2]?){0,2}(~[0ab]{1,2})?(-r[0-2]{1,2})?"
        }
        VersionScheme::Pep440 => {
            r"v?([0-1]!)?[0-2]{1,2}(\.[0-2]{1,2}){0,3}([-_.]?(a|b|c|rc|ALPHA|pre)[-_.]?[0-2]?)?(-[0-2]|[-_.]?(post|r)[0-2]?)?(\.?dev[0-2]?)?(\+[0-2ab]{1,2}([-_.][0-2aB]{1,2}){0,2})?"
        }
        VersionScheme::Npm => {
            r"v?[0-2]{1,2}(\.[0-2]{1,2}){0,3}(-[0-2ab]{1,2}(\.[0-2ab-]{1,2}){0,2})?(\+[0-2a.]{1,3})?"
        }
        VersionScheme::Go => {
            r"(v?[0-2]{1,2}(\.[0-2]{1,2}){0,2}(-[0-2ab]{1,2}(\.[0-2ab-]{1,2}){0,2})?(\+incompatible)?(\+dirty)?|go1\.[0-2]((rc|beta)[0-2]|\.[0-2]{1,2})?)"
        }
    };
    proptest::string::string_regex(pattern)
        .expect("the pattern is written here")
        .boxed()
}

fn schemes_and_versions() -> impl Strategy<Value = (VersionScheme, String, String, String)> {
    let all: Vec<VersionScheme> = VersionScheme::all().collect();
    proptest::sample::select(all).prop_flat_map(|scheme| {
        (
            Just(scheme),
            versions(scheme),
            versions(scheme),
            versions(scheme),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_order_is_total((scheme, a, b, c) in schemes_and_versions()) {
        let readable = |text: &str| scheme.check(text).is_ok();
        prop_assume!(readable(&a) && readable(&b) && readable(&c));
        let compare = |x: &str, y: &str| scheme.compare(x, y).expect("both are readable");
        prop_assert_eq!(compare(&a, &a), Ordering::Equal);
        prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        let (ab, bc, ac) = (compare(&a, &b), compare(&b, &c), compare(&a, &c));
        if ab == bc || bc == Ordering::Equal {
            prop_assert_eq!(ac, ab, "{} {} {}", a, b, c);
        } else if ab == Ordering::Equal {
            prop_assert_eq!(ac, bc, "{} {} {}", a, b, c);
        }
    }

    #[test]
    fn foreign_text_is_an_error_and_never_a_crash(a in ".{0,40}", b in "[ -~]{0,40}") {
        for scheme in VersionScheme::all() {
            // Either readable or not, but the same from both sides.
            prop_assert_eq!(scheme.compare(&a, &b).is_ok(), scheme.compare(&b, &a).is_ok());
            let _ = scheme.compare_ignoring_epoch(&a, &b);
        }
    }

    #[test]
    fn python_agrees_with_another_implementation(
        a in versions(VersionScheme::Pep440),
        b in versions(VersionScheme::Pep440),
    ) {
        let theirs = |text: &str| text.parse::<pep440_rs::Version>().ok();
        if let (Some(x), Some(y)) = (theirs(&a), theirs(&b)) {
            prop_assert_eq!(
                VersionScheme::Pep440.compare(&a, &b).ok(),
                Some(x.cmp(&y)),
                "{} {}", a, b
            );
        }
    }

    #[test]
    fn rpm_agrees_with_another_implementation(
        a in versions(VersionScheme::Rpm),
        b in versions(VersionScheme::Rpm),
    ) {
        // The two differ on purpose where only one version has a release.
        if a.contains('-') == b.contains('-')
            && let Ok(ours) = VersionScheme::Rpm.compare(&a, &b) {
            prop_assert_eq!(ours, rpm_version::rpm_evr_compare(&a, &b), "{} {}", a, b);
        }
    }
}

#[test]
fn dpkg_itself_agrees() {
    if Command::new("dpkg").arg("--version").output().is_err() {
        println!("skipped: no `dpkg` on this machine");
        return;
    }
    let versions = [
        "1.0",
        "1.0-1",
        "1.0~rc1-1",
        "1:0.5",
        "1.0+b1",
        "1.0-1+deb12u1",
        "1.0a",
        "1.0.",
        "1.0+",
        "1.0~~",
        "0",
        "00",
        "1.0-1~bpo",
        "1.0-1-1",
        "2:1:1-1",
        "a1",
    ];
    for a in versions {
        for b in versions {
            let ours = VersionScheme::Dpkg.compare(a, b).expect("all are readable");
            let operator = match ours {
                Ordering::Less => "lt",
                Ordering::Equal => "eq",
                Ordering::Greater => "gt",
            };
            let agrees = Command::new("dpkg")
                .args(["--compare-versions", a, operator, b])
                .output()
                .expect("dpkg was there a moment ago")
                .status
                .success();
            assert!(agrees, "`{a}` {operator} `{b}`");
        }
    }
}
