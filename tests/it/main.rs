//! The integration tests: one binary, so that it links once. The list of modules; nothing else lives here.

mod amend;
mod audit;
mod contract;
mod deploy;
mod dlq;
mod execution;
mod explain;
mod gate;
mod golden;
mod hostile;
mod kill;
mod never_twice;
mod pause;
mod people;
mod quota;
mod readme;
mod role;
mod schemas;
mod stream;
mod support;
mod surroundings;
mod tidy;
mod touchpoints;
mod uploads;
mod uploads_everywhere;
