"""The long-lived parts that every request works with: keys, bodies, engines, groups, waits."""
