//! The protocol layer from outside: the shipped binary over its real handshake, and the service with resources made
//! for tests.
//!
//! What is known to bite in this protocol, and the test that fails without the remedy:
//!
//! | | trap | test |
//! |---|---|---|
//! | 1 | the client's key is P-521, which `ring` cannot verify | `handshake::a_client_like_terraform_gets_in` |
//! | 2 | the client's certificate is a self-signed CA, which the usual verifier refuses | the same |
//! | 3 | without ALPN `h2` newer clients refuse | the same |
//! | 4 | SIGINT goes to the whole foreground group | `life::an_interrupt_is_ignored` |
//! | 5 | a broken connection drops the handler, and nobody ends the process | `resources::an_apply_outlives_its_connection`, `life::the_process_ends_when_its_parent_dies`, `life::the_process_ends_when_nobody_is_connected` |
//! | 6 | a panic says only "Request cancelled" | `resources::a_panic_is_a_diagnostic_that_names_the_rpc` |
//! | 7 | messages over 4 MiB are refused | `handshake::a_large_message_fits` and `resources::a_large_state_comes_back` |
//! | 8 | without Shutdown each process costs two seconds | `life::shutdown_ends_the_process_at_once` |
//! | 9 | a log line whose `@message` is no string crashes the client | `log::line` in the library, `logs::every_line_parses` |
//! | 10 | with nine digits in the timestamp the level is lost | the same |
//! | 11 | 0.1 arrives as text | `encode::numbers_lose_nothing` in the library, `resources::numbers_are_echoed_as_they_came` |
//! | 12 | numbers are compared by shortest decimal text | the same, and `value::numbers_compare_by_decimal_value` |
//! | 13 | `type` and `nested_type` exclude each other | `schemas::every_attribute_has_one_type` |
//! | 14 | one wrong schema fails the whole provider | `schemas::every_table_is_sound` |
//! | 15 | plans run twice, in two processes, and are compared | `resources::two_plans_are_the_same_bytes` |
//! | 16 | the private bytes that reach apply are those of the second plan | `resources::private_bytes_are_carried` |
//! | 17 | `deferral_allowed` while applying is no invitation | `resources::nothing_is_ever_deferred` |
//! | 18 | write-only attributes need new clients | `schemas::nothing_is_write_only` |
//! | 19 | an action's stream without exactly one last `completed` crashes the client | `families::an_action_ends_with_exactly_one_completed` |
//! | 20 | a schema without a block crashes the client | `schemas::every_schema_has_a_block` |
//! | 21 | an error on create taints | `resources::after_an_error_the_resources_own_state_is_kept` |
//! | 22 | standard output after the handshake disturbs | `life::nothing_follows_the_handshake_on_standard_output` |
//!
//! 23 (no progress channel) and 24 (plans are sorted by address) shape the resources, not this layer.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]
#![allow(clippy::needless_pass_by_value, reason = "calls of a check read better without borrows")]

mod client;
mod families;
mod handshake;
mod life;
mod logs;
mod resources;
mod schemas;
mod service;
