"""The demo company, and a day of it: plain data, a seed, and the same ports that everybody uses."""
