//! Attribute tables: the one declaration from which schema, validation, decoding and docs come.

use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;

/// A resource's or the provider's attributes, with what its page in the docs says about it.
#[derive(Debug, Clone)]
pub struct Schema {
    /// Version of the stored state; raised when the shape changes.
    pub version: i64,
    /// Markdown, complete sentences.
    pub description: &'static str,
    pub attributes: Vec<Attribute>,
}

/// One attribute.
#[derive(Debug, Clone)]
pub struct Attribute {
    pub name: &'static str,
    pub kind: Kind,
    pub mode: Mode,
    pub sensitive: bool,
    /// Markdown, complete sentences that end with a dot.
    pub description: &'static str,
    /// Checks of a known, non-null value; they run in validation, which the core repeats before plan and apply.
    pub validators: Vec<Validator>,
    /// What stands where the configuration sets nothing. Only for [`Mode::OptionalComputed`], because a planned
    /// value that differs from the configuration is allowed nowhere else; in the provider's own table, which is
    /// never planned, for [`Mode::Optional`] too.
    pub default: Option<Value>,
}

/// The type of an attribute.
#[derive(Debug, Clone)]
pub enum Kind {
    String,
    Number,
    Bool,
    List(Box<Kind>),
    Map(Box<Kind>),
    /// A nested object (nested attribute, nesting mode single).
    Object(Vec<Attribute>),
    /// A list of nested objects.
    ObjectList(Vec<Attribute>),
    /// A map of nested objects.
    ObjectMap(Vec<Attribute>),
}

/// Who sets an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Required,
    Optional,
    Computed,
    /// Set by the user, or else found by the provider.
    OptionalComputed,
}

/// A check of a known, non-null value at a path.
pub type Validator = fn(&Value, &Path, &mut Diagnostics);

impl Attribute {
    /// An attribute the user must set.
    pub fn required(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self::new(name, kind, Mode::Required, description)
    }

    /// An attribute the user may set.
    pub fn optional(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self::new(name, kind, Mode::Optional, description)
    }

    /// An attribute only the provider sets.
    pub fn computed(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self::new(name, kind, Mode::Computed, description)
    }

    /// An attribute the user may set and the provider finds otherwise.
    pub fn optional_computed(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self::new(name, kind, Mode::OptionalComputed, description)
    }

    /// With a check added.
    pub fn check(mut self, validator: Validator) -> Self {
        self.validators.push(validator);
        self
    }

    /// With a value for configurations that set none.
    pub fn with_default(mut self, default: Value) -> Self {
        self.default = Some(default);
        self
    }

    /// Hidden in Terraform's output.
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    fn new(name: &'static str, kind: Kind, mode: Mode, description: &'static str) -> Self {
        Self { name, kind, mode, sensitive: false, description, validators: Vec::new(), default: None }
    }
}

impl Kind {
    /// A list of strings.
    pub fn strings() -> Self {
        Self::List(Box::new(Self::String))
    }

    /// A map of strings.
    pub fn string_map() -> Self {
        Self::Map(Box::new(Self::String))
    }
}
