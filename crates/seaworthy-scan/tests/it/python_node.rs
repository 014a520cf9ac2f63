//! Python distributions and Node packages, by where they lie.

use seaworthy_scan::ProblemList;
use seaworthy_scan::catalogers::{node, python};

use crate::catalog::{mangle, names, scan_file};

#[test]
fn python_distributions_are_found_where_installers_put_them() {
    let (path, metadata) = seaworthy_testkit::python::dist_info("Flask-Cors", "3.0.8");
    assert_eq!(names(&scan_file(&path, metadata)), ["Flask-Cors 3.0.8"]);
    for path in [
        "usr/lib/python3/dist-packages/six-1.16.egg-info",
        "usr/lib/python3/dist-packages/six-1.16.egg-info/PKG-INFO",
        "opt/app/six-1.16-py3.11.egg/EGG-INFO/PKG-INFO",
    ] {
        let metadata = seaworthy_testkit::python::metadata("six", "1.16");
        assert_eq!(names(&scan_file(path, metadata)), ["six 1.16"], "{path}");
    }
    let metadata = seaworthy_testkit::python::metadata("six", "1.16");
    assert_eq!(names(&scan_file("src/six/PKG-INFO", metadata)), [""; 0]);
}

#[test]
fn node_packages_lie_directly_in_node_modules() {
    let json = || seaworthy_testkit::node::package_json("x", "1.0.0");
    for (path, expected) in [
        ("node_modules/x/package.json", 1),
        ("app/node_modules/x/package.json", 1),
        ("app/node_modules/@s/x/package.json", 1),
        ("app/node_modules/y/node_modules/x/package.json", 1),
        (
            "app/node_modules/.pnpm/x@1.0.0/node_modules/x/package.json",
            1,
        ),
        ("usr/share/nodejs/x/package.json", 1),
        ("usr/share/nodejs/@s/x/package.json", 1),
        ("app/package.json", 0),
        ("app/node_modules/x/test/fixtures/package.json", 0),
        ("app/node_modules/x/esm/package.json", 0),
        ("app/node_modules/x/test/node_modules/y/package.json", 1),
    ] {
        assert_eq!(names(&scan_file(path, json())).len(), expected, "{path}");
    }
}

#[test]
fn truncated_and_changed_metadata_never_panics() {
    mangle(
        &seaworthy_testkit::python::metadata("six", "1.16"),
        1,
        |bytes| {
            python::parse_metadata(bytes, &mut ProblemList::default());
        },
    );
    mangle(
        &seaworthy_testkit::node::package_json("@s/x", "1.0.0"),
        1,
        |bytes| {
            node::parse_package_json(bytes, &mut ProblemList::default());
        },
    );
}
