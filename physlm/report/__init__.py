"""Results over many runs: tables, claims with their verdicts, the ledger, figures."""
