use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor, value::StrDeserializer};

/// Reads the word of an enum as its documents write it (`end-of-life-release`).
///
/// The words are the ones the type's own `Deserialize` knows, so no second list of them
/// exists: a new variant is accepted here by being written there.
///
/// # Errors
///
/// The words that would have been right, as [`words_of`] gives them.
pub fn parse_word<T: for<'de> Deserialize<'de>>(word: &str) -> Result<T, &'static [&'static str]> {
    let deserializer: StrDeserializer<'_, serde::de::value::Error> = StrDeserializer::new(word);
    T::deserialize(deserializer).map_err(|_| words_of::<T>())
}

/// All words of an enum without data, in the order of its declaration; empty for any
/// other type.
pub fn words_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(AskForWords) {
        Err(Words(words)) => words,
        Ok(_) => &[],
    }
}

/// A deserializer that holds no value: it only listens to which variants are asked for.
struct AskForWords;

/// The answer travels as the error, the one way out of a `Deserialize` without a value.
#[derive(Debug)]
struct Words(&'static [&'static str]);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Words {}

impl serde::de::Error for Words {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Words(&[])
    }
}

impl<'de> Deserializer<'de> for AskForWords {
    type Error = Words;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Words> {
        Err(Words(&[]))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Words> {
        Err(Words(variants))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::{GapKind, Severity};

    use super::*;

    #[test]
    fn words_come_from_the_type_itself() {
        assert!(words_of::<GapKind>().contains(&"embedded-database-only"));
        assert_eq!(
            parse_word::<GapKind>("end-of-life-release"),
            Ok(GapKind::EndOfLifeRelease)
        );
        assert!(parse_word::<Severity>("bad").is_err_and(|words| words.contains(&"critical")));
        assert!(words_of::<String>().is_empty());
    }
}
