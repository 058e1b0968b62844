"""The kill switch: marks, countdown, resume."""
