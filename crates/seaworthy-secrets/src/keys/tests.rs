use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use seaworthy_core::PublicKeyKind;

use super::fixtures::*;
use super::*;

#[track_caller]
fn check(text: &str, algorithm: &str, bits: Option<u32>, encrypted: bool) -> PrivateKeyFacts {
    let facts = private_key(text.as_bytes()).unwrap();
    assert_eq!(
        (facts.algorithm.as_str(), facts.bits, facts.encrypted),
        (algorithm, bits, encrypted)
    );
    facts
}

#[test]
fn every_format_tells_algorithm_size_and_passphrase() {
    check(
        &armoured("RSA PRIVATE KEY", &rsa()),
        "RSA",
        Some(2048),
        false,
    );
    check(
        &armoured("PRIVATE KEY", &pkcs8_rsa()),
        "RSA",
        Some(2048),
        false,
    );
    check(
        &armoured("EC PRIVATE KEY", &ec()),
        "EC P-256",
        Some(256),
        false,
    );
    check(
        &armoured("PRIVATE KEY", &pkcs8_ec()),
        "EC P-256",
        Some(256),
        false,
    );
    check(
        &armoured("PRIVATE KEY", &pkcs8_ed25519()),
        "Ed25519",
        Some(256),
        false,
    );
    check(
        &armoured("OPENSSH PRIVATE KEY", &openssh("none")),
        "Ed25519",
        Some(256),
        false,
    );
    check(
        &armoured("OPENSSH PRIVATE KEY", &openssh("aes256-ctr")),
        "Ed25519",
        Some(256),
        true,
    );
    check(
        &armoured("PGP PRIVATE KEY BLOCK", &pgp(0)),
        "PGP RSA",
        Some(2048),
        false,
    );
    check(
        &armoured("PGP PRIVATE KEY BLOCK", &pgp(254)),
        "PGP RSA",
        Some(2048),
        true,
    );
    check(&putty("none"), "Ed25519", Some(256), false);
    check(&putty("aes256-cbc"), "Ed25519", Some(256), true);
    let sealed = armoured("RSA PRIVATE KEY", &digits(640, 1)).replacen(
        "-----\n",
        "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
        1,
    );
    check(&sealed, "RSA", None, true);
}

#[test]
fn one_key_has_one_name_in_every_format() {
    let name = |text: String| private_key(text.as_bytes()).unwrap().public.unwrap();
    let rsa = name(armoured("RSA PRIVATE KEY", &rsa()));
    assert_eq!(rsa, name(armoured("PRIVATE KEY", &pkcs8_rsa())));
    let certificate = public_keys(armoured("CERTIFICATE", &certificate("a.example")).as_bytes());
    assert_eq!(certificate.len(), 1);
    assert_eq!(certificate[0].spki_sha256, rsa);
    assert_eq!(certificate[0].name.as_deref(), Some("CN=a.example"));
    let ed25519 = name(armoured("PRIVATE KEY", &pkcs8_ed25519()));
    assert_eq!(
        ed25519,
        name(armoured("OPENSSH PRIVATE KEY", &openssh("x")))
    );
    let line = format!(
        "# c\nno-pty ssh-ed25519 {} me@host\n",
        STANDARD.encode(ssh_public())
    );
    let keys = public_keys(line.as_bytes());
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (keys[0].kind, &keys[0].spki_sha256),
        (PublicKeyKind::SshKey, &ed25519)
    );
    assert_eq!(keys[0].name.as_deref(), Some("me@host"));
}

#[test]
fn keys_inside_json_yaml_and_base64_are_keys() {
    let text = armoured("PRIVATE KEY", &pkcs8_ec());
    check(
        text.trim_end().replace('\n', "\\n").as_str(),
        "EC P-256",
        Some(256),
        false,
    );
    check(
        text.trim_end().replace('\n', "\n    ").as_str(),
        "EC P-256",
        Some(256),
        false,
    );
    check(&STANDARD.encode(&text), "EC P-256", Some(256), false);
}

#[test]
fn a_broken_key_is_no_key() {
    let whole = rsa();
    for damaged in [&whole[..whole.len() - 30], &digits(600, 1), &[]] {
        assert_eq!(
            private_key(armoured("RSA PRIVATE KEY", damaged).as_bytes()),
            None
        );
    }
    let mut other_modulus = whole.clone();
    // Behind header, version and the head of the modulus: its last byte.
    other_modulus[4 + 3 + 4 + 256] ^= 2;
    assert_eq!(
        private_key(armoured("RSA PRIVATE KEY", &other_modulus).as_bytes()),
        None
    );
    assert_eq!(private_key(armoured("PUBLIC KEY", &whole).as_bytes()), None);
}

#[test]
fn binary_key_files_are_told_by_their_content() {
    assert_eq!(key_file(&rsa()).unwrap().rule, "der-private-key");
    assert_eq!(key_file(&pgp(0)).unwrap().rule, "pgp-private-key");
    let store = [
        &[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0][..],
        &[1],
    ]
    .concat();
    assert_eq!(key_file(&store).unwrap().rule, "java-key-store");
    let roots = [&store[..15], &[2]].concat();
    assert_eq!(key_file(&roots), None);
    let pfx = [
        &[0x30, 0x82, 9, 9, 2, 1, 3, 0x30, 0x82, 9, 0, 6, 9][..],
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0],
        &[0; 20],
    ]
    .concat();
    assert_eq!(key_file(&pfx).unwrap().rule, "pkcs12-key-store");
    assert_eq!(key_file(&certificate("a")), None);
    assert!(is_trust_store("usr/lib/jvm/lib/security/cacerts.p12"));
}

proptest! {
    #[test]
    fn damaged_keys_never_break_the_parsers(
        which in 0_usize..6,
        cut in 0_usize..1400,
        at in 0_usize..1400,
        byte in any::<u8>(),
    ) {
        let (label, mut content) = match which {
            0 => ("RSA PRIVATE KEY", rsa()),
            1 => ("PRIVATE KEY", pkcs8_ec()),
            2 => ("OPENSSH PRIVATE KEY", openssh("none")),
            3 => ("PGP PRIVATE KEY BLOCK", pgp(254)),
            4 => ("CERTIFICATE", certificate("x")),
            _ => ("ENCRYPTED PRIVATE KEY", pkcs8_rsa()),
        };
        content.truncate(cut);
        if let Some(place) = content.get_mut(at) {
            *place = byte;
        }
        let text = armoured(label, &content);
        let _ = private_key(text.as_bytes());
        let _ = public_keys(text.as_bytes());
        let _ = public_keys(&content);
        let _ = key_file(&content);
    }
}
