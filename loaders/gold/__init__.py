"""From bronze to what readers open: builds, releases, and why a cell is missing."""
