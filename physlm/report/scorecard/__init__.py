"""The scorecard: the tests of the papers, on any model."""
