//! The vigia agent
