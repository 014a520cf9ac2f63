//! Any two texts as versions of every scheme: the order is antisymmetric, whatever they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seaworthy_advisory::VersionScheme;

fuzz_target!(|versions: (&str, &str)| {
    let (a, b) = versions;
    for scheme in VersionScheme::all() {
        match (scheme.compare(a, b), scheme.compare(b, a)) {
            (Ok(forth), Ok(back)) => assert_eq!(forth, back.reverse(), "{scheme}: {a:?} {b:?}"),
            (Err(_), Err(_)) => {}
            one_sided => panic!("{scheme}: {a:?} {b:?}: {one_sided:?}"),
        }
        if scheme.check(a).is_ok() {
            assert!(scheme.compare(a, a).is_ok_and(|order| order.is_eq()), "{scheme}: {a:?}");
        }
    }
});
