"""Executes runs: the port to the control plane, the plan and apply pipelines, the supervisor."""
