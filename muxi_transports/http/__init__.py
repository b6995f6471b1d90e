"""HTTP as every network transport has it, without any HTTP library: settings, proxies, TLS, bounds of an attempt."""
