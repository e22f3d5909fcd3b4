//! What each script does to a host and answers.

pub mod adapter;
pub mod adapter_configuration;
pub mod adfs;
pub mod adfs_facts;
pub mod adfs_service;
pub mod backup;
pub mod compare;
pub mod configuration_entries;
pub mod diagnosis;
pub mod facts;
pub mod files;
pub mod guard;
pub mod installer_log;
pub mod installer_task;
pub mod installers;
pub mod lease;
pub mod partial;
pub mod policy;
pub mod pool;
pub mod products;
pub mod registration_script;
pub mod server_facts;
pub mod transfer;
pub mod web_config;
pub mod web_facts;
