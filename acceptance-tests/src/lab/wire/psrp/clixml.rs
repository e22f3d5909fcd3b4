//! What messages say, in CLIXML (MS-PSRP 2.2.5): read as far as clients are listened to, written as Windows was recorded.

use roxmltree::{Document, Node};

use crate::lab::wire::psrp::{Malformed, Script, Thrown};
use crate::lab::wire::reply::escape;

/// The versions that server and client are asked to agree on; 2.3 is that of Windows PowerShell 5.1.
pub const SESSION_CAPABILITY: &str = "<Obj RefId=\"0\"><MS><Version N=\"protocolversion\">2.3</Version><Version \
                                      N=\"PSVersion\">2.0</Version><Version N=\"SerializationVersion\">1.1.0.1\
                                      </Version></MS></Obj>";

/// What the pool is willing to say about its PowerShell.
pub const APPLICATION_PRIVATE_DATA: &str = "<Obj RefId=\"0\"><MS><Obj N=\"ApplicationPrivateData\" RefId=\"1\"><TN RefId=\"0\"><T>System.Management.Automation.\
     PSPrimitiveDictionary</T><T>System.Collections.Hashtable</T><T>System.Object</T></TN><DCT><En><S N=\"Key\">\
     PSVersionTable</S><Obj N=\"Value\" RefId=\"2\"><TNRef RefId=\"0\" /><DCT><En><S N=\"Key\">PSVersion</S><Version \
     N=\"Value\">5.1.17763.1971</Version></En><En><S N=\"Key\">PSRemotingProtocolVersion</S><Version N=\"Value\">2.3\
     </Version></En></DCT></Obj></En></DCT></Obj></MS></Obj>";

/// The pool is open.
pub const RUNSPACEPOOL_OPENED: &str = "<Obj RefId=\"0\"><MS><I32 N=\"RunspaceState\">2</I32></MS></Obj>";

/// The pipeline has ended by itself.
pub const PIPELINE_COMPLETED: &str = "<Obj RefId=\"0\"><MS><I32 N=\"PipelineState\">4</I32></MS></Obj>";

/// The pipeline has ended by an error.
pub fn pipeline_failed(thrown: &Thrown) -> String {
    let message = text(&thrown.0);
    format!(
        "<Obj RefId=\"0\"><MS><I32 N=\"PipelineState\">5</I32><Obj N=\"ExceptionAsErrorRecord\" RefId=\"1\"><TN \
         RefId=\"0\"><T>System.Management.Automation.ErrorRecord</T><T>System.Object</T></TN><ToString>{message}\
         </ToString><MS><Obj N=\"Exception\" RefId=\"2\"><TN RefId=\"1\"><T>System.Management.Automation.\
         RuntimeException</T><T>System.SystemException</T><T>System.Exception</T><T>System.Object</T></TN><ToString>\
         System.Management.Automation.RuntimeException: {message}</ToString><Props><S N=\"Message\">{message}</S></Props>\
         </Obj><S N=\"TargetObject\">{message}</S><S N=\"FullyQualifiedErrorId\">{message}</S><Nil N=\"InvocationInfo\" />\
         <I32 N=\"ErrorCategory_Category\">14</I32><S N=\"ErrorCategory_Activity\"></S><S N=\"ErrorCategory_Reason\">\
         RuntimeException</S><S N=\"ErrorCategory_TargetName\">{message}</S><S N=\"ErrorCategory_TargetType\">String</S>\
         <S N=\"ErrorCategory_Message\">OperationStopped: ({message}:String) [], RuntimeException</S><B \
         N=\"SerializeExtendedInfo\">false</B></MS></Obj></MS></Obj>"
    )
}

/// An object that is a text.
pub fn string(value: &str) -> String {
    format!("<S>{}</S>", text(value))
}

/// Reads an object that is a text.
///
/// # Errors
/// When it is anything else.
pub fn read_string(data: &str) -> Result<String, Malformed> {
    let document = parse(data)?;
    let root = document.root_element();
    if root.has_tag_name("S") {
        return Ok(value(root));
    }
    Err(Malformed(format!("the input is <{}>; the lab takes texts", root.tag_name().name())))
}

/// Reads the script of a CREATE_PIPELINE.
///
/// # Errors
/// When it is anything but one script.
pub fn read_script(data: &str) -> Result<Script, Malformed> {
    let document = parse(data)?;
    let member = |node, name| member(node, name).ok_or_else(|| Malformed(format!("the pipeline has no {name}")));
    let commands = list(member(member(document.root_element(), "PowerShell")?, "Cmds")?);
    let [command] = commands[..] else {
        return Err(Malformed(format!("the pipeline has {} commands; the lab runs one script", commands.len())));
    };
    if value(member(command, "IsScript")?) != "true" {
        return Err(Malformed("the command is no script".to_owned()));
    }
    let mut arguments = Vec::new();
    for argument in list(member(command, "Args")?) {
        if !member(argument, "N")?.has_tag_name("Nil") {
            return Err(Malformed("an argument has a name; the lab takes positional ones".to_owned()));
        }
        arguments.push(value(member(argument, "V")?));
    }
    Ok(Script { text: value(member(command, "Cmd")?), arguments })
}

