"""Policy sets, attachments, PolicyChecker, enforcement levels."""
