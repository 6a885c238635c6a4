"""Measuring models of iGSM: whole solutions, their tokens, and answers without steps."""
