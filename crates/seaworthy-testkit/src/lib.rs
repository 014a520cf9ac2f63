//! Makers of bytes for tests: images, layers, package databases, advisories, a fake registry.

pub mod http_files;
