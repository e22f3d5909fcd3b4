//! All acceptance tests, in one binary so that they are linked once.

mod independent_clients;
mod scripts;
mod wire;
