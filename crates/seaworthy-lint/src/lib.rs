//! Dockerfiles and the configuration around them, as written.
//!
//! So far the instructions of a Dockerfile with their places ([`dockerfile`]): enough to say
//! which line brought what is in an image. Rules about them come on top of it.

pub mod dockerfile;
