//! Binding of arguments to a script's parameters, as PowerShell does it: strictly, by name.

use serde_json::{Map, Value};

use crate::lab::host::native::reply::Failure;

/// A parameter of a script, under its name in JSON.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub mandatory: bool,
    pub form: Form,
}

#[derive(Clone, Copy, Debug)]
pub enum Form {
    Text,
    Texts,
    Number { least: i64, most: i64 },
    OneOf(&'static [&'static str]),
    Flag,
}

/// Arguments that fit the parameters.
#[derive(Clone, Debug, Default)]
pub struct Arguments(Map<String, Value>);

/// A mandatory text.
pub const fn text(name: &'static str) -> Parameter {
    Parameter { name, mandatory: true, form: Form::Text }
}

/// A text that may be left out.
pub const fn optional_text(name: &'static str) -> Parameter {
    Parameter { name, mandatory: false, form: Form::Text }
}

/// Mandatory texts, possibly none.
pub const fn texts(name: &'static str) -> Parameter {
    Parameter { name, mandatory: true, form: Form::Texts }
}

/// Texts that may be left out.
pub const fn optional_texts(name: &'static str) -> Parameter {
    Parameter { name, mandatory: false, form: Form::Texts }
}

/// A mandatory number in a range.
pub const fn number(name: &'static str, least: i64, most: i64) -> Parameter {
    Parameter { name, mandatory: true, form: Form::Number { least, most } }
}

/// A mandatory text out of a set.
pub const fn one_of(name: &'static str, accepted: &'static [&'static str]) -> Parameter {
    Parameter { name, mandatory: true, form: Form::OneOf(accepted) }
}

/// A yes or no that may be left out.
pub const fn optional_flag(name: &'static str) -> Parameter {
    Parameter { name, mandatory: false, form: Form::Flag }
}

impl Arguments {
    /// Reads the argument JSON of a call. Null means not given.
    pub fn bind(argument_text: &str, parameters: &[Parameter]) -> Result<Self, Failure> {
        let given: Map<String, Value> = serde_json::from_str(argument_text)
            .map_err(|error| Failure::other(format!("Conversion from JSON failed with error: {error}")))?;
        let mut bound = Map::new();
        for (name, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
            let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) else {
                let name = pascal_case(&name);
                return Err(Failure::invalid_input(format!(
                    "A parameter cannot be found that matches parameter name '{name}'."
                )));
            };
            bound.insert(name, parameter.check(value)?);
        }
        let missing: Vec<_> = parameters
            .iter()
            .filter(|parameter| parameter.mandatory && !bound.contains_key(parameter.name))
            .map(|parameter| pascal_case(parameter.name))
            .collect();
        if missing.is_empty() {
            return Ok(Self(bound));
        }
        let message = "Cannot process command because of one or more missing mandatory parameters:";
        Err(Failure::invalid_input(format!("{message} {}.", missing.join(" "))))
    }

    /// A text; empty when it was left out.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// A yes or no; no when it was left out.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    pub fn number(&self, name: &str) -> i64 {
        self.0.get(name).and_then(Value::as_i64).unwrap_or_default()
    }
}

impl Parameter {
    fn check(&self, value: Value) -> Result<Value, Failure> {
        let name = pascal_case(self.name);
        let cannot =
            |why: &str| Failure::invalid_input(format!("Cannot validate argument on parameter '{name}'. {why}"));
        match self.form {
            Form::Text | Form::OneOf(_) => {
                let text = as_text(&value).ok_or_else(|| {
                    Failure::invalid_input(format!(
                        "Cannot process argument transformation on parameter '{name}'. Cannot convert value to type \
                         System.String."
                    ))
                })?;
                if text.is_empty() && self.mandatory {
                    return Err(Failure::invalid_input(format!(
                        "Cannot bind argument to parameter '{name}' because it is an empty string."
                    )));
                }
                if let Form::OneOf(accepted) = self.form
                    && !accepted.iter().any(|accepted| accepted.eq_ignore_ascii_case(&text))
                {
                    let accepted = accepted.join(",");
                    return Err(cannot(&format!(
                        "The argument \"{text}\" does not belong to the set \"{accepted}\" specified by the \
                         ValidateSet attribute. Supply an argument that is in the set and then try the command again."
                    )));
                }
                Ok(Value::String(text))
            }
            Form::Texts => {
                let items = if let Value::Array(items) = value { items } else { vec![value] };
                Ok(items.iter().map(|item| Value::String(as_text(item).unwrap_or_default())).collect())
            }
            Form::Flag => value.as_bool().map(Value::Bool).ok_or_else(|| {
                Failure::invalid_input(format!(
                    "Cannot process argument transformation on parameter '{name}'. Cannot convert value to type \
                     System.Boolean."
                ))
            }),
            Form::Number { least, most } => {
                let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok()).ok_or_else(|| {
                    Failure::invalid_input(format!(
                        "Cannot process argument transformation on parameter '{name}'. Cannot convert value to a number."
                    ))
                })?;
                if (least..=most).contains(&number) {
                    return Ok(Value::from(number));
                }
                let bound = if number < least { ("less", "minimum", least) } else { ("greater", "maximum", most) };
                Err(cannot(&format!(
                    "The {number} argument is {} than the {} allowed range of {}.",
                    bound.0, bound.1, bound.2
                )))
            }
        }
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_true) => Some(if *is_true { "True" } else { "False" }.to_owned()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// `backup_path` as the script's `BackupPath`.
fn pascal_case(name: &str) -> String {
    let word = |word: &str| {
        let mut characters = word.chars();
        characters.next().map(|first| first.to_ascii_uppercase().to_string() + characters.as_str()).unwrap_or_default()
    };
    name.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: [Parameter; 5] = [
        text("backup_id"),
        optional_text("sub_folder"),
        number("timeout_minutes", 1, 1440),
        texts("arguments"),
        optional_flag("fresh"),
    ];

    #[track_caller]
    fn check(arguments: &str, expected: Result<(), &str>) {
        match (Arguments::bind(arguments, &PARAMETERS), expected) {
            (Ok(_), Ok(())) => {}
            (Err(failure), Err(part)) => {
                assert!(failure.message.contains(part), "{}", failure.message);
                assert_eq!(failure.kind, "invalid_input");
            }
            (found, expected) => panic!("{arguments}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn arguments_are_bound_strictly() {
        check(r#"{"backup_id":"a","timeout_minutes":5,"arguments":[]}"#, Ok(()));
        check(r#"{"backup_id":"a","timeout_minutes":5,"arguments":["",""],"sub_folder":null}"#, Ok(()));
        check(
            r#"{"backup_id":"","timeout_minutes":5,"arguments":[]}"#,
            Err("'BackupId' because it is an empty string"),
        );
        check(r#"{"backup_id":"a","timeout_minutes":5,"arguments":[],"fresh":true}"#, Ok(()));
        check(r#"{"backup_id":"a","timeout_minutes":5,"arguments":[],"fresh":"no"}"#, Err("System.Boolean"));
        check(r#"{"backup_id":"a","arguments":[]}"#, Err("parameters: TimeoutMinutes"));
        check(r#"{"backup_id":"a","timeout_minutes":0,"arguments":[]}"#, Err("less than the minimum"));
        check(r#"{"backup_id":"a","timeout_minutes":5,"arguments":[],"x_y":1}"#, Err("parameter name 'XY'"));
    }
}
