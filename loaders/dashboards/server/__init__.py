"""What is in a Metabase, made to be what the files say: nothing else in it is touched."""
