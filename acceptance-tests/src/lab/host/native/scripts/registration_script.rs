//! Reading the vendor's registration script without running it: its one call, with constants only.

use crate::lab::host::native::reply::Failure;

/// What the script would register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub type_name: String,
    pub name: String,
}

const COMMAND: &str = "Register-AdfsAuthenticationProvider";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A word without quotes.
    Word(String),
    /// A text that stands for itself.
    Text(String),
    /// A text with something to be put in.
    Expandable,
    Variable(String),
    /// `-Name`; with a colon its value follows at once.
    Parameter(String),
    Equals,
    /// End of a statement, and every bracket.
    End,
}

/// Reads a script. `path` is for messages.
pub fn read(path: &str, text: &str) -> Result<Registration, Failure> {
    let unknown = || {
        Failure::invalid_input(format!(
            "{path} is not the vendor's registration script: one call of {COMMAND} was expected"
        ))
    };
    let tokens = tokens(text).ok_or_else(unknown)?;
    let is_call = |token: &Token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(COMMAND));
    let calls: Vec<_> = tokens.iter().enumerate().filter(|(_, token)| is_call(token)).map(|(at, _)| at).collect();
    let [call] = calls.as_slice() else { return Err(unknown()) };
    let words: Vec<_> = tokens[call + 1..].iter().take_while(|token| **token != Token::End).collect();
    let constant = |name: &str| {
        let at =
            words.iter().position(|token| matches!(token, Token::Parameter(found) if found.eq_ignore_ascii_case(name)));
        let value = at.and_then(|at| words.get(at + 1)).and_then(|token| constant(token, &tokens));
        let missing = || Failure::invalid_input(format!("{path} has no plain -{name} in its call of {COMMAND}"));
        value.filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    Ok(Registration { type_name: constant("TypeName")?, name: constant("Name")? })
}

/// The text of a constant, or of a variable that was given a constant once.
fn constant(token: &Token, tokens: &[Token]) -> Option<String> {
    match token {
        Token::Word(text) | Token::Text(text) => Some(text.clone()),
        Token::Variable(name) => {
            let is_assignment = |window: &&[Token]| match window {
                [Token::Variable(found), Token::Equals, _, _] => found.eq_ignore_ascii_case(name),
                _ => false,
            };
            let assignments: Vec<_> = tokens.windows(4).filter(is_assignment).collect();
            match assignments.as_slice() {
                [[_, _, Token::Text(text), Token::End]] => Some(text.clone()),
                _ => None,
            }
        }
        Token::Expandable | Token::Parameter(_) | Token::Equals | Token::End => None,
    }
}

/// None when a text or comment does not end.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    while let Some(first) = rest.chars().next() {
        let skip = first.len_utf8();
        match first {
            '\n' | ';' | '|' | '{' | '}' | '(' | ')' => {
                tokens.push(Token::End);
                rest = &rest[skip..];
            }
            '`' => rest = rest[1..].strip_prefix("\r\n").or_else(|| rest[1..].strip_prefix('\n')).unwrap_or(&rest[1..]),
            '#' => rest = rest.find('\n').map_or("", |end| &rest[end..]),
            '<' if rest.starts_with("<#") => rest = &rest[rest.find("#>")? + 2..],
            '=' => {
                tokens.push(Token::Equals);
                rest = &rest[1..];
            }
            '\'' | '"' => {
                let (token, after) = quoted(rest, first)?;
                tokens.push(token);
                rest = after;
            }
            character if character.is_whitespace() => rest = &rest[skip..],
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || ";|{}()=\"'`".contains(c)).unwrap_or(rest.len());
                // A value may follow a parameter's colon at once.
                let colon = rest[..end].find(':').filter(|_| first == '-').map(|colon| colon + 1);
                let end = colon.unwrap_or(end).max(skip);
                tokens.push(word(&rest[..end]));
                rest = &rest[end..];
            }
        }
    }
    tokens.push(Token::End);
    Some(tokens)
}

fn word(word: &str) -> Token {
    if let Some(name) = word.strip_prefix('$') {
        return Token::Variable(name.to_owned());
    }
    match word.strip_prefix('-') {
        Some(name) => Token::Parameter(name.trim_end_matches(':').to_owned()),
        None => Token::Word(word.to_owned()),
    }
}

/// A text in quotes; a doubled quote stands for one.
fn quoted(text: &str, quote: char) -> Option<(Token, &str)> {
    let mut value = String::new();
    let mut expandable = false;
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character == quote => {
                if characters.next_if(|(_, next)| *next == quote).is_some() {
                    value.push(quote);
                    continue;
                }
                let token = if expandable { Token::Expandable } else { Token::Text(value) };
                return Some((token, &text[at + 1..]));
            }
            '`' if quote == '"' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '$' if quote == '"' => expandable = true,
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, &str), &str>) {
        match (read("R.ps1", text), expected) {
            (Ok(found), Ok((type_name, name))) => {
                assert_eq!((found.type_name.as_str(), found.name.as_str()), (type_name, name), "{text}");
            }
            (Err(failure), Err(part)) => assert!(failure.message.contains(part), "{text}: {}", failure.message),
            (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn the_one_call_is_read() {
        check("Register-AdfsAuthenticationProvider -TypeName \"T, A\" -Name 'N' -Verbose", Ok(("T, A", "N")));
        check(
            "<# Register-AdfsAuthenticationProvider #>\r\n# more\r\n$t = \"T\"\r\n$n = 'it''s'\r\n\
             register-adfsAuthenticationProvider `\r\n  -typename $T -name:$n\r\n",
            Ok(("T", "it's")),
        );
        check("Register-AdfsAuthenticationProvider -TypeName T -Name N", Ok(("T", "N")));
    }

    #[test]
    fn anything_but_constants_is_refused() {
        check("Write-Output 1", Err("one call"));
        check(
            "Register-AdfsAuthenticationProvider -Name a; Register-AdfsAuthenticationProvider -Name b",
            Err("one call"),
        );
        check("Register-AdfsAuthenticationProvider -TypeName \"T", Err("one call"));
        check("Register-AdfsAuthenticationProvider -TypeName T", Err("no plain -Name"));
        check("Register-AdfsAuthenticationProvider -Name N -TypeName \"T $x\"", Err("no plain -TypeName"));
        check("$t = Get-X\nRegister-AdfsAuthenticationProvider -Name N -TypeName $t", Err("no plain -TypeName"));
        check(
            "$t = 'a'\n$t = 'b'\nRegister-AdfsAuthenticationProvider -Name N -TypeName $t",
            Err("no plain -TypeName"),
        );
    }
}
