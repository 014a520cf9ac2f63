//! Speed and memory of the release binary, beside baselines measured in the same run.
//!
//! The baselines: what inflating and hashing the same layers costs with the fastest crate
//! (libdeflate over the whole buffer, SHA-256 of what comes out), and a peer's scanner
//! where one is installed. Runs alternate, ours then the baseline, so that both see the
//! same moods of the machine; the medians are compared. Nothing here fails on a number.

mod malware;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use malware::Malware;

use crate::measure::{Measured, measure, median};
use crate::{setup, shell};

#[derive(clap::Args)]
pub struct BenchArgs {
    /// A root filesystem as a tar file (default: a Debian 12 with python3, perl and openssl,
    /// made with mmdebstrap)
    #[arg(long)]
    rootfs: Option<PathBuf>,
    /// Runs of each command
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// A peer that makes the inventory of a docker archive: the program, called as
    /// `PROGRAM docker-archive:FILE -o json` (default: `syft`, where it is on the path)
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Leave out the micro benches of the crates; the one of `seaworthy-signatures` looks up
    /// 8.7 million hash signatures
    #[arg(long)]
    no_micro: bool,
    /// A folder of ClamAV signature files for the rows about malware (default: those of the
    /// corpus, see `SEAWORTHY_CORPUS`); they are given to `clamscan` too, where it is on the path
    #[arg(long, value_name = "DIR")]
    signatures: Option<PathBuf>,
    /// Only the rows about malware and secrets
    #[arg(long)]
    only_malware: bool,
}

#[derive(clap::Args)]
pub struct FloorArgs {
    /// Layer files: gzip or plain tar
    files: Vec<PathBuf>,
}

/// Inflates and hashes each file, one after the other: the least a scanner can do.
pub fn floor(args: &FloorArgs) -> Result<()> {
    for file in &args.files {
        let stored = fs::read(file)?;
        let digest = if stored.starts_with(&[0x1f, 0x8b]) {
            // The true size: a hint in the last four bytes, right for files below 4 GiB.
            let tail: [u8; 4] = *stored.last_chunk().context("too short for gzip")?;
            let mut plain = vec![0; u32::from_le_bytes(tail) as usize];
            let size = libdeflater::Decompressor::new().gzip_decompress(&stored, &mut plain)?;
            Sha256::digest(&plain[..size])
        } else {
            Sha256::digest(&stored)
        };
        println!("{digest:x}");
    }
    Ok(())
}

/// One comparison: ours against a baseline.
pub struct Row {
    name: &'static str,
    ours: Measured,
    baseline: Measured,
}

