//! Placeholder until the image makers are there.
#[derive(clap::Args)]
pub struct BenchArgs {}
pub fn run(_: &BenchArgs) -> anyhow::Result<()> {
    Ok(())
}
