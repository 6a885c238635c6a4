"""What models of iGSM know inside, measured against the truth of each problem."""