/// Builds, makes the inputs, measures, prints.
pub fn run(args: &BenchArgs) -> Result<()> {
    shell::run(&mut shell::cargo([
        "build",
        "--release",
        "--package",
        "seaworthy",
    ]))?;
    // The floor must be optimised too, or the ratios flatter us.
    shell::run(&mut shell::cargo([
        "build",
        "--release",
        "--package",
        "xtask",
    ]))?;
    let release = shell::target_dir().join("release");
    let ours = release.join("seaworthy").to_string_lossy().into_owned();
    let floor = release.join("xtask").to_string_lossy().into_owned();
    let folder = shell::target_dir().join("bench");
    fs::create_dir_all(&folder)?;

    let rootfs = match &args.rootfs {
        Some(path) => path.clone(),
        None => debian_rootfs(&folder)?,
    };
    let inputs = Inputs::make(&folder, &rootfs)?;
    let db = database(&ours, &folder)?;
    let malware = Malware::make(&ours, &folder, &rootfs, args.signatures.as_deref())?;
    if let Some(malware) = &malware {
        let programs = (&*ours, &*floor);
        let rows = malware.scan_rows(programs, &inputs, db.as_deref(), args.runs)?;
        print_rows(&rows, &inputs, args.runs)?;
        let rows = malware.reference_rows(&ours, args.runs)?;
        print_rows(&rows, &inputs, args.runs)?;
        malware.print_reference(&rows)?;
        malware.print_engines(args.runs)?;
    }
    if args.only_malware {
        return Ok(());
    }
    let whole_scan = |reference: String, cache: Option<&Path>| {
        let mut words = vec![
            "scan".to_owned(),
            reference,
            "--format".into(),
            "json".into(),
        ];
        words.push("--quiet".into());
        match cache {
            Some(folder) => words.extend(["--cache-dir".into(), folder.display().to_string()]),
            None => words.push("--no-cache".into()),
        }
        words.push("--no-malware".into());
        if let Some(db) = &db {
            words.extend(["--db".into(), db.display().to_string()]);
        }
        words
    };

    // What a scanner of packages and vulnerabilities does, and its peers too.
    let scan = |reference: String, cache: Option<&Path>| {
        let mut words = whole_scan(reference, cache);
        words.push("--no-secrets".into());
        words
    };

    let archive = format!("archive:{}", inputs.archive.display());
    let layout = format!("oci:{}", inputs.layout.display());
    let gzip = inputs.gzip_layer.display().to_string();
    let plain = inputs.plain_layer.display().to_string();
    let mut rows = Vec::new();
    for (name, reference, layer) in [
        ("cold scan, gzip layer / inflate + SHA-256", &layout, &gzip),
        ("cold scan, plain layer / SHA-256", &archive, &plain),
    ] {
        let command = scan(reference.clone(), None);
        let baseline = vec!["floor".to_owned(), layer.clone()];
        rows.push(compare(
            name,
            args.runs,
            (&ours, &command),
            (&floor, &baseline),
        )?);
    }
    for (name, reference, layer) in [
        (
            "with secrets, gzip layer / inflate + SHA-256",
            &layout,
            &gzip,
        ),
        ("with secrets, plain layer / SHA-256", &archive, &plain),
    ] {
        let command = whole_scan(reference.clone(), None);
        let baseline = vec!["floor".to_owned(), layer.clone()];
        rows.push(compare(
            name,
            args.runs,
            (&ours, &command),
            (&floor, &baseline),
        )?);
    }
    let pinned = |program: &str, words: &[String]| {
        let mut all = vec!["-c".to_owned(), "0".into(), program.to_owned()];
        all.extend_from_slice(words);
        all
    };
    for (name, reference, layer) in [
        ("the same on one core, gzip layer", &layout, &gzip),
        ("the same on one core, plain layer", &archive, &plain),
    ] {
        let command = pinned(&ours, &scan(reference.clone(), None));
        let baseline = pinned(&floor, &["floor".to_owned(), layer.clone()]);
        rows.push(compare(
            name,
            args.runs,
            ("taskset", &command),
            ("taskset", &baseline),
        )?);
    }
    let cache = folder.join("cache");
    let _ = fs::remove_dir_all(&cache);
    let warm = scan(layout.clone(), Some(&cache));
    measure(&ours, &warm)?;
    let cold = scan(layout, None);
    rows.push(compare(
        "warm scan / cold scan",
        args.runs,
        (&ours, &warm),
        (&ours, &cold),
    )?);
    let peer = args
        .peer
        .clone()
        .or_else(|| shell::has("syft").then(|| PathBuf::from("syft")));
    match peer {
        Some(peer) => {
            let peer = peer.to_string_lossy().into_owned();
            let command = scan(archive, None);
            let words = [
                format!("docker-archive:{}", inputs.archive.display()),
                "-o".into(),
                "json".into(),
            ];
            rows.push(compare(
                "cold scan with vulnerabilities / peer's inventory",
                args.runs,
                (&ours, &command),
                (&peer, &words),
            )?);
        }
        None => println!("no peer on the path: that row is left out (--peer PROGRAM)"),
    }
    print_rows(&rows, &inputs, args.runs)?;

    let version = median_of(args.runs, &ours, &["--version".to_owned()])?;
    let bytes = fs::metadata(&ours)?.len();
    println!(
        "\n--version: {:.1} ms wall (with the start of a process)",
        version.wall * 1e3
    );
    println!("release binary: {:.2} MB", bytes as f64 / 1e6);
    if let Some(db) = &db {
        let mut status = shell::command(&ours, ["db", "status", "--db"]);
        print!("\n{}", shell::output(status.arg(db))?);
    }
    if !args.no_micro {
        for package in [
            "seaworthy-image",
            "seaworthy-scan",
            "seaworthy-advisory",
            "seaworthy-secrets",
            "seaworthy-signatures",
        ] {
            shell::run(&mut shell::cargo([
                "bench",
                "--package",
                package,
                "--benches",
            ]))?;
        }
    }
    Ok(())
}

