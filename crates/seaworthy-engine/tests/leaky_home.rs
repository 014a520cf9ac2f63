//! A home directory and a server's files with a secret planted in each: all must be found, and
//! nothing in files that only look like it.
//!
//! Every file and value is made here: values come from a counter when the test runs, so that
//! no scanner of this repository meets one.

use std::path::Path;

use jiff::Timestamp;
use seaworthy_engine::{
    Cancel, FingerprintKey, Report, SecretsChoice, Silent, SourceRequest, scan_sources,
};

/// Letters and digits that look random; the same for the same seed.
fn letters(count: usize, seed: u32) -> String {
    const ALL: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789";
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(99);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(ALL[(state >> 16) as usize % ALL.len()])
        })
        .collect()
}

fn mapped(count: usize, seed: u32, alphabet: &[u8]) -> String {
    let place = |b: u8| usize::from(b) * 7 % alphabet.len();
    letters(count, seed)
        .bytes()
        .map(|b| char::from(alphabet[place(b)]))
        .collect()
}

fn hex(count: usize, seed: u32) -> String {
    mapped(count, seed, b"0123456789abcdef")
}

fn upper(count: usize, seed: u32) -> String {
    mapped(count, seed, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ23456")
}

fn base64(bytes: &[u8]) -> String {
    const ALL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(three.get(at).copied().unwrap_or(0))
        });
        for place in 0..4 {
            if place <= three.len() {
                text.push(char::from(ALL[(bits >> (18 - 6 * place) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// An EC key (RFC 5915) in armour: scalar and point come from the counter.
fn ec_key(seed: u32) -> String {
    let mut key = vec![0x30, 0x77, 2, 1, 1, 4, 32];
    key.extend(letters(32, seed).bytes());
    key.extend([0xa0, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    key.extend([0xa1, 0x44, 3, 0x42, 0, 4]);
    key.extend(letters(64, seed + 1).bytes());
    let label = concat!("EC PRIVATE", " KEY");
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        base64(&key)
    )
}

fn planted() -> Vec<(&'static str, String)> {
    // Passwords without any digit are left to the eye.
    let p = |seed| format!("{}7{}", letters(9, seed), letters(8, seed + 100));
    let jwt = format!(
        "{}.{}.{}",
        base64(br#"{"alg":"HS256","typ":"JWT"}"#).trim_end_matches('='),
        base64(br#"{"sub":"sailor","scope":"deploy"}"#).trim_end_matches('='),
        letters(43, 90)
    );
    let wide = format!("[db]\r\npassword={}\r\n", p(60));
    let wide = wide.chars().flat_map(|c| [c, '\0']).collect();
    let auth = |user: &str, seed| base64(format!("{user}:{}", p(seed)).as_bytes());
    let mut all = vec![
        (
            ".netrc",
            format!("machine git.example.net\nlogin me\npassword {}\n", p(1)),
        ),
        (
            "_netrc",
            format!("machine api.example.net login me password {}\n", p(2)),
        ),
        (
            ".npmrc",
            format!("//registry.example.net/:_authToken={}\n", p(3)),
        ),
        (".yarnrc.yml", format!("npmAuthToken: \"{}\"\n", p(4))),
        (
            ".pypirc",
            format!("[pypi]\nusername = me\npassword = {}\n", p(5)),
        ),
        (
            ".docker/config.json",
            format!(
                "{{\"auths\":{{\"r.example.net\":{{\"auth\":\"{}\"}}}}}}\n",
                auth("me", 6)
            ),
        ),
        (
            ".dockercfg",
            format!(
                "{{\"r.example.net\":{{\"auth\":\"{}\",\"email\":\"a@b\"}}}}\n",
                auth("you", 7)
            ),
        ),
        (
            ".kube/config",
            format!(
                "users:\n- name: me\n  user:\n    client-key-data: {}\n",
                base64(ec_key(8).as_bytes())
            ),
        ),
        (
            ".kube/other",
            format!("users:\n- name: me\n  user:\n    token: \"{jwt}\"\n"),
        ),
        (".env", format!("DB_PASSWORD={}\n", p(9))),
        ("app/.env.production", format!("SESSION_SECRET={}\n", p(10))),
        (".bash_history", format!("ls\nmysql -u root -p{}\n", p(11))),
        (
            ".zsh_history",
            format!(": 1:0;export API_TOKEN={}\n", p(12)),
        ),
        (
            "root/.ash_history",
            format!("curl -u admin:{} https://example.net\n", p(13)),
        ),
        (
            "infra/terraform.tfstate",
            format!("{{\"resources\":[{{\"password\": \"{}\"}}]}}\n", p(14)),
        ),
        (
            "infra/prod.tfvars",
            format!("db_password = \"{}\"\n", p(15)),
        ),
        (
            "etc/shadow",
            format!(
                "root:$6${}${}:19700:0:99999:7:::\n",
                letters(8, 16),
                letters(86, 17)
            ),
        ),
        (
            "etc/shadow-",
            format!(
                "me:$y$j9T${}${}:19700:0:99999:7:::\n",
                letters(22, 18),
                letters(43, 19)
            ),
        ),
        (
            "var/www/.htpasswd",
            format!("me:$apr1${}${}\n", letters(8, 20), letters(22, 21)),
        ),
        (
            "var/www/wp-config.php",
            format!("<?php\ndefine( 'DB_PASSWORD', '{}' );\n", p(22)),
        ),
        (
            "var/www/configuration.php",
            format!(
                "<?php class JConfig {{ public $password = '{}'; }}\n",
                p(23)
            ),
        ),
        (
            "var/www/LocalSettings.php",
            format!("<?php\n$wgDBpassword = \"{}\";\n", p(24)),
        ),
        (
            ".pgpass",
            format!("db.example.net:5432:shop:me:{}\n", p(25)),
        ),
        (
            ".my.cnf",
            format!("[client]\nuser=me\npassword={}\n", p(26)),
        ),
        (
            ".config/filezilla/sitemanager.xml",
            format!(
                "<Server><User>me</User><Pass encoding=\"base64\">{}</Pass></Server>\n",
                base64(p(27).as_bytes())
            ),
        ),
        (".ssh/id_ecdsa", ec_key(28)),
        ("srv/tls/server.key", ec_key(30)),
        (
            ".aws/credentials",
            format!(
                "[default]\naws_access_key_id = {}{}\naws_secret_access_key = {}\n",
                concat!("AK", "IA"),
                upper(16, 32),
                letters(40, 31)
            ),
        ),
        (
            ".s3cfg",
            format!("[default]\nsecret_key = {}\n", letters(40, 33)),
        ),
        (
            ".git-credentials",
            format!("https://me:{}@git.example.net\n", p(34)),
        ),
        (
            ".gitconfig",
            format!("[url \"https://me:{}@git.example.net/\"]\n", p(35)),
        ),
    ];
    all.extend([
        ("src/.git/config", format!("[remote \"origin\"]\nurl = https://oauth2:{}@git.example.net/a.git\n", p(36))),
        (".config/gh/hosts.yml", format!("github.com:\n    oauth_token: {}\n", hex(40, 37))),
        ("app/config/database.yml", format!("production:\n  password: {}\n", p(38))),
        ("app/rails.env", format!("RAILS_MASTER_KEY={}\n", hex(32, 39))),
        ("app/settings.py", format!("SECRET_KEY = '{}'\n", letters(50, 40))),
        ("app/application.properties", format!("spring.datasource.password={}\n", p(41))),
        ("app/appsettings.json", format!("{{\"ConnectionStrings\":{{\"Db\":\"Server=db;Database=a;User Id=sa;Password={};\"}}}}\n", p(42))),
        ("deploy/secret.yaml", format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  pw: {}\n", base64(p(43).as_bytes()))),
        ("deploy/docker-compose.yml", format!("services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: {}\n", p(44))),
        ("deploy/inventory.ini", format!("[web]\na ansible_become_pass={}\n", p(45))),
        ("etc/wireguard/wg0.conf", format!("[Interface]\nPrivateKey = {}E=\n", letters(42, 46))),
        ("etc/mysql/debian.cnf", format!("[client]\npassword = {}\n", p(47))),
        ("etc/redis/redis.conf", format!("requirepass {}\n", p(48))),
        ("etc/openvpn/auth.env", format!("VPN_PASSWORD={}\n", p(49))),
        ("etc/ppp/chap-secrets", format!("# client server secret addresses\nme * {} *\n", p(50))),
        (".config/rclone/rclone.conf", format!("[b]\ntype = b2\naccount_password = {}\n", p(51))),
        (".cargo/credentials.toml", format!("[registry]\ntoken = \"{}\"\n", p(52))),
        (".gem/credentials", format!("---\n:rubygems_api_key: {}{}\n", concat!("ruby", "gems_"), hex(48, 53))),
        (".m2/settings.xml", format!("<server><username>me</username><password>{}</password></server>\n", p(54))),
        (".composer/auth.json", format!("{{\"http-basic\":{{\"a.example.net\":{{\"username\":\"u\",\"password\":\"{}\"}}}}}}\n", p(55))),
        ("app/wide.ini", wide),
        ("app/encoded.txt", format!("blob {}\n", base64(format!("postgres://me:{}@db.example.net/shop", p(61)).as_bytes()))),
    ]);
    all
}

const HARMLESS: &[(&str, &str)] = &[
    (
        "ok/.env.example",
        "DB_PASSWORD=changeme\nAPI_TOKEN=<your token>\n",
    ),
    ("ok/id_rsa.pub", "ssh-rsa AAAAB3NzaC1yc2E me@host\n"),
    ("ok/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
    ("ok/shadow", "root:*:19700:0:99999:7:::\nme:!:1::::::\n"),
    (
        "ok/.npmrc",
        "//registry.example.net/:_authToken=${NPM_TOKEN}\n",
    ),
    (
        "ok/main.py",
        "password = os.environ['DB_PASSWORD']\ntoken = get_token(user1)\n",
    ),
    (
        "ok/README",
        "-----BEGIN RSA PRIVATE KEY-----\nwhere the key of this host would stand, if only there was one at all\n-----END RSA PRIVATE KEY-----\n",
    ),
    (
        "ok/known_hosts",
        "host ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJustMadeUp\n",
    ),
];

fn scan(root: &Path) -> Report {
    let request = SourceRequest {
        paths: vec![root.to_owned()],
        exclude: Vec::new(),
        limits: Default::default(),
        secrets: SecretsChoice::Key(FingerprintKey::new([5; 32])),
        secret_options: Default::default(),
        policy: Default::default(),
        threads: 2,
        now: Timestamp::UNIX_EPOCH,
    };
    scan_sources(&request, &Silent, &Cancel::default()).expect("the tree is readable")
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

#[test]
fn every_planted_secret_is_found() {
    let home = tempfile::tempdir().expect("a folder");
    let planted = planted();
    assert!(planted.len() >= 40);
    for (name, text) in &planted {
        write(home.path(), name, text);
    }
    let report = scan(home.path());
    let places: Vec<String> = report
        .findings
        .iter()
        .flat_map(|finding| &finding.evidence)
        .filter_map(|seen| Some(seen.location.as_ref()?.path.clone()))
        .collect();
    let missed: Vec<&str> = planted
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !places.iter().any(|place| *place == format!("/{name}")))
        .collect();
    assert!(
        missed.is_empty(),
        "{} of {}: {missed:#?}",
        missed.len(),
        planted.len()
    );
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let home = tempfile::tempdir().expect("a folder");
    for (name, text) in HARMLESS {
        write(home.path(), name, text);
    }
    let titles: Vec<String> = scan(home.path())
        .findings
        .into_iter()
        .map(|finding| finding.title)
        .collect();
    assert!(titles.is_empty(), "{titles:#?}");
}
