"""The guards that keep facts from being lost or doubled, each taken away in a copy of the tree to see a test go red."""
