"""Names that OpenRLHF imports from flash-attn, which is built for CUDA alone; whatever calls one fails by its name."""
