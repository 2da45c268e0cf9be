"""How the record and its neighbours are doing: metrics, and whether the api can serve."""