/// Runs both commands in turn, once unmeasured for warm file caches.
fn compare(
    name: &'static str,
    runs: usize,
    ours: (&str, &[String]),
    baseline: (&str, &[String]),
) -> Result<Row> {
    eprintln!("measuring: {name}");
    let (mut our_runs, mut baseline_runs) = (Vec::new(), Vec::new());
    for turn in 0..=runs {
        let (a, b) = (measure(ours.0, ours.1)?, measure(baseline.0, baseline.1)?);
        // 1 and 3 are verdicts of a scan of ours that ran to its end, 1 of `clamscan`'s that it
        // found something; anything else must have done all its work.
        let is_good = |run: &Measured, program: &str| {
            run.code == 0
                || (program.contains("seaworthy") || ["taskset", "env"].contains(&program))
                    && matches!(run.code, 1 | 3)
                || program == "clamscan" && run.code == 1
        };
        if !is_good(&a, ours.0) || !is_good(&b, baseline.0) {
            bail!("{name}: exit status {} and {}", a.code, b.code);
        }
        if turn > 0 {
            our_runs.push(a);
            baseline_runs.push(b);
        }
    }
    Ok(Row {
        name,
        ours: median(our_runs),
        baseline: median(baseline_runs),
    })
}

fn median_of(runs: usize, program: &str, words: &[String]) -> Result<Measured> {
    let all: Result<Vec<Measured>> = (0..runs).map(|_| measure(program, words)).collect();
    Ok(median(all?))
}

fn print_rows(rows: &[Row], inputs: &Inputs, runs: usize) -> Result<()> {
    println!(
        "\nimage: {:.0} MB plain, {:.0} MB gzip; medians of {runs} runs, in turn\n",
        fs::metadata(&inputs.plain_layer)?.len() as f64 / 1e6,
        fs::metadata(&inputs.gzip_layer)?.len() as f64 / 1e6,
    );
    println!(
        "{:<50} {:>19} {:>19} {:>19}",
        "", "wall s (ratio)", "CPU s (ratio)", "peak MiB (ratio)"
    );
    for Row {
        name,
        ours,
        baseline,
    } in rows
    {
        let cell = |a: f64, b: f64, digits: usize| {
            format!("{a:.digits$}/{b:.digits$} ({:.2})", a / b.max(1e-9))
        };
        println!(
            "{name:<50} {:>19} {:>19} {:>19}",
            cell(ours.wall, baseline.wall, 3),
            cell(ours.cpu, baseline.cpu, 3),
            cell(ours.peak_mib, baseline.peak_mib, 0),
        );
    }
    Ok(())
}

/// The same image in the shapes that are measured.
pub struct Inputs {
    plain_layer: PathBuf,
    gzip_layer: PathBuf,
    /// A docker archive with the plain layer, as `docker save` of older engines writes.
    archive: PathBuf,
    /// An OCI layout directory with the gzip layer.
    layout: PathBuf,
}

