"""A live monitor: errors found, alarms on right texts, and the cost of watching."""

from pathlib import Path

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.monitor import draw_monitor_experiment

if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw_monitor_experiment)
