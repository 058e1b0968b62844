"""A draft policy against past plans, before it is attached; and against one plan, while it is written."""
