"""The endpoints by resource, and what their answers share."""
