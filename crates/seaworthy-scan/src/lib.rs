//! The single pass over image layers.
//!
//! Analyzers declare what they want to see as data; all of them are compiled into one set
//! that is asked once per file. A layer is walked once and gives [`LayerEvidence`], which
//! is cached under its diff ID and the analyzers' revisions; [`coalesce`] makes the
//! image's final view out of it. What the evidence means is not decided here.
