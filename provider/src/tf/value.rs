//! Values as Terraform has them: null and unknown at any depth, numbers without loss.

use std::collections::BTreeMap;
use std::str::FromStr;

use bigdecimal::BigDecimal;

/// Numbers with more zeros than this are compared as text.
const MAXIMUM_EXPONENT: u64 = 10_000;

/// A value of a configuration, a plan or a state.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    /// Known only after apply. Refinements are not kept.
    Unknown,
    Bool(bool),
    Number(Number),
    String(String),
    /// A list, set or tuple.
    List(Vec<Value>),
    /// A map or an object.
    Map(BTreeMap<String, Value>),
}

/// A number in the form in which it arrived, so that echoing it loses nothing.
#[derive(Debug, Clone)]
pub enum Number {
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    /// Decimal text, as the core sends what fits neither an integer nor a float exactly.
    Decimal(String),
}

impl Value {
    /// An object from its attributes.
    pub fn object<'a>(attributes: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self::Map(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// A list of strings.
    pub fn strings<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(items.into_iter().map(|item| Self::String(item.into())).collect())
    }

    /// A whole number.
    pub fn integer(number: i64) -> Self {
        Self::Number(Number::Integer(number))
    }

    /// What kind of value this is, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(number) if number.is_valid() => "a number",
            Self::Number(_) => "text or a float that is no number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map or an object",
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether this very value is unknown (its parts may be unknown when it is not).
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Whether this value and all its parts are known.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(items) => items.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            _ => true,
        }
    }

    /// The text of a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// A known bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A known whole number that fits.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_integer(),
            _ => None,
        }
    }

    /// The elements of a known list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a known map or object.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// An attribute of an object or an element of a map; null where there is none.
    pub fn attribute(&self, name: &str) -> &Value {
        self.as_map().and_then(|entries| entries.get(name)).unwrap_or(&Value::Null)
    }

    /// Sets an attribute of an object. Does nothing on another kind of value.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Self::Map(entries) = self {
            entries.insert(name.to_owned(), value);
        }
    }
}

impl Number {
    /// The number when it is whole and fits.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Unsigned(number) => i64::try_from(*number).ok(),
            Self::Float(_) | Self::Decimal(_) => {
                let decimal = self.decimal()?;
                decimal.is_integer().then(|| decimal.with_scale(0).to_string())?.parse().ok()
            }
        }
    }

    /// Whether this is a number at all: not NaN, and not text that is none.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Integer(_) | Self::Unsigned(_) => true,
            Self::Float(number) => !number.is_nan(),
            Self::Decimal(text) => BigDecimal::from_str(text).is_ok(),
        }
    }

    /// The exact decimal, or none for an infinity, NaN, text that is no number, or a number too long to write out.
    fn decimal(&self) -> Option<BigDecimal> {
        match self {
            Self::Integer(number) => Some(BigDecimal::from(*number)),
            Self::Unsigned(number) => Some(BigDecimal::from(*number)),
            // The shortest decimal text of a float is what the core compares.
            Self::Float(number) => BigDecimal::from_str(&number.to_string()).ok(),
            Self::Decimal(text) => BigDecimal::from_str(text).ok().filter(|decimal| {
                // Comparing 1 with 1e999999999 would write a gigabyte of zeros.
                decimal.fractional_digit_count().unsigned_abs() < MAXIMUM_EXPONENT
            }),
        }
    }
}

impl PartialEq for Number {
    /// Equal by decimal value, whatever the form on the wire.
    fn eq(&self, other: &Self) -> bool {
        match (self.decimal(), other.decimal()) {
            (Some(left), Some(right)) => left == right,
            (None, None) => match (self, other) {
                (Self::Float(left), Self::Float(right)) => left == right,
                (Self::Decimal(left), Self::Decimal(right)) => left == right,
                _ => false,
            },
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::String)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_decimal_value() {
        let same = [
            (Number::Integer(1), Number::Decimal("1.0".into())),
            (Number::Float(0.1), Number::Decimal("0.1".into())),
            (Number::Unsigned(u64::MAX), Number::Decimal("18446744073709551615".into())),
        ];
        for (left, right) in same {
            assert_eq!(left, right);
        }
        assert_ne!(Number::Float(0.1), Number::Decimal("0.1000000000000000001".into()));
    }

    #[test]
    fn numbers_too_long_to_write_out_are_compared_as_text() {
        let long = || Number::Decimal("1e999999999".into());
        assert!(long().is_valid());
        assert_eq!(long(), long());
        assert_ne!(long(), Number::Integer(1));
        assert_eq!(long().as_integer(), None);
    }

    #[test]
    fn unknown_is_found_at_any_depth() {
        let value = Value::object([("a", Value::List(vec![Value::object([("b", Value::Unknown)])]))]);
        assert!(!value.is_wholly_known());
    }
}
