use schemars::generate::SchemaSettings;

use crate::{Inventory, Report};

/// The JSON Schema of [`Report`], draft 2020-12, as committed in `schema/`.
pub fn report_schema() -> serde_json::Value {
    generate::<Report>()
}

/// The JSON Schema of [`Inventory`], draft 2020-12, as committed in `schema/`.
pub fn inventory_schema() -> serde_json::Value {
    generate::<Inventory>()
}

fn generate<T: schemars::JsonSchema>() -> serde_json::Value {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Compares with the committed file, and rewrites it when `UPDATE_SCHEMA` is set.
    #[track_caller]
    fn check_current(file: &str, schema: &serde_json::Value) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("schema")
            .join(file);
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert!(
            committed == text,
            "`schema/{file}` is not current\n  hint: UPDATE_SCHEMA=1 cargo test -p seaworthy-report"
        );
    }

    #[test]
    fn the_committed_schemas_are_current() {
        check_current("report-v1.schema.json", &report_schema());
        check_current("inventory-v1.schema.json", &inventory_schema());
    }
}
