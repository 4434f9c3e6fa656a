//! Dates of HTTP (RFC 9110, section 5.6.7), all three forms of them.

/// Seconds from 1970 to a date as HTTP writes it; `None` when it is none, or one before 1970.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(' ')?;
    let mut parts = rest.split([' ', '-']).filter(|part| !part.is_empty());
    let mut next = || parts.next();
    let (day, month, year, time) = if text.get(3..4) == Some(",") {
        // Sun, 06 Nov 1994 08:49:37 GMT
        (next()?, next()?, number(next()?, 4)?, next()?)
    } else if text.contains(',') {
        // Sunday, 06-Nov-94 08:49:37 GMT
        let (day, month, year) = (next()?, next()?, number(next()?, 2)?);
        // Two digits mean the years that this protocol has.
        (day, month, if year < 70 { year.checked_add(2000)? } else { year.checked_add(1900)? }, next()?)
    } else {
        // Sun Nov  6 08:49:37 1994
        let (month, day, time) = (next()?, next()?, next()?);
        return seconds(number(day, 0)?, month, number(next()?, 4)?, time);
    };
    if next() != Some("GMT") {
        return None;
    }
    seconds(number(day, 2)?, month, year, time)
}

/// A number of so many digits; of one or two when that is 0.
fn number(text: &str, digits: usize) -> Option<u64> {
    let is_right = if digits == 0 { matches!(text.len(), 1 | 2) } else { text.len() == digits };
    (is_right && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn seconds(day: u64, month: &str, year: u64, time: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = u64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()?;
    let mut clock = time.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 || clock.next().is_some() {
        return None;
    }
    // Years that begin in March have their leap day last.
    let (year, month) = match month {
        0 | 1 => (year.checked_sub(1)?, month.checked_add(10)?),
        _ => (year, month.checked_sub(2)?),
    };
    let leap_days = (year / 4).checked_sub(year / 100)?.checked_add(year / 400)?;
    let in_months = month.checked_mul(153)?.checked_add(2)? / 5;
    let days = year.checked_mul(365)?.checked_add(leap_days)?.checked_add(in_months)?;
    // From the 1st of March of the year 0 to 1970.
    let days = days.checked_add(day)?.checked_sub(719_469)?;
    let hours = days.checked_mul(24)?.checked_add(hour)?;
    hours.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_forms() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
            ("Thursday, 01-Jan-70 00:00:01 GMT", Some(1)),
            ("Friday, 31-Dec-99 23:59:59 GMT", Some(946_684_799)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            // A leap second.
            ("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_800)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 1994 08:49 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 nov 1994 08:49:37 GMT", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 00 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov +994 08:49:37 GMT", None),
            ("120", None),
            ("", None),
            (" ", None),
            ("a, ", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
