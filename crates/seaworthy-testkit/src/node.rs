//! Installed Node packages.

/// The text of a `package.json`.
pub fn package_json(name: &str, version: &str) -> Vec<u8> {
    serde_json::json!({ "name": name, "version": version, "main": "index.js" })
        .to_string()
        .into_bytes()
}

/// Where npm puts a package below `root`, and its `package.json`.
pub fn installed(root: &str, name: &str, version: &str) -> (String, Vec<u8>) {
    (
        format!("{root}/node_modules/{name}/package.json"),
        package_json(name, version),
    )
}
