//! The image crate from outside: sources and walks over images made in code.

#[cfg(test)]
mod directory;
#[cfg(test)]
mod layer;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod support;
