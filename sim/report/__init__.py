"""Views of recorded runs; they read results and never ask the engine."""
