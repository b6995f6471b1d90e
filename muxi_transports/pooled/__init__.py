"""Everything over the connections of urllib3: pools, routes, answers and their failures."""
