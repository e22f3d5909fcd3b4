//! What `krb5.conf` says of realms, in the format of MIT's and Heimdal's programs.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The settings of all files together. What comes first counts, and KDCs add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Krb5Conf {
    /// The realm of names without one.
    pub default_realm: Option<String>,
    /// `host` or `host:port`, by realm in capitals.
    kdcs: HashMap<String, Vec<String>>,
    /// Realms by the names of hosts, or of domains with a dot in front, in small letters.
    domains: HashMap<String, String>,
    dns_lookup_kdc: Option<bool>,
}

/// Files may include each other in a circle.
const DEPTH: usize = 8;

impl Krb5Conf {
    /// Reads files. One that cannot be read is one that says nothing, as for other programs.
    pub fn read(files: &[PathBuf]) -> Self {
        let mut read = Self::default();
        files.iter().for_each(|file| read.add_file(file, DEPTH));
        read
    }

    /// The KDCs of a realm, in the order in which they are to be asked.
    pub fn kdcs(&self, realm: &str) -> &[String] {
        self.kdcs.get(&realm.to_ascii_uppercase()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether DNS is to be asked for KDCs that the files do not name.
    pub fn looks_up_kdcs(&self) -> bool {
        self.dns_lookup_kdc.unwrap_or(true)
    }

    /// The realm of a host: that of its name, else that of the nearest domain around it.
    pub fn realm_of(&self, host: &str) -> Option<&str> {
        let host = host.to_ascii_lowercase();
        let domains = host.match_indices('.').map(|(dot, _)| &host[dot..]);
        let found = std::iter::once(host.as_str()).chain(domains).find_map(|name| self.domains.get(name));
        // A domain without a dot in front stands for the host of that name, and for the hosts below it as well.
        let below = || host.match_indices('.').find_map(|(dot, _)| self.domains.get(&host[dot + 1..]));
        found.or_else(below).map(String::as_str)
    }

    fn add_file(&mut self, file: &Path, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let Ok(bytes) = fs::read(file) else { return };
        for included in self.add(&String::from_utf8_lossy(&bytes)) {
            self.add_file(&included, depth);
        }
    }

    /// Adds what a text says, and returns the files that it includes.
    fn add(&mut self, text: &str) -> Vec<PathBuf> {
        let mut included = Vec::new();
        let mut section = String::new();
        // Names of the groups around a line, such as that of a realm.
        let mut groups: Vec<String> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            match first {
                "include" => included.push(PathBuf::from(rest.trim())),
                "includedir" => included.extend(files_in(Path::new(rest.trim()))),
                _ => {}
            }
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
                (section, groups) = (name.trim().to_owned(), Vec::new());
            } else if line.starts_with('}') {
                groups.pop();
            } else if let Some((name, value)) = line.split_once('=') {
                let (name, value) = (name.trim().trim_end_matches('*'), value.trim());
                match value.strip_prefix('{') {
                    // All on one line.
                    Some(value) if value.contains('}') => {
                        groups.push(name.to_owned());
                        let inner = value.split('}').next().unwrap_or_default();
                        if let Some((name, value)) = inner.split_once('=') {
                            self.set(&section, &groups, name.trim(), value.trim());
                        }
                        groups.pop();
                    }
                    Some(_) => groups.push(name.to_owned()),
                    None => self.set(&section, &groups, name, value),
                }
            }
        }
        included
    }

    fn set(&mut self, section: &str, groups: &[String], name: &str, value: &str) {
        let value = value.trim_matches('"').to_owned();
        match (section, groups, name) {
            ("libdefaults", [], "default_realm") => {
                self.default_realm.get_or_insert(value);
            }
            ("libdefaults", [], "dns_lookup_kdc") => {
                let yes = ["y", "yes", "true", "t", "1", "on"];
                self.dns_lookup_kdc.get_or_insert(yes.contains(&value.to_ascii_lowercase().as_str()));
            }
            ("realms", [realm], "kdc") => {
                // Some programs know a transport in front; TCP is what is used anyway. A URL is a proxy's, which is not used.
                let address = value.rsplit_once('/').map_or(value.as_str(), |(_, address)| address);
                if !value.contains("://") {
                    self.kdcs.entry(realm.to_ascii_uppercase()).or_default().push(address.to_owned());
                }
            }
            ("domain_realm", [], name) => {
                self.domains.entry(name.to_ascii_lowercase()).or_insert(value);
            }
            _ => {}
        }
    }
}

