"""Feature files: shards of ragged features in HDF5, and the index that joins them."""
