"""Looking inside models: probes, attention statistics, ablation; and figures of runs."""
