use std::io::{self, Write};

use crate::{RenderOptions, Report};

/// Writes the document itself, indented, with a line feed at its end.
pub(crate) fn write(report: &Report, _: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}
