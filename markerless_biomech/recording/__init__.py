"""Recordings: messages, bags, imports, replay, exports, evaluation and reports."""
