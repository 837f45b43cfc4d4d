"""What records mean: tables, statistics, claims and their verdicts. Never torch."""
