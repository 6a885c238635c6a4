"""The scorecard: any model put through the tests of the field."""
