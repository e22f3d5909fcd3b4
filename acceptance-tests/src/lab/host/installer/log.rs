//! The log that Windows Installer writes when it is told to.

use crate::lab::host::installer::{Order, SUCCESS};
use crate::lab::host::product::component::Component;
use crate::lab::host::product::release::Package;

/// Lines of a log under way.
pub struct Log {
    product: String,
    lines: Vec<String>,
}

impl Log {
    pub fn new(order: &Order, package: &Package) -> Self {
        let component = Component::from_name(&package.lab_package);
        let product = component.map_or(package.lab_package.clone(), |component| component.display_name().to_owned());
        let lines = vec![
            format!("=== Verbose logging started: {} ===", crate::lab::host::time::now()),
            // As in life, everything that was given stands here, secrets too.
            format!("MSI (c) (10:20) [02:00:00:000]: Command Line: {}", order.arguments.join(" ")),
            format!("Property(S): ProductVersion = {}", package.version),
        ];
        Self { product, lines }
    }

    pub fn line(&mut self, text: &str) {
        self.lines.push(format!("MSI (s) (A4:10) [02:00:00:000]: {text}"));
    }

    /// The last lines of every log.
    pub fn end(&mut self, code: i32) {
        let is_success = matches!(code, SUCCESS | 1641 | 3010);
        if !is_success {
            self.lines.push("Action ended 2:00:00: INSTALL. Return value 3.".to_owned());
        }
        let result = if is_success { "completed successfully" } else { "failed" };
        let product = self.product.clone();
        self.line(&format!("Product: {product} -- Installation {result}."));
        self.line(&format!("MainEngineThread is returning {code}"));
    }

    pub fn text(&self) -> String {
        self.lines.join("\r\n") + "\r\n"
    }
}
