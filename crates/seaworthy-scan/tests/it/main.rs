//! Tests of the pass as its callers see it.

mod cache_processes;
mod coalesce_law;
mod images;
mod layers;
mod support;
