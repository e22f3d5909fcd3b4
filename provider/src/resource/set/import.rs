//! Import: from an id such as `mfa-eu=mfa01.contoso.com,mfa02.contoso.com` to the state that Read then fills.

use crate::address::HostAddress;
use crate::plan::token::is_valid_name;
use crate::resource::Outcome;
use crate::resource::set::HostSet;
use crate::resource::set::desired::duplicate;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::schema::Schema;
use crate::tf::value::Value;

/// Makes the state that an id stands for. No host is reached.
pub fn import(set: &dyn HostSet, schema: &Schema, id: &str) -> Outcome {
    let mut diagnostics = Diagnostics::default();
    match parse(set, schema, id) {
        Ok(state) => Outcome { state, private: Vec::new(), diagnostics },
        Err(problem) => {
            diagnostics.error(
                format!("{id:?} is no import id of {}", set.type_name()),
                format!("{problem}. The form is {}.", set.import_grammar()),
            );
            Outcome { state: Value::Null, private: Vec::new(), diagnostics }
        }
    }
}

/// Reads `HOST,HOST,…`: at least one, none twice.
///
/// What is written for a host holds none of the characters that part the id: no comma, semicolon or equals sign.
pub fn hosts(text: &str) -> Result<Vec<HostAddress>, String> {
    let read = |host: &str| match host.trim() {
        "" => Err("a host is missing".to_owned()),
        host => host.parse::<HostAddress>().map_err(|error| error.to_string()),
    };
    let hosts: Vec<HostAddress> = text.split(',').map(read).collect::<Result<_, _>>()?;
    match duplicate(&hosts) {
        Some((_, found)) => Err(found),
        None => Ok(hosts),
    }
}

/// Hosts as states and ids write them.
pub fn texts(hosts: &[HostAddress]) -> Vec<String> {
    hosts.iter().map(HostAddress::to_string).collect()
}

/// Reads `=HOST,HOST` or `@VIRTUAL_DIRECTORY=HOST,HOST`.
pub fn virtual_directory_and_hosts(rest: &str) -> Result<(Option<String>, Vec<HostAddress>), String> {
    if let Some(text) = rest.strip_prefix('=') {
        return Ok((None, hosts(text)?));
    }
    let (directory, text) =
        rest.strip_prefix('@').and_then(|rest| rest.split_once('=')).ok_or("\"=\" and the hosts are missing")?;
    if directory.is_empty() {
        return Err("the virtual directory after \"@\" is missing".to_owned());
    }
    Ok((Some(directory.to_owned()), hosts(text)?))
}

fn parse(set: &dyn HostSet, schema: &Schema, id: &str) -> Result<Value, String> {
    let end = id.find(['=', '@']).ok_or("\"=\" and the hosts are missing")?;
    let (name, rest) = id.split_at(end);
    if !is_valid_name(name) {
        return Err(format!("{name:?} cannot name a set"));
    }
    let mut state = Value::object(schema.attributes.iter().map(|attribute| (attribute.name, Value::Null)));
    state.set("name", Value::from(name));
    for (name, value) in set.parse_import(rest)? {
        state.set(name, value);
    }
    Ok(state)
}
