"""Run events and logs: append, replay by offset, WebSocket fan-out."""
