//! The engine with all rules over what images are made of: text, tables, programs.
//!
//! The samples are made here. Real files give other numbers; see `examples/find.rs`.

use std::sync::OnceLock;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use seaworthy_secrets::assignment::Quotes;
use seaworthy_secrets::redact::FingerprintKey;
use seaworthy_secrets::scanner::SecretScanner;

fn main() {
    divan::main();
}

const SIZE: usize = 8 << 20;

fn scanner() -> &'static SecretScanner {
    static SCANNER: OnceLock<SecretScanner> = OnceLock::new();
    SCANNER.get_or_init(|| {
        #[expect(clippy::expect_used, reason = "a test reads the rules as committed")]
        SecretScanner::builtin(FingerprintKey::new([0; 32])).expect("our own rules")
    })
}

/// Bytes that are the same each time: a linear congruential generator's high byte.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(count)
    .collect()
}

fn sample(kind: &str) -> Vec<u8> {
    const PROSE: &[u8] = b"The quick brown fox signs the data of a base image; a token is passed \
        to the server, and https://example.org/docs has the rest of it.\n";
    const SOURCE: &[u8] = b"def connect(host, password=None, token=None):\n    secret = \
        os.environ.get(\"API_KEY\")\n    return Client(host, credentials=(user, secret))\n";
    let unit = match kind {
        "prose" => PROSE.to_vec(),
        "source" => SOURCE.to_vec(),
        _ => noise(1 << 16),
    };
    unit.into_iter().cycle().take(SIZE).collect()
}

#[divan::bench(args = ["prose", "source", "noise"])]
fn find(bencher: Bencher<'_, '_>, kind: &str) {
    let sample = sample(kind);
    bencher.counter(BytesCount::new(SIZE)).bench(|| {
        sample
            .chunks(1 << 20)
            .map(|window| scanner().find(black_box(window), Quotes::Required).len())
            .sum::<usize>()
    });
}

#[divan::bench]
fn compile_all_rules() -> SecretScanner {
    #[expect(clippy::expect_used, reason = "a test reads the rules as committed")]
    SecretScanner::builtin(FingerprintKey::new([0; 32])).expect("our own rules")
}
