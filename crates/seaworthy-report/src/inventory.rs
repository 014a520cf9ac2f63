use std::io::{self, Write};

use schemars::JsonSchema;
use seaworthy_core as core;
use serde::{Deserialize, Serialize};

use crate::text::{fit, pad, printable};
use crate::{Distro, Image, PackageCounts, Problem, RenderOptions, Tool, build};

/// The packages of an image, without any judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// Version of this document's schema, `major.minor`.
    pub schema_version: String,
    /// What made it.
    pub tool: Tool,
    /// What was looked at.
    pub image: Image,
    /// The distribution it is built on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub distro: Option<Distro>,
    /// How many packages there are.
    pub counts: PackageCounts,
    /// The packages of the final view, sorted by type, name, version and path.
    pub packages: Vec<InventoryPackage>,
    /// What went wrong on the way.
    pub problems: Vec<Problem>,
}

/// A package found in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct InventoryPackage {
    /// purl type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// The package URL.
    pub purl: String,
    /// The file that says so, from `/`.
    pub path: String,
    /// The layer that brought it.
    pub layer: u32,
    /// Architecture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arch: Option<String>,
    /// The source package, where that has another name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// The OS package that owns the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
}

impl Inventory {
    /// Lists the packages of the final view.
    pub fn new(
        tool_version: &str,
        image: Image,
        evidence: &core::ImageEvidence,
        problems: &[core::Problem],
    ) -> Inventory {
        let mut packages: Vec<InventoryPackage> = evidence
            .packages()
            .map(|(traced, package)| InventoryPackage {
                kind: package.kind.to_string(),
                name: package.name.clone(),
                version: package.version.clone(),
                purl: package.purl(evidence.distro.as_ref()),
                path: traced.path.to_string(),
                layer: traced.layer,
                arch: package.arch.clone(),
                source: package.source.as_ref().map(|source| source.name.clone()),
                owner: traced.owner.clone(),
            })
            .collect();
        packages.sort();
        Inventory {
            schema_version: crate::SCHEMA_VERSION.to_owned(),
            tool: Tool {
                name: "seaworthy".into(),
                version: tool_version.to_owned(),
            },
            image,
            distro: evidence.distro.as_ref().map(build::distro_of),
            counts: build::packages_of(evidence),
            packages,
            problems: problems
                .iter()
                .map(|problem| Problem {
                    kind: problem.kind.as_str().to_owned(),
                    layer: problem.layer,
                    path: problem.path.as_ref().map(ToString::to_string),
                    message: problem.message.clone(),
                    incomplete: problem.makes_incomplete(),
                })
                .collect(),
        }
    }

    /// Writes it for people: one line a package.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write_table(&self, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
        let width = |text: fn(&InventoryPackage) -> &str, most: usize| {
            self.packages
                .iter()
                .map(|package| unicode_width::UnicodeWidthStr::width(&*printable(text(package))))
                .max()
                .unwrap_or_default()
                .clamp(4, most)
        };
        let kind = width(|package| &package.kind, 12);
        let name = width(|package| &package.name, (options.width / 3).max(16));
        let version = width(|package| &package.version, (options.width / 4).max(12));
        for package in &self.packages {
            let place = format!("layer {}  {}", package.layer, printable(&package.path));
            let line = format!(
                "{}  {}  {}  {place}",
                pad(&printable(&package.kind), kind),
                pad(&fit(&printable(&package.name), name, options.unicode), name),
                pad(
                    &fit(&printable(&package.version), version, options.unicode),
                    version
                ),
            );
            let line = if options.details {
                line
            } else {
                fit(&line, options.width, options.unicode)
            };
            writeln!(out, "{line}")?;
        }
        let kinds: Vec<String> = self
            .counts
            .by_type
            .iter()
            .map(|(kind, count)| format!("{count} {}", printable(kind)))
            .collect();
        let system = self.distro.as_ref().map_or_else(String::new, |distro| {
            format!(" on {}", printable(&distro.name))
        });
        let total = self.counts.total;
        let plural = if total == 1 { "" } else { "s" };
        if kinds.is_empty() {
            writeln!(out, "no packages{system}")
        } else {
            writeln!(out, "{total} package{plural}{system}: {}", kinds.join(", "))
        }
    }
}
