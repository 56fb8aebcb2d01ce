//! Alert records, outputs and their delivery
