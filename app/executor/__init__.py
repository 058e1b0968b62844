"""The only place that starts a process: engines, policy evaluators and servers, typed, confined and proven dead."""
