"""Files in and out: every line of an import ends as a row or as a named reject, and the numbers add up."""
