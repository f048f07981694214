//! Arguments in, exit code out. Nothing else lives here.
fn main() {}
