//! Logins that fail, and what is said of them.
