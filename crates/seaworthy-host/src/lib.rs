//! Facts about a Docker host and its containers, and what they mean.
//!
//! [`facts`] looks once at the host, the engine and the kernel, and writes down what is.
//! Everything after that is pure: [`rules`] judges by the CIS Docker Benchmark and more,
//! [`exposure`] tells who reaches whom, [`resources`] what keeps a container from taking
//! everything, [`escape`] every path from a container to the host and what cuts it.
//!
//! What is absent: a clock, a terminal, policy, and knowledge of what is inside an image.

pub mod escape;
pub mod exposure;
pub mod facts;
pub mod resources;
pub mod rules;
