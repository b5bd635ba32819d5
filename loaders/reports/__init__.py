"""Reports: what `reports/*.yml` declares, made of published gold, as a page or as data."""
