//! The words behind a setup program or `msiexec /i FILE`.

/// Arguments of an installer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    words: Vec<String>,
}

impl Arguments {
    pub fn parse(words: &[String]) -> Self {
        Self { words: words.to_vec() }
    }

    /// Whether it asks nothing. Anything else waits for ever in a session that nobody sees.
    pub fn is_silent(&self) -> bool {
        self.switches().any(|switch| switch.starts_with("/q") || matches!(&*switch, "/passive" | "/s" | "/silent"))
    }

    /// Where the log goes: the word after `/l…` or `/log`.
    pub fn log(&self) -> Option<&str> {
        let at = self.switches().position(|switch| switch.starts_with("/l"))?;
        self.words.get(at + 1).map(String::as_str)
    }

    /// A public property, `NAME=value`; names of properties are upper case.
    pub fn property(&self, name: &str) -> Option<&str> {
        let value =
            |word: &'_ String| word.split_once('=').filter(|(found, _)| *found == name).map(|(_, value)| value.len());
        let (word, length) = self.words.iter().find_map(|word| value(word).map(|length| (word, length)))?;
        Some(word[word.len() - length..].trim_matches('"'))
    }

    fn switches(&self) -> impl Iterator<Item = String> {
        let switch = |word: &String| match word.strip_prefix('-') {
            Some(rest) => format!("/{}", rest.to_ascii_lowercase()),
            None => word.to_ascii_lowercase(),
        };
        self.words.iter().map(switch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], silent: bool, directory: Option<&str>, log: Option<&str>) {
        let arguments = Arguments::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(arguments.is_silent(), silent, "{words:?}");
        assert_eq!(arguments.property("TARGETVDIR"), directory, "{words:?}");
        assert_eq!(arguments.log(), log, "{words:?}");
    }

    #[test]
    fn arguments_are_read_as_windows_installer_reads_them() {
        check(&["/qn", "TARGETVDIR=Multi Factor", "/l*v", "C:\\x.log"], true, Some("Multi Factor"), Some("C:\\x.log"));
        check(&["-QUIET", "TARGETVDIR=\"a\""], true, Some("a"), None);
        check(&["/norestart", "targetvdir=a"], false, None, None);
        check(&[], false, None, None);
        check(&["/install", "/quiet", "/log", "C:\\y.log"], true, None, Some("C:\\y.log"));
    }
}
