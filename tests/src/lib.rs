//! End-to-end tests against a real kernel and real containers