impl Inputs {
    fn make(folder: &Path, rootfs: &Path) -> Result<Inputs> {
        let inputs = Inputs {
            plain_layer: rootfs.to_path_buf(),
            gzip_layer: folder.join("layer.tar.gz"),
            archive: folder.join("image.docker.tar"),
            layout: folder.join("image.oci"),
        };
        let plain = fs::read(rootfs)?;
        let diff_id = format!("sha256:{:x}", Sha256::digest(&plain));
        let mut compressor = libdeflater::Compressor::new(
            libdeflater::CompressionLvl::new(6)
                .map_err(|_| anyhow::anyhow!("compression level 6 is not known to libdeflate"))?,
        );
        let mut gzip = vec![0; compressor.gzip_compress_bound(plain.len())];
        let size = compressor.gzip_compress(&plain, &mut gzip)?;
        gzip.truncate(size);
        fs::write(&inputs.gzip_layer, &gzip)?;
        let config = serde_json::json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
            "history": [{ "created_by": "bench" }],
        })
        .to_string();

        let stage = folder.join("stage");
        let _ = fs::remove_dir_all(&stage);
        fs::create_dir_all(&stage)?;
        fs::write(stage.join("config.json"), &config)?;
        fs::hard_link(rootfs, stage.join("layer.tar"))
            .or_else(|_| fs::copy(rootfs, stage.join("layer.tar")).map(drop))?;
        fs::write(
            stage.join("manifest.json"),
            serde_json::json!([{
                "Config": "config.json", "RepoTags": ["bench:latest"], "Layers": ["layer.tar"]
            }])
            .to_string(),
        )?;
        shell::run(
            shell::command("tar", ["--create", "--file"])
                .arg(&inputs.archive)
                .arg("--directory")
                .arg(&stage)
                .args(["manifest.json", "config.json", "layer.tar"]),
        )?;

        let blobs = inputs.layout.join("blobs/sha256");
        let _ = fs::remove_dir_all(&inputs.layout);
        fs::create_dir_all(&blobs)?;
        let blob = |media_type: &str, bytes: &[u8]| -> Result<serde_json::Value> {
            let hex = format!("{:x}", Sha256::digest(bytes));
            fs::write(blobs.join(&hex), bytes)?;
            Ok(serde_json::json!({
                "mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len(),
            }))
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob("application/vnd.oci.image.config.v1+json", config.as_bytes())?,
            "layers": [blob("application/vnd.oci.image.layer.v1.tar+gzip", &gzip)?],
        })
        .to_string();
        let descriptor = blob(
            "application/vnd.oci.image.manifest.v1+json",
            manifest.as_bytes(),
        )?;
        fs::write(
            inputs.layout.join("index.json"),
            serde_json::json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string(),
        )?;
        fs::write(
            inputs.layout.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        Ok(inputs)
    }
}

/// A Debian 12 of the size and make that peers were measured on, kept between runs.
fn debian_rootfs(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("debian12.tar");
    if !path.exists() {
        setup::install(setup::BENCH_TOOLS)?;
        let part = folder.join("debian12.part.tar");
        shell::run(
            shell::command(
                "mmdebstrap",
                [
                    "--variant=minbase",
                    "--include=python3,perl,openssl",
                    "bookworm",
                ],
            )
            .arg(&part)
            .stdout(Stdio::null()),
        )?;
        fs::rename(&part, &path)?;
    }
    Ok(path)
}

/// The database of the corpus, built with the binary that is measured.
fn database(ours: &str, folder: &Path) -> Result<Option<PathBuf>> {
    let Some(corpus) = shell::corpus() else {
        println!("no corpus: matching runs against the built-in advisories only");
        return Ok(None);
    };
    let db = folder.join("db");
    let _ = fs::remove_dir_all(&db);
    let from = corpus.join("advisories");
    shell::run(
        shell::command(ours, ["db", "build", "--quiet", "--from"])
            .arg(from)
            .arg("--db")
            .arg(&db),
    )?;
    Ok(Some(db))
}
