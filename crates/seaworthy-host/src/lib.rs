//! Facts about a Docker host and its containers, and what they mean.
//!
//! [`facts`] looks once at the host, the engine and the kernel, and writes down what is;
//! everything after that is pure. What is absent: a clock, a terminal, policy.

pub mod facts;
