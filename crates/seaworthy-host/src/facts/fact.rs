use serde::{Deserialize, Serialize};

/// Something that was looked for: found, found not to be there, or not to be told.
///
/// The three are kept apart all the way: an absence is an answer, and not being able to look
/// is never taken for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact<T> {
    /// This is it.
    Known(T),
    /// It was looked for and is not there.
    Absent,
    /// It could not be looked at, and why: lower case, without a full stop.
    Unknown(String),
}

impl<T> Default for Fact<T> {
    fn default() -> Fact<T> {
        Fact::Unknown("it was not looked at".to_owned())
    }
}

impl<T> Fact<T> {
    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Fact::Known(value) => Some(value),
            Fact::Absent | Fact::Unknown(_) => None,
        }
    }

    /// Why it is not known; `None` where it is known or known to be absent.
    pub fn why_unknown(&self) -> Option<&str> {
        match self {
            Fact::Unknown(why) => Some(why),
            Fact::Known(_) | Fact::Absent => None,
        }
    }

    /// The same fact of something made from the value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Fact::Known(value) => Fact::Known(make(value)),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }

    /// The same, where making it may find that it is absent or unknown.
    pub fn and_then<U>(self, make: impl FnOnce(T) -> Fact<U>) -> Fact<U> {
        match self {
            Fact::Known(value) => make(value),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }

    /// The same fact, borrowed.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Fact::Known(value) => Fact::Known(value),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
        }
    }

    /// The value where it is known, `absent` where there is none.
    ///
    /// # Errors
    ///
    /// Why it is unknown.
    pub fn or_absent(self, absent: T) -> Result<T, String> {
        match self {
            Fact::Known(value) => Ok(value),
            Fact::Absent => Ok(absent),
            Fact::Unknown(why) => Err(why),
        }
    }
}
