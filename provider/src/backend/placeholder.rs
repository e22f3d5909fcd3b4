//! Placeholders in what operators state, above all in installer arguments: `{virtual_directory}` and the like.
//!
//! Only a word of letters and underscores in braces is a placeholder, so that a product code in braces passes as it is.

use crate::backend::step::Place;

/// The placeholders a web component's arguments may use.
pub const NAMES: [&str; 4] = ["virtual_directory", "site", "site_id", "application_pool"];

/// A placeholder nobody can fill in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{{{name}}} is no placeholder here; accepted {}", accepted(*.in_web))]
pub struct UnknownPlaceholder {
    pub name: String,
    /// Whether the component lives in IIS and so has placeholders at all.
    pub in_web: bool,
}

/// Checks an argument without filling it in.
pub fn check(argument: &str, in_web: bool) -> Result<(), UnknownPlaceholder> {
    pieces(argument).try_for_each(|piece| match piece {
        Piece::Placeholder(name) if !in_web || !NAMES.contains(&name) => {
            Err(UnknownPlaceholder { name: name.to_owned(), in_web })
        }
        _ => Ok(()),
    })
}

/// Fills an argument in. Values are put in once; braces in a value mean nothing.
pub fn fill(argument: &str, place: Option<&Place>) -> Result<String, UnknownPlaceholder> {
    let unknown = |name| UnknownPlaceholder { name, in_web: place.is_some() };
    fill_by(argument, |name| place.and_then(|place| value(place, name))).map_err(unknown)
}

/// Fills a text in by any names, each value once. The error is the first name without a value.
pub fn fill_by(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Placeholder(name) => filled.push_str(&value(name).ok_or_else(|| name.to_owned())?),
        }
    }
    Ok(filled)
}

enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

fn pieces(argument: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = argument;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = match next_placeholder(rest) {
            Some((0, name)) => (Piece::Placeholder(name), &rest[name.len() + 2..]),
            Some((start, _)) => (Piece::Text(&rest[..start]), &rest[start..]),
            None => (Piece::Text(rest), ""),
        };
        rest = after;
        Some(piece)
    })
}

/// Where the next placeholder starts, and its name.
fn next_placeholder(text: &str) -> Option<(usize, &str)> {
    text.match_indices('{').find_map(|(start, _)| {
        let (name, _) = text[start + 1..].split_once('}')?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        is_name.then_some((start, name))
    })
}

fn value(place: &Place, name: &str) -> Option<String> {
    match name {
        "virtual_directory" => Some(place.virtual_directory.clone()),
        "site" => Some(place.site.clone()),
        "site_id" => Some(place.site_id.to_string()),
        "application_pool" => Some(place.application_pool.clone()),
        _ => None,
    }
}

fn accepted(in_web: bool) -> String {
    if in_web {
        format!("are {}", NAMES.map(|name| format!("{{{name}}}")).join(", "))
    } else {
        "is none, because this file is not installed into IIS".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            site: "Default Web Site".to_owned(),
            site_id: 1,
            virtual_directory: "Multi{site}".to_owned(),
            application_pool: "MfaPool".to_owned(),
        }
    }

    #[track_caller]
    fn filled(argument: &str, expected: &str) {
        assert_eq!(fill(argument, Some(&place())).as_deref(), Ok(expected));
        assert_eq!(check(argument, true), Ok(()));
    }

    #[test]
    fn fills_in_once() {
        filled("/qn", "/qn");
        filled("TARGETVDIR={virtual_directory}", "TARGETVDIR=Multi{site}");
        filled("TARGETSITE=/LM/W3SVC/{site_id}", "TARGETSITE=/LM/W3SVC/1");
        filled("{site}{application_pool}", "Default Web SiteMfaPool");
    }

    #[test]
    fn leaves_other_braces_alone() {
        filled("CODE={90140000-0011-0000-0000-0000000FF1CE}", "CODE={90140000-0011-0000-0000-0000000FF1CE}");
        filled("{", "{");
        filled("}{}{{site_id}", "}{}{1");
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(fill("{vdir}", Some(&place())).is_err());
        assert!(check("A={vdir}", true).is_err());
        assert!(check("A={site}", false).is_err());
        assert!(fill("A={site}", None).is_err());
        let message = check("{vdir}", true).expect_err("unknown").to_string();
        assert_eq!(
            message,
            "{vdir} is no placeholder here; accepted are {virtual_directory}, {site}, {site_id}, {application_pool}"
        );
    }
}
