//! What the vendor's product looks like on a host: names, folders, files and the settings it ships.

pub mod adapter;
pub mod component;
pub mod files;
pub mod release;
pub mod web_config;