fn parse(data: &str) -> Result<Document<'_>, Malformed> {
    Document::parse(data).map_err(|error| Malformed(format!("CLIXML: {error}")))
}

/// A property by its name.
fn member<'a, 'input>(object: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    let members = object.children().find(|child| child.has_tag_name("MS"))?;
    members.children().find(|child| child.attribute("N") == Some(name))
}

fn list<'a, 'input>(object: Node<'a, 'input>) -> Vec<Node<'a, 'input>> {
    let list = object.children().find(|child| child.has_tag_name("LST"));
    list.into_iter().flat_map(|list| list.children().filter(Node::is_element).collect::<Vec<_>>()).collect()
}

/// A simple value as its text.
fn value(node: Node<'_, '_>) -> String {
    let text: String = node.children().filter_map(|child| child.text()).collect();
    decode(&text)
}

/// A text as CLIXML has it: control characters as `_x000A_`, and what looks like that with its underscore as `_x005F_`.
fn text(value: &str) -> String {
    let mut written = String::with_capacity(value.len());
    for (at, character) in value.char_indices() {
        let is_escape = character == '_' && escaped(&value[at..]).is_some();
        if is_escape || character.is_control() {
            written += &format!("_x{:04X}_", u32::from(character));
        } else {
            written.push(character);
        }
    }
    escape(&written)
}

/// The reverse, once the XML is read. Long texts without an underscore, such as files in base64, are copied as they are.
fn decode(value: &str) -> String {
    let mut decoded = String::with_capacity(value.len());
    let mut units = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.find('_') {
        let (before, from) = rest.split_at(at);
        if !before.is_empty() {
            flush(&mut units, &mut decoded);
            decoded.push_str(before);
        }
        // Several in a row may be the halves of one character.
        match escaped(from) {
            Some(unit) => units.push(unit),
            None => {
                flush(&mut units, &mut decoded);
                decoded.push('_');
            }
        }
        rest = &from[if escaped(from).is_some() { ESCAPE } else { 1 }..];
    }
    flush(&mut units, &mut decoded);
    decoded + rest
}

/// Length of `_x000A_`.
const ESCAPE: usize = 7;

/// The UTF-16 unit at the beginning of a text that is written as `_x000A_`.
fn escaped(text: &str) -> Option<u16> {
    let digits = text.get(..ESCAPE)?.strip_prefix("_x")?.strip_suffix('_')?;
    u16::from_str_radix(digits, 16).ok()
}

fn flush(units: &mut Vec<u16>, decoded: &mut String) {
    decoded.push_str(&String::from_utf16_lossy(units));
    units.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(plain: &str, written: &str) {
        assert_eq!(string(plain), format!("<S>{written}</S>"));
        assert_eq!(read_string(&string(plain)).expect("a text"), plain);
    }

    #[test]
    fn writes_and_reads_texts() {
        check("", "");
        check("C:\\Users\\a & b", "C:\\Users\\a &amp; b");
        check("two\r\nlines", "two_x000D__x000A_lines");
        check("a _x000A_ of its own", "a _x005F_x000A_ of its own");
        check("snake_case", "snake_case");
        assert_eq!(read_string("<S>_xD83D__xDE00_ and _x</S>").expect("a text"), "\u{1f600} and _x");
        assert!(read_string("<I32>1</I32>").is_err());
    }

    const COMMAND: &str = "<Obj><MS><S N=\"Cmd\">$input_x000A_$args</S><B N=\"IsScript\">true</B><Obj N=\"Args\"><LST>\
                           <Obj><MS><Nil N=\"N\"/><S N=\"V\">C:\\file</S></MS></Obj><Obj><MS><Nil N=\"N\"/><B \
                           N=\"V\">false</B></MS></Obj></LST></Obj></MS></Obj>";

    fn pipeline(commands: &str) -> String {
        format!("<Obj><MS><Obj N=\"PowerShell\"><MS><Obj N=\"Cmds\"><LST>{commands}</LST></Obj></MS></Obj></MS></Obj>")
    }

    #[test]
    fn reads_a_script_with_its_arguments() {
        let script = read_script(&pipeline(COMMAND)).expect("a script");
        let arguments = ["C:\\file", "false"].map(str::to_owned).to_vec();
        assert_eq!(script, Script { text: "$input\n$args".to_owned(), arguments });
    }

    #[track_caller]
    fn check_refused(commands: &str, reason: &str) {
        let error = read_script(&pipeline(commands)).expect_err("no single script");
        assert_eq!(error.to_string(), reason);
    }

    #[test]
    fn refuses_what_is_not_one_script() {
        check_refused(&COMMAND.repeat(2), "the pipeline has 2 commands; the lab runs one script");
        check_refused(&COMMAND.replace(">true<", ">false<"), "the command is no script");
        let named = COMMAND.replacen("<Nil N=\"N\"/>", "<S N=\"N\">-Path</S>", 1);
        check_refused(&named, "an argument has a name; the lab takes positional ones");
    }
}
