//! Node packages: prototype pollution, and releases that were malicious themselves.

use seaworthy_engine::MemoryLayer;

use super::Threat;

pub const THREAT: Threat = Threat {
    summary: "Node packages with prototype pollution, and one that was hijacked to steal coins",
    created_by: "RUN npm ci # from an old lock file",
    plant,
    env: &[],
};

const PACKAGES: &[(&str, &str)] = &[
    ("lodash", "4.17.11"),
    ("minimist", "0.0.8"),
    ("event-stream", "3.3.6"),
    ("ua-parser-js", "0.7.29"),
    ("express", "4.15.0"),
    ("axios", "0.21.0"),
];

fn plant(layer: MemoryLayer) -> MemoryLayer {
    PACKAGES.iter().fold(layer, |layer, (name, version)| {
        layer.file(
            &format!("opt/app/node_modules/{name}/package.json"),
            format!("{{\"name\": \"{name}\", \"version\": \"{version}\"}}\n"),
        )
    })
}
