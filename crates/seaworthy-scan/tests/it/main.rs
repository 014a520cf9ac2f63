//! Tests of the pass as its callers see it.

mod archives;
mod cache_processes;
mod catalog;
mod coalesce_law;
mod go_binary;
mod hostile_text;
mod images;
mod layers;
mod malware;
mod python_node;
mod rpm;
mod rpm_hostile;
mod secrets;
mod support;
