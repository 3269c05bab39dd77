"""Members of the options of the library and their arguments in this package, where the two differ.

Made by scripts/generate-options.
"""

KEYWORDS = {
    "format": "to",
    "granularity": "per",
    "keep_patterns": "keep",
    "labels_file": "labels",
    "no_outputs": "outputs",
    "part_bytes": "part_size",
    "plan_path": "plan",
    "row_group_bytes": "row_group_size",
    "save_plan_path": "save_plan",
    "save_stats_path": "save_stats",
    "stats_path": "stats",
    "symmetry": "symmetric",
    "tensor_rules": "tensor",
    "texts_file": "texts",
    "tune_seconds": "tune",
}
