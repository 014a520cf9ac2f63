//! Python distributions with flaws that were exploited or made the news.

use seaworthy_engine::MemoryLayer;

use super::Threat;

pub const THREAT: Threat = Threat {
    summary: "Python packages with remote code execution and SQL injection",
    created_by: "RUN pip install -r requirements.txt # pinned in 2019",
    plant,
    env: &[],
};

const PACKAGES: &[(&str, &str)] = &[
    ("Django", "3.2.0"),
    ("PyYAML", "5.3"),
    ("requests", "2.19.0"),
    ("Pillow", "9.0.0"),
    ("Jinja2", "2.10"),
    ("urllib3", "1.24.1"),
];

fn plant(layer: MemoryLayer) -> MemoryLayer {
    PACKAGES.iter().fold(layer, |layer, (name, version)| {
        layer.file(
            &format!("opt/app/lib/python3.11/site-packages/{name}-{version}.dist-info/METADATA"),
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"),
        )
    })
}
