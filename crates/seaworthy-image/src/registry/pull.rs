//! From a name to an image: manifests and configurations, each proved by its digest.

use std::sync::Arc;

use seaworthy_core::{Digest, DigestAlgorithm, Platform};

use super::blob::RegistryBlob;
use super::name::RegistryReference;
use super::session::{Ask, Session};
use crate::manifest::{
    Document, MANIFEST_MEDIA_TYPES, Manifest, choose_manifest, manifest_layers, parse_config,
    parse_document,
};
use crate::small_body::read_within;
use crate::{Image, ImageError, SourceKind, WalkContext, digest_of};

/// A manifest or index as stored.
struct Fetched {
    digest: Digest,
    bytes: Vec<u8>,
}

/// Opens the image of that name. Its layers are fetched when they are walked.
pub(super) fn open(
    session: &Arc<Session>,
    reference: &str,
    name: &RegistryReference,
    platform: Option<&Platform>,
    ctx: &WalkContext,
) -> Result<Image, ImageError> {
    let (digest, manifest) = find_manifest(session, name, platform, ctx)?;
    let image_id = manifest.config.digest.clone();
    let bytes = fetch_small_blob(session, &image_id, ctx.limits.config_bytes)?;
    let mut parsed = parse_config(&bytes)?;
    parsed.config.annotations = manifest.annotations.clone();
    if let (Some(wanted), Some(offered)) = (platform, &parsed.platform)
        && !wanted.accepts(offered)
    {
        return Err(ImageError::new(format!(
            "registry `{}` has `{name}` for {offered}, not for {wanted}",
            session.host()
        ))
        .hint("leave `--platform` out, or look for a tag of that platform"));
    }
    let (layers, problems) = manifest_layers(&manifest, &parsed, &ctx.limits, &mut |layer| {
        Ok(Arc::new(RegistryBlob::new(
            Arc::clone(session),
            layer.digest.clone(),
            layer.size,
        )))
    });
    Ok(Image {
        reference: reference.to_owned(),
        source: SourceKind::Registry,
        names: vec![name.to_string()],
        manifest_digest: Some(digest),
        image_id: Some(image_id),
        platform: parsed.platform,
        config: parsed.config,
        layers,
        problems,
    })
}

/// The manifest for the platform, through indexes if need be.
fn find_manifest(
    session: &Session,
    name: &RegistryReference,
    platform: Option<&Platform>,
    ctx: &WalkContext,
) -> Result<(Digest, Manifest), ImageError> {
    let mut fetched = fetch_named(session, name, ctx)?;
    for _ in 0..=ctx.limits.index_depth {
        match parse_document(&fetched.bytes)? {
            Document::Manifest(manifest) => return Ok((fetched.digest, manifest)),
            Document::Index(index) => {
                let chosen = &choose_manifest(&index, platform)?.digest;
                fetched = fetch_manifest(session, &chosen.to_string(), Some(chosen), ctx)?;
            }
        }
    }
    Err(ImageError::new(format!(
        "`{name}` is an index inside more than {} others",
        ctx.limits.index_depth
    )))
}

/// Fetches what a name stands for. A tag is resolved with `HEAD` first, which registries
/// that count pulls do not count, and then asked for by digest, so that a tag that moves
/// in between is no matter.
fn fetch_named(
    session: &Session,
    image: &RegistryReference,
    ctx: &WalkContext,
) -> Result<Fetched, ImageError> {
    if let Some(digest) = &image.digest {
        return fetch_manifest(session, &digest.to_string(), Some(digest), ctx);
    }
    let tag = image.wanted();
    let resolved = session
        .ask(&Ask {
            method: "HEAD",
            path: &format!("manifests/{tag}"),
            accept: &MANIFEST_MEDIA_TYPES.join(", "),
            from: 0,
        })
        .ok()
        .and_then(|reply| {
            reply
                .header("docker-content-digest")?
                .parse::<Digest>()
                .ok()
        });
    match resolved {
        Some(digest) => fetch_manifest(session, &digest.to_string(), Some(&digest), ctx),
        // A registry may know no `HEAD`; and where access is refused, only the answer to
        // `GET` says why.
        None => fetch_manifest(session, &tag, None, ctx),
    }
}

/// Fetches a manifest by tag or digest and checks it against the digest expected of it,
/// or against the one the registry states.
fn fetch_manifest(
    session: &Session,
    wanted: &str,
    expected: Option<&Digest>,
    ctx: &WalkContext,
) -> Result<Fetched, ImageError> {
    let mut reply = session.ask(&Ask {
        method: "GET",
        path: &format!("manifests/{wanted}"),
        accept: &MANIFEST_MEDIA_TYPES.join(", "),
        from: 0,
    })?;
    let broken = |error: std::io::Error| {
        ImageError::new(format!(
            "cannot read manifest `{wanted}` of registry `{}`",
            session.host()
        ))
        .hint("try again; if it stays so, the registry is broken or the limit of bytes of a manifest too low")
        .caused_by(error)
    };
    let bytes = read_within(&mut reply.body, ctx.limits.manifest_bytes).map_err(broken)?;
    let stated = reply
        .header("docker-content-digest")
        .and_then(|text| text.parse::<Digest>().ok());
    let promised = expected.or(stated.as_ref());
    let algorithm = promised.map_or(DigestAlgorithm::Sha256, Digest::algorithm);
    let digest = digest_of(algorithm, &bytes);
    if let Some(promised) = promised
        && *promised != digest
    {
        return Err(ImageError::new(format!(
            "registry `{}` promised manifest {promised} and sent one with digest {digest}",
            session.host()
        ))
        .hint("something between the registry and here changes data; do not trust this image"));
    }
    Ok(Fetched { digest, bytes })
}

/// Fetches a small blob, such as a configuration, and checks its digest.
fn fetch_small_blob(session: &Session, digest: &Digest, limit: u64) -> Result<Vec<u8>, ImageError> {
    let mut reply = session.ask(&Ask {
        method: "GET",
        path: &format!("blobs/{digest}"),
        accept: "*/*",
        from: 0,
    })?;
    let bytes = read_within(&mut reply.body, limit).map_err(|error| {
        ImageError::new(format!(
            "cannot read {digest} of registry `{}`",
            session.host()
        ))
        .hint("try again")
        .caused_by(error)
    })?;
    let found = digest_of(digest.algorithm(), &bytes);
    if found != *digest {
        return Err(ImageError::new(format!(
            "registry `{}` promised blob {digest} and sent one with digest {found}",
            session.host()
        ))
        .hint("something between the registry and here changes data; do not trust this image"));
    }
    Ok(bytes)
}
