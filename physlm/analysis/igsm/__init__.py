"""What states and attention of iGSM models encode, measured against the truth of each problem."""
