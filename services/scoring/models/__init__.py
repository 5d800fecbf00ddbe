"""Models of how customers buy and spend: numpy and scipy only, no database in sight."""
