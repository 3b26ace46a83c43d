"""Makes data sets of TensorFlow Datasets out of images, at the size that training needs."""
