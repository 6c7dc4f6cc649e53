"""Planning and ordering whole catalogues."""
