//! The built command, as a person or a script meets it. Each test has its own home.

mod database;
mod images;
mod malware;
mod output;
mod policy;
mod program;
mod secrets;
mod signatures;
mod usage;
