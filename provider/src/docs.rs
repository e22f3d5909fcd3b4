//! The reference pages, written from the attribute tables.
//!
//! The registries show these pages as they are, so they are complete Markdown. A test writes them to `docs/` and fails
//! when they were not the same before.

use std::fmt::Write as _;

use crate::config;
use crate::resource::{self, Resource};
use crate::tf::schema::{Attribute, Kind, Mode, Schema};

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Below the top of the checkout, such as `docs/index.md`.
    pub path: String,
    pub text: String,
}

/// All pages. `example` gives the text of a file below the top of the checkout, when it is there.
pub fn pages(example: impl Fn(&str) -> Option<String>) -> Vec<Page> {
    let provider = provider_page(config::schema(), example("examples/provider/main.tf").as_deref());
    let resources = resource::all().iter().map(|resource| {
        let path = format!("examples/resources/{}/main.tf", resource.type_name());
        resource_page(*resource, example(&path).as_deref())
    });
    std::iter::once(provider).chain(resources).collect()
}

fn provider_page(schema: &Schema, example: Option<&str>) -> Page {
    let mut text = front_matter("azuremfa Provider", "", schema.description);
    text.push_str("# azuremfa Provider\n\n");
    text.push_str(schema.description);
    text.push_str("\n\n");
    push_example(&mut text, example);
    push_schema(&mut text, &schema.attributes);
    Page { path: "docs/index.md".to_owned(), text: finish(&text) }
}

fn resource_page(resource: &dyn Resource, example: Option<&str>) -> Page {
    let name = resource.type_name();
    let schema = resource.schema();
    let mut text = front_matter(&format!("{name} Resource"), "Sets", schema.description);
    let _ = write!(text, "# {name} (Resource)\n\n{}\n\n", schema.description);
    push_example(&mut text, example);
    push_schema(&mut text, &schema.attributes);
    push_import(&mut text, resource);
    let short = name.strip_prefix("azuremfa_").unwrap_or(name);
    Page { path: format!("docs/resources/{short}.md"), text: finish(&text) }
}

/// The description in the front matter is the first paragraph, because the registry shows it in lists.
fn front_matter(title: &str, subcategory: &str, description: &str) -> String {
    let first = description.split("\n\n").next().unwrap_or_default();
    format!("---\npage_title: \"{title}\"\nsubcategory: \"{subcategory}\"\ndescription: |-\n  {first}\n---\n\n")
}

fn push_example(text: &mut String, example: Option<&str>) {
    if let Some(example) = example {
        let _ = write!(text, "## Example Usage\n\n```terraform\n{}\n```\n\n", example.trim_end());
    }
}

fn push_import(text: &mut String, resource: &dyn Resource) {
    if let Some(grammar) = resource.import_grammar() {
        let name = resource.type_name();
        let (form, others) = grammar.split_once(", ").unwrap_or((grammar, ""));
        let others = if others.is_empty() { String::new() } else { format!(", {others}") };
        let _ = write!(
            text,
            "## Import\n\nThe id has the form `{form}`{others}. Import and upgrade stand in one plan.\n\n```terraform\nimport \
             {{\n  to = {name}.example\n  id = \"{}\"\n}}\n```\n",
            example_id(form)
        );
    }
}

/// An id of a form, with names that look like a user's.
fn example_id(form: &str) -> String {
    form.replace("NAME", "example")
        .replace("HOST,HOST;HOST,HOST", "adfs01.contoso.com;adfs02.contoso.com")
        .replace("HOST,HOST", "host01.contoso.com,host02.contoso.com")
}

fn push_schema(text: &mut String, attributes: &[Attribute]) {
    text.push_str("## Schema\n\n");
    push_group(text, "### Required", attributes, "", |mode| mode == Mode::Required);
    push_group(text, "### Optional", attributes, "", is_optional);
    push_group(text, "### Read-Only", attributes, "", |mode| mode == Mode::Computed);
    push_nested(text, attributes, "");
}

fn is_optional(mode: Mode) -> bool {
    matches!(mode, Mode::Optional | Mode::OptionalComputed)
}

