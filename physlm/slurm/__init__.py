"""Runs as Slurm jobs: the same command for each, in an array; results are in run directories.

`launch` submits and waits. On the compute nodes, `job.sh` starts `job` for each run, and `requeue`
at its end, which requeues interrupted jobs.
"""
