"""From satellite archives and farmers' declarations to crop-type benchmark datasets."""
