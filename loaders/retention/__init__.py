"""How long each table is kept, and taking away what is older."""