fn push_group(text: &mut String, heading: &str, attributes: &[Attribute], parent: &str, takes: fn(Mode) -> bool) {
    let mut lines: Vec<String> =
        attributes.iter().filter(|attribute| takes(attribute.mode)).map(|attribute| line(attribute, parent)).collect();
    if !lines.is_empty() {
        lines.sort();
        let _ = write!(text, "{heading}\n\n{}\n\n", lines.join("\n"));
    }
}

fn line(attribute: &Attribute, parent: &str) -> String {
    let sensitive = if attribute.sensitive { ", Sensitive" } else { "" };
    let nested = if nested(&attribute.kind).is_some() {
        format!(" (see [below for nested schema](#nestedatt--{}))", anchor(parent, attribute.name))
    } else {
        String::new()
    };
    let description = attribute.description.replace("\n\n", " ");
    format!("- `{}` ({}{sensitive}) {description}{nested}", attribute.name, kind(&attribute.kind))
}

/// The nested objects of an attribute table, each after its parent, to any depth.
fn push_nested(text: &mut String, attributes: &[Attribute], parent: &str) {
    for attribute in attributes {
        let Some(inner) = nested(&attribute.kind) else { continue };
        let anchor = anchor(parent, attribute.name);
        let path = anchor.replace("--", ".");
        let _ = write!(text, "<a id=\"nestedatt--{anchor}\"></a>\n### Nested Schema for `{path}`\n\n");
        push_group(text, "Required:", inner, &anchor, |mode| mode == Mode::Required);
        push_group(text, "Optional:", inner, &anchor, is_optional);
        push_group(text, "Read-Only:", inner, &anchor, |mode| mode == Mode::Computed);
        push_nested(text, inner, &anchor);
    }
}

fn anchor(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}--{name}") }
}

fn nested(kind: &Kind) -> Option<&[Attribute]> {
    match kind {
        Kind::Object(attributes) | Kind::ObjectList(attributes) | Kind::ObjectMap(attributes) => Some(attributes),
        Kind::List(inner) | Kind::Map(inner) => nested(inner),
        Kind::String | Kind::Number | Kind::Bool => None,
    }
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::String => "String".to_owned(),
        Kind::Number => "Number".to_owned(),
        Kind::Bool => "Boolean".to_owned(),
        Kind::List(inner) => format!("List of {}", self::kind(inner)),
        Kind::Map(inner) => format!("Map of {}", self::kind(inner)),
        Kind::Object(_) => "Attributes".to_owned(),
        Kind::ObjectList(_) => "Attributes List".to_owned(),
        Kind::ObjectMap(_) => "Attributes Map".to_owned(),
    }
}

fn finish(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_on_its_page() {
        let pages = pages(|_| None);
        assert_eq!(pages.len(), resource::all().len() + 1);
        for (page, schema) in
            pages.iter().zip(std::iter::once(config::schema()).chain(resource::all().iter().map(|one| one.schema())))
        {
            check(&page.text, &schema.attributes, &page.path);
        }
    }

    #[track_caller]
    fn check(text: &str, attributes: &[Attribute], path: &str) {
        for attribute in attributes {
            assert!(text.contains(&format!("- `{}` (", attribute.name)), "{path} lacks {}", attribute.name);
            assert!(attribute.description.ends_with('.'), "{path}: {} does not end with a dot", attribute.name);
            check(text, nested(&attribute.kind).unwrap_or_default(), path);
        }
    }

    #[test]
    fn an_example_stands_before_the_schema() {
        let page = pages(|path| Some(format!("# {path}\n"))).remove(1);
        let example = page.text.find("# examples/resources/").expect("the example");
        assert!(example < page.text.find("## Schema").expect("the schema"));
    }

    /// Who pastes the id of a page must not be refused.
    #[tokio::test]
    async fn the_ids_of_the_pages_can_be_imported() {
        for (page, resource) in pages(|_| None).iter().skip(1).zip(resource::all()) {
            let id = page.text.split("  id = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
            let outcome = resource.import(None, id).await;
            assert!(!outcome.diagnostics.has_errors(), "{}: {:?}", page.path, outcome.diagnostics);
        }
    }

    #[test]
    fn ids_are_made_from_their_grammar() {
        assert_eq!(example_id("NAME=HOST,HOST"), "example=host01.contoso.com,host02.contoso.com");
        assert_eq!(example_id("NAME=HOST,HOST;HOST,HOST"), "example=adfs01.contoso.com;adfs02.contoso.com");
    }
}
