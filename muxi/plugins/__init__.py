"""The built-in plugins: ordinary ones, under names by which they can be replaced or gone without."""
