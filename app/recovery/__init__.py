"""Recovery: what could not be kept as a version, and what a person does about it."""
