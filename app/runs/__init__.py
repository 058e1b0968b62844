"""The heart: TerraformRuntime, the run state machine, the queue, leases, the fingerprint."""
