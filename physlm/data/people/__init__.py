"""Worlds of people: bioS, bioR, bioD, junk people, and questions about them."""
