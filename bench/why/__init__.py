"""Why a graph is slow: causes with evidence and cure, from a profile of its nodes."""
