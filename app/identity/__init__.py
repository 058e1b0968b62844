"""Organizations, users, teams, roles, API tokens, service accounts, sessions."""
