//! Days since 1970 as people write them.

/// `YYYY-MM-DD` of a number of days since 1970.
pub(crate) fn ymd(days: u32) -> String {
    let span = jiff::Span::new().try_days(i64::from(days));
    let date = span.and_then(|span| jiff::civil::date(1970, 1, 1).checked_add(span));
    date.map_or_else(|_| String::new(), |date| date.to_string())
}

/// Days since 1970 of `YYYY-MM-DD` (more may follow); `None` before 1970.
pub(crate) fn days(text: &str) -> Option<u32> {
    let date: jiff::civil::Date = text.get(..10)?.parse().ok()?;
    let since = date.since(jiff::civil::date(1970, 1, 1)).ok()?;
    u32::try_from(since.get_days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_the_same_thing() {
        for date in ["1970-01-01", "2024-02-29", "2026-11-23"] {
            assert_eq!(ymd(days(date).unwrap()), date);
        }
        assert_eq!(days("1969-12-31"), None);
        assert_eq!(days("soon"), None);
    }
}
