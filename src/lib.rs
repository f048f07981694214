//! campaign-execution: turns an approved media plan into campaigns, exactly once, tracked, audited, reversible.
//!
//! Read in this order: `domain` (what the business says; `domain::saga` is the page that decides), `wire` (our topics'
//! JSON), `platform` (the port and one folder per platform), `store` (PostgreSQL), `bus` (Kafka), `service` (the long-running
//! tasks), `cli` and `http` (what people see), `sandbox` (the platforms as seen from outside).

pub mod bus;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod health;
pub mod http;
pub mod outbound;
pub mod platform;
pub mod retry;
pub mod sandbox;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod wire;
pub mod wiring;
