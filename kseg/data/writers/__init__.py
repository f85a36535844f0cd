"""Writers: a `Source` as the folders of an official data set, or as TFRecord files."""
