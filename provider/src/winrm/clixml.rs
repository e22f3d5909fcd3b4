//! CLIXML, in which PowerShell writes its errors to standard error when its output is a pipe.

use roxmltree::Document;

/// The text of the errors in what a PowerShell process wrote to standard error.
///
/// Progress, warnings and other records are left out. What is not CLIXML is kept as it is, so that
/// nothing a process said is lost.
pub fn error_text(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let mut found = String::new();
    let mut rest = text.as_ref();
    while let Some((before, block, after)) = next_block(rest) {
        push_plain(&mut found, before);
        match block_errors(block) {
            Some(errors) => found.push_str(&errors),
            None => push_plain(&mut found, block),
        }
        rest = after;
    }
    push_plain(&mut found, rest);
    found.trim_end().to_owned()
}

const END: &str = "</Objs>";

/// Text before the next `<Objs>` element, the element, and what follows it.
fn next_block(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find("<Objs")?;
    let end = start + text[start..].find(END)? + END.len();
    Some((&text[..start], &text[start..end], &text[end..]))
}

fn push_plain(found: &mut String, text: &str) {
    // The mark has a line of its own.
    let text = text.replace("#< CLIXML\r\n", "").replace("#< CLIXML\n", "");
    if !text.trim().is_empty() {
        found.push_str(&text);
    }
}

fn block_errors(block: &str) -> Option<String> {
    let document = Document::parse(block).ok()?;
    let mut errors = String::new();
    for node in document.root_element().children() {
        if node.tag_name().name() == "S"
            && node.attribute("S").is_some_and(|stream| stream.eq_ignore_ascii_case("error"))
        {
            errors.push_str(&decode(node.text().unwrap_or_default()));
        }
    }
    Some(errors)
}

/// Replaces `_xHHHH_`, which stands for one UTF-16 unit.
fn decode(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find("_x") {
        let (before, escape) = rest.split_at(position);
        units.extend(before.encode_utf16());
        match escape_unit(escape) {
            Some(unit) => {
                units.push(unit);
                rest = &escape["_xHHHH_".len()..];
            }
            None => {
                units.extend("_x".encode_utf16());
                rest = &escape["_x".len()..];
            }
        }
    }
    units.extend(rest.encode_utf16());
    String::from_utf16_lossy(&units)
}

fn escape_unit(text: &str) -> Option<u16> {
    let digits = text.get(2..6)?;
    let closed = text.as_bytes().get(6) == Some(&b'_');
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (closed && hexadecimal).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stderr: &str, expected: &str) {
        assert_eq!(error_text(stderr.as_bytes()), expected);
    }

    #[test]
    fn takes_errors_and_leaves_the_rest() {
        check(
            "#< CLIXML\r\n<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">\
             <Obj S=\"progress\" RefId=\"0\"><MS><S N=\"Error\">no</S></MS></Obj>\
             <S S=\"warning\">careful</S><S S=\"Error\">cannot find_x000D__x000A_</S>\
             <S S=\"Error\">  &lt;path&gt;_x000D__x000A_</S></Objs>",
            "cannot find\r\n  <path>",
        );
    }

    #[test]
    fn decodes_units_and_only_those() {
        let wrap = |text: &str| format!("<Objs><S S=\"Error\">{text}</S></Objs>");
        check(&wrap("_xD83D__xDE00_"), "\u{1f600}");
        check(&wrap("_x005F_x000A_"), "_x000A_");
        check(&wrap("a_xyz_x00_x00e4_"), "a_xyz_x00\u{e4}");
        check(&wrap("_x\u{e4}\u{e4}\u{e4}_"), "_x\u{e4}\u{e4}\u{e4}_");
    }

    #[test]
    fn loses_nothing_that_is_not_clixml() {
        check("", "");
        check("'x' is not recognized\r\n", "'x' is not recognized");
        check("before\n#< CLIXML\r\n<Objs><S S=\"Error\">one</S></Objs>after", "before\noneafter");
        check("#< CLIXML\n<Objs><S S=\"Error\">1;</S></Objs>#< CLIXML\n<Objs><S S=\"Error\">2</S></Objs>", "1;2");
        check("#< CLIXML\r\n<Objs><S S=\"Error\">cut", "<Objs><S S=\"Error\">cut");
    }
}
