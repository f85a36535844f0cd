"""What `benchmarks/gpu.py` measures, section by section."""
