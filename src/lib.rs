//! campaign-execution: turns an approved media plan into campaigns, exactly once.
