//! All acceptance tests, in one binary so that they are linked once.

mod cases;
mod client;
mod doctor;
mod files;
mod independent_clients;
mod kerberos;
mod lab;
mod scripts;
mod support;
mod wire;
