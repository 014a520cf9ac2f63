//! Where in a file a pattern may start: `*`, `n`, `EOF-n`, `EP+n`, `EP-n`, `S2+n`, `SE2`,
//! `SL+n`, `VI`, each with an optional `,maxshift`.

use serde::{Deserialize, Serialize};

use super::Reason;

/// What the start is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// Anywhere.
    Any,
    /// This many bytes from the start.
    Start(u32),
    /// This many bytes before the end.
    End(u32),
    /// From the entry point of a program.
    EntryPoint(i64),
    /// From the start of a section, counted from zero.
    Section(u32, i64),
    /// Anywhere within a section.
    WithinSection(u32),
    /// From the start of the last section.
    LastSection(i64),
}

/// An offset: a base and how far behind it the match may still start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// Where the range starts.
    pub base: Base,
    /// Length of the range in bytes; zero for exactly there.
    pub shift: u32,
}

impl Offset {
    /// Anywhere in the file.
    pub const ANY: Offset = Offset {
        base: Base::Any,
        shift: 0,
    };

    /// Reads an offset.
    ///
    /// # Errors
    /// It is not one, or of a kind that this engine can't follow.
    pub fn parse(text: &str) -> Result<Offset, Reason> {
        let text = text.trim();
        if text == "*" {
            return Ok(Offset::ANY);
        }
        if text.starts_with("VI") {
            return Err(Reason::VersionInformation);
        }
        if text.starts_with('$') {
            return Err(Reason::Macro);
        }
        let (place, shift) = match text.split_once(',') {
            Some((place, shift)) => (place, number(shift)?),
            None => (text, 0),
        };
        let base = if let Some(rest) = place.strip_prefix("EOF-") {
            Base::End(number(rest)?)
        } else if let Some(rest) = place.strip_prefix("EP") {
            Base::EntryPoint(signed(rest)?)
        } else if let Some(rest) = place.strip_prefix("SL") {
            Base::LastSection(signed(rest)?)
        } else if let Some(rest) = place.strip_prefix("SE") {
            Base::WithinSection(number(rest)?)
        } else if let Some(rest) = place.strip_prefix('S') {
            let at = rest.find(['+', '-']).ok_or(Reason::Malformed)?;
            let (section, rest) = rest.split_at(at);
            Base::Section(number(section)?, signed(rest)?)
        } else {
            Base::Start(number(place)?)
        };
        Ok(Offset { base, shift })
    }

    /// Whether only programs have such a place.
    pub const fn needs_program(self) -> bool {
        !matches!(self.base, Base::Any | Base::Start(_) | Base::End(_))
    }
}

fn number(text: &str) -> Result<u32, Reason> {
    text.trim().parse().map_err(|_| Reason::Malformed)
}

fn signed(text: &str) -> Result<i64, Reason> {
    let (minus, digits) = match text.split_at_checked(1) {
        Some(("+", digits)) => (false, digits),
        Some(("-", digits)) => (true, digits),
        _ => return Err(Reason::Malformed),
    };
    let value = i64::from(number(digits)?);
    Ok(if minus { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_read() {
        let base = |text| Offset::parse(text).map(|offset| (offset.base, offset.shift));
        assert_eq!(base("*"), Ok((Base::Any, 0)));
        assert_eq!(base("16,4"), Ok((Base::Start(16), 4)));
        assert_eq!(base("EOF-200"), Ok((Base::End(200), 0)));
        assert_eq!(base("EP+0,9"), Ok((Base::EntryPoint(0), 9)));
        assert_eq!(base("EP-7"), Ok((Base::EntryPoint(-7), 0)));
        assert_eq!(base("S1+3"), Ok((Base::Section(1, 3), 0)));
        assert_eq!(base("SE2"), Ok((Base::WithinSection(2), 0)));
        assert_eq!(base("SL+0"), Ok((Base::LastSection(0), 0)));
        assert_eq!(base("VI"), Err(Reason::VersionInformation));
        assert_eq!(base("EOF"), Err(Reason::Malformed));
        assert_eq!(base("S+1"), Err(Reason::Malformed));
    }
}
