//! The SOAP messages of the Windows remote shell: written by templates, read as a tree.

pub mod fault;
pub mod reply;
pub mod request;
pub mod sealed;
