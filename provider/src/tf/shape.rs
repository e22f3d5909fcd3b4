//! The shape of a value as its schema declares it: the one way in which codecs and checks walk a value.

use std::fmt;

use crate::tf::schema::{Attribute, Kind, Schema};

/// What a value must look like at one place.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'a> {
    String,
    Number,
    Bool,
    List(Element<'a>),
    Map(Element<'a>),
    Object(&'a [Attribute]),
}

/// What each element of a list or map must look like.
#[derive(Debug, Clone, Copy)]
pub enum Element<'a> {
    Kind(&'a Kind),
    Object(&'a [Attribute]),
}

impl Schema {
    /// The shape of a whole configuration or state.
    pub fn shape(&self) -> Shape<'_> {
        Shape::Object(&self.attributes)
    }
}

impl Kind {
    /// The shape of an attribute of this kind.
    pub fn shape(&self) -> Shape<'_> {
        match self {
            Self::String => Shape::String,
            Self::Number => Shape::Number,
            Self::Bool => Shape::Bool,
            Self::List(kind) => Shape::List(Element::Kind(kind)),
            Self::Map(kind) => Shape::Map(Element::Kind(kind)),
            Self::Object(attributes) => Shape::Object(attributes),
            Self::ObjectList(attributes) => Shape::List(Element::Object(attributes)),
            Self::ObjectMap(attributes) => Shape::Map(Element::Object(attributes)),
        }
    }
}

impl<'a> Element<'a> {
    /// The shape of one element.
    pub fn shape(self) -> Shape<'a> {
        match self {
            Self::Kind(kind) => kind.shape(),
            Self::Object(attributes) => Shape::Object(attributes),
        }
    }
}

impl fmt::Display for Shape<'_> {
    /// For messages: `a list of strings` without the plural trouble.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a bool",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
        })
    }
}
