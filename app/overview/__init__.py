"""Read models over several slices: the workspace list, /infra."""
