"""The rows that a halt raises and every start looks at."""
