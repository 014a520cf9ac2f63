//! Metadata of installed Python distributions.

/// The text of a `METADATA` or `PKG-INFO` file.
pub fn metadata(name: &str, version: &str) -> Vec<u8> {
    format!(
        "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: made for a test\n\nBody\n"
    )
    .into_bytes()
}

/// Where pip puts a distribution, and its metadata.
pub fn dist_info(name: &str, version: &str) -> (String, Vec<u8>) {
    let directory = name.replace(['-', '.'], "_");
    (
        format!("usr/lib/python3/dist-packages/{directory}-{version}.dist-info/METADATA"),
        metadata(name, version),
    )
}
