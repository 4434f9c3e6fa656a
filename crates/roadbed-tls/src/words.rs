//! What is wrong with a certificate, in a sentence that says what to do about it.

use std::fmt;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

/// Names of a certificate that are shown.
const MAX_NAMES: usize = 3;
/// Characters of a name that are shown.
const MAX_NAME: usize = 80;

/// What is wrong with a certificate. It begins in lower case, to stand behind a colon.
pub(crate) struct Fault<'a>(pub(crate) &'a CertificateError);

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use CertificateError as E;
        f.write_str(match self.0 {
            E::Expired => "it has expired: renew it",
            E::ExpiredContext { time, not_after } => {
                return write!(
                    f,
                    "it expired on {}, and it is {} here: renew it, or set the clock of this machine",
                    Day(*not_after),
                    Day(*time)
                );
            }
            E::NotValidYet => "it is not valid yet: compare the clocks of both machines",
            E::NotValidYetContext { time, not_before } => {
                return write!(
                    f,
                    "it is valid from {} on, and it is {} here: compare the clocks of both machines",
                    Day(*not_before),
                    Day(*time)
                );
            }
            E::UnknownIssuer => {
                "nobody who is trusted has signed it: add the authority that did, or a self-signed certificate itself, to \
                 the roots"
            }
            E::NotValidForName => "it is for another name: connect by a name that it has, or set `server_name`",
            E::NotValidForNameContext { expected, presented } => {
                return other_name(f, &expected.to_str(), presented);
            }
            E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
                "it is not made for this: its extendedKeyUsage has to hold serverAuth for a server, clientAuth for a client"
            }
            E::BadEncoding => "it is no X.509 certificate, or a damaged one",
            E::BadSignature => "its signature is wrong: it was changed, or another key of the same authority signed it",
            E::UnsupportedSignatureAlgorithmContext { .. }
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                "it is signed in a way that is not supported, such as SHA-1: make it with ECDSA, Ed25519 or RSA, and SHA-256"
            }
            E::UnhandledCriticalExtension => "it has a critical extension that is not known here",
            E::Revoked => "it was revoked",
            E::Other(other) => return f.write_str(&other_fault(&other.to_string(), &format!("{:?}", other.0))),
            other => return other.fmt(f),
        })
    }
}

/// Faults that rustls passes on from the library below it.
fn other_fault(text: &str, name: &str) -> String {
    let words = if name.starts_with("CaUsedAsEndEntity") {
        "it is that of an authority (CA:TRUE), and cannot be a server's or client's as well: make it anew with \
         basicConstraints=CA:FALSE (openssl req -x509 -addext basicConstraints=critical,CA:FALSE …), or let it sign one"
    } else if name.starts_with("EndEntityUsedAsCa") {
        "what signed it is no authority: that certificate has to have basicConstraints=CA:TRUE"
    } else if name.starts_with("UnsupportedCertVersion") {
        "it is of version 1 or 2 of X.509, which has no extensions: make one of version 3, with a subjectAltName"
    } else if name.starts_with("RequiredEku") {
        "it is not made for this: its extendedKeyUsage has to hold serverAuth for a server, clientAuth for a client"
    } else if name.starts_with("Unsupported") && name.contains("Algorithm") {
        "it is signed in a way that is not supported, such as SHA-1: make it with ECDSA, Ed25519 or RSA, and SHA-256"
    } else {
        return text.to_owned();
    };
    words.to_owned()
}

fn other_name(f: &mut fmt::Formatter<'_>, expected: &str, presented: &[String]) -> fmt::Result {
    if presented.is_empty() {
        return write!(
            f,
            "it has no subjectAltName, and a common name does not count: make it anew with \
             subjectAltName=DNS:{expected}, or IP:… for an address"
        );
    }
    write!(f, "it is not for {}, but for ", Name(expected))?;
    for (number, name) in presented.iter().take(MAX_NAMES).enumerate() {
        // As `DnsName("example.com")`.
        let name = name.split('"').nth(1).unwrap_or(name);
        write!(f, "{}{}", if number == 0 { "" } else { ", " }, Name(name))?;
    }
    if let Some(more @ 1..) = presented.len().checked_sub(MAX_NAMES) {
        write!(f, " and {more} more")?;
    }
    f.write_str(": connect by a name that it has, or set `server_name`")
}

/// A name that a peer has chosen.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String =
            self.0.chars().take(MAX_NAME).map(|char| if char.is_control() { ' ' } else { char }).collect();
        f.write_str(&shown)
    }
}

/// A day of the calendar, in UTC.
struct Day(UnixTime);

impl fmt::Display for Day {
    // Quotients of days since 1970, and differences of a larger and a smaller one.
    #[allow(clippy::arithmetic_side_effects)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days from the 1st of March of the year 0, so that leap days come last; eras of 400 years.
        let days = self.0.as_secs() / 86_400 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        write!(f, "{:04}-{month:02}-{day:02}", era * 400 + year + carry)
    }
}

/// What to do about an alert of the peer's; nothing when that is not known.
pub(crate) const fn hint(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired => ": it wants a certificate, which `with_identity` gives it",
        AlertDescription::UnknownCA => ": it does not trust who has signed our certificate",
        AlertDescription::CertificateExpired => ": our certificate has expired, or its clock is wrong",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => ": it does not accept our certificate",
        AlertDescription::UnrecognisedName => ": it knows no host of this name",
        AlertDescription::ProtocolVersion => ": it speaks neither TLS 1.2 nor 1.3",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn days() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_735_689_599, "2024-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            let day = Day(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
            assert_eq!(day.to_string(), expected, "{seconds}");
        }
    }

    #[test]
    fn names_of_peers_are_cut_and_tamed() {
        let expected = rustls::pki_types::ServerName::try_from("a.example").unwrap();
        let name = |number: usize| format!("DnsName(\"{number}\u{1b}{}\")", "x".repeat(500));
        let presented: Vec<_> = (0..500).map(name).collect();
        let fault = CertificateError::NotValidForNameContext { expected, presented };
        let text = Fault(&fault).to_string();
        assert!(text.len() < 500 && text.contains(" and 497 more") && !text.contains('\u{1b}'), "{text}");
    }
}