/// The files of an included folder: other programs leave out copies and hidden files.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_named_so = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        plain || name.ends_with(".conf") && !name.starts_with('.')
    };
    let mut files: Vec<PathBuf> = entries.filter(is_named_so).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Krb5Conf {
        let mut conf = Krb5Conf::default();
        conf.add(text);
        conf
    }

    const SAMPLE: &str = "
# A comment.
[libdefaults]
    default_realm = CONTOSO.COM
    default_realm = LATER.COM
    dns_lookup_kdc = false
    clpreauth = { module = x:y.so }
[realms]
  CONTOSO.COM = {
    kdc = dc01.contoso.com
    kdc = dc02.contoso.com:8888
    kdc = https://proxy.contoso.com/KdcProxy
    auth_to_local_names = {
      kdc = somebody
    }
    admin_server = dc01.contoso.com
  }
  child.contoso.com = { kdc = tcp/dc01.child.contoso.com }
; Another one.
[domain_realm]
  .contoso.com = CONTOSO.COM
  .child.contoso.com = CHILD.CONTOSO.COM
  mfa01.contoso.com = \"OTHER.COM\"
  fabrikam.com = FABRIKAM.COM
[logging]
  kdc = FILE:/var/log/kdc.log
";

    #[test]
    fn reads_realms_and_their_kdcs() {
        let conf = parsed(SAMPLE);
        assert_eq!(conf.default_realm.as_deref(), Some("CONTOSO.COM"));
        assert_eq!(conf.kdcs("contoso.com"), ["dc01.contoso.com", "dc02.contoso.com:8888"]);
        assert_eq!(conf.kdcs("CHILD.CONTOSO.COM"), ["dc01.child.contoso.com"]);
        assert!(conf.kdcs("OTHER.COM").is_empty() && !conf.looks_up_kdcs());
        assert!(Krb5Conf::default().looks_up_kdcs());
    }

    #[track_caller]
    fn check(host: &str, expected: Option<&str>) {
        assert_eq!(parsed(SAMPLE).realm_of(host), expected, "{host}");
    }

    #[test]
    fn the_nearest_name_tells_the_realm() {
        check("MFA01.contoso.com", Some("OTHER.COM"));
        check("mfa02.contoso.com", Some("CONTOSO.COM"));
        check("web.child.contoso.com", Some("CHILD.CONTOSO.COM"));
        check("contoso.com", None);
        check("fabrikam.com", Some("FABRIKAM.COM"));
        check("a.fabrikam.com", Some("FABRIKAM.COM"));
        check("mfa01", None);
    }

    #[test]
    fn files_add_up_and_may_include_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("more")).expect("a folder");
        let main = format!(
            "include {0}/main\nincludedir {0}/more\n[realms]\nA = {{\nkdc = one\n}}\n",
            folder.path().display()
        );
        std::fs::write(path("main"), main).expect("a file");
        std::fs::write(path("more/site.conf"), "[realms]\nA = {\nkdc = two\n}\n").expect("a file");
        std::fs::write(path("more/site.conf~"), "[realms]\nA = {\nkdc = never\n}\n").expect("a file");
        let conf = Krb5Conf::read(&[path("absent"), path("main")]);
        let kdcs = conf.kdcs("A");
        assert!(kdcs.contains(&"one".to_owned()) && kdcs.contains(&"two".to_owned()), "{kdcs:?}");
        assert!(!kdcs.contains(&"never".to_owned()), "{kdcs:?}");
    }

    proptest! {
        /// Whatever the text is, and what was written is read.
        #[test]
        fn any_text_is_read(text in "[\\[\\]{}=#; \\n\"a-z.*]{0,200}", realm in "[A-Z]{1,8}\\.[A-Z]{2,3}", kdcs in prop::collection::vec("[a-z0-9.]{1,12}(:[0-9]{1,5})?", 0..4)) {
            let mut written = String::from("[realms]\n");
            written.push_str(&format!("{realm} = {{\n"));
            for kdc in &kdcs {
                written.push_str(&format!("\tkdc = {kdc}\n"));
            }
            written.push_str("}\n");
            let conf = parsed(&written);
            prop_assert_eq!(conf.kdcs(&realm), kdcs.as_slice());
            // Behind any other text, as long as that does not end within a group: a section ends it.
            let conf = parsed(&format!("{text}\n{written}"));
            prop_assert!(conf.kdcs(&realm).ends_with(&kdcs));
        }

        #[test]
        fn any_bytes_are_read(text in any::<String>(), host in any::<String>()) {
            let conf = parsed(&text);
            let _ = (conf.realm_of(&host), conf.kdcs(&host));
        }
    }
}
