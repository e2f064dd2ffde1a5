"""The HTTP routes, one file a service of the platform."""
