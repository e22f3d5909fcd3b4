//! Import: from an id such as `mfa-eu=mfa01.contoso.com,mfa02.contoso.com` to the state that Read then fills.

use crate::plan::token::is_valid_name;
use crate::resource::Outcome;
use crate::resource::set::desired::duplicate;
use crate::resource::set::{HostSet, schema};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
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
pub fn hosts(text: &str) -> Result<Vec<String>, String> {
    let hosts: Vec<String> = text.split(',').map(|host| host.trim().to_owned()).collect();
    for host in &hosts {
        let mut found = Diagnostics::default();
        schema::check_host(host, &Path::root(), &mut found);
        if found.has_errors() {
            return Err(if host.is_empty() { "a host is missing".to_owned() } else { format!("{host:?} is no host") });
        }
    }
    match duplicate(&hosts) {
        Some(index) => Err(format!("{} is there twice", hosts[index])),
        None => Ok(hosts),
    }
}

/// Reads `=HOST,HOST` or `@VIRTUAL_DIRECTORY=HOST,HOST`.
pub fn virtual_directory_and_hosts(rest: &str) -> Result<(Option<String>, Vec<String>), String> {
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
