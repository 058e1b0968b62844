"""``sluice``: the command line. An HTTP client of the API; `up` also uses embedded. Imports no slice."""
