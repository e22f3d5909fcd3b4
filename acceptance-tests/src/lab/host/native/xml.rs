//! XML files that are read and changed in place: what is not touched keeps every byte.

use std::ops::Range;

use roxmltree::{Document, Node, ParsingOptions};

use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::Failure;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The text of an XML file.
pub struct XmlFile {
    path: String,
    /// Without the byte order mark.
    pub text: String,
    has_mark: bool,
}

/// Replacements of parts of a text; they must not overlap.
#[derive(Default)]
pub struct Edits(Vec<(Range<usize>, String)>);

impl XmlFile {
    /// Reads a file. Whether it is well-formed is found by [`XmlFile::document`].
    pub fn read(host: &HostFolder, path: &str) -> Result<Self, Failure> {
        if !host.is_file(path) {
            return Err(Failure::not_found(format!("{path} does not exist")));
        }
        let text = String::from_utf8_lossy(&host.read(path)?).into_owned();
        let has_mark = text.starts_with(BYTE_ORDER_MARK);
        let text = text.trim_start_matches(BYTE_ORDER_MARK).to_owned();
        Ok(Self { path: path.to_owned(), text, has_mark })
    }

    pub fn document(&self) -> Result<Document<'_>, Failure> {
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        Document::parse_with_options(&self.text, options).map_err(|error| {
            // The text at the fault may be part of a password.
            Failure::precondition(format!(
                "{} is no well-formed XML at line {}, position {} (a password with an unescaped & is a known cause)",
                self.path,
                error.pos().row,
                error.pos().col
            ))
        })
    }

    /// Writes the text with the edits, with the line ends and the byte order mark that it had.
    pub fn save(&self, host: &HostFolder, path: &str, edits: Edits) -> Result<(), Failure> {
        let mut text = self.text.clone();
        let mut edits = edits.0;
        edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        for (range, replacement) in edits {
            text.replace_range(range, &replacement);
        }
        let text = text.replace("\r\n", "\n");
        let text = if self.text.contains('\r') { text.replace('\n', "\r\n") } else { text };
        let mark = if self.has_mark { BYTE_ORDER_MARK } else { "" };
        Ok(host.write(path, format!("{mark}{text}"))?)
    }
}

impl Edits {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets the value of an attribute.
    pub fn set_attribute(&mut self, range: Range<usize>, value: &str) {
        let escaped = escape_text(value).replace('"', "&quot;");
        let escaped = escaped.replace('\t', "&#x9;").replace('\n', "&#xA;").replace('\r', "&#xD;");
        self.0.retain(|(known, _)| *known != range);
        self.0.push((range, escaped));
    }

    /// Sets what stands between the tags of an element.
    pub fn set_inner(&mut self, file: &XmlFile, node: Node<'_, '_>, inner: &str) {
        let whole = node.range();
        let raw = &file.text[whole.clone()];
        let (range, replacement) = match inner_range(raw) {
            Some(range) => (whole.start + range.start..whole.start + range.end, inner.to_owned()),
            None => {
                let name = raw[1..].split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
                let tag = raw.trim_end_matches("/>").trim_end();
                (whole, format!("{tag}>{inner}</{name}>"))
            }
        };
        self.0.retain(|(known, _)| *known != range);
        self.0.push((range, replacement));
    }
}

/// What stands between an element's tags, as an XML writer would put it.
pub fn inner_xml(file: &XmlFile, node: Node<'_, '_>) -> String {
    if node.children().all(|child| child.is_text()) {
        return escape_text(&inner_text(node));
    }
    let raw = &file.text[node.range()];
    inner_range(raw).map(|range| raw[range].to_owned()).unwrap_or_default()
}

/// All text in an element.
pub fn inner_text(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect()
}

pub fn escape_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Children that are elements of this name in no namespace.
pub fn children<'a, 'input: 'a>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && child.tag_name() == name.into())
}

/// Where the inner part of an element lies in its text; none when it is closed in its only tag.
fn inner_range(raw: &str) -> Option<Range<usize>> {
    let mut quote = None;
    let end_of_tag = raw.char_indices().find_map(|(at, character)| match (quote, character) {
        (None, '"' | '\'') => {
            quote = Some(character);
            None
        }
        (Some(open), _) if open == character => {
            quote = None;
            None
        }
        (None, '>') => Some(at),
        _ => None,
    })?;
    if raw[..end_of_tag].ends_with('/') {
        return None;
    }
    raw.rfind("</").map(|end| end_of_tag + 1..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_leave_the_rest_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let host = HostFolder::new(folder.path());
        let text = "\u{feff}<a x='>'>\r\n  <b q=\"1\" />\r\n  <c>old<!-- kept --></c>\r\n  <d></d>\r\n</a>\r\n";
        host.write("C:\\f.xml", text).expect("written");
        let file = XmlFile::read(&host, "C:\\f.xml").expect("read");
        let document = file.document().expect("well-formed");
        let node = |name: &str| document.descendants().find(|node| node.has_tag_name(name)).expect("a node");
        let mut edits = Edits::default();
        edits.set_inner(&file, node("b"), "one");
        edits.set_inner(&file, node("d"), "two\nlines");
        edits.set_attribute(node("b").attribute_node("q").expect("q").range_value(), "&\"");
        // An edit inside of another would be a mistake; `b` is whole above, so only its inner edit is checked here.
        edits.0.retain(|(_, text)| text != "&amp;&quot;");
        file.save(&host, "C:\\g.xml", edits).expect("saved");
        let saved = String::from_utf8(host.read("C:\\g.xml").expect("there")).expect("UTF-8");
        let expected = "\u{feff}<a x='>'>\r\n  <b q=\"1\">one</b>\r\n  <c>old<!-- kept --></c>\r\n  <d>two\r\nlines</d>\r\n</a>\r\n";
        assert_eq!(saved, expected);
        assert_eq!(inner_xml(&file, node("c")), "old<!-- kept -->");
    }

    #[test]
    fn a_fault_is_named_by_its_place_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let host = HostFolder::new(folder.path());
        host.write("C:\\f.xml", "<a>\n<b v=\"se&cret\"/></a>").expect("written");
        let file = XmlFile::read(&host, "C:\\f.xml").expect("read");
        let failure = file.document().expect_err("not well-formed");
        assert_eq!(failure.kind, "precondition");
        assert!(failure.message.contains("line 2") && !failure.message.contains("cret"), "{}", failure.message);
    }
}
