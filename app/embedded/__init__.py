"""PostgreSQL, Redis, API, worker and beat for one machine, in one command: what `sluice up` does.

Knows no slice: the parts that do (migrate, bootstrap, API, worker, beat) are processes of their own.
"""
